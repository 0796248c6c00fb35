"""Read the rows of an import, CSV or JSON Lines, and say what is wrong with each bad one.

Bytes that are not UTF-8 travel as surrogates, so that rejected rows are written back whole.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

from mask_cli.errors import BadData
from mask_cli.models import checked_note, checked_order
from mask_cli.redaction import redacted_value
from mask_cli.store.base import IncomingRow
from mask_cli.times import parse_duration, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COLUMNS = ("order", "courier", "client", "virtual_number", "note", "expires_at", "ttl")
_REQUIRED = ("order", "courier", "client")
# The other guide's words for the same parties.
_ALIASES = {"customer": "client", "agent": "courier"}
_DELIMITERS = ",;\t"
_LONGEST_LINE = 131_072


class BadRow(Exception):
    """A row that cannot be taken: which column, and why."""

    def __init__(self, column: str | None, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it came: its values by column, or what is wrong with its form."""

    line: int
    values: Sequence[str]
    raw: str | Sequence[str]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are checked against; `read_number` turns text into E.164 or raises BadData."""

    read_number: Callable[[str], str]
    order_digits: int
    ttl: int
    now: int


class CsvRows:
    """Rows of a CSV file; its header names the columns, in any order."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(
            stream, encoding="utf-8-sig", errors="surrogateescape", newline=""
        )
        header = self._text.readline(_LONGEST_LINE)
        self.delimiter = max(_DELIMITERS, key=header.count)
        self.header = next(csv.reader([header], delimiter=self.delimiter), [])
        self.columns = _checked_header(self.header)

    def __iter__(self) -> Iterator[RawRow]:
        reader = csv.reader(self._text, delimiter=self.delimiter, strict=True)
        width, line = len(self.columns), 2
        try:
            for row in reader:
                if len(row) == width:
                    yield RawRow(line, row, row)
                elif row:
                    problem = f"it has {len(row)} fields where the header has {width}"
                    yield RawRow(line, row, row, problem)
                line = reader.line_num + 2
        except csv.Error as error:
            raise BadData(
                f"line {line}: the quotes or fields are broken ({error});"
                " what follows cannot be read",
                hint="mend that line; nothing was stored",
            ) from error

    def close(self) -> None:
        """Let go of the stream; it is closed by whoever opened it."""
        self._text.detach()

    def rejected(self, rows: Sequence[str | Sequence[str]]) -> Iterator[str]:
        """Return rows as text to read back, the header first."""
        target = io.StringIO(newline="")
        writer = csv.writer(target, delimiter=self.delimiter, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(rows)
        yield target.getvalue()


class JsonRows:
    """Objects, one a line; all values are text, so that no leading zero is lost."""

    columns: Sequence[str] = COLUMNS

    def __init__(self, stream: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(
            stream, encoding="utf-8-sig", errors="surrogateescape", newline="\n"
        )

    def __iter__(self) -> Iterator[RawRow]:
        for line, text in enumerate(self._text, start=1):
            if not text.strip():
                continue
            try:
                yield RawRow(line, _json_values(text), text)
            except BadRow as error:
                yield RawRow(line, (), text, error.reason)

    def close(self) -> None:
        """Let go of the stream; it is closed by whoever opened it."""
        self._text.detach()

    def rejected(self, rows: Sequence[str | Sequence[str]]) -> Iterator[str]:
        """Return rows as text to read back."""
        for row in rows:
            if isinstance(row, str):
                yield row.rstrip("\n") + "\n"
            else:
                values = {name: value for name, value in zip(COLUMNS, row, strict=True) if value}
                yield json.dumps(values, ensure_ascii=False) + "\n"


def opened_rows(stream: IO[bytes], kind: str) -> CsvRows | JsonRows:
    """Return the rows of a stream; `kind` is csv or jsonl."""
    return CsvRows(stream) if kind == "csv" else JsonRows(stream)


def row_checker(columns: Sequence[str], rules: Rules) -> Callable[[RawRow], IncomingRow | None]:
    """Return what checks a row: the row to store, None when it has expired already.

    It raises BadRow. It is called a million times in an import, hence the closure.
    """
    places = {name: columns.index(name) if name in columns else None for name in COLUMNS}
    order_at, courier_at, client_at = (columns.index(name) for name in _REQUIRED)
    others = any(places[name] is not None for name in COLUMNS[3:])
    digits, now, read_number = rules.order_digits, rules.now, rules.read_number
    default_expiry = now + rules.ttl

    def check(raw: RawRow) -> IncomingRow | None:
        if raw.problem is not None:
            raise BadRow(None, raw.problem)
        values = raw.values
        order = values[order_at]
        if not (len(order) == digits and order.isdecimal() and order.isascii()):
            order = _checked("order", lambda text: checked_order(text, digits), order.strip())
        try:
            courier = read_number(values[courier_at])
        except BadData as error:
            raise BadRow("courier", error.message) from error
        try:
            client = read_number(values[client_at])
        except BadData as error:
            raise BadRow("client", error.message) from error
        if courier == client:
            raise BadRow("client", "it is the courier's number too")
        if not others:
            return IncomingRow(
                order, raw.line, courier, client, None, None, default_expiry, moves_expiry=False
            )
        virtual, note, expires_at, moves = _others(values, places, rules)
        if virtual in (courier, client):
            raise BadRow("virtual_number", "it is one of the parties")
        if expires_at <= now:
            return None
        return IncomingRow(order, raw.line, courier, client, virtual, note, expires_at, moves)

    return check


def _others(
    values: Sequence[str], places: dict[str, int | None], rules: Rules
) -> tuple[str | None, str | None, int, bool]:
    """Return virtual number, note, expiry, and whether that expiry is absolute."""
    virtual, note, expires_at, ttl = (
        values[place].strip() if (place := places[name]) is not None else "" for name in COLUMNS[3:]
    )
    if expires_at and ttl:
        raise BadRow("ttl", "expires_at and ttl exclude each other")
    number = _checked("virtual_number", rules.read_number, virtual) if virtual else None
    remark = _checked("note", checked_note, note) if note else None
    if expires_at:
        return number, remark, _checked("expires_at", _moment, expires_at), True
    length = _checked("ttl", parse_duration, ttl) if ttl else rules.ttl
    return number, remark, rules.now + length, False


_moment = lru_cache(maxsize=4096)(parse_time)
"""Files repeat the same few expiry times."""


def _checked(column: str, read: Callable[[str], Any], text: str) -> Any:  # noqa: ANN401
    try:
        return read(text)
    except BadData as error:
        raise BadRow(column, error.message) from error


def _checked_header(header: Sequence[str]) -> list[str]:
    """Return the columns in our words, or raise BadData."""
    names = [name.strip().lower() for name in header]
    columns = [_ALIASES.get(name, name) for name in names]
    unknown = [redacted_value(name) for name in columns if name not in COLUMNS]
    missing = [name for name in _REQUIRED if name not in columns]
    twice = {name for name in columns if columns.count(name) > 1}
    if not (unknown or missing or twice):
        return columns
    told = (
        f"there is no column {', '.join(unknown)}"
        if unknown
        else f"the column {', '.join(missing)} is missing"
        if missing
        else f"the column {', '.join(sorted(twice))} is there twice"
    )
    raise BadData(f"line 1: {told}", hint=f"the first line names the columns: {', '.join(COLUMNS)}")


def _object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(fields)
    if len(found) < len(fields):
        raise BadRow(None, "it has a field twice")
    return found


# JSON itself would let the last of two fields win.
_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _json_values(text: str) -> list[str]:
    """Return the values of a JSON object in the order of COLUMNS, or raise BadRow."""
    try:
        row = _DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        raise BadRow(None, "it is not JSON") from None
    if not isinstance(row, dict):
        raise BadRow(None, "it is not a JSON object")
    named = {_ALIASES.get(name, name): value for name, value in row.items()}
    unknown = [redacted_value(name) for name in named if name not in COLUMNS]
    if unknown or len(named) < len(row):
        raise BadRow(None, f"it has a field too many: {', '.join(unknown) or 'one twice'}")
    for name, value in named.items():
        if value is not None and not isinstance(value, str):
            raise BadRow(None, f"{name} is not text: put it in quotes")
    missing = [name for name in _REQUIRED if not named.get(name)]
    if missing:
        raise BadRow(None, f"{', '.join(missing)} is missing")
    return [named.get(name) or "" for name in COLUMNS]
