"""What the SQLite store promises beyond the contract: its file, its age, its neighbours."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode, StorageError, TryLater
from mask_cli.models import DAY, Mapping, PhoneNumber, RemoteItem, Target
from mask_cli.store import connection, schema
from mask_cli.store.base import Selection
from mask_cli.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mask_cli.sandbox.voximplant import VoximplantSandbox

NOW = 1_800_000_000
MAPPING = Mapping(
    "12345", PhoneNumber("+12222222222"), PhoneNumber("+13333333333"), NOW + DAY, NOW, NOW
)
PARTIES = ("--courier", "12222222222", "--client", "13333333333")
NOBODY = 65534


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "mask.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.fixture
def surroundings(path: Path, tmp_path: Path) -> dict[str, str]:
    """Return an environment in which nothing of the user's is touched."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(tmp_path),
        "MASK_DATABASE": str(path),
    }


def put(path: Path, mapping: Mapping = MAPPING) -> None:
    store = SqliteStore(path)
    with store.writing():
        store.put(mapping)
    store.close()


def started(surroundings: dict[str, str], *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mask_cli", *command],
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def refusal(path: Path, use: Callable[[SqliteStore], object] = lambda _: None) -> StorageError:
    """Return the error of opening and using the store."""
    with pytest.raises(StorageError) as caught:
        opened(path, use)
    assert caught.value.exit_code == ExitCode.STORAGE
    assert str(path) in caught.value.message
    return caught.value


def opened(path: Path, use: Callable[[SqliteStore], object]) -> None:
    store = SqliteStore(path)
    try:
        use(store)
    finally:
        store.close()


def put_one(store: SqliteStore) -> None:
    with store.writing():
        store.put(MAPPING)


# The file


def test_nobody_else_on_the_computer_can_read_the_database(path: Path) -> None:
    before = os.umask(0)
    try:
        store = SqliteStore(path)
        put_one(store)
        modes = {file.name: mode(file) for file in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)

    assert mode(path.parent) == 0o700
    assert modes == {"mask.db": 0o600, "mask.db-wal": 0o600, "mask.db-shm": 0o600}


def test_the_mode_of_a_folder_that_was_there_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    SqliteStore(tmp_path / "mask.db").close()

    assert mode(tmp_path) == 0o750
    assert mode(tmp_path / "mask.db") == 0o600


def test_readers_do_not_wait_for_a_writer(store: SqliteStore, path: Path) -> None:
    put_one(store)
    reader = SqliteStore(path)
    with store.writing():
        store.forget("12345")
        started_at = time.monotonic()
        assert reader.get("12345") is not None
        assert time.monotonic() - started_at < 5

    assert reader.get("12345") is None
    reader.close()


def test_a_new_database_says_its_age_and_who_made_it(store: SqliteStore) -> None:
    def one(sql: str) -> object:
        return store.connection.execute(sql).fetchone()[0]

    assert one("PRAGMA journal_mode") == "wal"
    assert one("PRAGMA user_version") == schema.VERSION == len(schema.MIGRATIONS)
    names = store.connection.execute(
        "SELECT migration_set, name FROM _sqlite_migrations ORDER BY name"
    ).fetchall()
    assert names == [("mask", made.__name__.lstrip("_")) for made in schema.MIGRATIONS]


def test_the_key_of_the_digests_outlives_the_program(store: SqliteStore, path: Path) -> None:
    again = SqliteStore(path)
    other = SqliteStore(path.with_name("other.db"))

    assert again.digest_key() == store.digest_key() != other.digest_key()
    again.close()
    other.close()


# What is no database of ours


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear client,\n" * 500)
    before = file.read_bytes()

    assert "not a SQLite database" in refusal(file).message
    assert file.read_bytes() == before


def test_a_damaged_database_is_told_not_read_as_empty(path: Path) -> None:
    store = SqliteStore(path)
    with store.writing():
        for number in range(2_000):
            store.put(replace(MAPPING, order=str(10_000 + number)))
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    path.write_bytes(content)

    error = refusal(path, lambda store: list(store.listed(Selection(), None, NOW)))
    assert "damaged" in error.message
    assert error.hint
    refusal(path, put_one)


def test_a_half_written_header_is_told(path: Path) -> None:
    put(path)
    path.write_bytes(path.read_bytes()[:50])

    refusal(path, put_one)


def test_a_database_of_a_newer_program_is_not_touched(path: Path) -> None:
    put(path)
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    raw.close()

    error = refusal(path)
    assert "newer" in error.message
    assert error.hint == "upgrade mask-cli"


@pytest.mark.parametrize("version", [0, schema.VERSION, schema.VERSION + 7])
def test_another_programs_database_is_not_taken_over(path: Path, version: int) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE recipes (name TEXT)")
        raw.execute(f"PRAGMA user_version = {version}")
    raw.close()

    before = path.read_bytes()

    for use in (lambda store: store.get("12345"), put_one):
        error = refusal(path, use)
        assert "another program" in error.message
    # Not even its journal mode, which is kept in the file.
    assert path.read_bytes() == before


def test_a_folder_in_the_place_of_the_database_is_told(tmp_path: Path) -> None:
    refusal(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    refusal(tmp_path / "file" / "mask.db")


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be nobody for a while when we are root, to whom no file is read-only."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("folder_mode", [0o755, 0o555])
def test_a_read_only_database_is_told_and_not_a_bug(folder_mode: int) -> None:
    # Not in pytest's own folder, which is closed to nobody.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mask.db")
        put(path)
        path.parent.chmod(folder_mode)
        path.chmod(0o444)
        with without_privileges():
            error = refusal(path, put_one)
            refusal(Path(folder, "mask.db", "below.db"))
        path.parent.chmod(0o755)

    assert error.hint or "opened" in error.message


def test_a_full_disk_is_told_and_nothing_is_half_done(path: Path) -> None:
    put(path)

    def fill() -> None:
        # No file of this process may grow beyond what the database has now, and a little.
        most = path.stat().st_size + 4096
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    code = f"""
import signal, sys
from pathlib import Path
from dataclasses import replace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from mask_cli.errors import StorageError
from mask_cli.store.sqlite import SqliteStore
from tests.contract.test_sqlite_store import MAPPING
store = SqliteStore(Path({str(path)!r}))
try:
    with store.writing():
        for number in range(20_000):
            store.put(replace(MAPPING, order=str(20_000 + number)))
except StorageError as error:
    print(error.exit_code.value, error.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=fill,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.startswith("74 "), done.stderr
    assert str(path) in done.stdout
    store = SqliteStore(path)
    assert [found.order for found, _ in store.listed(Selection(), None, NOW)] == ["12345"]
    store.close()


# Age


@pytest.mark.parametrize("age", range(len(schema.MIGRATIONS)))
def test_an_older_database_is_brought_up_and_keeps_its_rows(
    path: Path, monkeypatch: pytest.MonkeyPatch, age: int
) -> None:
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:age])
        older.setattr(schema, "VERSION", age)
        store = SqliteStore(path)
        if age:
            put_one(store)
        store.close()

    target = Target("e", "a", "1", "")
    store = SqliteStore(path)
    assert store.connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    assert (store.get("12345") is not None) == bool(age)
    with store.writing():
        store.put_item(RemoteItem("12345"), target)
    assert store.item("12345", target) == RemoteItem("12345")
    assert list(store.audit(None, None)) == []
    store.close()


def test_a_migration_that_fails_leaves_the_older_database_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path)

    def _004_fails(db: object) -> None:
        db.execute("CREATE TABLE half (done TEXT)")  # type: ignore[attr-defined]
        raise ZeroDivisionError

    with monkeypatch.context() as newer:
        newer.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, _004_fails))
        newer.setattr(schema, "VERSION", schema.VERSION + 1)
        with pytest.raises(ZeroDivisionError):
            SqliteStore(path)

    store = SqliteStore(path)
    assert store.get("12345") is not None
    assert (
        store.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall() == []
    )
    store.close()


# Many at once


def test_twelve_first_runs_at_once_all_succeed(path: Path, surroundings: dict[str, str]) -> None:
    processes = [
        started(surroundings, "add", str(10_000 + n), "--no-push", *PARTIES) for n in range(12)
    ]
    results = [finished(process) for process in processes]

    assert [(code, err) for code, _, err in results] == [(0, "")] * 12
    store = SqliteStore(path)
    found = [mapping for mapping, _ in store.listed(Selection(), None, NOW)]
    assert [mapping.order for mapping in found] == [str(10_000 + n) for n in range(12)]
    assert len({mapping.revision for mapping in found}) == 12
    store.close()


def test_twenty_adding_at_once_lose_nothing(path: Path, surroundings: dict[str, str]) -> None:
    SqliteStore(path).close()
    processes = [started(surroundings, "add", "--no-push", *PARTIES) for _ in range(20)]
    results = [finished(process) for process in processes]

    assert [(code, err) for code, _, err in results] == [(0, "")] * 20
    store = SqliteStore(path)
    assert store.used_orders() == 20
    assert len(list(store.audit(None, None))) == 20
    store.close()


def test_two_adds_of_one_order_at_once_have_one_winner_and_one_who_knows(
    path: Path, surroundings: dict[str, str]
) -> None:
    SqliteStore(path).close()
    couriers = ["14155550100", "14155550101"]
    processes = [
        started(
            surroundings, "add", "12345", "--no-push", "--courier", one, "--client", "13333333333"
        )
        for one in couriers
    ]
    results = [finished(process) for process in processes]

    assert sorted(code for code, _, _ in results) == [0, ExitCode.CONFLICT]
    winner = next(n for n, result in enumerate(results) if result[0] == 0)
    store = SqliteStore(path)
    stored = store.get("12345")
    assert stored is not None
    assert stored.courier.digits == couriers[winner]
    store.close()


def test_a_writer_waits_for_another_and_then_writes(store: SqliteStore, path: Path) -> None:
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        inside.wait(10)
        put(path, replace(MAPPING, order="54321"))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with store.writing():
        inside.set()
        assert not done.wait(0.3)
        store.put(MAPPING)
    thread.join(30)

    assert done.is_set()
    assert store.used_orders() == 2


def test_a_database_busy_for_too_long_is_try_later_and_nothing_changes(
    store: SqliteStore, path: Path
) -> None:
    impatient = SqliteStore(path, connection.connect(path, timeout=0.1))
    with store.writing():
        with pytest.raises(TryLater) as caught, impatient.writing():
            pytest.fail("two writers at once")
        store.put(MAPPING)
    impatient.close()

    assert caught.value.exit_code == ExitCode.TRY_LATER
    assert str(path) in caught.value.message
    assert store.used_orders() == 1


def test_others_can_write_while_expired_mappings_are_removed(
    store: SqliteStore, path: Path
) -> None:
    with store.writing():
        for number in range(3_000):
            store.put(replace(MAPPING, order=str(10_000 + number), expires_at=NOW - 1))

    for removed in store.forget_expired(NOW, None):
        put(path, replace(MAPPING, order=str(50_000 + removed)))

    assert store.count_expired(NOW) == 0
    assert store.used_orders() >= 1


def test_a_mapping_extended_meanwhile_is_not_removed_as_expired(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mask_cli.store.pruning._PRUNE_BATCH", 1)
    orders = ["11111", "22222", "33333"]
    with store.writing():
        for order in orders:
            store.put(replace(MAPPING, order=order, expires_at=NOW - 1))

    removal = store.forget_expired(NOW, None)
    next(removal)
    for order in orders[1:]:
        put(path, replace(MAPPING, order=order))
    list(removal)

    assert store.used_orders() == 2


# What is not loaded

HOT = {
    "show": ["show", "12345"],
    "add": ["add", "54321", "--no-push", *PARTIES],
    "delete": ["delete", "12345", "--no-push"],
}
HEAVY = ("sqlite_utils", "rich", "httpx", "voximplant", "plivo", "jwt", "pydantic")
WATCH = f"""
import sys
from mask_cli.cli import main
try:
    main()
finally:
    loaded = sorted(set({HEAVY!r}) & set(sys.modules))
    print(*loaded, sep=",", file=sys.stderr)
"""


@pytest.mark.parametrize("provider", [False, True], ids=["alone", "with-provider"])
@pytest.mark.parametrize("command", HOT)
def test_a_hot_command_does_not_load_what_it_does_not_need(
    path: Path,
    surroundings: dict[str, str],
    running_sandbox: VoximplantSandbox,
    command: str,
    provider: bool,
) -> None:
    put(path, replace(MAPPING, expires_at=int(time.time()) + DAY))
    if provider:
        surroundings |= running_sandbox.environment()

    process = subprocess.run(
        [sys.executable, "-c", WATCH, *HOT[command]],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (process.returncode, process.stderr) == (0, "\n")
    assert process.stdout
    assert running_sandbox.requests.count("SetKeyValueItem") == 0
