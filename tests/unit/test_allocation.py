from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_cli.allocation import Allocation, Choice, PoolNumber, Release, allocate
from mask_cli.models import Mapping, PhoneNumber

NOW, COOL_OFF = 1_800_000_000, 3_600
N1, N2, N3 = (PhoneNumber(f"+1415555019{i}") for i in range(3))
COURIER, CLIENT, OTHER, FOURTH = (PhoneNumber(f"+1415555010{i}") for i in range(4))
POOL = [PoolNumber(N1), PoolNumber(N2), PoolNumber(N3)]


def mapping(
    courier: PhoneNumber,
    client: PhoneNumber,
    number: PhoneNumber | None,
    expires_at: int = NOW + 60,
) -> Mapping:
    return Mapping("00000", courier, client, expires_at, 0, 0, virtual_number=number)


def chosen(
    *mappings: Mapping, releases: tuple[Release, ...] = (), pool: list[PoolNumber] = POOL
) -> Allocation:
    return allocate(COURIER, CLIENT, pool, mappings, releases, now=NOW, cool_off=COOL_OFF)


def test_an_empty_pool_gives_no_number_and_asks_nothing() -> None:
    assert chosen(pool=[]) == Allocation(None, Choice.EMPTY_POOL)


def test_a_tie_is_not_broken_by_the_order_of_the_pool() -> None:
    assert chosen(pool=POOL[::-1]) == chosen() == Allocation(N1, Choice.MOST_USED)


def test_numbers_in_use_come_first_so_that_few_are_rented() -> None:
    pool = [PoolNumber(N1, 2), PoolNumber(N2, 7), PoolNumber(N3, 7)]
    assert chosen(pool=pool) == Allocation(N2, Choice.MOST_USED)


@pytest.mark.parametrize(
    ("courier", "client"), [(COURIER, OTHER), (OTHER, CLIENT), (CLIENT, OTHER), (OTHER, COURIER)]
)
def test_a_party_is_not_given_a_number_twice_in_any_role(
    courier: PhoneNumber, client: PhoneNumber
) -> None:
    pool = [PoolNumber(N1, 9), PoolNumber(N2, 1)]
    taken = mapping(courier, client, N1)
    assert chosen(taken, pool=pool) == Allocation(N2, Choice.MOST_USED)


def test_mappings_of_others_do_not_take_a_number_away() -> None:
    assert chosen(mapping(OTHER, FOURTH, N1)).number == N1


def test_a_second_order_of_the_pair_does_not_share_the_number() -> None:
    assert chosen(mapping(COURIER, CLIENT, N1)) == Allocation(N2, Choice.MOST_USED)


def test_the_pair_does_not_lose_its_number_to_its_own_release() -> None:
    own = Release(N3, NOW - 1, same_pair=True)
    assert chosen(releases=(own,)) == Allocation(N3, Choice.SAME_PAIR)


def test_the_pair_comes_back_to_the_last_of_its_numbers_however_long_ago() -> None:
    own = (
        Release(N2, NOW - 90 * COOL_OFF, same_pair=True),
        Release(N3, NOW - 99 * COOL_OFF, same_pair=True),
    )
    assert chosen(releases=own) == Allocation(N2, Choice.SAME_PAIR)


def test_an_expired_mapping_of_the_pair_counts_as_its_release() -> None:
    assert chosen(mapping(CLIENT, COURIER, N3, NOW)) == Allocation(N3, Choice.SAME_PAIR)


def test_the_pairs_number_is_not_taken_from_another_order_of_a_party() -> None:
    own = Release(N1, NOW - 1, same_pair=True)
    taken = mapping(COURIER, OTHER, N1)
    assert chosen(taken, releases=(own,)) == Allocation(N2, Choice.MOST_USED)


def test_the_pairs_number_is_not_reused_while_it_cools_from_another_pair() -> None:
    releases = (Release(N1, NOW - 2, same_pair=True), Release(N1, NOW - 1, same_pair=False))
    assert chosen(releases=releases) == Allocation(N2, Choice.MOST_USED)


def test_a_number_that_left_the_pool_is_not_given_again() -> None:
    own = Release(PhoneNumber("+14155550150"), NOW - 1, same_pair=True)
    assert chosen(releases=(own,)) == Allocation(N1, Choice.MOST_USED)


@pytest.mark.parametrize(("age", "number"), [(0, N2), (COOL_OFF - 1, N2), (COOL_OFF, N1)])
def test_a_late_call_does_not_reach_the_new_party_within_the_cool_off(
    age: int, number: PhoneNumber
) -> None:
    released = Release(N1, NOW - age, same_pair=False)
    assert chosen(releases=(released,)).number == number
    assert chosen(mapping(COURIER, OTHER, N1, NOW - age)).number == number


def test_no_cool_off_frees_a_number_at_once() -> None:
    released = Release(N1, NOW, same_pair=False)
    decided = allocate(COURIER, CLIENT, POOL, [], [released], now=NOW, cool_off=0)
    assert decided.number == N1


def test_a_mapping_without_number_collides_on_every_number() -> None:
    everywhere = mapping(COURIER, OTHER, None)
    assert chosen(everywhere) == Allocation(N1, Choice.SHARED, ask=True)


def test_sharing_is_said_and_meets_as_few_orders_as_possible() -> None:
    pool = [PoolNumber(N1, 9), PoolNumber(N2, 5)]
    taken = (
        mapping(COURIER, OTHER, N1),
        mapping(COURIER, FOURTH, N1),
        mapping(FOURTH, CLIENT, N2),
    )
    assert chosen(*taken, pool=pool) == Allocation(N2, Choice.SHARED, ask=True)


def test_sharing_is_better_than_a_late_call_reaching_the_wrong_person() -> None:
    pool = [PoolNumber(N1, 9), PoolNumber(N2)]
    released = Release(N1, NOW - 1, same_pair=False)
    taken = mapping(COURIER, OTHER, N2)
    decided = chosen(taken, releases=(released,), pool=pool)
    assert decided == Allocation(N2, Choice.SHARED, ask=True)


def test_a_number_that_cools_is_not_said_to_be_asked_on() -> None:
    released = Release(N1, NOW - 1, same_pair=False)
    decided = chosen(releases=(released,), pool=[PoolNumber(N1)])
    assert decided == Allocation(N1, Choice.COOLING, ask=False)


def test_a_released_mapping_without_number_cools_on_every_number() -> None:
    released = Release(None, NOW - 1, same_pair=False)
    assert chosen(releases=(released,)) == Allocation(N1, Choice.COOLING)


people = st.sampled_from([COURIER, CLIENT, OTHER, FOURTH])
numbers = st.sampled_from([None, N1, N2, N3])
moments = st.integers(NOW - 2 * COOL_OFF, NOW + COOL_OFF)
all_mappings = st.lists(st.builds(mapping, people, people, numbers, moments), max_size=8)
all_releases = st.lists(
    st.builds(Release, numbers, st.integers(NOW - 2 * COOL_OFF, NOW), st.booleans()), max_size=4
)


@given(all_mappings, all_releases, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_choose_the_number(
    mappings: list[Mapping], releases: list[Release], shuffler: random.Random
) -> None:
    first = chosen(*mappings, releases=tuple(releases))
    pool = list(POOL)
    for rows in (mappings, releases, pool):
        shuffler.shuffle(rows)
    assert chosen(*mappings, releases=tuple(releases), pool=pool) == first


@given(all_mappings, all_releases)
def test_a_question_is_not_promised_where_nobody_is_asked(
    mappings: list[Mapping], releases: list[Release]
) -> None:
    decided = chosen(*mappings, releases=tuple(releases))
    here = [
        m
        for m in mappings
        if {m.courier, m.client} & {COURIER, CLIENT}
        and m.expires_at > NOW
        and m.virtual_number in (None, decided.number)
    ]
    assert decided.ask == bool(here) == (decided.reason is Choice.SHARED)


@dataclass
class Book:
    """A plain model of what a store keeps: no index, no SQL, everything looked at each time."""

    pool: list[PhoneNumber]
    now: int = NOW
    mappings: dict[int, Mapping] = field(default_factory=dict)
    releases: list[tuple[Mapping, int]] = field(default_factory=list)
    shared: set[int] = field(default_factory=set)
    cooling: int = 0
    ids: count[int] = field(default_factory=count)

    def add(self, courier: PhoneNumber, client: PhoneNumber, life: int) -> Allocation:
        used = Counter(m.virtual_number for m in self.mappings.values())
        pair = {courier, client}
        mine = [m for m in self.mappings.values() if pair & {m.courier, m.client}]
        past = [
            Release(m.virtual_number, at, same_pair={m.courier, m.client} == pair)
            for m, at in self.releases
            if pair & {m.courier, m.client}
        ]
        pool = [PoolNumber(number, used[number]) for number in self.pool]
        decided = allocate(courier, client, pool, mine, past, now=self.now, cool_off=COOL_OFF)
        key = next(self.ids)
        self.check(courier, client, decided)
        if decided.ask:
            self.shared.add(key)
        self.mappings[key] = replace(
            mapping(courier, client, decided.number, self.now + life), order=f"{key:05}"
        )
        return decided

    def check(self, courier: PhoneNumber, client: PhoneNumber, decided: Allocation) -> None:
        """Whatever is given as free is free: counted anew, by party and number."""
        if decided.reason in (Choice.SHARED, Choice.COOLING):
            return
        held = [(m, m.expires_at) for m in self.mappings.values()] + self.releases
        for m, ended in held:
            same_pair = {m.courier, m.client} == {courier, client}
            in_the_way = ended > self.now if same_pair else ended + COOL_OFF > self.now
            if in_the_way and m.virtual_number == decided.number:
                assert not {courier, client} & {m.courier, m.client}

    def remove(self, key: int) -> None:
        gone = self.mappings.pop(key)
        self.releases.append((gone, min(self.now, gone.expires_at)))
        self.releases = [r for r in self.releases if r[1] + 4 * COOL_OFF > self.now]

    def active_shared_by_nobody_who_is_not_asked(self) -> bool:
        active = {k: m for k, m in self.mappings.items() if m.expires_at > self.now}
        seen = Counter(
            (party, m.virtual_number)
            for key, m in active.items()
            if key not in self.shared
            for party in (m.courier, m.client)
        )
        return max(seen.values(), default=0) <= 1


@pytest.mark.parametrize("pool_size", [3, 12])
def test_ten_thousand_changes_never_put_two_unasked_orders_of_one_party_on_a_number(
    pool_size: int,
) -> None:
    rng = random.Random(pool_size)  # noqa: S311 (a reproducible run, nothing secret)
    people = [PhoneNumber(f"+141555501{i:02}") for i in range(60)]
    book = Book([PhoneNumber(f"+1222222220{i:02}") for i in range(pool_size)])
    reasons: Counter[Choice] = Counter()
    for step in range(10_000):
        book.now += rng.randrange(60)
        if rng.random() < 0.5 or not book.mappings:
            courier, client = rng.sample(people, 2)
            reasons[book.add(courier, client, rng.randrange(1, COOL_OFF)).reason] += 1
        else:
            book.remove(rng.choice(list(book.mappings)))
        if step % 10 == 0:
            assert book.active_shared_by_nobody_who_is_not_asked()
    assert {Choice.SAME_PAIR, Choice.MOST_USED} <= set(reasons)
    assert (Choice.SHARED in reasons) == (pool_size == 3)
