"""The commands that move many mappings: import, export."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from mask_cli.cli.options import DryRun, WrittenForm, written_form
from mask_cli.errors import FileProblem, PartlyDone, TryLater, UsageError
from mask_cli.redaction import redacted_message
from mask_cli.store.base import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

    from mask_cli.cli.context import AppContext
    from mask_cli.errors import MaskError
    from mask_cli.rows import Rules

_FORMS = ("csv", "json", "jsonl")
_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_CHOICES = ("fail", "skip", "replace")

File = Annotated[str, typer.Argument(metavar="FILE|-", help="A file, or - for the standard one.")]


def import_(
    ctx: typer.Context,
    *,
    file: File,
    kind: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="[csv|json|jsonl]", help="Form (by its name, or how it begins)."
        ),
    ] = None,
    on_conflict: Annotated[
        str,
        typer.Option(metavar="[fail|skip|replace]", help="When an active order has other values."),
    ] = "fail",
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Store the good rows; needs --rejects.")
    ] = False,
    rejects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="New file for the bad rows, whole.")
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="Go on with mask sync.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Store the mappings of FILE: all of them, or none when a row is bad."""
    from mask_cli.transfer import ImportOptions, import_orders, partly

    mask: AppContext = ctx.obj
    _checked_choice(on_conflict, _CHOICES, "--on-conflict")
    if keep_going != (rejects is not None) or str(rejects) == "-":
        raise UsageError("--keep-going and --rejects FILE go together")
    rules = _rules(mask, push=push)
    cool_off = mask.settings["cool_off"]
    options = ImportOptions(on_conflict, rejects, dry_run, mask.actor, cool_off, mask.output.tell)
    with _source(mask, file) as stream:
        form = _form_of(stream, file, kind)
        counts = import_orders(stream, form, mask.store, rules, options)
    failure = None
    if rejects is not None and counts["rejected"]:
        failure = partly(counts, rejects, dry_run=dry_run)
    _finish(mask, counts, failure, push=push, dry_run=dry_run)


def export(
    ctx: typer.Context,
    file: File,
    kind: WrittenForm = None,
) -> None:
    """Write all mappings with their whole numbers to FILE, as import reads them; audited."""
    from mask_cli.transfer import export_orders, private_file

    mask: AppContext = ctx.obj
    form = written_form(kind, file)
    shown = redacted_message(file)
    mask.audit("export", detail=None if file == "-" else shown)
    rows = (mapping for mapping, _ in mask.store.listed(Selection(), None, mask.now()))
    if file == "-":
        export_orders(rows, form, mask.output.raw)
        return
    with private_file(mask.outside_store(file)) as write:
        count = export_orders(rows, form, write)
    mask.output.counts({"exported": count, "file": shown})


def _rules(mask: AppContext, *, push: bool) -> Rules:
    """Return what rows are checked against; with `push` the provider is made ready first."""
    from mask_cli.phone import bulk_reader
    from mask_cli.rows import Rules

    orders = mask.orders(push=push)
    return Rules(bulk_reader(mask.settings["region"]), orders.digits, orders.ttl, orders.now)


def _finish(
    mask: AppContext,
    counts: dict[str, int],
    rejected: MaskError | None,
    *,
    push: bool,
    dry_run: bool,
) -> None:
    if push and not dry_run and mask.site is not None:
        _push(mask, counts, rejected)
    else:
        _tell(mask, counts, dry_run=dry_run)
    if rejected is not None:
        raise rejected


def _push(mask: AppContext, counts: dict[str, int], rejected: MaskError | None) -> None:
    """Send what is pending; rows that were not stored weigh more than what was not sent."""
    from mask_cli.cli.pushing import push_pending

    try:
        push_pending(mask, counts, stored=True)
    except (TryLater, PartlyDone) as error:
        if rejected is None:
            raise
        hint = f"{rejected.hint}; {error.hint}"
        raise PartlyDone(f"{rejected.message}; {error.message}", hint=hint) from error


def _tell(mask: AppContext, counts: dict[str, int], *, dry_run: bool) -> None:
    pending = counts["added"] + counts["updated"] if mask.site is not None else 0
    mask.output.counts({**counts, "pending": pending}, well=not counts["rejected"])
    if dry_run:
        mask.output.say("Dry run: nothing was changed.")
    elif pending:
        mask.output.say(f"{pending} wait to be sent to the provider: mask sync")


@contextmanager
def _source(mask: AppContext, file: str) -> Iterator[BufferedReader]:
    """Open what is to be read, or raise FileProblem."""
    if file == "-":
        yield cast("BufferedReader", sys.stdin.buffer)
        return
    path = mask.outside_store(file)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise FileProblem(f"cannot read {file}: {error.strerror}") from error
    with stream:
        yield stream


def _form_of(stream: BufferedReader, file: str, kind: str | None) -> str:
    """Return csv, jsonl or json (an array): as told, by the file's name, or as it begins."""
    if kind is not None:
        return _checked_choice(kind, _FORMS, "--from")
    start = stream.peek(16).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    seen = {b"{": "jsonl", b"[": "json"}.get(start, "csv")
    return _SUFFIXES.get(Path(file).suffix.lower(), seen)


def _checked_choice(text: str, choices: tuple[str, ...], option: str) -> str:
    if text in choices:
        return text
    raise UsageError(f"{option} takes {', '.join(choices)}")
