"""Give mappings their virtual numbers, inside the transaction that stores them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mask_cli.errors import BadData, Conflict

if TYPE_CHECKING:
    from mask_cli.allocation import Allocation
    from mask_cli.models import Mapping, PhoneNumber
    from mask_cli.store.base import Pool


@dataclass(frozen=True, slots=True)
class Binder:
    """The rules of binding; `cool_off` is in seconds, `now` the moment of the command."""

    pool: Pool
    now: int
    cool_off: int

    def bound(self, mapping: Mapping) -> tuple[Mapping, Allocation | None]:
        """Return the mapping on a number of the pool, and why on that one; as it is without one."""
        chosen = self.pool.allocated(
            mapping.courier,
            mapping.client,
            order=mapping.order,
            now=self.now,
            cool_off=self.cool_off,
        )
        if chosen.number is None:
            return mapping, None
        return replace(mapping, virtual_number=chosen.number), chosen

    def gives_up(self, mapping: Mapping | None) -> None:
        """Keep that a mapping lets go of its number, or of all when it had none."""
        if mapping is not None and (mapping.virtual_number or not self.pool.is_empty()):
            self.pool.release([mapping], self.now)

    def refuse_ours(self, *parties: PhoneNumber) -> None:
        """Raise BadData when a party is a virtual number: calls would go round in circles."""
        for party in parties:
            if self.pool.get(party) is not None or self.pool.is_ours(party):
                raise BadData(f"{party} is a virtual number, not somebody's own")

    def refuse_meeting(self, mapping: Mapping) -> None:
        """Raise Conflict when a party has another active order on the mapping's number."""
        if self.pool.parties_meet(mapping, self.now):
            raise Conflict(
                f"on the number of order {mapping.order} one of them has another active order",
                hint="mask delete and mask add give the order another number",
            )
