"""Random orders from many processes: nobody is ever reached by a call meant for another."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mask_cli.allocation import Choice
from mask_cli.errors import NotFound
from mask_cli.models import PhoneNumber, State
from mask_cli.orders import Change, NewMapping, Orders
from mask_cli.rows import Rules
from mask_cli.store.base import Selection
from mask_cli.store.sqlite import SqliteStore
from mask_cli.transfer import ImportOptions, import_orders

START = 1_800_000_000
TTL, COOL_OFF, TICK = 900, 600, 10
NUMBERS = [PhoneNumber(f"+1415555019{i}") for i in range(4)]
COURIERS = [PhoneNumber(f"+141555501{i:02}") for i in range(30)]
CLIENTS = [PhoneNumber(f"+141555502{i:02}") for i in range(40)]

# The database itself keeps the order of what happened, whichever process did it.
HISTORY = """
    CREATE TABLE history (
        at INTEGER, action TEXT, order_number TEXT, courier TEXT, client TEXT,
        virtual_number TEXT, expires_at INTEGER, revision INTEGER
    );
    CREATE TRIGGER gone AFTER DELETE ON mappings BEGIN
        INSERT INTO history VALUES (NULL, 'gone', old.order_number, '', '', '', 0, 0);
    END;
    CREATE TRIGGER told AFTER INSERT ON audit WHEN new.order_number IS NOT NULL BEGIN
        INSERT INTO history SELECT new.at, new.action, new.order_number, courier, client,
        virtual_number, expires_at, revision FROM (SELECT 1) LEFT JOIN mappings
        ON order_number = new.order_number;
    END;
"""


def filled_store(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    with store.writing():
        for number in NUMBERS:
            store.pool.put(number, "plivo", None, START)
    return store


def random_changes(store: SqliteStore, seed: int, count: int) -> list[str]:
    """Add, delete, expire, extend and prune until so many changes are made, in orders of its own.

    The clock is the database's counter: it is nearly the same for all processes. Returns of
    each number given the revision and the reason.
    """
    chance = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    given: list[str] = []
    made = 0
    while made < count:
        now = START + TICK * store.last_revision()
        orders = Orders(store, 5, TTL, now, "test", cool_off=COOL_OFF)
        if chance.random() < 0.01:
            made += sum(store.forget_expired(now - COOL_OFF // 2, 50))
        changes: list[Change] = []
        with suppress(NotFound):  # another process has pruned it
            changes = _random_change(orders, chance, f"{seed:02}{chance.randrange(100):03}")
        for change in changes:
            made += change.changed
            if change.allocation is not None and change.after is not None:
                given.append(f"{change.after.revision}:{change.allocation.reason}")
    return given


def _random_change(orders: Orders, chance: random.Random, order: str) -> list[Change]:
    mapping = orders.store.get(order)
    action = chance.choice(("add", "add", "delete", "expire", "extend"))
    if mapping is None or (action == "add" and mapping.state(orders.now) is State.EXPIRED):
        pair = chance.choice(COURIERS), chance.choice(CLIENTS)
        return [orders.add(NewMapping(*chance.choice((pair, pair[::-1])), order))]
    if action == "delete":
        return orders.delete([order])
    if action == "expire" and mapping.state(orders.now) is State.ACTIVE:
        return orders.expire([order], None)
    return orders.extend([order], 300) if action == "extend" else []


@dataclass(frozen=True)
class Held:
    """A number that two people have, or had, until a moment."""

    parties: frozenset[str]
    number: str
    until: int
    asked: bool


@dataclass
class Referee:
    """Goes through what happened, change by change, and looks at everything anew each time."""

    reasons: dict[int, str]
    now: dict[str, Held] = field(default_factory=dict)
    past: list[Held] = field(default_factory=list)

    def check(self, store: SqliteStore) -> int:
        """Return how many changes there were."""
        changes = list(store.rows("SELECT * FROM history ORDER BY rowid"))
        for at, action, order, *mapping in changes:
            if action == "gone":
                self.past = [*self.past[-300:], self.now.pop(order)]
            elif action == "delete":
                held = self.past.pop()
                until = min(at, held.until)
                self.past.append(Held(held.parties, held.number, until, held.asked))
            else:
                self._stored(at, order, *mapping)
        return len(changes)

    def _stored(
        self, at: int, order: str, courier: str, client: str, number: str, until: int, revision: int
    ) -> None:
        before = self.now.pop(order, None)
        reason = self.reasons.get(revision)
        asked = reason == Choice.SHARED if reason else before is not None and before.asked
        held = Held(frozenset((courier, client)), number, until, asked)
        others = [o for o in self.now.values() if o.parties & held.parties and o.number == number]
        if until > at and not asked:
            met = [other for other in others if other.until > at and not other.asked]
            assert not met, f"order {order} meets another at {at}"
        if reason in (Choice.SAME_PAIR, Choice.MOST_USED):
            late = [o for o in (*others, *self.past) if o.number == number]
            late = [o for o in late if o.parties & held.parties and o.until + COOL_OFF > at]
            strangers = [o for o in late if o.parties != held.parties]
            assert not strangers, f"order {order} is given a number that is cooling at {at}"
        if before is not None and reason:
            self.past.append(before)
        self.now[order] = held


def refereed(store: SqliteStore, given: list[str]) -> tuple[int, Counter[str]]:
    """Check all that happened; return how many changes there were, and why which number."""
    reasons = {int(revision): reason for revision, _, reason in (g.partition(":") for g in given)}
    return Referee(reasons).check(store), Counter(reasons.values())


def test_two_orders_of_one_party_never_meet_on_a_number_unless_asked_there(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")
    store.connection.executescript(HISTORY)
    changes, reasons = refereed(store, random_changes(store, 0, 1_000))
    store.close()
    assert changes >= 1_000
    assert min(reasons[reason] for reason in ("same_pair", "most_used", "shared")) > 10, reasons


def test_the_referee_sees_two_orders_that_meet(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")
    store.connection.executescript(HISTORY)
    orders = Orders(store, 5, TTL, START, "test", cool_off=COOL_OFF)
    for order in ("00001", "00002"):
        orders.add(NewMapping(COURIERS[0], CLIENTS[int(order)], order, virtual_number=NUMBERS[0]))
    with pytest.raises(AssertionError, match="meets another"):
        Referee({}).check(store)
    store.close()


def test_the_referee_sees_a_number_that_is_given_too_early(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")
    store.connection.executescript(HISTORY)
    careless = Orders(store, 5, TTL, START, "test", cool_off=0)
    careless.add(NewMapping(COURIERS[0], CLIENTS[0], "00001"))
    careless.delete(["00001"])
    change = careless.add(NewMapping(COURIERS[0], CLIENTS[1], "00002"))
    assert change.after is not None
    assert change.allocation is not None
    with pytest.raises(AssertionError, match="cooling"):
        Referee({change.after.revision: change.allocation.reason}).check(store)
    store.close()


def test_the_count_of_uses_never_drifts(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")
    random_changes(store, 7, 500)
    list(store.forget_expired(START + TICK * store.last_revision() - 300, None))
    bound = [m.virtual_number for m, _ in store.listed(Selection(), None, START)]
    assert {e.number: e.used for e in store.pool.numbers()} == {n: bound.count(n) for n in NUMBERS}
    store.close()


def test_an_import_over_an_expired_order_lets_its_number_cool_off(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")

    def added(order: str, client: int, now: int) -> PhoneNumber | None:
        orders = Orders(store, 5, 900, now, "test", cool_off=COOL_OFF)
        change = orders.add(NewMapping(COURIERS[0], CLIENTS[client], order))
        assert change.after is not None
        return change.after.virtual_number

    first = added("00001", 0, START)
    row = f"00001,{COURIERS[1].e164},{CLIENTS[1].e164}\n"
    file = io.BytesIO(f"order,courier,client\n{row}".encode())
    later = START + 901
    rules = Rules(lambda text: text, 5, 900, later)
    import_orders(file, "csv", store, rules, ImportOptions(cool_off=COOL_OFF))
    # The first client's late call must not reach another courier's new client.
    assert added("00002", 2, later + 1) != first
    store.close()


def test_a_number_given_up_a_moment_ago_does_not_lead_to_a_stranger(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")

    def added(order: str, client: int, now: int) -> PhoneNumber | None:
        orders = Orders(store, 5, 900, now, "test", cool_off=COOL_OFF)
        change = orders.add(NewMapping(COURIERS[0], CLIENTS[client], order))
        assert change.after is not None
        return change.after.virtual_number

    first = added("00001", 0, START)
    Orders(store, 5, 900, START + 1, "test").delete(["00001"])
    assert added("00002", 1, START + 2) != first
    assert added("00003", 0, START + 3) == first, "the same pair comes back to its number"
    store.close()


def at(store: SqliteStore, now: int) -> Orders:
    return Orders(store, 5, TTL, now, "test", cool_off=COOL_OFF)


def number_of(change: Change) -> PhoneNumber | None:
    assert change.after is not None
    return change.after.virtual_number


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_late_call_does_not_reach_the_next_client_of_the_same_order(
    tmp_path: Path, *, overwrite: bool
) -> None:
    store = filled_store(tmp_path / "mask.db")
    first = number_of(at(store, START).add(NewMapping(COURIERS[0], CLIENTS[0], "00001")))
    later = START + (10 if overwrite else TTL + 10)
    change = at(store, later).add(NewMapping(COURIERS[0], CLIENTS[1], "00001"), overwrite=overwrite)
    assert number_of(change) != first
    store.close()


def test_an_order_that_is_extended_after_its_end_comes_back_to_its_number(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")
    at(store, START).add(NewMapping(COURIERS[0], CLIENTS[0], "00001"))
    second = number_of(at(store, START).add(NewMapping(COURIERS[0], CLIENTS[1], "00002")))
    # Others make the first number the one most used.
    at(store, START).add(NewMapping(COURIERS[1], CLIENTS[2], "00003"))
    (change,) = at(store, START + TTL + COOL_OFF).extend(["00002"], 300)
    assert number_of(change) == second
    store.close()


def test_the_number_of_an_order_that_came_back_to_another_cools_off(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")
    first = number_of(at(store, START).add(NewMapping(COURIERS[0], CLIENTS[0], "00001")))
    later = START + TTL + 10
    with store.writing():
        store.pool.set_state(NUMBERS[0], "quarantined")
    (change,) = at(store, later).extend(["00001"], 300)
    with store.writing():
        store.pool.set_state(NUMBERS[0], "active")
    assert first == NUMBERS[0] != number_of(change)
    stranger = at(store, later).add(NewMapping(COURIERS[0], CLIENTS[1], "00003"))
    assert number_of(stranger) not in (first, number_of(change))
    store.close()


@pytest.mark.slow
def test_ten_thousand_changes_by_many_processes_never_give_one_number_twice(tmp_path: Path) -> None:
    path = tmp_path / "mask.db"
    store = filled_store(path)
    store.connection.executescript(HISTORY)
    script = (
        "import sys, pathlib; from tests.system.test_pool import *;"
        "store = SqliteStore(pathlib.Path(sys.argv[1]));"
        "print(*random_changes(store, int(sys.argv[2]), 2500))"
    )
    root = Path(__file__).parents[2]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(seed)],
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(4)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4
    changes, reasons = refereed(store, " ".join(outputs).split())
    store.close()
    assert changes >= 10_000
    assert min(reasons[reason] for reason in ("same_pair", "most_used", "shared")) > 100, reasons
