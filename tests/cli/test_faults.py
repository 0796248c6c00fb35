"""Databases and credentials that cannot be used; two at once; being stopped in the middle."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import ExitCode
from mask_cli.store import connection
from tests.cli.conftest import PARTIES
from tests.cli.leaks import COURIER, GUIDE

if TYPE_CHECKING:
    from mask_cli.sandbox.voximplant import VoximplantSandbox
    from tests.cli.conftest import FixedClock, Mask

JSON = ("--format", "json")
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


@pytest.mark.parametrize(
    "content",
    [b"not a database at all " * 100, b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 4096],
)
def test_a_file_that_is_no_database_is_left_as_it_is(mask: Mask, content: bytes) -> None:
    mask.database.write_bytes(content)
    for words in (("list",), ("add", "12345", *PARTIES), ("prune",)):
        mask(*words).failed(ExitCode.STORAGE, str(mask.database), "cannot be used")
    assert mask.database.read_bytes() == content


def test_a_database_of_another_program_is_not_taken_over(mask: Mask) -> None:
    mask.query("CREATE TABLE songs (name TEXT)")
    mask("list").failed(ExitCode.STORAGE, "belongs to another program")
    assert mask.query("SELECT name FROM sqlite_master") == [("songs",)]


def test_a_newer_database_is_not_written_by_an_older_program(mask: Mask) -> None:
    mask("list").done()
    mask.query("PRAGMA user_version = 999")
    mask("add", "12345", *PARTIES).failed(ExitCode.STORAGE, "newer mask", "upgrade")


def test_a_damaged_database_is_told_and_not_a_bug(mask: Mask) -> None:
    rows = "".join(f"{n:05},12222222222,13333333333\n" for n in range(2_000))
    mask("import", "-", stdin="order,courier,client\n" + rows).done()
    with mask.database.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 60_000)
    run = mask("list", "--all", "--format", "jsonl")
    assert run.code == ExitCode.STORAGE, run.err


@pytest.mark.parametrize("place", ["a folder", "below a file", "no permission"])
def test_a_database_that_cannot_be_made_is_told(mask: Mask, place: str) -> None:
    folder = mask.home / "folder"
    folder.mkdir()
    path = {"a folder": folder, "below a file": Path("/dev/null/mask.db")}.get(place)
    path = path or Path("/proc/mask.db")
    mask("list", "--database", str(path)).failed(ExitCode.STORAGE, "cannot be used")


def without_privilege() -> None:
    """Give up what lets the superuser write read-only files; nobody else has it anyway."""
    if os.geteuid() == 0:
        assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0


@pytest.mark.parametrize("reading", [("list", *JSON), ("show", "12345", *JSON)])
@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_read_only_database_may_be_read_but_nothing_whole_leaves_it(
    mask: Mask, clock: FixedClock, reading: tuple[str, ...], place: str
) -> None:
    clock.run()
    mask("add", "12345", *PARTIES).done()
    mask.database.chmod(0o444)
    mask.home.chmod(0o555 if place == "folder" else 0o700)
    try:
        run = mask.process(*reading, preexec_fn=without_privilege)
        if place == "file":
            assert run.done().out
        else:
            # SQLite needs its side files to read what others may be writing.
            run.failed(ExitCode.STORAGE, "read-only")
        for words in ((*reading, "--reveal"), ("export", "-"), ("expire", "12345")):
            run = mask.process(*words, preexec_fn=without_privilege)
            run.failed(ExitCode.STORAGE, "read-only")
    finally:
        mask.home.chmod(0o700)


def test_doctor_names_what_a_read_only_moment_left_behind(mask: Mask, clock: FixedClock) -> None:
    clock.run()
    mask("add", "12345", *PARTIES).done()
    mask.database.chmod(0o400)
    mask.process("show", "12345", preexec_fn=without_privilege).done()
    checks = doctor(mask)
    assert ("failed", f"{mask.database} cannot be written") in checks
    mask.database.chmod(0o600)
    # SQLite made it with the mode of that moment, and keeps it.
    left = mask.database.with_name(mask.database.name + "-shm")
    assert left.stat().st_mode & 0o777 == 0o400
    run = mask.process("add", "20001", *PARTIES, preexec_fn=without_privilege)
    run.failed(ExitCode.STORAGE, "read-only", "-shm")
    bad = [check for check in doctor(mask) if check[0] != "ok"]
    assert bad == [("failed", f"{left} cannot be written")]
    left.chmod(0o600)
    assert [check for check in doctor(mask) if check[0] != "ok"] == []
    mask.process("add", "20001", *PARTIES, preexec_fn=without_privilege).done()


def doctor(mask: Mask) -> list[tuple[str, str]]:
    """Return what it says of the database, run without the superuser's rights."""
    words = ("doctor", "--offline", "--exit-code", *JSON)
    run = mask.process(*words, preexec_fn=without_privilege)
    found = [(c["result"], c["detail"]) for c in run.json if c["check"] == "database"]
    failed = any(result == "failed" for result, _ in found)
    assert run.code == (ExitCode.CONFIGURATION if failed else ExitCode.DONE), run.err
    return found


def test_doctor_finds_a_log_that_others_can_read(mask: Mask) -> None:
    mask("add", "12345", *PARTIES).done()
    with closing(sqlite3.connect(mask.database)) as other:
        other.execute("UPDATE mappings SET note = 'in the log'")
        other.commit()
        log = mask.database.with_name(mask.database.name + "-wal")
        log.chmod(0o644)
        checks = mask("doctor", "--offline", *JSON).done().json
    told = [check["detail"] for check in checks if check["result"] == "warning"]
    assert told == [f"{log} is open to others on this computer"]


@pytest.mark.parametrize(
    "words",
    [
        ("show", "12345", "--reveal", *JSON),
        ("show", "12345", "--reveal"),
        ("list", "--reveal"),
        ("list", "--reveal", "--format", "jsonl"),
        ("export", "-"),
    ],
)
def test_without_an_audit_row_nothing_whole_is_shown(mask: Mask, words: tuple[str, ...]) -> None:
    mask("add", "12345", *PARTIES).done()
    mask.query("CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'no'); END")
    mask(*words).failed(ExitCode.STORAGE)


def test_without_an_audit_row_no_rejected_numbers_are_written(mask: Mask) -> None:
    mask("list").done()
    mask.query("CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'no'); END")
    file = mask.write("orders.csv", "order,courier,client\n1,14156667777,14156667778\n")
    rejects = mask.home / "rejects.csv"
    run = mask("import", file, "--keep-going", "--rejects", str(rejects))
    run.failed(ExitCode.STORAGE)
    assert not rejects.exists()


@pytest.fixture
def held(mask: Mask, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A database that another program is writing to for longer than we wait."""
    mask("add", "12345", *PARTIES).done()
    monkeypatch.setattr(connection.connect, "__kwdefaults__", {"timeout": 0.1})
    other = sqlite3.connect(mask.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def test_a_locked_database_can_be_read_and_asks_writers_to_come_back(
    mask: Mask, held: sqlite3.Connection
) -> None:
    assert mask("show", "12345").done().out
    for words in (
        ("add", "20001", *PARTIES),
        ("expire", "12345"),
        ("delete", "12345", "--dry-run"),
        ("show", "12345", "--reveal"),
        ("export", "-"),
    ):
        mask(*words).failed(ExitCode.TRY_LATER, "is busy", "run the command again")
    # Busy is not broken: nobody is woken up for it.
    checks = mask("doctor", "--offline", "--exit-code", *JSON).done().json
    assert [check["result"] for check in checks if "busy" in check["detail"]] == ["warning"]
    held.execute("ROLLBACK")
    mask("add", "20001", *PARTIES).done()


def small_files() -> None:
    """Let no file grow beyond 200 kB: a full disk that needs no disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_full_disk_stores_nothing_by_halves(mask: Mask, clock: FixedClock) -> None:
    clock.run()
    mask("add", "12345", *PARTIES).done()
    rows = "".join(f"{n:05},12222222222,13333333333\n" for n in range(20_000, 40_000))
    file = mask.write("orders.csv", "order,courier,client\n" + rows)
    run = mask.process("import", file, preexec_fn=small_files)
    run.failed(ExitCode.STORAGE, "cannot be used")
    assert mask.query("SELECT count(*) FROM mappings") == [(1,)]
    assert mask("import", file, *JSON).done().json["added"] == 20_000
    out = mask.home / "out.csv"
    run = mask.process("export", str(out), preexec_fn=small_files)
    run.failed(ExitCode.UNREADABLE, "cannot write")
    assert sorted(path.name for path in mask.home.iterdir() if "out" in path.name) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_import_leaves_nothing_half_done(
    mask: Mask, clock: FixedClock, number: signal.Signals, code: int
) -> None:
    clock.run()
    mask("add", "12345", *PARTIES).done()
    before = mask.everything()
    ours, theirs = os.pipe()
    with mask.start("import", "-", stdin=ours) as process:
        os.close(ours)
        with os.fdopen(theirs, "wb") as rows:
            rows.write(b"order,courier,client\n")
            for n in range(20_000, 60_000):
                rows.write(b"%05d,12222222222,13333333333\n" % n)
            rows.flush()  # what the pipe cannot hold has been read by now
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, b"", b"")
    assert mask.everything() == before
    mask("add", "20001", *PARTIES).done()


def test_of_two_adds_of_one_order_at_once_one_wins_and_the_other_is_told(
    mask: Mask, clock: FixedClock
) -> None:
    clock.run()
    mask("list").done()
    for n in range(4):
        order = f"1000{n}"
        others = ("--courier", GUIDE[1], "--client", GUIDE[0])
        first = mask.start("add", order, *PARTIES)
        second = mask.start("add", order, *others)
        with first, second:
            told = [process.communicate(timeout=30)[1] for process in (first, second)]
        assert sorted([first.returncode, second.returncode]) == [0, ExitCode.CONFLICT]
        winner = COURIER if first.returncode == 0 else GUIDE[1]
        assert mask.query("SELECT courier FROM mappings WHERE order_number = ?", order) == [
            ("+" + winner,)
        ]
        assert any(b"is active with another courier" in text for text in told)


def test_first_runs_at_the_same_moment_all_succeed(mask: Mask, clock: FixedClock) -> None:
    clock.run()
    processes = [mask.start("add", f"1000{n}", *PARTIES) for n in range(6)]
    codes = []
    for process in processes:
        with process:
            process.communicate(timeout=60)
        codes.append(process.returncode)
    assert codes == [0] * 6
    assert mask.query("SELECT count(*) FROM mappings") == [(6,)]


def test_nothing_else_is_readable_by_others(mask: Mask) -> None:
    os.umask(0o022)
    mask("add", "12345", *PARTIES).done()
    modes = {path.name: path.stat().st_mode & 0o777 for path in mask.home.glob("mask.db*")}
    assert set(modes.values()) == {0o600}


def good(provider: VoximplantSandbox) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(provider.credentials_file.read_text())
    return found


CREDENTIALS: dict[str, Any] = {
    "empty": lambda _: "",
    "blank": lambda _: " \n",
    "not JSON": lambda _: "{",
    "a list": lambda _: "[]",
    "deep": lambda _: "[" * 60_000,
    "binary": lambda _: "\udcff\udcfe",
    "without key": lambda fields: json.dumps({**fields, "private_key": ""}),
    "without account": lambda fields: json.dumps({**fields, "account_id": None}),
    "bad PEM": lambda fields: json.dumps({**fields, "private_key": "-----BEGIN 14156667777-----"}),
    "half a PEM": lambda fields: json.dumps({**fields, "private_key": fields["private_key"][:200]}),
    "too large": lambda _: " " * 100_000,
}


@pytest.mark.parametrize("kind", ["missing", "a folder", *CREDENTIALS])
def test_bad_credentials_are_found_before_anything_is_stored_or_sent(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    file = mask.home / "credentials.json"
    if kind == "a folder":
        file.mkdir()
    elif kind != "missing":
        text: str = CREDENTIALS[kind](good(provider))
        file.write_bytes(text.encode(errors="surrogateescape"))
        file.chmod(0o600)
    mask("add", "20001", *PARTIES, "--no-push").done()
    monkeypatch.setenv("VOXIMPLANT_CREDENTIALS", str(file))
    before = mask.query("SELECT * FROM mappings"), mask.query("SELECT * FROM audit")
    orders = mask.write("orders.csv", "order,courier,client\n12345,12222222222,13333333333\n")
    for words in (("add", "12345", *PARTIES), ("import", orders, "--push"), ("sync",)):
        mask(*words).failed(ExitCode.CONFIGURATION, str(file), "Hint: ")
    checks = mask("doctor", "--exit-code", *JSON)
    assert checks.code == ExitCode.CONFIGURATION
    assert (mask.query("SELECT * FROM mappings"), mask.query("SELECT * FROM audit")) == before
    assert provider.requests.entries() == []


def test_credentials_without_an_application_are_half_a_configuration(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provider
    monkeypatch.delenv("MASK_VOXIMPLANT_APPLICATION")
    run = mask("add", "12345", *PARTIES)
    run.failed(ExitCode.CONFIGURATION, "MASK_VOXIMPLANT_APPLICATION")


def test_credentials_that_others_can_read_are_warned_about_on_every_run(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = mask.home / "credentials.json"
    file.write_text(provider.credentials_file.read_text())
    file.chmod(0o644)
    monkeypatch.setenv("VOXIMPLANT_CREDENTIALS", str(file))
    run = mask("add", "12345", *PARTIES, *JSON).done()
    assert "can be read by others" in run.err
    assert run.json["remote"] == "live"


@pytest.mark.slow
def test_cron_that_is_stopped_in_sync_exits_with_143(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    clock.run()
    mask("add", "12345", *PARTIES, "--no-push").done()
    provider.faults.add("silent", times=0)
    with mask.start("sync") as process:
        end = time.monotonic() + 10
        while not provider.requests.entries() and time.monotonic() < end:
            time.sleep(0.02)
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (ExitCode.TERMINATED, b"")
    assert b"Traceback" not in err
    provider.faults.clear()
    clock.pass_(60)
    assert mask("sync", *JSON).done().json["pending"] == 0
