"""How many virtual numbers today's mappings need, and which of the pool are idle.

Parties are vertices, active mappings edges, virtual numbers colours: no party may have two
mappings on one number, so edges that meet differ in colour. While each person is only courier
or only client the graph is bipartite and the most orders of one party is exactly enough (König);
else it is the least possible, and more may be needed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mask_cli.models import Mapping, PhoneNumber

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """What today's mappings ask of the pool.

    `needed` numbers suffice; no fewer than `at_least` can (where the two are the same, the
    figure is exact). `greedy` is what handing out numbers in the order of creation takes.
    `idle` are numbers of the pool that no active mapping is bound to; `unbound` mappings have
    no number of their own and can be reached on all of them.
    """

    mappings: int
    parties: int
    needed: int
    at_least: int
    greedy: int
    pool: int
    idle: tuple[PhoneNumber, ...]
    unbound: int

    @property
    def exact(self) -> bool:
        """Whether fewer than `needed` are known to be impossible."""
        return self.needed == self.at_least

    @property
    def missing(self) -> int:
        """How many numbers to rent, so that nobody has to be asked."""
        return max(0, self.needed - self.pool)


def number_plan(mappings: Iterable[Mapping], pool: Collection[PhoneNumber], now: int) -> NumberPlan:
    """Count what the active mappings need, in the order given for the greedy figure."""
    active = [m for m in mappings if m.expires_at > now]
    vertices: dict[str, int] = {}
    edges: list[Edge] = []
    for mapping in active:
        courier = vertices.setdefault(mapping.courier.e164, len(vertices))
        client = vertices.setdefault(mapping.client.e164, len(vertices))
        edges.append((courier, client))
    bound = {m.virtual_number for m in active}
    greedy = _count(greedy_colouring(edges))
    return NumberPlan(
        mappings=len(active),
        parties=len(vertices),
        # On a graph that is not bipartite either of the two may be the better one.
        needed=min(greedy, _count(edge_colouring(edges))),
        at_least=max_degree(edges),
        greedy=greedy,
        pool=len(set(pool)),
        idle=tuple(sorted(set(pool) - bound)),
        unbound=sum(m.virtual_number is None for m in active),
    )


def max_degree(edges: Sequence[Edge]) -> int:
    """Return the most edges that meet in one vertex."""
    degrees = Counter(vertex for edge in edges for vertex in edge)
    return max(degrees.values(), default=0)


def greedy_colouring(edges: Sequence[Edge]) -> list[int]:
    """Give each edge, in order, the lowest colour free at both ends: at most 2n-1 colours."""
    used: dict[int, int] = {}
    colours = []
    for u, v in edges:
        colour = _lowest_free(used.get(u, 0) | used.get(v, 0))
        used[u] = used.get(u, 0) | 1 << colour
        used[v] = used.get(v, 0) | 1 << colour
        colours.append(colour)
    return colours


def edge_colouring(edges: Sequence[Edge]) -> list[int]:
    """Colour the edges so that no two that meet are alike; parallel edges are allowed.

    As many colours as the highest degree on a bipartite graph, in O(edges x vertices) at
    worst; on others a few more may come out.
    """
    colouring = _Colouring(edges, max_degree(edges))
    for edge in range(len(edges)):
        colouring.add(edge)
    return colouring.colours


class _Colouring:
    """A proper colouring that grows by one edge at a time.

    `used` is the set of colours at a vertex as the bits of a number, `at` the edge that has
    a colour there.
    """

    def __init__(self, edges: Sequence[Edge], limit: int) -> None:
        vertices = {vertex for edge in edges for vertex in edge}
        self.edges = edges
        self.limit = limit
        self.colours = [-1] * len(edges)
        self.used = dict.fromkeys(vertices, 0)
        self.at: dict[int, dict[int, int]] = {vertex: {} for vertex in vertices}

    def add(self, edge: int) -> None:
        """Colour one more edge, turning an alternating path round where that saves a colour."""
        u, v = self.edges[edge]
        colour = _lowest_free(self.used[u] | self.used[v])
        if colour >= self.limit:
            ours, theirs = _lowest_free(self.used[u]), _lowest_free(self.used[v])
            path, end = self._path(v, ours, theirs)
            # Only an odd circle leads back to u; then a colour above the limit is taken.
            if end != u:
                self._swap(path, ours, theirs)
                colour = ours
        self._set(edge, colour)

    def _path(self, start: int, first: int, second: int) -> tuple[list[int], int]:
        """Return the edges of alternating colours from a vertex, and where they end."""
        path = []
        vertex, colour, other = start, first, second
        while (edge := self.at[vertex].get(colour)) is not None:
            path.append(edge)
            u, v = self.edges[edge]
            vertex = v if vertex == u else u
            colour, other = other, colour
        return path, vertex

    def _swap(self, path: list[int], first: int, second: int) -> None:
        before = [self.colours[edge] for edge in path]
        for edge in path:
            self._clear(edge)
        for edge, colour in zip(path, before, strict=True):
            self._set(edge, second if colour == first else first)

    def _set(self, edge: int, colour: int) -> None:
        self.colours[edge] = colour
        for vertex in self.edges[edge]:
            self.used[vertex] |= 1 << colour
            self.at[vertex][colour] = edge

    def _clear(self, edge: int) -> None:
        colour = self.colours[edge]
        for vertex in self.edges[edge]:
            self.used[vertex] &= ~(1 << colour)
            del self.at[vertex][colour]


def _lowest_free(used: int) -> int:
    """Return the place of the lowest bit that is not set."""
    return (~used & (used + 1)).bit_length() - 1


def _count(colours: Sequence[int]) -> int:
    return max(colours, default=-1) + 1
