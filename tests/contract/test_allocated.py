"""The store counts in SQL, `allocation.allocate` in Python: both have to choose the same."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mask_cli.allocation import Allocation, PoolNumber, Release, allocate
from mask_cli.models import Mapping, PhoneNumber
from mask_cli.store.base import Selection
from mask_cli.store.sqlite import SqliteStore
from tests.webhook import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEOPLE = [PhoneNumber(f"+1415555010{n}") for n in range(6)]
POOL = [PhoneNumber(f"+1415555019{n}") for n in range(4)]
GONE = PhoneNumber("+14155550199")
COOL_OFF = 3_600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with (here := SqliteStore(tmp_path / "mask.db")).writing():
        for number in POOL:
            here.pool.put(number, None, None, NOON)
    yield here
    here.close()


class World:
    """Random orders and releases in a store, and what is known of them here."""

    def __init__(self, store: SqliteStore, seed: int) -> None:
        self.store = store
        self.dice = random.Random(seed)  # noqa: S311 (repeatable, not secret)
        self.people = PEOPLE[: self.dice.randrange(2, 7)]
        self.released: list[Mapping] = []
        with store.writing():
            for order in range(self.dice.randrange(25)):
                store.put(self.order(f"{10_000 + order}"))
            self.released = [self.order("0") for _ in range(self.dice.randrange(12))]
            store.pool.release(self.released, NOON)

    def order(self, order: str, number: PhoneNumber | None = None) -> Mapping:
        number = number or self.dice.choice([*POOL, GONE, None])
        early = -self.dice.randrange(2 * COOL_OFF)
        ends = NOON + self.dice.choice([early, early, -COOL_OFF, -COOL_OFF + 1, -1, 0, 1, 600])
        courier, client = self.dice.sample(self.people, 2)
        return Mapping(order, courier, client, ends, NOON, NOON, virtual_number=number)

    def mappings(self) -> list[Mapping]:
        return [mapping for mapping, _ in self.store.listed(Selection(), None, NOON)]

    def expected(self, new: Mapping, mappings: list[Mapping], cool_off: int) -> Allocation:
        """Decide as `allocate` does, given every row of these two."""
        pair = {new.courier, new.client}
        pool = [
            PoolNumber(number, sum(m.virtual_number == number for m in mappings)) for number in POOL
        ]
        mine = [
            replace(m, expires_at=min(m.expires_at, NOON)) if m.order == new.order else m
            for m in mappings
        ]
        releases = [
            Release(m.virtual_number, min(NOON, m.expires_at), {m.courier, m.client} == pair)
            for m in self.released
            if pair & {m.courier, m.client}
        ]
        given = (new.courier, new.client, pool, mine, releases)
        return allocate(*given, now=NOON, cool_off=cool_off)


@pytest.mark.parametrize("seed", range(60))
def test_a_count_in_sql_changes_no_decision(store: SqliteStore, seed: int) -> None:
    world = World(store, seed)
    mappings = world.mappings()
    orders = [*(mapping.order for mapping in mappings), "99999"]
    for _ in range(20):
        cool_off = world.dice.choice([0, 1, COOL_OFF])
        new = world.order(world.dice.choice(orders))
        chosen = store.pool.allocated(
            new.courier, new.client, order=new.order, now=NOON, cool_off=cool_off
        )
        assert chosen == world.expected(new, mappings, cool_off)


@pytest.mark.parametrize("seed", range(60))
def test_an_import_gives_each_order_what_it_would_get_alone(
    store: SqliteStore, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:
        # What is remembered of parties may be forgotten at any moment.
        monkeypatch.setattr("mask_cli.store.claims._MOST_REMEMBERED", 2)
    world = World(store, seed)
    with store.writing():
        new = [replace(world.order(f"{20_000 + n}"), virtual_number=None) for n in range(25)]
        for mapping in new:
            store.put(mapping)
        stored = {mapping.order: mapping for mapping in world.mappings()}
        revision = min(stored[mapping.order].revision for mapping in new)
        here = [mapping for mapping in stored.values() if mapping.revision < revision]
        store.pool.bind_since(revision, NOON, COOL_OFF)
    after = {mapping.order: mapping.virtual_number for mapping in world.mappings()}
    for mapping in new:
        number = world.expected(mapping, here, COOL_OFF).number
        assert after[mapping.order] == number
        here.append(replace(mapping, virtual_number=number))


def test_within_an_import_a_pair_comes_back_to_the_number_it_gave_up_last(
    store: SqliteStore,
) -> None:
    a, b, c, d, e, f = PEOPLE
    ended, active = NOON - 10, NOON + 600

    def put(order: int, one: PhoneNumber, other: PhoneNumber, ends: int, on: object) -> None:
        number = on if isinstance(on, PhoneNumber) else None
        store.put(Mapping(f"{order}", one, other, ends, NOON, NOON, virtual_number=number))

    with store.writing():
        put(10_000, a, b, NOON - 100, GONE)
        put(10_001, c, d, active, POOL[1])
        first = store.last_revision() + 1
        # The pair's own, then two that make a lower number used as much.
        for order, pair in enumerate(((a, b), (c, e), (d, f))):
            put(20_000 + order, *pair, ended if pair == (a, b) else active, None)
        put(20_009, b, a, active, None)
        store.pool.bind_since(first, NOON, COOL_OFF)
    numbers = [mapping.virtual_number for mapping, _ in store.listed(Selection(), None, NOON)]
    assert numbers == [GONE, POOL[1], POOL[1], POOL[0], POOL[0], POOL[1]]


def test_a_client_of_thousands_of_orders_does_not_hold_an_import_up(store: SqliteStore) -> None:
    shop = PEOPLE[0]
    with store.writing():
        for n in range(3_000):
            courier = PhoneNumber(f"+1212{5_550_000 + n}")
            store.put(Mapping(f"{10_000 + n}", courier, shop, NOON + 600, NOON, NOON))
        began = time.perf_counter()
        store.pool.bind_since(0, NOON, COOL_OFF)
        assert time.perf_counter() - began < 5
    uses = [number.used for number in store.pool.numbers()]
    assert sum(uses) == 3_000
    assert max(uses) - min(uses) <= 1, "shared as evenly as can be"
