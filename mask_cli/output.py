"""Everything that is printed: answers to stdout, the conversation to stderr.

People on a terminal get tables, which may change; programs get JSON, JSON Lines, CSV or TSV,
which only grow. Numbers are redacted unless `reveal`, and then only once the audit has it.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING

from mask_cli.errors import ConfigurationError, FileProblem
from mask_cli.models import PhoneNumber
from mask_cli.redaction import redacted_message, redacted_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from mask_cli.errors import MaskError
    from mask_cli.records import Record

_TABLE_ROWS = 1_000
_PLAIN = frozenset({str, int, bool})
# Of many mappings a person wants to see one line each; `show` has it all.
_NOT_IN_TABLES = frozenset(
    "created_at updated_at revision environment answer_method hangup_url hangup_method"
    " fallback_url fallback_method message_url message_method default_number_app"
    " default_endpoint_app log_incoming_messages public_uri subaccount".split()
)


class Format(StrEnum):
    """How answers are printed."""

    AUTO = "auto"
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"


class OutputClosed(Exception):
    """Whoever read our stdout has stopped reading."""


def on_terminal() -> bool:
    """Tell whether somebody can answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@dataclass(slots=True)
class Output:
    """The printer of one command.

    `reveal` is called before the first whole number is printed, with the orders whose numbers
    they are as far as that is known, else with None; it may refuse by raising. Without it
    numbers stay redacted.
    """

    format: Format = Format.AUTO
    quiet: bool = False
    color: bool = True
    reveal: Callable[[Iterable[str | None]], None] | None = None
    _revealed: bool = False

    def record(self, record: Record) -> None:
        """Print one thing."""
        self._allow_reveal([record])
        match self._chosen():
            case Format.JSON | Format.JSONL:
                self._write(_json(self._plain(record)))
            case Format.TABLE:
                self._draw_record(self._plain(record))
            case _:
                self.records(tuple(record), [record])

    def counts(self, counts: Record, *, well: bool = True) -> None:
        """Print what a run did; silent with --quiet when all is well."""
        if not (self.quiet and well):
            self.record(counts)

    def records(self, fields: Sequence[str], records: Iterable[Record]) -> None:
        """Print many things as they come; a table is cut at a thousand, and says so."""
        # What comes as it is read is not known before; that the whole was asked for is audited.
        self._allow_reveal(records if isinstance(records, list) else [])
        rows = (self._plain(record) for record in records)
        chosen = self._chosen()
        match chosen:
            case Format.JSON:
                self._write_array(rows)
            case Format.JSONL:
                for row in rows:
                    self._write(_json(row))
            case Format.TABLE:
                self._table([name for name in fields if name not in _NOT_IN_TABLES], rows)
            case _:
                self._write_separated(fields, rows, "," if chosen is Format.CSV else "\t")

    def text(self, text: str) -> None:
        """Print an answer that is text by nature: a script, a document, a path."""
        self._write(text.removesuffix("\n"))

    def revealed(self, text: str, order: str | None) -> str | None:
        """Return a text with whole numbers when they may be shown, having been audited."""
        self._allow_reveal([{"order": order}])
        return None if self.reveal is None else text

    def raw(self, text: str) -> None:
        """Print a piece of an answer as it is, its own line ends included."""
        self._write(text, end="")

    def title(self, text: str) -> None:
        """Print a line between the answers of others, at once, its numbers hidden."""
        self._write(redacted_message(text))
        self.flush()

    def flush(self) -> None:
        """Let a reader see at once what was printed."""
        with writing():
            sys.stdout.flush()

    def say(self, text: str) -> None:
        """Tell a person how it went; silent with --quiet."""
        if not self.quiet:
            self.tell(text)

    def warn(self, text: str) -> None:
        """Tell a person what needs their attention."""
        self.tell(f"Warning: {text}")

    def agreed(self, question: str) -> bool:
        """Ask the person at the terminal; whatever is not yes is no.

        The question is shown as it is: what somebody agrees to they must be able to read.
        """
        print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            print(file=sys.stderr)  # nobody has ended the line
        return answer.strip().lower() in ("y", "yes")

    def error(self, error: MaskError) -> None:
        """Tell a person what happened and what to do."""
        # What names files, no order numbers: ten digits there are a number written at home.
        hide = redacted_text if isinstance(error, FileProblem | ConfigurationError) else str
        self.tell(f"Error: {hide(error.message)}")
        if error.hint:
            self.tell(f"Hint: {hide(error.hint)}")

    def progress(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """Draw a bar on a terminal, nothing elsewhere; call the result once a step."""
        from mask_cli.progress import bar

        return bar(what, total, shown=not self.quiet and sys.stderr.isatty(), color=self._colored())

    def _allow_reveal(self, records: list[Record]) -> None:
        """Have the audit told, once a run, before a whole number is printed."""
        if self.reveal is not None and not self._revealed:
            self.reveal(dict.fromkeys(record.get("order") for record in records) or [None])
            self._revealed = True

    @property
    def draws(self) -> bool:
        """Whether a person reads it: tables, and bars in them."""
        return self._chosen() is Format.TABLE

    @property
    def structured(self) -> bool:
        """Whether a program reads it as JSON."""
        return self._chosen() in (Format.JSON, Format.JSONL)

    def _chosen(self) -> Format:
        if self.format is Format.AUTO:
            return Format.TABLE if sys.stdout.isatty() else Format.TSV
        return self.format

    def _plain(self, record: Record) -> Record:
        """Return the record with its numbers as text, whole only when revealed."""
        return {name: self._shown(value) for name, value in record.items()}

    def _shown(self, value: object) -> object:
        if value is None or type(value) in _PLAIN:
            return value
        if isinstance(value, PhoneNumber):
            return value.e164 if self.reveal is not None else str(value)
        if isinstance(value, dict):
            return self._plain(value)
        if isinstance(value, list | tuple):
            return [self._shown(each) for each in value]
        return value

    def _write_array(self, rows: Iterator[Record]) -> None:
        separator = "["
        for row in rows:
            self._write(separator + _json(row), end="")
            separator = ",\n "
        self._write("]" if separator != "[" else "[]")

    def _write_separated(
        self, fields: Sequence[str], rows: Iterator[Record], separator: str
    ) -> None:
        import csv

        writer = csv.writer(_Lines(self._write), delimiter=separator, lineterminator="")
        # A header alone would be an empty list, not one that could not be had.
        first = list(islice(rows, 1))
        writer.writerow(fields)
        for row in chain(first, rows):
            writer.writerow([_text(row[name]) for name in fields])

    def _table(self, fields: Sequence[str], rows: Iterator[Record]) -> None:
        shown: list[list[str]] = []
        for row in rows:
            if len(shown) == _TABLE_ROWS:
                self.say(
                    f"Only the first {_TABLE_ROWS} are shown; --format jsonl shows all,"
                    " --limit takes fewer."
                )
                break
            shown.append([_cell(row[name]) for name in fields])
        if shown:
            self._draw([(name, "") for name in fields], shown)
        else:
            self.say("There are none.")

    def _draw_record(self, record: Record) -> None:
        """Draw a record, the records that it holds as tables below it."""
        parts = {
            name: value
            for name, value in record.items()
            if isinstance(value, list) and value and isinstance(value[0], dict)
        }
        self._draw([(name, _cell(v)) for name, v in record.items() if name not in parts], [])
        for rows in parts.values():
            fields = [(name, "") for name in rows[0]]
            self._draw(fields, [[_cell(value) for value in row.values()] for row in rows])

    def _draw(self, columns: list[tuple[str, str]], rows: list[list[str]]) -> None:
        from mask_cli.tables import draw

        with writing():
            draw(columns, rows, color=self._colored())
            sys.stdout.flush()

    def _colored(self) -> bool:
        from mask_cli.config import colors_wanted

        return self.color and colors_wanted()

    def _write(self, text: str, end: str = "\n") -> None:
        with writing():
            print(text, end=end)

    def tell(self, text: str) -> None:
        """Tell a person, also with --quiet."""
        # The last line of defence: whatever ended up in a message, no number leaves whole.
        # A BrokenPipeError here has nobody left to be told to.
        try:
            print(redacted_message(text), file=sys.stderr, flush=True)
        except BrokenPipeError as error:
            raise OutputClosed from error


@contextmanager
def writing() -> Iterator[None]:
    """Turn what goes wrong with stdout into our words: nobody reads it, or its disk is full."""
    try:
        yield
    except (BrokenPipeError, SystemExit) as error:
        # Rich, when Typer shows help with it, would end the program with 1.
        raise OutputClosed from error
    except OSError as error:
        raise FileProblem(f"cannot write the answer: {error.strerror}") from error


class _Lines:
    """What csv.writer takes for a file: each line goes where ours go."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write


_json = json.JSONEncoder(ensure_ascii=False).encode
"""As `json.dumps` does it, which would make an encoder for each of a million rows."""


def _cell(value: object) -> str:
    """Return what a person reads: a list without its brackets, anything else as programs do."""
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        return ", ".join(map(_text, value))
    return _text(value)


def _text(value: object) -> str:
    """Return a cell: empty for nothing, lower case for booleans, one line always."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list | tuple):
        return _json(value)
    return " ".join(str(value).split()) if not isinstance(value, int) else str(value)
