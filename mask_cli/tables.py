"""Tables on a terminal, drawn by Rich; imported only when there is one to draw."""

from __future__ import annotations

import re

from rich.console import Console
from rich.table import Table
from rich.text import Text

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
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
    """Draw rows under their columns, or, without rows, each column's own value beside it."""
    to = console(color=color)
    if rows or not any(value for _, value in columns):
        to.print(_wide([name for name, _ in columns], rows))
    else:
        to.print(_long(columns))


def _wide(names: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline")
    used = [i for i in range(len(names)) if not rows or any(row[i] for row in rows)]
    for i in used:
        # What has no blanks is read at a glance only when it stays on one line.
        whole = all(" " not in row[i] for row in rows)
        table.add_column(names[i].replace("_", " "), overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(_cell(row[i]) for i in used))
    return table


def _long(columns: list[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in columns:
        table.add_row(name.replace("_", " "), _cell(value))
    return table


def _cell(text: str) -> Text:
    # Text, not markup: a note may hold square brackets.
    if _TIME.fullmatch(text):
        text = text.replace("T", "\u00a0")[:16] + "Z"
    return Text(text, style=_STYLES.get(text, ""))
