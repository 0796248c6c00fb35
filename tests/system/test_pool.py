"""Random orders from many processes: nobody is ever reached by a call meant for another."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mask_cli.models import PhoneNumber, State
from mask_cli.orders import NewMapping, Orders
from mask_cli.rows import Rules
from mask_cli.store.base import Selection
from mask_cli.store.sqlite import SqliteStore
from mask_cli.transfer import ImportOptions, import_orders

if TYPE_CHECKING:
    from collections.abc import Iterator

START = 1_800_000_000
COOL_OFF = 600
NUMBERS = [PhoneNumber(f"+1415555019{i}") for i in range(4)]
COURIERS = [PhoneNumber(f"+1415555010{i}") for i in range(6)]
CLIENTS = [PhoneNumber(f"+1415555012{i}") for i in range(8)]


def random_changes(store: SqliteStore, seed: int, count: int, area: str) -> set[str]:
    """Add, delete, expire and extend; return the orders of which `asks` was said."""
    chance = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    asked: set[str] = set()
    for step in range(count):
        orders = Orders(store, 5, 900, START + step * 30, "test", cool_off=COOL_OFF)
        order = area + f"{chance.randrange(40):02d}" + chance.choice("01")
        mapping = store.get(order)
        action = chance.choice(("add", "add", "add", "delete", "expire", "extend"))
        if action == "add" and (mapping is None or mapping.state(orders.now) is State.EXPIRED):
            new = NewMapping(chance.choice(COURIERS), chance.choice(CLIENTS), order)
            change = orders.add(new)
        elif action == "add" or mapping is None:
            continue
        elif action == "delete":
            orders.delete([order])
            continue
        elif action == "expire":
            orders.expire([order], None)
            continue
        else:
            (change,) = orders.extend([order], 300)
        if change.allocation is not None:
            (asked.add if change.allocation.ask else asked.discard)(order)
    return asked


def meetings(store: SqliteStore, now: int) -> Iterator[list[str]]:
    """Yield the active orders that one party has on one number, where they are several."""
    groups = defaultdict(list)
    for mapping, _ in store.listed(Selection(State.ACTIVE), None, now):
        for party in (mapping.courier, mapping.client):
            groups[party, mapping.virtual_number].append(mapping.order)
    return (orders for orders in groups.values() if len(orders) > 1)


def filled_store(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    with store.writing():
        for number in NUMBERS:
            store.pool.put(number, "plivo", None, START)
    return store


def test_two_orders_of_one_party_never_meet_on_a_number_unless_asked_there(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")
    asked: set[str] = set()
    for part in range(25):
        asked |= random_changes(store, part, 40, "00")
        for orders in meetings(store, START + 40 * 30):
            assert len([o for o in orders if o not in asked]) <= 1, orders
    store.close()


def test_the_invariant_can_fail(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")
    orders = Orders(store, 5, 900, START, "test", cool_off=COOL_OFF)
    for order in ("00001", "00002"):
        new = NewMapping(COURIERS[0], CLIENTS[int(order)], order, virtual_number=NUMBERS[0])
        orders.add(new)
    assert list(meetings(store, START)) == [["00001", "00002"]]
    store.close()


def test_the_count_of_uses_never_drifts(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "mask.db")
    random_changes(store, 7, 500, "00")
    list(store.forget_expired(START + 500 * 30 - 300, None))
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


@pytest.mark.slow
def test_many_processes_never_give_one_number_twice(tmp_path: Path) -> None:
    path = tmp_path / "mask.db"
    filled_store(path).close()
    script = (
        "import sys, pathlib; from tests.system.test_pool import *;"
        "store = SqliteStore(pathlib.Path(sys.argv[1]));"
        "print(*random_changes(store, int(sys.argv[2]), 2500, f'{int(sys.argv[2]):02d}'))"
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
    asked = {order for output in outputs for order in output.split()}
    store = SqliteStore(path)
    for orders in meetings(store, START + 2500 * 30):
        assert len([o for o in orders if o not in asked]) <= 1, orders
    store.close()
