"""Read the rows of an import, CSV or JSON, and say what is wrong with each bad one.

Bytes that are not UTF-8 travel as surrogates, so that rejected rows are written back whole.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
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
_PIECE = 65_536


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
    raw: str | Sequence[str] = field(repr=False)
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

    unit = "line"

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

    @property
    def head(self) -> str:
        """What comes before the rows in a file of their texts."""
        return self._written(self.header)

    def text(self, raw: RawRow) -> str:
        """Return a row as it came, to read back."""
        return self._written(raw.raw)

    def _written(self, fields: Sequence[str]) -> str:
        target = io.StringIO(newline="")
        csv.writer(target, delimiter=self.delimiter, lineterminator="\n").writerow(fields)
        return target.getvalue()


class JsonLines:
    """Objects, one a line; all values are text, so that no leading zero is lost."""

    unit = "line"
    columns: Sequence[str] = COLUMNS
    head = ""

    def __init__(self, stream: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(
            stream, encoding="utf-8-sig", errors="surrogateescape", newline="\n"
        )

    def __iter__(self) -> Iterator[RawRow]:
        for line, text in enumerate(self._text, start=1):
            if not text.strip():
                continue
            try:
                row = _DECODER.decode(text.strip())
            except (ValueError, RecursionError):
                yield RawRow(line, (), text, "it is not JSON")
            else:
                yield _json_row(line, row, text)

    def close(self) -> None:
        """Let go of the stream; it is closed by whoever opened it."""
        self._text.detach()

    def text(self, raw: RawRow) -> str:
        """Return a row as it came, to read back."""
        return "".join(raw.raw).rstrip("\n") + "\n"


class JsonArray(JsonLines):
    """The objects of one JSON array, read piece by piece; what counts is their place in it."""

    unit = "item"

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self._buffer, self._at = "", 0

    def __iter__(self) -> Iterator[RawRow]:
        self._take("[", 1)
        ended = self._next() == "]" and self._take("]", 1) == "]"
        for item in count(1):
            if ended:
                break
            row, text = self._decoded(item)
            # In one line, as the others that are written out.
            yield _json_row(item, row, text.replace("\r", " ").replace("\n", " "))
            ended = self._take(",]", item) == "]"
        if self._next():
            raise _broken(item)

    def _decoded(self, item: int) -> tuple[Any, str]:
        """Return the next value and its text."""
        while self._next():
            try:
                row, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError):
                end = len(self._buffer)
            # What ends with the piece read so far may go on in the next.
            if end < len(self._buffer):
                text, self._at = self._buffer[self._at : end], end
                return row, text
            if len(self._buffer) - self._at > _LONGEST_LINE or not self._more():
                break
        raise _broken(item)

    def _take(self, marks: str, item: int) -> str:
        """Return the next character, one of these, and go on behind it."""
        mark = self._next()
        if not mark or mark not in marks:
            raise _broken(item)
        self._at += 1
        return mark

    def _next(self) -> str:
        """Return the next character that is no space, nothing at the end."""
        while True:
            while self._at < len(self._buffer):
                if not self._buffer[self._at].isspace():
                    return self._buffer[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read a piece more, letting go of what is done with."""
        piece = self._text.read(_PIECE)
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return bool(piece)


def _broken(item: int) -> BadData:
    return BadData(
        f"item {item}: it is not JSON, or not in an array; what follows cannot be read",
        hint="mend that item; nothing was stored",
    )


def opened_rows(stream: IO[bytes], kind: str) -> CsvRows | JsonLines:
    """Return the rows of a stream; `kind` is csv, jsonl or json (an array)."""
    if kind == "csv":
        return CsvRows(stream)
    return JsonArray(stream) if kind == "json" else JsonLines(stream)


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


_TWICE = object()
"""Stands for an object that has a field twice: JSON itself would let the last one win."""


def _object(fields: list[tuple[str, Any]]) -> object:
    found = dict(fields)
    return found if len(found) == len(fields) else _TWICE


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _json_row(place: int, row: object, text: str) -> RawRow:
    try:
        return RawRow(place, _json_values(row), text)
    except BadRow as error:
        return RawRow(place, (), text, error.reason)


def _json_values(row: object) -> list[str]:
    """Return the values of a JSON object in the order of COLUMNS, or raise BadRow."""
    if row is _TWICE:
        raise BadRow(None, "it has a field twice")
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
