"""Bring a provider's key-value store in line with the mappings here, order by order.

What has to be sent is local x base. A write goes in three steps:

1. claim: one transaction reads mapping and base and stores an *intent* with a *lease*. While
   it lasts nobody else writes that order, so that two pushes cannot overtake each other.
2. send: one request, bounded by a deadline shorter than the lease.
3. settle: one transaction stores what is there now, but only if the claim is still ours.

A request that was not answered is *unsure*: it may yet arrive. Its intent stays until the
lease is over; then the item is read back before anything else is written. A crash at any
point leaves an intent, which is the same case.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mask_cli.errors import (
    MaskError,
    ProviderDenied,
    ProviderRefused,
    ProviderUnavailable,
    TryLater,
)
from mask_cli.models import RemoteItem, keyed_digest, needs_push, remote_expiry, remote_value
from mask_cli.redaction import redacted_text
from mask_cli.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mask_cli.models import Mapping, Target
    from mask_cli.providers.base import KeyValueStore
    from mask_cli.store.base import Store

_LEASE_MARGIN = 5
_LONGEST_LEASE = 3_600
"""Whoever gives one for longer had a wrong clock, or a deadline far beyond any good."""
_POLL = 0.1
_GIVE_UP_AFTER = 3
"""So many orders in a row without an answer, and the provider is taken to be away."""


class Outcome(StrEnum):
    """What became of one order's push."""

    SET = "set"
    DELETED = "deleted"
    NOTHING = "nothing"
    WAITING = "waiting"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Push:
    """One order's push; `error` is why it failed, `until` when a lease of another is over."""

    order: str
    outcome: Outcome
    error: MaskError | None = None
    until: int = 0


@dataclass(frozen=True, slots=True)
class _Claim:
    """What step 1 read and promised."""

    order: str
    token: str
    mapping: Mapping | None
    intent: str
    expires_at: int
    read_back: bool


@dataclass(slots=True)
class SyncReport:
    """Counts of a run, and what failed with its reason."""

    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    problems: dict[str, str] = field(default_factory=dict)
    last_error: MaskError | None = None
    stopped: bool = False
    unanswered: int = 0

    def note(self, push: Push) -> None:
        """Count a push."""
        self.counts[push.outcome] += 1
        if push.outcome is Outcome.UNAVAILABLE:
            self.unanswered += 1
        elif push.outcome in (Outcome.SET, Outcome.DELETED, Outcome.REFUSED):
            self.unanswered = 0
        if push.error is not None:
            self.problems[push.order] = push.error.message
            self.last_error = push.error

    def stops(self, until: float | None) -> bool:
        """Tell whether to go no further: the time is up, or the provider is away."""
        is_over = until is not None and time.monotonic() >= until
        self.stopped = self.stopped or is_over or self.unanswered >= _GIVE_UP_AFTER
        return self.stopped

    @property
    def pending(self) -> int:
        """How many orders still wait."""
        return sum(self.counts[o] for o in (Outcome.WAITING, Outcome.UNAVAILABLE, Outcome.REFUSED))


@dataclass(slots=True)
class Pusher:
    """Pushes to one target; `connect` is called when the first request is due.

    `timeout` is the deadline of one call in seconds, retries included; the lease is longer.
    """

    store: Store
    target: Target
    connect: Callable[[], KeyValueStore]
    clock: Callable[[], int]
    timeout: int
    sleep: Callable[[float], None] = time.sleep
    _remote: KeyValueStore | None = None

    @property
    def lease(self) -> int:
        """How long a claim lasts, in seconds: a read-back and a write, with room to spare."""
        return 2 * self.timeout + _LEASE_MARGIN

    def push(self, order: str, *, patience: float = 0) -> Push:
        """Push one order; wait up to `patience` seconds for another's push of it to end."""
        end = time.monotonic() + patience
        while True:
            claim = self._claimed(order)
            if isinstance(claim, _Claim):
                return self._sent(claim)
            if claim.outcome is not Outcome.WAITING or time.monotonic() >= end:
                return claim
            self.sleep(_POLL)

    def sync(
        self,
        orders: Iterable[str],
        *,
        until: float | None = None,
        progress: Callable[[Push], None] = lambda _: None,
    ) -> SyncReport:
        """Push many orders; those under somebody's lease are waited for at the end.

        `until` is a `time.monotonic()` moment to stop at. Raises ProviderDenied at once:
        with these credentials nothing else would work either.
        """
        report = SyncReport()
        waiting: list[str] = []
        for order in orders:
            if report.stops(until):
                break
            push = self.push(order)
            if push.outcome is Outcome.WAITING:
                waiting.append(order)
                continue
            report.note(push)
            progress(push)
        self._wait_for(waiting, until, report, progress)
        return report

    def _wait_for(
        self,
        orders: list[str],
        until: float | None,
        report: SyncReport,
        progress: Callable[[Push], None],
    ) -> None:
        """Push what was under a lease once that is over; leases end, so this does too."""
        for done, order in enumerate(orders):
            if report.stops(until):
                report.counts[Outcome.WAITING] += len(orders) - done
                return
            push = self.push(order)
            end = time.monotonic() + self.lease
            while push.outcome is Outcome.WAITING and not report.stops(until):
                if time.monotonic() > end:
                    break
                self.sleep(_POLL)
                push = self.push(order)
            report.note(push)
            progress(push)

    def _claimed(self, order: str) -> _Claim | Push:
        """Step 1: promise the write, or tell why there is none to make."""
        import secrets

        now = self.clock()
        with self.store.writing() as store:
            mapping, item = store.get(order), store.item(order, self.target)
            if not needs_push(mapping, item, now):
                return Push(order, Outcome.NOTHING)
            item = item or RemoteItem(order)
            if now < item.lease_until <= now + max(self.lease, _LONGEST_LEASE):
                return Push(order, Outcome.WAITING, _in_flight(item), item.lease_until)
            active = mapping if mapping and mapping.expires_at > now else None
            claim = _Claim(
                order,
                secrets.token_hex(8),
                active,
                "set" if active else "delete",
                remote_expiry(active, now) if active else 0,
                read_back=item.intent is not None,
            )
            store.put_item(
                replace(
                    item,
                    intent=claim.intent,
                    intent_token=claim.token,
                    intent_expires_at=claim.expires_at or None,
                    lease_until=now + self.lease,
                    attempts=item.attempts + 1,
                ),
                self.target,
            )
        return claim

    def _sent(self, claim: _Claim) -> Push:
        """Send and settle (steps 2 and 3)."""
        try:
            late = self._written(self._connected(), claim)
        except (ProviderUnavailable, ProviderRefused) as error:
            self._settled_with(claim, error)
            if isinstance(error, ProviderDenied):
                raise
            refused = isinstance(error, ProviderRefused)
            outcome = Outcome.REFUSED if refused else Outcome.UNAVAILABLE
            return Push(claim.order, outcome, error)
        except MaskError as error:
            # Found before any request: wrong credentials file, no such application.
            self._settled_with(claim, error)
            raise
        self._settled(claim, late=late)
        return Push(claim.order, Outcome.SET if claim.mapping else Outcome.DELETED)

    def _connected(self) -> KeyValueStore:
        if self._remote is None:
            self._remote = self.connect()
        return self._remote

    def _stands_already(self, remote: KeyValueStore, claim: _Claim) -> bool:
        """Read back what an unsure request did; True when it is what is wanted now."""
        found = remote.get(self.target.key(claim.order))
        if claim.mapping is None:
            return found is None
        wanted = (remote_value(claim.mapping), claim.expires_at)
        return found is not None and (found.value, found.expires_at) == wanted

    def _written(self, remote: KeyValueStore, claim: _Claim) -> bool:
        """Make it so; True when an attempt that went unanswered may undo a later write."""
        if claim.read_back and self._stands_already(remote, claim):
            return False
        key = self.target.key(claim.order)
        if claim.mapping is None:
            remote.delete(key)
        else:
            remote.set(key, remote_value(claim.mapping), claim.expires_at)
        return remote.may_come_late()

    def _settled(self, claim: _Claim, *, late: bool) -> None:
        """Step 3: the base is what was sent, unless the lease was over and somebody came.

        The lease stays when an attempt may come late.
        """
        with self.store.writing() as store:
            item = store.item(claim.order, self.target)
            if item is None or item.intent_token != claim.token:
                return
            lease_until = item.lease_until if late else 0
            if claim.mapping is None:
                store.drop_item(claim.order, self.target)
                if late:
                    left = RemoteItem(claim.order, lease_until=lease_until)
                    store.put_item(left, self.target)
                return
            digest = keyed_digest(store.digest_key(), remote_value(claim.mapping))
            store.put_item(
                RemoteItem(
                    claim.order,
                    mapping_id=claim.mapping.mapping_id,
                    revision=claim.mapping.revision,
                    digest=digest,
                    expires_at=claim.expires_at,
                    lease_until=lease_until,
                ),
                self.target,
            )

    def _settled_with(self, claim: _Claim, error: MaskError) -> None:
        """Keep the reason; the intent stays as long as it is unknown what stands there.

        The lease stays only when this very request may still arrive.
        """
        unsure = isinstance(error, ProviderUnavailable) and error.unsure
        with self.store.writing() as store:
            item = store.item(claim.order, self.target)
            if item is None or item.intent_token != claim.token:
                return
            item = replace(
                item,
                last_error=redacted_text(error.message),
                refused=isinstance(error, ProviderRefused),
            )
            if not unsure:
                item = replace(item, lease_until=0, intent_token=None)
                if not claim.read_back:
                    item = replace(item, intent=None, intent_expires_at=None)
            store.put_item(item, self.target)


def _in_flight(item: RemoteItem) -> TryLater:
    return TryLater(
        f"a request for order {item.order} was not answered or is under way;"
        f" nothing else is sent for it until {format_time(item.lease_until)}",
        hint="mask sync goes on then",
    )


def sync_record(report: SyncReport, pending: int) -> dict[str, object]:
    """Return a run's counts by name; `pending` is what still waits."""
    return {
        "set": report.counts[Outcome.SET],
        "deleted": report.counts[Outcome.DELETED],
        "settled": report.counts[Outcome.NOTHING],
        "waiting": report.counts[Outcome.WAITING],
        "unavailable": report.counts[Outcome.UNAVAILABLE],
        "refused": report.counts[Outcome.REFUSED],
        "pending": pending,
    }
