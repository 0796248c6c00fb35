"""Tables on a terminal, drawn by Rich; imported only when there is one to draw."""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_BETWEEN = 2
_UNBROKEN, _PROSE = 20, 8
"""Words no wider than the first are never broken: numbers, times. The least width of prose."""
_TALLEST = 8
"""Lines in one row: what would be taller is easier read below each other."""
_STYLES = {
    "active": "green",
    "live": "green",
    "pending": "yellow",
    "failed": "bold red",
    "expired": "dim",
    "absent": "dim",
    "off": "dim",
}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the caller; Rich itself would end the program with 1."""
        raise BrokenPipeError


def console(*, color: bool) -> Console:
    """Return a console on stdout; Rich itself leaves colours out where there is no terminal."""
    return _Console(no_color=not color, highlight=False, soft_wrap=False)


def draw(columns: list[tuple[str, str]], rows: list[list[str]], *, color: bool) -> None:
    """Draw rows under their columns, or, without rows, each column's own value beside it.

    Nothing is ever cut off: where the rows do not fit side by side they stand one below the other.
    """
    to = console(color=color)
    names = [name.replace("_", " ") for name, _ in columns]
    if not rows:
        to.print(_long(list(zip(names, [value for _, value in columns], strict=True))))
        return
    texts = [[_shortened(row[i]) for row in rows] for i in range(len(names))]
    used = [column for column in zip(names, texts, strict=True) if any(column[1])]
    widths = _widths(used, to.width - _BETWEEN * (len(used) - 1))
    to.print(_wide(used, widths) if widths is not None else _below_each_other(used))


def _widths(columns: list[tuple[str, list[str]]], room: int) -> list[int] | None:
    """Return a width for each column, None when they cannot stand side by side in this room."""
    wanted = [max(map(cell_len, (name, *texts))) for name, texts in columns]
    widths = [_least(name, texts) for name, texts in columns]
    spare = room - sum(widths)
    for i in sorted(range(len(widths)), key=lambda i: wanted[i] - widths[i]):
        more = max(0, min(spare, wanted[i] - widths[i]))
        widths[i] += more
        spare -= more
    lines = max((w // width for w, width in zip(wanted, widths, strict=True)), default=0)
    return widths if spare >= 0 and lines <= _TALLEST else None


def _least(name: str, texts: list[str]) -> int:
    """Return the least width of a column: only long words are ever broken."""
    words = [word for text in texts for word in text.split(" ")]
    longest = max(cell_len(word) for word in words)
    shortest = min(_PROSE, max(map(cell_len, texts)))
    return max(*map(cell_len, name.split()), min(longest, _UNBROKEN), shortest)


def _wide(columns: list[tuple[str, list[str]]], widths: list[int]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _BETWEEN, 0, 0))
    table.header_style = "bold underline"
    for (name, _), width in zip(columns, widths, strict=True):
        table.add_column(name, overflow="fold", width=width)
    for row in zip(*(texts for _, texts in columns), strict=True):
        table.add_row(*map(_cell, row))
    return table


def _below_each_other(columns: list[tuple[str, list[str]]]) -> Group:
    """Return each row with its values below each other, empty ones left out."""
    names = [name for name, _ in columns]
    parts: list[Table | str] = []
    for row in zip(*(texts for _, texts in columns), strict=True):
        parts += [_long([(n, text) for n, text in zip(names, row, strict=True) if text]), ""]
    return Group(*parts[:-1])


def _long(columns: list[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in columns:
        table.add_row(name, _cell(_shortened(value)))
    return table


def _shortened(text: str) -> str:
    """Return a time to the minute, kept in one piece; anything else as it is."""
    return text.replace("T", "\u00a0")[:16] + "Z" if _TIME.fullmatch(text) else text


def _cell(text: str) -> Text:
    # Text, not markup: a note may hold square brackets.
    return Text(text, style=_STYLES.get(text, ""))
