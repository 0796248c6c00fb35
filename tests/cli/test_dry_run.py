"""What changes anything can be tried first: --dry-run, of each command there is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode
from tests.cli.every_command import EVERY, GOOD, RUNS_UNTIL_STOPPED, TAKES_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from mask_cli.sandbox.plivo_api import PlivoSandbox
    from mask_cli.sandbox.voximplant import VoximplantSandbox
    from tests.cli.conftest import Mask

READS = {
    *(("list",), ("show",), ("drift",), ("audit",), ("doctor",), ("numbers", "list")),
    *(("numbers", "plan"), ("route",), ("simulate",), ("config", "show"), ("config", "path")),
    *(("calls", "list"), ("calls", "show"), ("calls", "stats"), ("plivo", "app", "list")),
    *(("plivo", "app", "show"), ("plivo", "number", "search"), ("plivo", "number", "list")),
    *(("voximplant", "app", "list"), ("voximplant", "rule", "list")),
    *(("voximplant", "number", "search"), ("voximplant", "number", "list")),
    *(("voximplant", "kv", "list"), ("voximplant", "kv", "get")),
    ("voximplant", "scenario", "check"),
}
WRITES_WHAT_WAS_ASKED_FOR = {("export",), ("calls", "export"), ("voximplant", "scenario", "render")}
"""An answer, into a file of the caller's, and its audit row."""
CHANGES = set(EVERY) - READS - WRITES_WHAT_WAS_ASKED_FOR - RUNS_UNTIL_STOPPED - TAKES_SECONDS


def test_each_command_that_changes_something_can_be_tried_first() -> None:
    offering = {
        path
        for path, command in EVERY.items()
        if any("--dry-run" in parameter.opts for parameter in command.params)
    }
    assert offering == CHANGES
    assert set(EVERY) >= READS


def everything(mask: Mask, provider: VoximplantSandbox, plivo: PlivoSandbox) -> list[object]:
    """Return what stands in the database, in files and at both providers."""
    with closing(sqlite3.connect(mask.database)) as connection:
        dump = list(connection.iterdump())
    files = {path: content(path) for path in mask.home.rglob("*")}
    sent = [entry.command for entry in provider.requests.entries()]
    asked = [seen for seen in plivo.requests if seen.method != "GET"]
    changing = [name for name in sent if not (name or "").startswith("Get")]
    return [dump, files, changing, asked]


def content(path: Path) -> bytes | None:
    """Return a file's content; that of the database was looked at already."""
    return path.read_bytes() if path.is_file() and "mask.db" not in path.name else None


@pytest.mark.slow
def test_what_is_only_tried_changes_nothing_anywhere(
    mask: Mask, provider: VoximplantSandbox, plivo: PlivoSandbox, filled: None
) -> None:
    assert filled is None
    for path, words in GOOD.items():
        if path in CHANGES:
            before = everything(mask, provider, plivo)
            run = mask(*path, *words, "--dry-run", "--format", "json")
            assert run.code == ExitCode.DONE, (path, run.err)
            assert everything(mask, provider, plivo) == before, path
        run = mask(*path, *words)
        assert run.code == ExitCode.DONE, (path, run.err)
