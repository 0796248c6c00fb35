"""Many processes on one database and one provider; and processes that are killed at work."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.models import DAY, Mapping, PhoneNumber, remote_value
from mask_cli.sandbox.voximplant import VoximplantSandbox
from mask_cli.sandbox.voximplant_kvs import Stored
from mask_cli.store.base import Selection
from mask_cli.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PARTIES = ("--courier", "12222222222", "--client", "13333333333")
PEOPLE = PhoneNumber("+12222222222"), PhoneNumber("+13333333333")
# One process: adds, deletes and syncs as fast as it can, as several shells would.
WORKER = """
import io, sys
from contextlib import redirect_stderr, redirect_stdout
from mask_cli.cli import app
def mask(*words):
    err = io.StringIO()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(err):
            app(args=list(words), prog_name="mask")
    except SystemExit as end:
        if end.code not in (0, 75) or "locked" in err.getvalue() or "Traceback" in err.getvalue():
            sys.exit(f"{words[0]} ended with {end.code}: {err.getvalue()}")
n = int(sys.argv[1])
parties = ("--courier", "12222222222", "--client", "13333333333")
for i in range(3):
    mask("add", f"{n:02d}{i:03d}", *parties, *(("--no-push",) if i % 2 else ()))
mask("delete", f"{n:02d}000", *(("--no-push",) if n % 2 else ()))
mask(*(("sync", "--full", "--force") if n % 5 == 0 else ("sync",)), "--timeout", "20s")
mask("prune")
"""


class Site:
    """A database and a provider of their own, and the programs that work on them."""

    def __init__(self, folder: Path, sandbox: VoximplantSandbox) -> None:
        self.sandbox = sandbox
        self.database = folder / "mask.db"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            **sandbox.environment(),
            "MASK_DATABASE": str(self.database),
            "MASK_VOXIMPLANT_TIMEOUT": "5s",
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, *command], env=self.env, cwd=ROOT, stdout=pipe, stderr=pipe, text=True
        )

    def mask(self, *words: str) -> tuple[int, str, str]:
        with self.start("-m", "mask_cli", *words) as process:
            out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        assert "locked" not in err, err
        return process.returncode, out, err

    def done(self, *words: str) -> Any:
        code, out, err = self.mask(*words, "--format", "json")
        assert code == 0, err
        return json.loads(out)

    def local(self) -> dict[str, str]:
        now = int(time.time())
        with closing(SqliteStore(self.database)) as store:
            found = [m for m, _ in store.listed(Selection(), None, now) if m.expires_at > now]
        return {f"order:{m.order}": remote_value(m) for m in found}

    def stands(self) -> dict[str, str]:
        return {key: item.value for key, item in self.sandbox.items().items()}

    def agrees(self) -> None:
        """Assert that a run or two of cron bring both together."""
        self.mask("sync", "--full", "--force", "--timeout", "60s")
        self.done("sync", "--timeout", "60s")
        assert self.stands() == self.local()
        assert self.mask("drift")[0] == 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with VoximplantSandbox() as sandbox:
        yield Site(tmp_path, sandbox)
        assert sandbox.requests.failures == []


def _many_at_once(site: Site, count: int) -> None:
    site.done("list")
    processes = [site.start("-c", WORKER, str(n)) for n in range(count)]
    for process in processes:
        _, err = process.communicate(timeout=500)
        assert process.returncode == 0, err
    expected = {f"order:{n:02d}{i:03d}" for n in range(count) for i in (1, 2)}
    assert set(site.local()) == expected
    site.agrees()


def test_processes_on_one_database_lose_nothing(site: Site) -> None:
    _many_at_once(site, 6)


@pytest.mark.slow
def test_fifty_processes_on_one_database_lose_nothing(site: Site) -> None:
    _many_at_once(site, 50)


KILLED = (("sync", "--full", "--force"), ("sync", "--full", "--force"), ("prune", "--grace", "0"))


class Ordered:
    """What was ordered, kept apart from the database: until when each order is reachable."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site, self.dice = site, random.Random(seed)  # noqa: S311 (moments to kill at)
        self.until: dict[str, int] = {}

    def begin(self) -> None:
        with closing(SqliteStore(self.site.database)) as store, store.writing():
            self._add(store, [f"{n:05d}" for n in range(80)])

    def _add(self, store: SqliteStore, orders: Iterable[str]) -> None:
        now = int(time.time())
        for order in orders:
            self.until[order] = now + DAY
            store.put(Mapping(order, *PEOPLE, now + DAY, now, now))

    def spoil(self) -> None:
        """Make work for the next run: changes here, and there by somebody else."""
        now = int(time.time())
        with closing(SqliteStore(self.site.database)) as store, store.writing():
            self._add(store, sorted(order for order in self.until if store.get(order) is None))
            for order in self.dice.sample(sorted(self.until), 12):
                ends = self.dice.choice((now - 10, now + DAY, now + 2 * DAY))
                mapping = store.get(order)
                assert mapping is not None
                store.put(mapping.changed(now, expires_at=ends))
                self.until[order] = ends
        theirs = sorted(self.site.stands().keys() - {"order:77777"})
        for key in self.dice.sample(theirs, min(3, len(theirs))):
            self.site.sandbox.store().set(Stored(key, "x", now + DAY))

    def stand_here(self) -> None:
        """Assert that what should be reachable is here; only what has expired may be gone."""
        now = int(time.time())
        active = {order: until for order, until in self.until.items() if until > now}
        with closing(SqliteStore(self.site.database)) as store:
            found = {m.order: m.expires_at for m, _ in store.listed(Selection(), None, now)}
        assert {order: at for order, at in found.items() if at > now} == active

    def kill_one(self) -> bool:
        """Start a run and kill it at some moment; tell whether it was still at work."""
        # Start-up takes a third of a second or more; what is killed there has done nothing.
        process = self.site.start("-m", "mask_cli", *self.dice.choice(KILLED))
        time.sleep(self.dice.uniform(0.3, 1.0))
        hit = process.poll() is None
        process.kill()
        process.communicate()
        return hit


def _killed(site: Site, times: int, seed: int) -> None:
    print(f"seed {seed}")  # noqa: T201 (pytest shows it when the test fails)
    site.env["MASK_VOXIMPLANT_TIMEOUT"] = "1s"
    ordered = Ordered(site, seed)
    ordered.begin()
    site.sandbox.store().set(_foreign(site))
    hits = runs = 0
    while hits < times:
        ordered.spoil()
        hits += ordered.kill_one()
        runs += 1
        ordered.stand_here()
        assert runs < 5 * times, f"only {hits} of {runs} kills met a live process"
    stands = site.stands()
    assert stands.pop("order:77777") == "theirs"
    time.sleep(1)
    site.env["MASK_VOXIMPLANT_TIMEOUT"] = "30s"
    site.sandbox.store().delete("order:77777", int(time.time()))
    # What cron does next, to its end.
    site.mask("prune", "--grace", "0")
    ordered.stand_here()
    site.agrees()
    ordered.stand_here()


def _foreign(site: Site) -> Stored:
    return Stored("order:77777", "theirs", site.sandbox.clock.now() + DAY)


def test_a_kill_during_sync_full_or_prune_loses_nothing(site: Site) -> None:
    _killed(site, 5, seed=5)


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing(site: Site) -> None:
    _killed(site, 200, seed=int(time.time()))


def test_two_processes_pushing_one_order_leave_the_newer_value(site: Site) -> None:
    site.done("add", "12345", *PARTIES, "--no-push")
    site.sandbox.faults.add("latency", seconds=0.8, command="SetKeyValueItem")
    first = site.start("-m", "mask_cli", "sync")
    while not site.sandbox.requests.count("SetKeyValueItem"):
        time.sleep(0.01)
    # The second waits for the first's lease to end, then writes.
    site.done("reassign", "12345", "--courier", "14155550100")
    first.communicate()
    assert site.stands() == site.local()
    assert site.sandbox.requests.most_at_once() == 1


def _claimed(site: Site) -> int:
    """Wait until an order is claimed; return when its lease ends."""
    with closing(SqliteStore(site.database)) as store:
        while not (row := store.row("SELECT lease_until FROM remote_items")):
            time.sleep(0.002)
    return int(row[0])


def test_a_process_that_was_frozen_does_not_send_what_is_outdated_since(site: Site) -> None:
    site.done("add", "12345", *PARTIES, "--no-push")
    site.env["MASK_VOXIMPLANT_TIMEOUT"] = "1s"
    # Stopped between its claim and its request: it loads the SDK there.
    frozen = site.start("-m", "mask_cli", "sync", "--format", "json")
    until = _claimed(site)
    frozen.send_signal(signal.SIGSTOP)
    assert site.sandbox.requests.entries() == []
    site.env["MASK_VOXIMPLANT_TIMEOUT"] = "5s"
    time.sleep(max(0.0, until - time.time()))
    site.done("reassign", "12345", "--courier", "14155550100")

    frozen.send_signal(signal.SIGCONT)
    out, err = frozen.communicate(timeout=20)

    assert frozen.returncode == 0, err
    assert (json.loads(out)["set"], json.loads(out)["settled"]) == (0, 1)
    assert site.stands() == site.local()
    assert site.sandbox.requests.count("SetKeyValueItem") == 1


def test_a_value_that_comes_after_its_lease_is_mended_by_sync_full(site: Site) -> None:
    site.sandbox.faults.add("duplicate", seconds=2.5, command="SetKeyValueItem")
    site.done("add", "12345", *PARTIES)
    older = site.stands()
    site.done("reassign", "12345", "--courier", "14155550100")
    assert site.stands() == site.local()
    until = time.monotonic() + 10
    while site.stands() != older and time.monotonic() < until:
        time.sleep(0.05)
    assert site.stands() == older
    assert site.mask("drift")[0] == 3
    assert site.done("sync", "--full")["changed"] == 1
    assert site.stands() == site.local()


def test_a_deleted_order_that_comes_back_after_its_lease_is_deleted_by_sync_full(
    site: Site,
) -> None:
    site.sandbox.faults.add("duplicate", seconds=2.5, command="SetKeyValueItem")
    site.done("add", "12345", *PARTIES)
    site.done("delete", "12345")
    assert site.stands() == {}
    until = time.monotonic() + 10
    while not site.stands() and time.monotonic() < until:
        time.sleep(0.05)
    assert site.stands()
    assert site.mask("drift")[0] == 3
    assert site.done("sync", "--full")["deleted"] == 1
    assert site.stands() == {}
