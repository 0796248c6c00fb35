"""Import and export: many mappings at once, all of them or none."""

from __future__ import annotations

import os
import stat
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mask_cli.errors import BadData, Conflict, FileProblem, PartlyDone
from mask_cli.rows import COLUMNS, BadRow, opened_rows, row_checker
from mask_cli.store.base import AuditRow, ImportCounts
from mask_cli.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mask_cli.models import Mapping, PhoneNumber
    from mask_cli.rows import CsvRows, JsonLines, RawRow, Rules
    from mask_cli.store.base import IncomingRow, PooledStore, Staging

_BATCH = 2_000
_NAMED = 1_000
"""How many bad rows are named one by one."""
EXPORT_COLUMNS = COLUMNS[:-1]
_TO_STDOUT = "- in place of a file writes to standard output"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How an import goes about conflicts and bad rows; `rejects` takes the bad ones."""

    on_conflict: str = "fail"
    rejects: Path | None = None
    dry_run: bool = False
    actor: str = ""
    cool_off: int = 3_600
    tell: Callable[[str], None] = lambda _: None


@dataclass(slots=True)
class _Run:
    """One import on its way."""

    rows: CsvRows | JsonLines
    options: ImportOptions
    staging: Staging
    expired: int = 0
    bad: int = 0

    @property
    def keeps(self) -> bool:
        """Tell whether bad rows are to be written out."""
        return self.options.rejects is not None

    def reject(self, place: int, column: str | None, reason: str, text: str | None) -> None:
        """Tell where a bad row stands and why; keep its text when it is to be written out."""
        self.bad += 1
        if self.bad <= _NAMED:
            where = f"{self.rows.unit} {place}" + (f", column {column}" if column else "")
            self.options.tell(f"{where}: {reason}")
        if text is not None:
            self.staging.reject(text)

    def reject_staged(self, row: IncomingRow, column: str | None, reason: str) -> None:
        """Reject a row that looked good when it was read."""
        self.reject(row.line, column, reason, self.staging.text(row.line) if self.keeps else None)

    def reject_twice(self, row: IncomingRow) -> None:
        """Reject a row whose order was there before."""
        self.reject_staged(row, "order", f"order {row.order} is in the file before")

    def reject_mixed_up(self, row: IncomingRow) -> None:
        """Reject a row with a number in two roles."""
        self.reject_staged(row, None, "one of its numbers is both a virtual one and a person's")


def import_orders(
    stream: IO[bytes], kind: str, store: PooledStore, rules: Rules, options: ImportOptions
) -> dict[str, int]:
    """Store the rows of a file; return counts.

    Raises BadData when rows are bad, Conflict when active orders differ; then nothing is
    stored. With `rejects` the good rows are stored and the others written there whole.
    """
    if options.rejects is not None and os.path.lexists(options.rejects):
        raise FileProblem(
            f"{options.rejects} exists already", hint="rejected rows never overwrite a file"
        )
    with closing(opened_rows(stream, kind)) as rows, store.staging() as staging:
        run = _Run(rows, options, staging)
        _stage(staging, run, rules)
        staging.take_duplicates(run.reject_twice)
        _stop_if_bad(run)
        with store.writing(keep=not options.dry_run):
            counts = _applied(staging, store, run, rules.now)
    return {**asdict(counts), "expired": run.expired, "rejected": run.bad}


def _stop_if_bad(run: _Run) -> None:
    if run.bad and run.options.rejects is None:
        raise BadData(
            f"{run.bad} bad rows; nothing was stored",
            hint="mend them, or store the others: --keep-going --rejects FILE",
        )


def partly(counts: dict[str, int], rejects: Path, *, dry_run: bool = False) -> PartlyDone:
    """Return what an import with rejected rows ends with."""
    if dry_run:
        return PartlyDone(f"{counts['rejected']} rows would not be stored")
    return PartlyDone(
        f"{counts['rejected']} rows were not stored; they are in {rejects}",
        hint=f"mend them there, then: mask import {rejects}",
    )


def _stage(staging: Staging, run: _Run, rules: Rules) -> None:
    """Check every row and stage the good ones."""
    check = row_checker(run.rows.columns, rules)
    batch: list[IncomingRow] = []
    texts: list[tuple[int, str]] = []
    for raw in run.rows:
        try:
            row = check(raw)
        except BadRow as error:
            text = run.rows.text(raw) if run.keeps else None
            run.reject(raw.line, error.column, _reason(error, raw), text)
            continue
        if row is None:
            run.expired += 1
            continue
        batch.append(row)
        if run.keeps:
            # Whether its order was there before is seen only later.
            texts.append((raw.line, run.rows.text(raw)))
        if len(batch) == _BATCH:
            staging.add(batch)
            staging.keep(texts)
            batch.clear()
            texts.clear()
    staging.add(batch)
    staging.keep(texts)


def _reason(error: BadRow, raw: RawRow) -> str:
    """Return why a row is bad; bytes that are no UTF-8 explain most other faults in it."""
    text = raw.raw if isinstance(raw.raw, str) else "".join(raw.raw)
    if text.isascii() or not any("\udc80" <= c <= "\udcff" for c in text):
        return error.reason
    return "it is not UTF-8"


def _applied(staging: Staging, store: PooledStore, run: _Run, now: int) -> ImportCounts:
    """Move what is staged into the store, or raise Conflict; inside the transaction."""
    options = run.options
    staging.take_mixed_up(run.reject_mixed_up)
    _stop_if_bad(run)
    if options.on_conflict == "fail":
        conflicts = 0
        for row in staging.conflicts(now):
            conflicts += 1
            run.reject_staged(row, None, f"order {row.order} is active with other values")
        if conflicts and options.rejects is None:
            raise Conflict(
                f"{conflicts} orders are active with other values; nothing was stored",
                hint="--on-conflict skip keeps the old ones, --on-conflict replace the new ones",
            )
    first = store.last_revision() + 1
    if not store.pool.is_empty():
        orders = staging.outlived(now)
        if options.on_conflict == "replace":
            orders += [row.order for row in staging.conflicts(now)]
        overwritten = [store.get(order) for order in orders]
        store.pool.release([mapping for mapping in overwritten if mapping], now)
    overwrite = options.on_conflict == "replace"
    staging.audit(now, options.actor, replace=overwrite)
    counts = staging.apply(now, replace=overwrite)
    if options.on_conflict == "fail":
        # The conflicting ones were not skipped but rejected.
        counts = ImportCounts(counts.added, counts.updated, counts.unchanged, 0)
    if not store.pool.is_empty():
        store.pool.bind_since(first, now, options.cool_off)
    detail = f"{counts.added} added, {counts.updated} updated, {run.bad} rejected"
    store.add_audit(AuditRow(now, options.actor, "import", None, detail))
    if run.bad and options.rejects is not None and not options.dry_run:
        _write_rejects(options.rejects, chain([run.rows.head], staging.rejected()))
    return counts


def _write_rejects(path: Path, texts: Iterable[str]) -> None:
    """Write rejected rows whole, readable by their owner only, never over another file."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.writelines(texts)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise FileProblem(f"cannot write {path}: {error.strerror}; nothing was stored") from error


def export_orders(mappings: Iterator[Mapping], kind: str, write: Callable[[str], object]) -> int:
    """Write every mapping with its whole numbers, in the form that import reads."""
    import csv
    import json

    count = 0
    if kind == "csv":
        writer = csv.writer(_Target(write), lineterminator="\n")
        writer.writerow(EXPORT_COLUMNS)
        for mapping in mappings:
            writer.writerow(_exported(mapping).values())
            count += 1
        return count
    encoded = json.JSONEncoder(ensure_ascii=False).encode
    for mapping in mappings:
        write(encoded(_exported(mapping)) + "\n")
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class _Target:
    """What csv.writer takes for a file."""

    write: Callable[[str], object]


def _exported(mapping: Mapping) -> dict[str, str | None]:
    def whole(number: PhoneNumber | None) -> str | None:
        return number.e164 if number else None

    return {
        "order": mapping.order,
        "courier": whole(mapping.courier),
        "client": whole(mapping.client),
        "virtual_number": whole(mapping.virtual_number),
        "note": mapping.note,
        "expires_at": format_time(mapping.expires_at),
    }


@contextmanager
def private_file(path: Path) -> Iterator[Callable[[str], object]]:
    """Write a file whole or not at all, readable by its owner only, in place of an older one.

    What a link leads to is written, the link stays. FileProblem where that is no ordinary file.
    """
    import tempfile

    try:
        place = _replaceable(path)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    except OSError as error:
        raise FileProblem(f"cannot write {path}: {error.strerror}") from error
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(place)
    except OSError as error:
        raise FileProblem(f"cannot write {path}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _replaceable(path: Path) -> Path:
    """Return what a path leads to when a new file may take its place; it need not exist."""
    try:
        found = os.stat(path)  # noqa: PTH116 (as it is: /dev/stdout leads where no path does)
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    if stat.S_ISDIR(found.st_mode):
        raise FileProblem(f"cannot write {path}: it is a folder")
    if not stat.S_ISREG(found.st_mode) or _is_stdout(found):
        raise FileProblem(f"cannot write {path}: it is no ordinary file", hint=_TO_STDOUT)
    return Path(os.path.realpath(path))


def _is_stdout(found: os.stat_result) -> bool:
    """Tell whether our answers go into a file: replaced, it would be lost to who opened it."""
    try:
        return os.path.samestat(found, os.fstat(1))
    except OSError:
        return False
