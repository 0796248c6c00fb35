"""What is done to mappings here: each change checked, stored and audited in one transaction.

Nothing is sent to a provider; `sync` does that with what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mask_cli.binding import Binder
from mask_cli.errors import BadData, Conflict, NotFound
from mask_cli.models import Mapping, State, checked_note, checked_order, checked_parties
from mask_cli.store.base import AuditRow
from mask_cli.times import LATEST, format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mask_cli.allocation import Allocation
    from mask_cli.models import PhoneNumber
    from mask_cli.store.base import PooledStore, Store

_TRIES = 50
_NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True)
class Change:
    """A mapping before and after; None where there was or is none."""

    order: str
    before: Mapping | None
    after: Mapping | None
    allocation: Allocation | None = None
    """Why the mapping got its virtual number, when it got one now."""

    @property
    def changed(self) -> bool:
        """Tell whether anything differs."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class NewMapping:
    """What `add` was asked for; None is what nobody said."""

    courier: PhoneNumber
    client: PhoneNumber
    order: str | None = None
    expires_at: int | None = None
    virtual_number: PhoneNumber | None = None
    note: str | None = None
    allocate: bool = True
    """Whether a number of the pool is chosen when none is named."""


@dataclass(frozen=True, slots=True)
class Orders:
    """The rules of changing mappings; `now` is the moment of the command, in UTC seconds."""

    store: PooledStore
    digits: int
    ttl: int
    now: int
    actor: str
    dry_run: bool = False
    warn: Callable[[str], None] = lambda _: None
    cool_off: int = 3_600

    @property
    def binder(self) -> Binder:
        """The rules of virtual numbers at this moment."""
        return Binder(self.store.pool, self.now, self.cool_off)

    def add(self, new: NewMapping, *, overwrite: bool = False) -> Change:
        """Store a mapping; the same one again changes nothing but what is said anew.

        Raises Conflict when the order is active with other parties and not `overwrite`.
        """
        new = self._checked(new)
        with self.store.writing(keep=not self.dry_run):
            order = new.order or self._free_order()
            before = self.store.get(order)
            active = before if before and before.state(self.now) is State.ACTIVE else None
            differing = _differing(active, new) if active else []
            if differing and not overwrite:
                raise Conflict(
                    f"order {order} is active with another {' and another '.join(differing)}",
                    hint="--replace overwrites it; mask reassign keeps its history",
                )
            if active and not differing:
                return self._kept("add", active, self._renewed(active, new))
            self.binder.refuse_ours(new.courier, new.client)
            if new.virtual_number is not None:
                self.store.pool.refuse_party(new.virtual_number)
            after, allocation = self._fresh(order, new), None
            if new.virtual_number is None and new.allocate:
                after, allocation = self.binder.bound(after)
            self.binder.gives_up(before)
            action = "replace" if active else "add"
            return replace(self._kept(action, before, after), allocation=allocation)

    def reassign(
        self, order: str, *, courier: PhoneNumber | None, client: PhoneNumber | None
    ) -> Change:
        """Give an active order another courier or client; number, history and expiry stay."""
        with self.store.writing(keep=not self.dry_run):
            before = self._found(order)
            if before.state(self.now) is not State.ACTIVE:
                raise NotFound(
                    f"order {order} has expired ({format_time(before.expires_at)})",
                    hint=f"mask extend {order} --by 2h makes it active again",
                )
            after = before.changed(
                self.now, courier=courier or before.courier, client=client or before.client
            )
            _checked_people(after.courier, after.client, after.virtual_number)
            if after != before:
                self.binder.refuse_ours(after.courier, after.client)
                self.binder.refuse_meeting(after)
                self.binder.gives_up(before)
            return self._kept("reassign", before, after)

    def expire(self, orders: Sequence[str], at: int | None) -> list[Change]:
        """Make orders unreachable now or at an earlier moment than planned; all or none."""
        at = self.now if at is None else self._future(at)
        with self.store.writing(keep=not self.dry_run):
            found = [self._found(order) for order in dict.fromkeys(orders)]
            for before in found:
                if at > before.expires_at and at > self.now:
                    raise BadData(
                        f"order {before.order} expires earlier already,"
                        f" {format_time(before.expires_at)}",
                        hint=f"mask extend {before.order} --by DURATION keeps it for longer",
                    )
            return [
                self._kept(
                    "expire",
                    before,
                    before.changed(self.now, expires_at=min(at, before.expires_at)),
                )
                for before in found
            ]

    def extend(self, orders: Sequence[str], by: int) -> list[Change]:
        """Keep orders reachable for longer, from their expiry or from now if that has passed."""
        with self.store.writing(keep=not self.dry_run):
            found = [self._found(order) for order in dict.fromkeys(orders)]
            return [self._extended(before, by) for before in found]

    def _extended(self, before: Mapping, by: int) -> Change:
        """Extend one; an expired one may find its number taken, so it gets one anew."""
        after, allocation = before.changed(self.now, expires_at=self._later(before, by)), None
        if before.virtual_number and before.state(self.now) is State.EXPIRED:
            after, allocation = self.binder.bound(after)
            if after.virtual_number != before.virtual_number:
                self.binder.gives_up(before)
        return replace(self._kept("extend", before, after), allocation=allocation)

    def _later(self, before: Mapping, by: int) -> int:
        expires_at = max(before.expires_at, self.now) + by
        if expires_at > LATEST:
            raise BadData(f"order {before.order} would expire after the year 9999")
        return expires_at

    def delete(self, orders: Sequence[str], *, missing_ok: bool = False) -> list[Change]:
        """Forget orders; all or none when one is missing and that is not fine."""
        with self.store.writing(keep=not self.dry_run):
            found = {order: stored(self.store, order, self.digits) for order in orders}
            missing = [order for order, before in found.items() if before is None]
            if missing and not missing_ok:
                raise _not_found(missing)
            for order, before in found.items():
                if self.store.forget(order):
                    self.binder.gives_up(before)
                    self._audit("delete", order)
            return [Change(order, before, None) for order, before in found.items()]

    def prune(self, grace: int, limit: int | None, retention: int) -> dict[str, int]:
        """Remove what expired more than `grace` seconds ago, and audit rows past retention.

        In short transactions, so that others can write meanwhile. Returns counts.
        """
        before = self.now - grace
        if self.dry_run:
            due = self.store.count_expired(before)
            return {"pruned": due if limit is None else min(due, limit), "audit": 0}
        pruned = sum(self.store.forget_expired(before, limit))
        with self.store.writing():
            audit = self.store.prune_audit(self.now - retention)
            self.store.drop_traces(self.now)
            if pruned or audit:
                self._audit("prune", None, f"{pruned} mappings, {audit} audit rows")
        return {"pruned": pruned, "audit": audit}

    def _checked(self, new: NewMapping) -> NewMapping:
        """Refuse what can be refused without the database."""
        _checked_people(new.courier, new.client, new.virtual_number)
        if new.order is not None:
            checked_order(new.order, self.digits)
        if new.expires_at is not None:
            self._future(new.expires_at)
        return replace(new, note=checked_note(new.note))

    def _future(self, at: int) -> int:
        if at <= self.now:
            raise BadData(f"the time {format_time(at)} is in the past")
        return at

    def _found(self, order: str) -> Mapping:
        mapping = stored(self.store, order, self.digits)
        if mapping is None:
            raise _not_found([order])
        return mapping

    def _renewed(self, active: Mapping, new: NewMapping) -> Mapping:
        return active.changed(
            self.now,
            expires_at=active.expires_at if new.expires_at is None else new.expires_at,
            note=new.note or active.note,
        )

    def _fresh(self, order: str, new: NewMapping) -> Mapping:
        expires_at = self.now + self.ttl if new.expires_at is None else new.expires_at
        return Mapping(
            order=order,
            courier=new.courier,
            client=new.client,
            expires_at=expires_at,
            created_at=self.now,
            updated_at=self.now,
            virtual_number=new.virtual_number,
            note=new.note,
        )

    def _kept(self, action: str, before: Mapping | None, after: Mapping) -> Change:
        """Store what differs and say so in the audit."""
        if before == after:
            return Change(after.order, before, after)
        stored = self.store.put(after)
        self._audit(action, stored.order, f"until {format_time(stored.expires_at)}")
        return Change(stored.order, before, stored)

    def _audit(self, action: str, order: str | None, detail: str | None = None) -> None:
        self.store.add_audit(AuditRow(self.now, self.actor, action, order, detail))

    def _free_order(self) -> str:
        """Return a random order number not in use: numbers in sequence could be guessed."""
        import secrets

        space = 10**self.digits
        used = self.store.used_orders()
        if used >= space * _NEARLY_FULL:
            self.warn(
                f"{used} of {space} order numbers are in use;"
                " raise order_digits or prune expired orders"
            )
        for _ in range(_TRIES):
            order = str(secrets.randbelow(space)).zfill(self.digits)
            if self.store.get(order) is None:
                return order
        free = self.store.free_order(order)
        if free is None:
            raise Conflict(
                f"all {space} order numbers are in use",
                hint="mask prune removes expired ones; the setting order_digits makes more",
            )
        return free


def stored(store: Store, order: str, digits: int) -> Mapping | None:
    """Return an order's mapping; BadData when it is not there and its number cannot be one.

    What was stored before the setting order_digits changed can so be ended all the same.
    """
    mapping = store.get(order) if order.isascii() else None
    if mapping is None:
        checked_order(order, digits)
    return mapping


def _checked_people(
    courier: PhoneNumber, client: PhoneNumber, virtual_number: PhoneNumber | None
) -> None:
    checked_parties(courier, client)
    if virtual_number in (courier, client):
        raise BadData(f"the virtual number {virtual_number} is one of the parties")


def _differing(active: Mapping, new: NewMapping) -> list[str]:
    """Name what an active mapping has otherwise than asked for."""
    differing = [
        name for name in ("courier", "client") if getattr(active, name) != getattr(new, name)
    ]
    if new.virtual_number is not None and new.virtual_number != active.virtual_number:
        differing.append("virtual number")
    return differing


def _not_found(orders: Sequence[str]) -> NotFound:
    named = ", ".join(orders)
    return NotFound(f"there is no order {named}", hint="mask list --all shows the orders there are")
