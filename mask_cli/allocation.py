"""Choose the virtual number of a mapping, so that a call on it leads to one person only.

What has to be unique is (party, virtual number), over what is active and what is cooling.
`allocate` counts what stands in the way and chooses. A store does the same inside the transaction
that writes the mapping: it counts in SQL, from indexed look-ups, and lets `choose` decide:

1. the pool, where `used`, the count of mappings bound to a number, is kept up to date by whoever
   writes mappings;
2. the parties' mappings, by number, without the mapping that is to get one;
3. the parties' releases, by the hashes of the parties. Only those of the same pair matter when
   older than the cool-off: a pair comes back to its number however long ago that was.

A mapping that expired counts as released at its expiry. Whoever deletes one writes its release
with that time, or with now for one that was still active. A pair is two people, in any roles:
its hash must not depend on the order of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mask_cli.models import Mapping, PhoneNumber


class Choice(StrEnum):
    """Why this number; scripts rely on these words.

    COOLING: nothing active is in the way, yet a number released by one of the two a short
    while ago is used, so who calls it late reaches the new party.
    """

    SAME_PAIR = "same_pair"
    MOST_USED = "most_used"
    SHARED = "shared"
    COOLING = "cooling"
    EMPTY_POOL = "empty_pool"


@dataclass(frozen=True, slots=True)
class PoolNumber:
    """An active number of the pool and how many mappings are bound to it."""

    number: PhoneNumber
    used: int = 0


@dataclass(frozen=True, slots=True)
class Release:
    """A number that one of the two parties gave up; None for a mapping that had none."""

    virtual_number: PhoneNumber | None
    released_at: int
    same_pair: bool


@dataclass(frozen=True, slots=True)
class Allocation:
    """The number, why, and whether callers will be asked for the order number on it."""

    number: PhoneNumber | None
    reason: Choice
    ask: bool = False


@dataclass(frozen=True, slots=True)
class Claims:
    """How many mappings and releases stand in the way, by number; None blocks every number."""

    active: dict[PhoneNumber | None, int]
    cooling: dict[PhoneNumber | None, int]

    def on(self, number: PhoneNumber) -> tuple[int, int]:
        """Return the releases and the active mappings that a call on the number could meet."""
        cooling, active = (
            claims.get(number, 0) + claims.get(None, 0) for claims in (self.cooling, self.active)
        )
        return cooling, active


def allocate(
    courier: PhoneNumber,
    client: PhoneNumber,
    pool: Collection[PoolNumber],
    mappings: Iterable[Mapping],
    releases: Iterable[Release],
    *,
    now: int,
    cool_off: int,
) -> Allocation:
    """Return the number for a new mapping of these two.

    The pair's last number if free; else the free number already most used, so that few numbers
    serve many; else the one with the least in the way. Ties go to the lowest number.
    """
    pair = {courier, client}
    theirs = [m for m in mappings if m.courier in pair or m.client in pair]
    ended = [
        Release(m.virtual_number, m.expires_at, same_pair={m.courier, m.client} == pair)
        for m in theirs
        if m.expires_at <= now
    ]
    past = [*releases, *ended]
    claims = _claims([m for m in theirs if m.expires_at > now], past, now - cool_off)
    return choose(pool, claims, _last_number(past))


def choose(pool: Collection[PoolNumber], claims: Claims, last: PhoneNumber | None) -> Allocation:
    """Return the number for a mapping of two with these claims; `last` is what they had last."""
    if not pool:
        return Allocation(None, Choice.EMPTY_POOL)
    free = [p for p in pool if claims.on(p.number) == (0, 0)]
    if last is not None and any(p.number == last for p in free):
        return Allocation(last, Choice.SAME_PAIR)
    if free:
        return Allocation(min(free, key=_most_used).number, Choice.MOST_USED)
    return _shared(pool, claims)


def _claims(active: list[Mapping], past: list[Release], cooled_at: int) -> Claims:
    claims = Claims({}, {})
    for mapping in active:
        number = mapping.virtual_number
        claims.active[number] = claims.active.get(number, 0) + 1
    for release in past:
        # A late call to the pair's own number still reaches the right person.
        if release.released_at > cooled_at and not release.same_pair:
            number = release.virtual_number
            claims.cooling[number] = claims.cooling.get(number, 0) + 1
    return claims


def _last_number(past: list[Release]) -> PhoneNumber | None:
    """Return the number that the pair gave up last."""
    own = [
        (release.released_at, release.virtual_number)
        for release in past
        if release.same_pair and release.virtual_number is not None
    ]
    return max(own)[1] if own else None


def _most_used(entry: PoolNumber) -> tuple[int, PhoneNumber]:
    return -entry.used, entry.number


def _shared(pool: Collection[PoolNumber], claims: Claims) -> Allocation:
    """Take a number that is not free: best one where a late call meets no other's new order.

    A cooling number is the last resort: nobody is asked there, the wrong person is reached.
    """
    chosen = min(pool, key=lambda entry: (*claims.on(entry.number), *_most_used(entry)))
    _, active = claims.on(chosen.number)
    return Allocation(chosen.number, Choice.SHARED if active else Choice.COOLING, ask=active > 0)
