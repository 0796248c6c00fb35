"""Terminals, pipes, full disks and closed streams under what is printed."""

from __future__ import annotations

import csv
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import ExitCode
from mask_cli.times import format_time
from tests.cli.conftest import DAY, NOON, PARTIES

if TYPE_CHECKING:
    from tests.cli.conftest import FixedClock, Mask

JSON = ("--format", "json")


def on_terminal(mask: Mask, *words: str, **more: Any) -> tuple[int, str]:
    """Run with stdout and stderr on a terminal; return exit code and what it showed."""
    ours, theirs = pty.openpty()
    process = mask.start(*words, stdout=theirs, stderr=theirs, **more)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(timeout=30), shown.decode()


@pytest.mark.slow
def test_a_list_in_a_cell_is_no_python(mask: Mask) -> None:
    check = ("voximplant", "scenario", "check", "--format")
    rows = list(csv.DictReader(mask(*check, "csv").done().out.splitlines()))
    cells = {row["name"]: row["rows"] for row in rows}
    assert cells["operator-key-works-during-any-prompt"] == "[2, 21]"
    table = mask(*check, "table").done().out
    assert "[" not in table
    assert "2, 21" in table


def test_nothing_to_show_is_said_to_a_person_and_is_an_empty_list_for_a_program(
    mask: Mask,
) -> None:
    run = mask("calls", "list", "--format", "table").done()
    assert (run.out, run.err) == ("", "There are none.\n")
    assert mask("calls", "list", "--format", "table", "--quiet").done().err == ""
    assert mask("calls", "list", *JSON).done().json == []


def test_a_terminal_gets_a_table_and_colours_only_when_wanted(
    mask: Mask, clock: FixedClock
) -> None:
    clock.run()
    mask("add", "12345", *PARTIES).done()
    code, shown = on_terminal(mask, "list")
    assert (code, "\x1b[" in shown, "\t" in shown) == (ExitCode.DONE, True, False)
    assert "\x1b[3" not in on_terminal(mask, "list", "--no-color")[1]
    quiet = {**os.environ, "NO_COLOR": "1"}
    assert "\x1b[3" not in on_terminal(mask, "list", env=quiet)[1]


@pytest.mark.parametrize("words", [("list",), ("list", "--format", "json"), ("export", "-")])
def test_a_reader_that_stops_in_the_middle_gets_no_traceback(
    mask: Mask, clock: FixedClock, words: tuple[str, ...]
) -> None:
    clock.run()
    rows = "".join(f"{n:05},12222222222,13333333333\n" for n in range(20_000))
    mask("import", "-", stdin="order,courier,client\n" + rows).done()
    with mask.start(*words) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        assert (process.wait(timeout=30), err) == (ExitCode.OUTPUT_CLOSED, b"")


@pytest.mark.parametrize("form", ["table", "json", "tsv"])
def test_a_reader_that_was_never_there_gets_no_traceback(
    mask: Mask, clock: FixedClock, form: str
) -> None:
    clock.run()
    mask("add", "12345", *PARTIES).done()
    for words in (("list",), ("show", "12345")):
        ours, theirs = os.pipe()
        os.close(ours)
        with mask.start(*words, "--format", form, stdout=theirs) as process:
            os.close(theirs)
            assert process.stderr
            err = process.stderr.read()
            assert (process.wait(timeout=30), err) == (ExitCode.OUTPUT_CLOSED, b"")


HELP = [("--help",), ("plivo", "--help"), ("add", "--help"), ("voximplant",)]


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_that_nobody_reads_ends_like_any_answer(mask: Mask, words: tuple[str, ...]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with mask.start(*words, stdout=theirs) as process:
        os.close(theirs)
        assert process.stderr
        err = process.stderr.read()
        assert (process.wait(timeout=30), err) == (ExitCode.OUTPUT_CLOSED, b"")


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_on_a_full_disk_is_no_fault_in_mask(mask: Mask, words: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 (a device)
        run = mask.process(*words, stdout=full)
    assert run.code == ExitCode.UNREADABLE, run.err
    assert run.err.startswith("Error: cannot write the answer: No space left")


def test_a_full_disk_under_stdout_is_told_and_is_not_a_bug(mask: Mask, clock: FixedClock) -> None:
    clock.run()
    mask("add", "12345", *PARTIES).done()
    for words in (("list",), ("export", "-"), ("list", "--format", "table")):
        with open("/dev/full", "wb") as full:  # noqa: PTH123 (a device)
            run = mask.process(*words, stdout=full)
        assert run.code == ExitCode.UNREADABLE, run.err
        assert run.err.startswith("Error: ")
        assert "Traceback" not in run.err
        assert "Exception ignored" not in run.err


def test_closed_streams_do_not_hurt(mask: Mask, clock: FixedClock) -> None:
    clock.run()
    mask("add", "12345", *PARTIES).done()
    words = 'exec "$0" -m mask_cli list >&-'
    done = subprocess.run(["bash", "-c", words, sys.executable], capture_output=True, check=False)
    assert b"Traceback" not in done.stderr
    assert done.returncode != ExitCode.BUG


def test_times_are_shown_in_utc_whatever_the_computer_says(mask: Mask) -> None:
    run = mask("add", "12345", *PARTIES, "--expires-at", "2026-12-24 18:00", *JSON)
    assert run.done().json["expires_at"] == "2026-12-24T17:00:00Z"
    assert format_time(NOON + DAY) == "2026-12-02T12:00:00Z"
