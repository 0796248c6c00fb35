"""Push many orders side by side: requests in threads, the database in the one that runs this.

What came back is settled and what goes out is claimed in one transaction for several orders.
A claim that waited too long for its turn is not sent, as its lease would not cover the request;
it is given back and made anew. When a run has to end, nothing more is sent, requests under way
get a moment, and those that take longer stay behind as intents: the next run goes on with them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from mask_cli.errors import MaskError, ProviderDenied, ProviderRefused, ProviderUnavailable
from mask_cli.sync import POLL, Claim, Outcome, Push, SyncReport
from mask_cli.sync.crew import Crew, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mask_cli.sync import Pusher
    from mask_cli.sync.crew import Done

_PROBES = 3
"""So many requests are under way until one was answered: the provider may be away."""
_FRESH = 3.0
"""Seconds after which a claim is too old to be sent; below the margin of its lease."""
_LAST_MOMENT = 2.0
"""Seconds that requests under way get when a run has to end."""
_CLOSING = 0.5
"""Seconds that threads get to come back before their connections are closed."""
_GATHER = 0.008
"""Seconds in which answers are gathered for one transaction."""
_MOST_WAITING = 10_000


@dataclass(slots=True)
class Bulk:
    """One run; `until` is a `time.monotonic()` moment to stop at."""

    pusher: Pusher
    jobs: int = 1
    pace: Pace = field(default_factory=Pace)
    until: float | None = None
    progress: Callable[[Push], None] = lambda _: None
    report: SyncReport = field(default_factory=SyncReport)
    _again: deque[str] = field(default_factory=deque)
    _finished: list[Done[Claim, bool | None]] = field(default_factory=list)
    _waiting: dict[str, Push] = field(default_factory=dict)
    _failure: BaseException | None = None
    _halted: threading.Event = field(default_factory=threading.Event)
    _crew: Crew[Claim, bool | None] = field(init=False)

    def __post_init__(self) -> None:
        self._crew = Crew(self._sent, self.jobs)

    def run(self, orders: Iterable[str]) -> SyncReport:
        """Push them; those under somebody's lease are waited for at the end.

        What makes going on useless, such as ProviderDenied, is in the report.
        """
        try:
            self._through(iter(orders))
            self._wait_for_leases()
        finally:
            # Also when a signal ended it: what is answered by now is worth keeping.
            self._halted.set()
            self._drained()
            self._crew.dismiss(_CLOSING)
        if self._failure is not None:
            raise self._failure
        return self.report

    def _through(self, orders: Iterator[str]) -> None:
        while True:
            ended = self._exchange(orders)
            if self._stops() or (ended and not self._again and not self._crew.outstanding):
                return
            gather = _GATHER if self.jobs > 1 else 0
            self._crew.results(self._patience(), gather, self._finished)

    def _stops(self) -> bool:
        return self._failure is not None or self.report.stops(self.until)

    def _room(self) -> int:
        """Return how many orders may be claimed now; some wait so that no thread has to."""
        most = 1 if self.jobs == 1 else 2 * self.jobs
        if not self._answered():
            most = min(most, _PROBES - self.report.unanswered)
        else:
            self.report.give_up_after = max(self.report.give_up_after, self.jobs)
        if self.pace.rate:
            most = min(most, max(1, int(2 * self.pace.rate)))
        return 0 if self._halted.is_set() else max(0, most - self._crew.outstanding)

    def _answered(self) -> bool:
        answers = (Outcome.SET, Outcome.DELETED, Outcome.REFUSED)
        return any(self.report.counts[outcome] for outcome in answers)

    def _next(self, orders: Iterator[str], count: int) -> list[str]:
        batch = [self._again.popleft() for _ in range(min(count, len(self._again)))]
        return batch + list(islice(orders, count - len(batch)))

    def _patience(self) -> float:
        """Return how long to wait for an answer before looking at the clock again."""
        return 0.5 if self.until is None else min(0.5, self.until - time.monotonic())

    def _exchange(self, orders: Iterator[str]) -> bool:
        """Settle and claim in one transaction, then hand out; True when no order is left."""
        with self.pusher.store.writing() if self._finished or self._room() else nullcontext():
            settled = map(self._settled, self._finished)
            pushes = [push for push in settled if push is not None]
            for push in pushes:
                self.report.note(push)
            room = 0 if self._stops() else self._room()
            batch = self._next(orders, room)
            claims = [self.pusher.claimed(order) for order in batch]
        self._finished.clear()
        for push in pushes:
            self.progress(push)
        for claim in claims:
            if isinstance(claim, Claim):
                self._crew.give(claim)
            else:
                self._note(claim)
        return len(batch) < room

    def _note(self, push: Push) -> None:
        """Tell of an order that needed no request, or leave it for the end."""
        if push.outcome is Outcome.WAITING and len(self._waiting) < _MOST_WAITING:
            self._waiting[push.order] = push
            return
        self.report.note(push)
        self.progress(push)

    def _settled(self, done: Done[Claim, bool | None]) -> Push | None:
        """Store what came of a request; None when there is nothing to tell of it."""
        claim, error = done.task, done.error
        if isinstance(error, MaskError):
            self.pusher.settle_error(claim, error)
            if isinstance(error, ProviderDenied) or not isinstance(
                error, ProviderRefused | ProviderUnavailable
            ):
                self.report.ended_by = self.report.ended_by or error
            return Push(claim.order, Outcome.of_error(error), error)
        if error is not None:
            self._failure = error
            return None
        if done.result is None:
            self.pusher.release(claim)
            self._again.append(claim.order)
            return None
        self.pusher.settle(claim, late=done.result)
        return Push(claim.order, Outcome.SET if claim.mapping else Outcome.DELETED)

    def _sent(self, claim: Claim) -> bool | None:
        """Send it, in a thread; None when it was not, True when an attempt may come late."""
        turn = self.pace.wait(self._halted, 2 if claim.read_back else 1)
        if not turn or time.monotonic() > claim.made + _FRESH:
            return None
        return self.pusher.send(claim)

    def _drained(self) -> None:
        """Settle what comes back within the last moment."""
        end = time.monotonic() + _LAST_MOMENT
        while (self._crew.outstanding or self._finished) and time.monotonic() < end:
            self._crew.results(end - time.monotonic(), into=self._finished)
            self._exchange(iter(()))

    def _wait_for_leases(self) -> None:
        """Push what was under a lease once that is over; leases end, so this does too."""
        end = time.monotonic() + self.pusher.lease + 1
        while self._waiting and not self._stops() and time.monotonic() < end:
            left = min(push.until for push in self._waiting.values()) - self.pusher.clock()
            if left > 0:
                self.pusher.sleep(max(POLL, min(1.0, left)))
            known, self._waiting = self._waiting, {}
            unseen = iter(known)
            self._through(unseen)
            # A run that stopped has not looked at all of them again.
            self._waiting.update((order, known[order]) for order in unseen)
        for push in self._waiting.values():
            self.report.note(push)
            self.progress(push)
