"""Calls that are kept: nothing stored keeps the rest from being read."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode

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


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
@pytest.mark.parametrize("words", [("calls", "export"), ("export",), ("import",)])
def test_no_command_reads_or_replaces_the_database_as_a_file(
    mask: Mask, words: tuple[str, ...], end: str
) -> None:
    """Export would put a list in its place; import would drop the locks that SQLite has on it."""
    mask("list").done()
    named = mask.database.with_name(mask.database.name + end)
    linked = mask.home / "linked.csv"
    linked.symlink_to(named)
    with closing(sqlite3.connect(mask.database)) as open_:
        # Its side files are there while somebody has it open.
        assert open_.execute("SELECT count(*) FROM mappings").fetchone() == (0,)
        for file in (str(named), str(linked)):
            mask(*words, file).failed(ExitCode.UNREADABLE, "belongs to the database")
    mask("add", "12345", "--courier", "14156667777", "--client", "14156667778").done()
    assert [row["order"] for row in mask("list", *JSON).done().json] == ["12345"]
