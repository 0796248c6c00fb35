"""Calls that are kept: nothing stored keeps the rest from being read."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Mask

JSON = ("--format", "json")
NOON = 1_796_126_400


def kept(mask: Mask, call: str, started_at: int, **values: object) -> None:
    """Store a call as it stands in the table."""
    mask("list").done()
    given = {"provider": "plivo", "call_id": call, "started_at": started_at, **values}
    marks = ", ".join("?" * len(given))
    mask.query(f"INSERT INTO calls ({', '.join(given)}) VALUES ({marks})", *given.values())


@pytest.mark.parametrize("at", [2**39, 2**62, -1])
def test_a_stored_time_beyond_the_calendar_does_not_hide_all_calls(mask: Mask, at: int) -> None:
    kept(mask, "odd-call", at, ended_at=at)
    kept(mask, "good-call", NOON)
    listed = {row["call"]: row for row in mask("calls", "list", *JSON).done().json}
    assert listed["good-call"]["started_at"] == "2026-12-01T12:00:00Z"
    assert (listed["odd-call"]["started_at"], listed["odd-call"]["ended_at"]) == (None, None)
    assert mask("calls", "show", "odd-call", *JSON).done().json == listed["odd-call"]
    exported = mask("calls", "export", "-", "--to", "csv").done().out
    assert {row["call"] for row in csv.DictReader(io.StringIO(exported))} == listed.keys()
    assert mask("calls", "stats", *JSON).done().json[0]["calls"] == 2
