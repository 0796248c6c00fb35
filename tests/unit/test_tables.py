"""Tables on terminals of any width: a number that is cut off is a wrong number."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mask_cli.tables import draw

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBERS = ("+14155550100", "+12065550101")
FIELDS = ("number", "setup_price", "monthly_price", "voice_price", "type", "region", "alias")
ROWS = [
    [NUMBERS[0], "0.00000", "0.80000", "0.00850", "local", "California", ""],
    [NUMBERS[1], "0.00000", "12.80000", "", "tollfree", "Washington", "for the blue door"],
]


@pytest.fixture(autouse=True)
def a_terminal_of_set_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")


def drawn(fields: Sequence[str], rows: list[list[str]], width: int) -> str:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setenv("COLUMNS", str(width))
        draw([(name, "") for name in fields], rows, color=False)
    return out.getvalue()


@pytest.mark.parametrize("width", range(32, 120, 4))
def test_no_number_or_price_is_cut_or_broken_on_a_narrow_terminal(width: int) -> None:
    text = drawn(FIELDS, ROWS, width)

    assert all(len(line) <= width for line in text.splitlines())
    words = text.split()
    for row in ROWS:
        for cell in row:
            assert set(cell.split()) <= set(words), cell


def test_what_fits_stands_side_by_side_and_what_does_not_below_each_other() -> None:
    assert [line.split()[0] for line in drawn(FIELDS, ROWS, 120).splitlines()[1:]] == [*NUMBERS]
    assert drawn(FIELDS, ROWS, 40).splitlines()[0].split() == ["number", NUMBERS[0]]


def test_an_empty_column_takes_no_room() -> None:
    assert "alias" not in drawn(FIELDS, ROWS[:1], 120)
    assert "alias" not in drawn(FIELDS, ROWS[:1], 40)


def test_a_long_note_does_not_make_a_tower() -> None:
    row = ["12345", "+1•••••••2222", "+1•••••••3333", "active", "live", "2026-12-01T12:00:00Z"]
    fields = ("order", "courier", "client", "state", "remote", "expires_at", "note")

    assert len(drawn(fields, [[*row, "ring twice"]], 80).splitlines()) == 3
    assert drawn(fields, [[*row, "ring twice " * 20]], 80).startswith("order ")
    assert "note        ring twice" in drawn(fields, [[*row, "ring twice " * 20]], 80)


cells = st.text(st.sampled_from("abcdefgh0123456789+-. "), max_size=60).map(
    lambda text: " ".join(text.split())
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(cells, min_size=4, max_size=4), min_size=1, max_size=4), st.data())
def test_nothing_that_is_shown_gets_lost(rows: list[list[str]], data: st.DataObject) -> None:
    width = data.draw(st.integers(24, 200))
    text = drawn(("w", "x", "y", "z"), rows, width)

    wanted = Counter("".join("".join(row) for row in rows).replace(" ", ""))
    assert wanted <= Counter(text)
    assert all(len(line) <= width for line in text.splitlines())
