from __future__ import annotations

import random
import time
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mask_cli.models import Mapping, PhoneNumber
from mask_cli.plan import (
    Edge,
    NumberPlan,
    edge_colouring,
    greedy_colouring,
    max_degree,
    number_plan,
)

NOW = 1_800_000_000
N1, N2, N3 = (PhoneNumber(f"+1415555019{i}") for i in range(3))
A, B, C, D = (PhoneNumber(f"+1415555010{i}") for i in range(4))


def mapping(
    courier: PhoneNumber,
    client: PhoneNumber,
    number: PhoneNumber | None = None,
    expires_at: int = NOW + 1,
) -> Mapping:
    return Mapping("00000", courier, client, expires_at, 0, 0, virtual_number=number)


def proper(edges: list[Edge], colours: list[int]) -> bool:
    ends = Counter(
        (vertex, colour) for edge, colour in zip(edges, colours, strict=True) for vertex in edge
    )
    return max(ends.values(), default=1) == 1 and min(colours, default=0) >= 0


bipartite = st.lists(st.tuples(st.integers(0, 7), st.integers(100, 107)), max_size=60)
anything = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda edge: edge[0] != edge[1]),
    max_size=60,
)


@settings(max_examples=1000)
@given(bipartite)
def test_no_number_too_many_is_rented_for_couriers_and_clients(edges: list[Edge]) -> None:
    colours = edge_colouring(edges)
    assert proper(edges, colours)
    assert len(set(colours)) == max_degree(edges)
    assert max(colours, default=-1) == max_degree(edges) - 1


@settings(max_examples=1000)
@given(anything)
def test_a_person_who_is_courier_and_client_does_not_get_a_number_twice(edges: list[Edge]) -> None:
    colours = edge_colouring(edges)
    assert proper(edges, colours)
    most = max_degree(edges)
    assert most <= len(set(colours)) <= max(0, 2 * most - 1)


@given(anything)
def test_the_greedy_figure_is_one_that_can_happen(edges: list[Edge]) -> None:
    colours = greedy_colouring(edges)
    assert proper(edges, colours)
    assert max_degree(edges) <= len(set(colours)) <= max(0, 2 * max_degree(edges) - 1)


def test_greedy_is_not_taken_for_the_optimum() -> None:
    # The fourth edge joins two vertices that have used different colours.
    edges = [(0, 10), (1, 11), (1, 12), (0, 12)]
    assert len(set(greedy_colouring(edges))) == 3
    assert len(set(edge_colouring(edges))) == 2


def test_an_odd_circle_takes_one_more_than_its_degree() -> None:
    edges = [(0, 1), (1, 2), (2, 0)]
    colours = edge_colouring(edges)
    assert proper(edges, colours)
    assert len(set(colours)) == 3


@pytest.mark.parametrize("size", [4, 6, 8])
def test_everybody_with_everybody_stays_proper(size: int) -> None:
    edges = list(combinations(range(size), 2))
    assert proper(edges, edge_colouring(edges))


def test_nothing_to_number_needs_nothing() -> None:
    assert number_plan([], [], NOW) == NumberPlan(
        mappings=0, parties=0, needed=0, at_least=0, greedy=0, pool=0, idle=(), unbound=0
    )


def test_orders_that_expired_do_not_keep_numbers() -> None:
    mappings = [mapping(A, B, N1), mapping(A, C, N2, expires_at=NOW)]
    assert number_plan(mappings, [N3, N2, N1], NOW) == NumberPlan(
        mappings=1, parties=2, needed=1, at_least=1, greedy=1, pool=3, idle=(N2, N3), unbound=0
    )


def test_a_short_pool_is_not_hidden() -> None:
    plan = number_plan([mapping(A, B), mapping(A, C), mapping(A, D)], [N1], NOW)
    assert (plan.needed, plan.missing, plan.exact, plan.unbound) == (3, 2, True, 3)
    assert number_plan([mapping(A, B)], [N1, N2], NOW).missing == 0


def test_two_orders_of_one_pair_are_not_counted_as_one() -> None:
    assert number_plan([mapping(A, B), mapping(A, B), mapping(B, A)], [], NOW).needed == 3


def test_a_bound_that_may_be_missed_is_not_called_exact() -> None:
    plan = number_plan([mapping(A, B), mapping(B, C), mapping(C, A)], [], NOW)
    assert (plan.needed, plan.at_least, plan.exact) == (3, 2, False)


def test_a_plan_does_not_show_a_party() -> None:
    shown = repr(number_plan([mapping(A, B)], [N1], NOW))
    assert not any(number.digits in shown for number in (A, B, N1))


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["many", "regular", "hub"])
def test_a_hundred_thousand_mappings_do_not_take_minutes(shape: str) -> None:
    edges = {"many": many, "regular": regular, "hub": hub}[shape]()
    began = time.perf_counter()
    colours = edge_colouring(edges)
    assert time.perf_counter() - began < 20
    assert proper(edges, colours)
    assert len(set(colours)) == max_degree(edges)


def many() -> list[Edge]:
    rng = random.Random(1)  # noqa: S311 (a reproducible run, nothing secret)
    return [(rng.randrange(5_000), 5_000 + rng.randrange(60_000)) for _ in range(100_000)]


def regular() -> list[Edge]:
    """Ten orders for everybody: no colour to spare anywhere."""
    rng = random.Random(2)  # noqa: S311 (a reproducible run, nothing secret)
    edges = []
    for _ in range(10):
        clients = rng.sample(range(10_000), 10_000)
        edges += [(courier, 10_000 + client) for courier, client in enumerate(clients)]
    rng.shuffle(edges)
    return edges


def hub() -> list[Edge]:
    return [(0, 1 + client) for client in range(100_000)]
