"""Count in SQL what stands in the way of a virtual number: a party may have thousands of orders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mask_cli.allocation import Claims
from mask_cli.models import PhoneNumber

if TYPE_CHECKING:
    from mask_cli.models import Mapping
    from mask_cli.store.sqlite import SqliteStore

_MOST_REMEMBERED = 10_000
_NEVER = 1 << 62


def _counted(one: str, other: str) -> str:
    """Return the SQL that counts mappings by number, chosen by conditions on either role.

    What the order itself had is given up now, and cools off like any other's. What waits for
    its number in a running import stands in nobody's way.
    """
    columns = (
        "SELECT virtual_number, CASE order_number WHEN ?1 THEN min(expires_at, ?2)"
        " ELSE expires_at END AS ends FROM mappings"
        " WHERE NOT (virtual_number IS NULL AND revision >= ?4)"
    )
    return (
        "SELECT virtual_number, sum(ends > ?2), sum(ends <= ?2 AND ends > ?3),"
        " max(CASE WHEN ends <= ?2 THEN ends END)"
        f" FROM ({columns} AND {one} UNION ALL {columns} AND {other}) GROUP BY virtual_number"
    )


_PARTYS = _counted("courier = ?5", "client = ?5")
# The plus keeps the index of the other one out, who may have thousands.
_PAIRS = _counted("courier = ?5 AND +client = ?6", "client = ?5 AND +courier = ?6")


@dataclass(slots=True)
class _Ledger:
    """Mappings by number, None for those without; when the pair gave each number up."""

    active: Counter[str | None] = field(default_factory=Counter)
    cooling: Counter[str | None] = field(default_factory=Counter)
    given_up: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.active.total() + self.cooling.total() + len(self.given_up)

    def add(self, number: str | None, ends: int, now: int, cooled: int) -> None:
        if ends > now:
            self.active[number] += 1
            return
        self.cooling[number] += ends > cooled
        if number is not None:
            self.given_up[number] = max(ends, self.given_up.get(number, ends))


class Ledgers:
    """Counts for one order, or for a run of them that only `bound` changes: read once a party."""

    def __init__(
        self,
        store: SqliteStore,
        *,
        now: int,
        cool_off: int,
        order: str | None = None,
        unbound_from: int | None = None,
    ) -> None:
        self._store = store
        self._now, self._cooled = now, now - cool_off
        unbound = _NEVER if unbound_from is None else unbound_from
        self._given = (order, now, self._cooled, unbound)
        self._known: dict[tuple[str, ...], _Ledger] = {}

    def claims(
        self, courier: PhoneNumber, client: PhoneNumber
    ) -> tuple[Claims, dict[PhoneNumber, int]]:
        """Return what their mappings claim, and when the two gave up which number."""
        one, other = (self._of((p.e164,), _PARTYS, p.e164) for p in (courier, client))
        both = self._of_pair(courier.e164, client.e164, one.size, other.size)
        # Each of these is in both parties' counts; and a late call within a pair does no harm.
        active = one.active + other.active - both.active
        cooling = one.cooling + other.cooling - both.cooling - both.cooling
        given_up = {PhoneNumber(number): at for number, at in both.given_up.items()}
        return Claims(_by_number(active), _by_number(cooling)), given_up

    def bound(self, mapping: Mapping, number: PhoneNumber | None) -> None:
        """Count a mapping that was given its number since."""
        both = sorted((mapping.courier.e164, mapping.client.e164))
        for key in ((both[0],), (both[1],), tuple(both)):
            if key in self._known:
                told = number.e164 if number else None
                self._known[key].add(told, mapping.expires_at, self._now, self._cooled)

    def _of_pair(self, courier: str, client: str, couriers: int, clients: int) -> _Ledger:
        if not (couriers and clients):
            return _Ledger()
        few, many = (courier, client) if couriers <= clients else (client, courier)
        return self._of(tuple(sorted((courier, client))), _PAIRS, few, many)

    def _of(self, key: tuple[str, ...], sql: str, *parties: str) -> _Ledger:
        if key in self._known:
            return self._known[key]
        ledger = _Ledger()
        for number, active, cooling, ends in self._store.rows(sql, *self._given, *parties):
            ledger.active[number] = active
            ledger.cooling[number] = cooling
            if ends is not None and number is not None:
                ledger.given_up[number] = ends
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = ledger
        return ledger


def _by_number(counts: Counter[str | None]) -> dict[PhoneNumber | None, int]:
    return {PhoneNumber(number) if number else None: count for number, count in counts.items()}
