"""Real processes, really killed; afterwards `sync` makes one picture of here and there.

Acknowledged is what a command ended with: exit 0, or 75 with output. What was acknowledged is
there; what was killed has happened whole or not at all.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode
from mask_cli.sandbox.voximplant import VoximplantSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Nearly all of their time is the start of processes.
pytestmark = pytest.mark.slow

SEED = int(os.environ.get("MASK_CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
CLIENT = "13333333333"
COURIERS = ("12222222222", "14155550100")
Picture = dict[str, str]
"""The courier of each order."""


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[VoximplantSandbox]:
    with VoximplantSandbox(allow_kill=True) as sandbox:
        yield sandbox


@dataclass
class World:
    """One database, one provider, and what each order may have come to."""

    sandbox: VoximplantSandbox
    folder: Path
    possible: dict[str, set[str | None]] = field(default_factory=dict)
    orders: Iterator[int] = field(default_factory=lambda: iter(range(10_000, 99_999)))

    @property
    def database(self) -> Path:
        return self.folder / "mask.db"

    def start(
        self, *command: str, launcher: tuple[str, ...] = (), timeout: str = "1s"
    ) -> subprocess.Popen[str]:
        module = ("tests.system.launch", *launcher) if launcher else ("mask_cli",)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "MASK_DATABASE": str(self.database),
            # The leases of those that are killed last so long.
            "MASK_VOXIMPLANT_TIMEOUT": timeout,
            **self.sandbox.environment(),
        }
        return subprocess.Popen(
            [sys.executable, "-m", *module, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str) -> str:
        """Run a command that must succeed, however busy the machine is."""
        process = self.start(*command, timeout="30s")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (command, process.returncode, err)
        return out

    def killed_at(self, step: tuple[str, int, str], *command: str) -> None:
        """Run a command that must die at a step of the store."""
        when, nth, pattern = step
        process = self.start(*command, launcher=(when, str(nth), pattern))
        _, err = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, (command, step, process.returncode, err)

    def new_order(self) -> str:
        """Return an order number that is neither here nor there."""
        order = str(next(self.orders))
        self.possible[order] = {None}
        return order

    def pushed(self, count: int, courier: str) -> list[str]:
        """Return orders that are here and there."""
        file, orders = rows_file(self, count, courier)
        self.run("import", file, "--push")
        self.possible.update({order: {courier} for order in orders})
        return orders

    def wanted(self, order: str, courier: str | None) -> None:
        """Expect that what a killed command wanted may have happened."""
        self.possible[order].add(courier)

    def let_leases_end(self) -> None:
        """Do what time would do."""
        with sqlite3.connect(self.database) as raw:
            raw.execute("UPDATE remote_items SET lease_until = 0")
        raw.close()

    def here(self) -> Picture:
        rows = [json.loads(line) for line in self.run("export", "-", "--to", "jsonl").splitlines()]
        return {row["order"]: row["courier"].lstrip("+") for row in rows}

    def there(self) -> Picture:
        values = {key: json.loads(item.value) for key, item in self.sandbox.items().items()}
        return {key.removeprefix("order:"): value["courier"] for key, value in values.items()}

    def check(self) -> Picture:
        """Return the one picture that is left after a sync."""
        counts = json.loads(self.run("sync", "--format", "json"))
        assert counts["pending"] == 0
        here = self.here()
        assert self.there() == here
        for order, couriers in self.possible.items():
            assert here.get(order) in couriers, order
        assert here.keys() <= self.possible.keys()
        with sqlite3.connect(self.database) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        raw.close()
        assert json.loads(self.run("sync", "--format", "json"))["set"] == 0
        return here


@pytest.fixture
def world(running_sandbox: VoximplantSandbox, tmp_path: Path) -> Iterator[World]:
    running_sandbox.reset()
    yield World(running_sandbox, tmp_path)
    assert running_sandbox.requests.failures == []


def add(order: str, courier: str) -> tuple[str, ...]:
    return ("add", order, "--courier", courier, "--client", CLIENT, "--replace")


def rows_file(world: World, count: int, courier: str = COURIERS[0]) -> tuple[str, list[str]]:
    """Write a file of new orders; return its path and them."""
    orders = [world.new_order() for _ in range(count)]
    file = world.folder / f"{orders[0]}.csv"
    lines = [f"{order},{courier},{CLIENT}" for order in orders]
    file.write_text("\n".join(["order,courier,client", *lines, ""]))
    return str(file), orders


# By the provider


def killed_by_provider(world: World, nth: int, before: bool, *command: str) -> int:
    """Run a command that the provider kills when it asks for the nth time."""
    world.sandbox.faults.clear()
    process = world.start(*command)
    world.sandbox.faults.add("kill", pid=process.pid, skip=nth - 1, before=before)
    process.communicate(timeout=60)
    world.sandbox.faults.clear()
    return process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_process_killed_while_the_provider_has_its_request_leaves_one_picture(
    world: World, before: bool
) -> None:
    old, new = COURIERS
    changed, gone, expired = world.pushed(3, old)
    file, imported = rows_file(world, 4)
    world.run("import", file)
    for order in imported:
        world.possible[order] = {old}
    added = world.new_order()
    for order, wanted, command in (
        (added, new, add(added, new)),
        (changed, new, add(changed, new)),
        (gone, None, ("delete", gone)),
        (expired, old, ("expire", expired)),
    ):
        assert killed_by_provider(world, 1, before, *command) == -signal.SIGKILL
        # It was stored before anything was sent.
        world.possible[order] = {wanted}
    for nth in (1, 2, 2):
        assert killed_by_provider(world, nth, before, "sync") == -signal.SIGKILL
        if before:
            # Else syncs wait until the leases of the killed are over.
            world.let_leases_end()

    counts = json.loads(world.run("sync", "--format", "json"))
    assert counts["pending"] == 0
    # An expired mapping stays here; it is there no more.
    assert world.there().keys() == {added, changed, *imported}
    world.run("delete", expired)
    world.possible[expired] = {None}
    assert world.check() == {added: new, changed: new, **dict.fromkeys(imported, old)}


# At the steps of the store

COMMITS = [(when, nth, "COMMIT") for nth in (1, 2, 3) for when in ("before", "after")]
"""Of a command that pushes: its own change, the claim, the settling."""


def test_an_add_killed_at_any_commit_has_happened_whole_or_not_at_all(world: World) -> None:
    world.run("list")
    happened = []
    for step in COMMITS:
        order = world.new_order()
        world.wanted(order, COURIERS[0])
        world.killed_at(step, *add(order, COURIERS[0]))
        happened.append(order)
    world.let_leases_end()

    assert sorted(world.check()) == happened[1:]
    assert {row["order"] for row in audit(world) if row["action"] == "add"} == set(happened[1:])


def test_a_change_killed_at_any_commit_leaves_no_older_value_there(world: World) -> None:
    old, new = COURIERS
    orders = world.pushed(len(COMMITS), old)
    for order, step in zip(orders, COMMITS, strict=True):
        world.wanted(order, new)
        world.killed_at(step, *add(order, new))
    world.let_leases_end()

    assert world.check() == {orders[0]: old, **dict.fromkeys(orders[1:], new)}


def test_a_delete_killed_at_any_commit_leaves_nobody_reachable(world: World) -> None:
    orders = world.pushed(len(COMMITS), COURIERS[0])
    for order, step in zip(orders, COMMITS, strict=True):
        world.wanted(order, None)
        world.killed_at(step, "delete", order)
    world.let_leases_end()

    assert sorted(world.check()) == orders[:1]
    assert [row["order"] for row in audit(world) if row["action"] == "delete"] == orders[:0:-1]


def test_a_sync_killed_at_any_commit_goes_on(world: World) -> None:
    file, orders = rows_file(world, 10)
    world.run("import", file)
    for order in orders:
        world.possible[order] = {COURIERS[0]}
    for step in [(when, nth, "COMMIT") for nth in (1, 2, 3) for when in ("before", "after")]:
        world.killed_at(step, "sync")
        world.let_leases_end()

    assert sorted(world.check()) == orders


IMPORT_STEPS = [
    ("before", 1, "INSERT INTO incoming"),
    ("after", 1, "COMMIT"),
    ("before", 1, "INSERT INTO audit"),
    ("before", 2, "COMMIT"),
]
FILLING = [
    ("before", 1, "INSERT INTO mappings"),
    ("after", 1, "INSERT INTO mappings"),
    ("after", 2, "DROP INDEX"),
    ("before", 2, "CREATE INDEX"),
]
MERGING = [("before", 1, "INSERT INTO mappings"), ("after", 1, "INSERT INTO mappings")]


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_an_import_killed_in_the_middle_leaves_nothing(world: World, filled: bool) -> None:
    world.run("list")
    before = world.pushed(1, COURIERS[0]) if filled else []
    file, orders = rows_file(world, 2_500)
    for step in [*IMPORT_STEPS, *(MERGING if filled else FILLING)]:
        world.killed_at(step, "import", file)
        assert sorted(world.here()) == before, step
    with sqlite3.connect(world.database) as raw:
        names = [n for (n,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'index'")]
    raw.close()
    assert {"mappings_by_courier", "mappings_by_client", "mappings_by_expiry"} <= set(names)

    world.killed_at(("after", 2, "COMMIT"), "import", file)
    assert sorted(world.here()) == [*before, *orders]
    assert json.loads(world.run("import", file, "--format", "json"))["unchanged"] == 2_500


@pytest.mark.parametrize(
    "step",
    [
        ("after", 1, "PRAGMA journal_mode"),
        ("after", 1, "CREATE TABLE mappings"),
        ("before", 1, "PRAGMA user_version ="),
        ("before", 1, "COMMIT"),
        ("after", 1, "COMMIT"),
    ],
    ids=lambda step: f"{step[0]} {step[2]}",
)
def test_a_first_run_killed_while_making_the_database_does_not_spoil_it(
    world: World, step: tuple[str, int, str]
) -> None:
    world.killed_at(step, "list")

    (order,) = world.pushed(1, COURIERS[0])
    assert world.check() == {order: COURIERS[0]}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["add", "change", "delete", "sync"])
def test_every_single_step_of_a_command_survives_a_kill(world: World, command: str) -> None:
    old, new = COURIERS
    world.run("list")
    for nth in range(1, 200):
        order = world.new_order()
        if command != "add":
            world.run(*add(order, old))
            world.possible[order] = {old}
        if command == "sync":
            order = world.new_order()
            world.run(*add(order, old), "--no-push")
            world.possible[order] = {old}
        arguments = {
            "add": add(order, old),
            "change": add(order, new),
            "delete": ("delete", order),
            "sync": ("sync",),
        }[command]
        world.possible[order].add({"add": old, "change": new, "delete": None, "sync": old}[command])
        process = world.start(*arguments, launcher=("before", str(nth), ""))
        process.communicate(timeout=60)
        world.let_leases_end()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        if command == "sync":
            # Or the next one has more to do, and takes more steps.
            world.run("sync")
    else:
        pytest.fail("the command never ends")
    assert nth > 10
    world.check()


# At random moments


def audit(world: World) -> list[dict[str, str]]:
    return [json.loads(line) for line in world.run("audit", "--format", "jsonl").splitlines()]


def after_random_kills(world: World, kills: int) -> None:
    """Kill commands at random moments; raise when what was acknowledged is missing."""
    chance = random.Random(SEED)  # noqa: S311 (a test's dice)
    print(f"MASK_CRASH_SEED={SEED} repeats these moments")  # noqa: T201
    world.run("list")
    world.pushed(3, COURIERS[0])
    started = time.monotonic()
    world.pushed(1, COURIERS[0])
    length = time.monotonic() - started
    hit = 0
    while hit < kills:
        hit += _one_random_kill(world, chance, length)
        world.let_leases_end()
    world.check()


def _one_random_kill(world: World, chance: random.Random, length: float) -> bool:
    """Run one command and kill it at some moment; True when it was in time."""
    kind = chance.choice(["add", "change", "delete", "sync", "import"])
    courier = chance.choice(COURIERS)
    orders = [chance.choice(sorted(world.possible))]
    command = {"sync": ("sync",), "delete": ("delete", "--missing-ok", *orders)}.get(kind)
    wanted = None if kind == "delete" else courier
    if kind == "sync":
        orders = []
    elif kind == "import":
        file, orders = rows_file(world, 20, courier)
        command = ("import", file, "--push")
    elif kind == "add":
        orders = [world.new_order()]
    command = command or add(orders[0], courier)
    process = world.start(*command)
    try:
        out, err = process.communicate(timeout=chance.uniform(0.3, 1.1) * length)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    if process.returncode != -signal.SIGKILL:
        assert process.returncode in (0, ExitCode.TRY_LATER), (command, err)
        if out:
            world.possible.update({order: {wanted} for order in orders})
        return False
    if kind == "import":
        happened = world.here().keys() & set(orders)
        assert len(happened) in (0, 20), "an import was half done"
    for order in orders:
        world.wanted(order, wanted)
    return True


def test_nothing_acknowledged_is_lost_by_kills_at_a_few_random_moments(world: World) -> None:
    after_random_kills(world, 8)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_by_kills_at_50_random_moments(world: World) -> None:
    after_random_kills(world, 50)
