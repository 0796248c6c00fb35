"""Show the figures, to people and to programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.harness import Figure

HEADINGS = ("job", "against", "figure", "target", "reached", "measured")
_REACHED = {True: "yes", False: "NO", None: "-"}


def as_table(figures: Sequence[Figure], conditions: Mapping[str, str | int]) -> str:
    """Return the figures in aligned columns, under the conditions they were taken in."""
    cells = [HEADINGS, *(_cells(figure) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
    said = ", ".join(f"{name} {value}" for name, value in conditions.items())
    return "\n".join([said, "", *lines])


def as_json(figures: Sequence[Figure], conditions: Mapping[str, str | int]) -> dict[str, Any]:
    """Return the figures and their conditions as JSON values."""
    return {
        "conditions": dict(conditions),
        "figures": [{**asdict(figure), "reached": figure.reached} for figure in figures],
    }


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.job,
        figure.against,
        f"{figure.value:.2f} {figure.unit}",
        figure.target,
        _REACHED[figure.reached],
        figure.detail,
    )
