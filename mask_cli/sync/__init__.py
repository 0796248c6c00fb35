"""Bring a provider's key-value store in line with the mappings here, order by order.

What has to be sent is local x base. A write goes in three steps:

1. claim: one transaction reads mapping and base and stores an *intent* with a *lease*. While
   it lasts nobody else writes that order, so that two pushes cannot overtake each other.
2. send: one request, bounded by a deadline shorter than the lease; given up when the process
   was frozen for so long that the lease no longer covers it.
3. settle: one transaction stores what is there now, but only if the claim is still ours.

A request that was not answered is *unsure*: it may yet arrive. Its intent stays until the
lease is over; then the item is read back before anything else is written. A crash at any
point leaves an intent, which is the same case.
"""

from __future__ import annotations

import threading
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
from mask_cli.models import (
    RemoteItem,
    keyed_digest,
    needs_push,
    remote_expiry,
    remote_value,
    sent_revision,
)
from mask_cli.redaction import redacted_text
from mask_cli.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mask_cli.models import Mapping, Target
    from mask_cli.providers.base import KeyValueStore
    from mask_cli.store.base import Store
    from mask_cli.sync.crew import Pace

_LEASE_MARGIN = 5
_CALL_MARGIN = 2
"""Seconds that a lease has to outlast a call by: clocks are read in whole ones."""
_LONGEST_LEASE = 3_600
"""Whoever gives one for longer had a wrong clock, or a deadline far beyond any good."""
POLL = 0.1
"""Seconds between two looks at an order that somebody else is pushing."""
_MOST_PROBLEMS = 1_000
"""So many reasons are kept; more of them tell nobody more."""


class Outcome(StrEnum):
    """What became of one order's push."""

    SET = "set"
    DELETED = "deleted"
    NOTHING = "nothing"
    WAITING = "waiting"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"

    @classmethod
    def of_error(cls, error: MaskError) -> Outcome:
        """Return what an error means for the order: refused for good, or to be tried again."""
        return cls.REFUSED if isinstance(error, ProviderRefused) else cls.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Push:
    """One order's push; `error` is why it failed, `until` when a lease of another is over."""

    order: str
    outcome: Outcome
    error: MaskError | None = None
    until: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What step 1 read and promised; `made` is a `time.monotonic()` moment.

    `lease_until` is what the others go by.
    """

    order: str
    token: str
    mapping: Mapping | None
    intent: str
    expires_at: int
    digest: str | None
    read_back: bool
    before: RemoteItem | None
    lease_until: int
    made: float


@dataclass(slots=True)
class SyncReport:
    """Counts of a run, and what failed with its reason."""

    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    problems: dict[str, str] = field(default_factory=dict)
    error: MaskError | None = None
    """The last one, unless something was refused: that does not pass by itself.

    That an order waits for a lease says less than any other.
    """
    ended_by: MaskError | None = None
    """What made going on useless: credentials, a role or settings that are not accepted."""
    stopped: bool = False
    unanswered: int = 0
    give_up_after: int = 3
    """So many orders in a row without an answer, and the provider is taken to be away."""

    def note(self, push: Push) -> None:
        """Count a push."""
        self.counts[push.outcome] += 1
        if push.outcome is Outcome.UNAVAILABLE:
            self.unanswered += 1
        elif push.outcome in (Outcome.SET, Outcome.DELETED, Outcome.REFUSED):
            self.unanswered = 0
        if push.error is not None:
            if len(self.problems) < _MOST_PROBLEMS:
                self.problems[push.order] = push.error.message
            waits = push.outcome is Outcome.WAITING
            if self.error is None or not (waits or isinstance(self.error, ProviderRefused)):
                self.error = push.error

    def stops(self, until: float | None) -> bool:
        """Tell whether to go no further: the time is up, or the provider is away or denies."""
        is_over = until is not None and time.monotonic() >= until
        is_useless = self.ended_by is not None or self.unanswered >= self.give_up_after
        self.stopped = self.stopped or is_over or is_useless
        return self.stopped

    @property
    def sent(self) -> int:
        """How many orders the provider took."""
        return self.counts[Outcome.SET] + self.counts[Outcome.DELETED]

    @property
    def done(self) -> int:
        """How many orders are as they should be."""
        return self.sent + self.counts[Outcome.NOTHING]

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
    _connecting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def lease(self) -> int:
        """How long a claim lasts, in seconds: a read-back and a write, with room to spare."""
        return 2 * self.timeout + _LEASE_MARGIN

    def push(self, order: str, *, patience: float = 0) -> Push:
        """Push one order; wait up to `patience` seconds for another's push of it to end."""
        end = time.monotonic() + patience
        while True:
            with self.store.writing():
                claim = self.claimed(order)
            if isinstance(claim, Claim):
                push = self._sent(claim)
                if push is not None:
                    return push
                continue
            if claim.outcome is not Outcome.WAITING or time.monotonic() >= end:
                return claim
            self.sleep(POLL)

    def sync(
        self,
        orders: Iterable[str],
        *,
        until: float | None = None,
        progress: Callable[[Push], None] = lambda _: None,
        jobs: int = 1,
        pace: Pace | None = None,
    ) -> SyncReport:
        """Push many orders, `jobs` at a time; see `bulk`."""
        from mask_cli.sync.bulk import Bulk
        from mask_cli.sync.crew import Pace

        return Bulk(self, jobs, pace or Pace(), until, progress).run(orders)

    def claimed(self, order: str) -> Claim | Push:
        """Step 1: promise the write, or tell why there is none to make. Inside `writing()`."""
        import secrets

        store, now = self.store, self.clock()
        mapping, before = store.get(order), store.item(order, self.target)
        if not needs_push(mapping, before, now):
            return Push(order, Outcome.NOTHING)
        item = before or RemoteItem(order)
        if now < item.lease_until <= now + max(self.lease, _LONGEST_LEASE):
            return Push(order, Outcome.WAITING, _in_flight(item), item.lease_until)
        active = mapping if mapping and mapping.expires_at > now else None
        digest = keyed_digest(store.digest_key(), remote_value(active)) if active else None
        claim = Claim(
            order,
            secrets.token_hex(8),
            active,
            "set" if active else "delete",
            remote_expiry(active, now) if active else 0,
            digest,
            item.intent is not None,
            before,
            now + self.lease,
            time.monotonic(),
        )
        leave_traces(store, item, self.target)
        store.put_item(
            replace(
                item,
                intent=claim.intent,
                intent_token=claim.token,
                intent_expires_at=claim.expires_at or None,
                intent_digest=claim.digest,
                lease_until=claim.lease_until,
                attempts=item.attempts + 1,
            ),
            self.target,
        )
        return claim

    def _sent(self, claim: Claim) -> Push | None:
        """Send and settle (steps 2 and 3); None when it was given up, to be claimed anew."""
        try:
            late = self.send(claim)
        except MaskError as error:
            with self.store.writing():
                self.settle_error(claim, error)
            passing = isinstance(error, ProviderUnavailable | ProviderRefused)
            if isinstance(error, ProviderDenied) or not passing:
                # With these credentials or settings nothing else would work either.
                raise
            return Push(claim.order, Outcome.of_error(error), error)
        with self.store.writing():
            if late is None:
                self.release(claim)
                return None
            self.settle(claim, late=late)
        return Push(claim.order, Outcome.SET if claim.mapping else Outcome.DELETED)

    def _connected(self) -> KeyValueStore:
        with self._connecting:
            if self._remote is None:
                self._remote = self.connect()
            return self._remote

    def _stands_already(self, remote: KeyValueStore, claim: Claim) -> bool:
        """Read back what an unsure request did; True when it is what is wanted now.

        That nothing stands there is not believed: a missing key may be answered by any error, so
        an error may look like a missing key. A deletion is sent, and is made sure of.
        """
        if claim.mapping is None:
            return False
        found = remote.get(self.target.key(claim.order))
        wanted = (remote_value(claim.mapping), claim.expires_at)
        return found is not None and (found.value, found.expires_at) == wanted

    def _covered(self, claim: Claim) -> bool:
        """Tell whether the lease outlasts one more call; not after this process was frozen.

        Somebody else may have written since, and what is claimed here be outdated. The adapter
        begins no attempt after its deadline, so this holds for its repetitions, too.
        """
        left = min(claim.lease_until - self.clock(), claim.made + self.lease - time.monotonic())
        return left >= self.timeout + _CALL_MARGIN

    def send(self, claim: Claim) -> bool | None:
        """Step 2, in any thread; True when an unanswered attempt may undo a later write.

        None when nothing was written as the lease ran out.
        """
        remote = self._connected()
        if claim.read_back and self._stands_already(remote, claim):
            return False
        if not self._covered(claim):
            return None
        key = self.target.key(claim.order)
        if claim.mapping is None:
            remote.delete(key)
        else:
            remote.set(key, remote_value(claim.mapping), claim.expires_at)
        return remote.may_come_late()

    def settle(self, claim: Claim, *, late: bool) -> None:
        """Step 3: the base is what was sent, unless the lease was over and somebody came.

        Inside `writing()`. The lease stays when an attempt may come late.
        """
        store, item = self.store, self._still_ours(claim)
        if item is None:
            return
        lease_until = item.lease_until if late else 0
        if claim.mapping is None:
            store.drop_item(claim.order, self.target)
            if late:
                store.put_item(RemoteItem(claim.order, lease_until=lease_until), self.target)
            return
        store.put_item(
            RemoteItem(
                claim.order,
                mapping_id=claim.mapping.mapping_id,
                revision=claim.mapping.revision,
                digest=claim.digest,
                expires_at=claim.expires_at,
                lease_until=lease_until,
            ),
            self.target,
        )

    def settle_error(self, claim: Claim, error: MaskError) -> None:
        """Keep the reason; the intent stays as long as it is unknown what stands there.

        Inside `writing()`. The lease stays only when this very request may still arrive.
        """
        unsure = isinstance(error, ProviderUnavailable) and error.unsure
        item = self._still_ours(claim)
        if item is None:
            return
        item = replace(
            item,
            last_error=redacted_text(error.message),
            refused=sent_revision(claim.mapping) if isinstance(error, ProviderRefused) else 0,
        )
        if not unsure:
            item = replace(item, lease_until=0, intent_token=None)
            if not claim.read_back:
                item = replace(item, intent=None, intent_expires_at=None, intent_digest=None)
        self.store.put_item(item, self.target)

    def release(self, claim: Claim) -> None:
        """Take back a claim that was not sent. Inside `writing()`."""
        if self._still_ours(claim) is None:
            return
        if claim.before is None:
            self.store.drop_item(claim.order, self.target)
        else:
            self.store.put_item(claim.before, self.target)

    def _still_ours(self, claim: Claim) -> RemoteItem | None:
        item = self.store.item(claim.order, self.target)
        return item if item is not None and item.intent_token == claim.token else None


def leave_traces(store: Store, item: RemoteItem, target: Target) -> None:
    """Keep what we wrote, as it may come back once the base does not name it. In `writing()`."""
    for digest, expires_at in item.written():
        store.add_trace(item.order, target, digest, expires_at)


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
