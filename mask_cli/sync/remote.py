"""Read what stands at a provider, side by side, and compare it with what should.

The order of a listing is not promised, and others write while it is read. So what looks
different is asked for once more by its key, and compared with the base as it is then; what
changes meanwhile is left to the next run.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from mask_cli.errors import ProviderUnavailable, TryLater
from mask_cli.models import RemoteItem, keyed_digest
from mask_cli.reconcile import Drift, Plan, Reason, Seen, drift_of, planned
from mask_cli.sync import leave_traces
from mask_cli.sync.crew import Crew, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mask_cli.models import Mapping, Target
    from mask_cli.providers.base import KeyValueItem, KeyValueStore
    from mask_cli.store.base import Store
    from mask_cli.store.upkeep import SqliteUpkeep

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
Known = tuple[str, "Mapping | None", "RemoteItem | None"]

_SAMPLE = 50
"""So many keys are asked for before a listing without any of ours is believed."""
_STALE_PAGES = 3
_BATCH = 500


@dataclass(slots=True)
class RemoteReader:
    """Reads one target; `until` is a `time.monotonic()` moment to stop at."""

    store: Store
    upkeep: SqliteUpkeep
    target: Target
    remote: KeyValueStore
    clock: Callable[[], int]
    jobs: int = 1
    pace: Pace = field(default_factory=Pace)
    until: float | None = None
    _halted: threading.Event = field(default_factory=threading.Event)
    _base: int = 0
    _found: bool = False
    _key: bytes = b""

    def plan(self) -> Plan:
        """Return how the remote differs; nothing is changed.

        Raises TryLater when the time is up, ProviderUnavailable for a listing without end.
        """
        self._key = self.store.digest_key()
        try:
            listing = self._listing()
            candidates = self._candidates(listing)
            drifts = list(self._confirmed(candidates, sample=not self._found))
            drifts += self._unknown(listing)
        finally:
            self._halted.set()
        return planned(drifts, self._base, found=self._found)

    def _listing(self) -> dict[str, Seen]:
        """Return what all pages show, by order; nothing when the prefix cannot be asked for."""
        listing: dict[str, Seen] = {}
        if not self.target.key_prefix:
            return listing
        stale, numbers = 0, iter(range(10**9))
        for page in self._side_by_side(self._page, numbers):
            before = len(listing)
            listing.update(page)
            stale = stale + 1 if page and len(listing) == before else 0
            if stale > self.jobs + _STALE_PAGES:
                raise ProviderUnavailable("the provider's listing does not end", unsure=False)
        return listing

    def _page(self, number: int) -> dict[str, Seen] | None:
        prefix = self.target.key_prefix
        page = self.remote.page(prefix, number)
        if not page:
            return None
        ours = (item for item in page if item.key.startswith(prefix))
        return {item.key.removeprefix(prefix): self._seen(item) for item in ours}

    def _seen(self, item: KeyValueItem) -> Seen:
        digest = None if item.value is None else keyed_digest(self._key, item.value)
        return Seen(digest, item.expires_at)

    def _candidates(self, listing: dict[str, Seen]) -> list[str]:
        """Return the orders that look different; take from the listing what is known here."""
        now, candidates = self.clock(), []
        for order, mapping, item in self.upkeep.compared(self.target, now):
            seen = listing.pop(order, None)
            live = item is not None and (item.expires_at or 0) > now
            self._base += live
            self._found = self._found or (live and seen is not None)
            if self._may_differ(order, mapping, item, seen, now):
                candidates.append(order)
        return candidates

    def _may_differ(
        self,
        order: str,
        mapping: Mapping | None,
        item: RemoteItem | None,
        seen: Seen | None,
        now: int,
    ) -> bool:
        if not self.target.key_prefix:
            return item is not None
        unknown = seen is not None and seen.digest is None
        return unknown or drift_of(order, mapping, item, seen, now=now, key=self._key) is not None

    def _confirmed(self, orders: list[str], *, sample: bool) -> Iterator[Drift]:
        """Yield the drifts that a get by key shows too."""
        first, rest = (orders[:_SAMPLE], orders[_SAMPLE:]) if sample else ([], orders)
        yield from self._asked(first)
        # With nothing of ours there, asking for each of many keys would tell no more.
        ask = not first or self._found
        yield from self._asked(rest) if ask else self._absent(rest)

    def _asked(self, orders: list[str]) -> Iterator[Drift]:
        known = map(self._known, orders)
        for before, seen in self._side_by_side(self._got, known):
            order, mapping, item = before
            now = self.clock()
            live = item is not None and (item.expires_at or 0) > now
            self._found = self._found or (live and seen is not None)
            after = self._known(order)
            in_motion = item is not None and item.intent is not None and item.lease_until > now
            if after != before or in_motion:
                continue
            drift = self._drift(order, mapping, item, seen)
            if drift is not None:
                yield drift

    def _absent(self, orders: Iterable[str]) -> Iterator[Drift]:
        found = (self._drift(*self._known(order), None) for order in orders)
        return (drift for drift in found if drift is not None)

    def _got(self, known: Known) -> tuple[Known, Seen | None]:
        item = self.remote.get(self.target.key(known[0]))
        return known, None if item is None else self._seen(item)

    def _known(self, order: str) -> Known:
        return order, self.store.get(order), self.store.item(order, self.target)

    def _drift(
        self, order: str, mapping: Mapping | None, item: RemoteItem | None, seen: Seen | None
    ) -> Drift | None:
        return drift_of(
            order,
            mapping,
            item,
            seen,
            now=self.clock(),
            key=self._key,
            gone_on_purpose=self.upkeep.gone_on_purpose(order),
            traces=self.store.traces(order, self.target),
        )

    def _unknown(self, listing: dict[str, Seen]) -> Iterator[Drift]:
        """Yield what nothing here knows of; ask for what may be a late write of our own."""
        traced = []
        for order, seen in listing.items():
            if self.store.traces(order, self.target):
                traced.append(order)
            elif self._known(order)[1:] == (None, None):
                yield Drift(
                    order, Reason.FOREIGN, by_others=True, remote_expires_at=seen.expires_at
                )
        yield from self._asked(traced)

    def _side_by_side(
        self, work: Callable[[_Task], _Result | None], tasks: Iterator[_Task]
    ) -> Iterator[_Result]:
        """Yield results in no order; after the first None no further task is begun."""
        crew: Crew[_Task, _Result | None] = Crew(lambda task: self._paced(work, task), self.jobs)
        more = True
        try:
            while True:
                for task in islice(tasks, self.jobs - crew.outstanding if more else 0):
                    crew.give(task)
                if not crew.outstanding:
                    return
                results = [done.outcome() for done in crew.results(self._patience())]
                more = more and None not in results
                yield from (result for result in results if result is not None)
        except BaseException:
            self._halted.set()
            raise
        finally:
            crew.dismiss()

    def _paced(self, work: Callable[[_Task], _Result | None], task: _Task) -> _Result | None:
        return work(task) if self.pace.wait(self._halted) else None

    def _patience(self) -> float:
        """Return how long to wait for an answer; raise TryLater when the time is up."""
        if self.until is None:
            return 0.5
        left = self.until - time.monotonic()
        if left <= 0:
            raise TryLater(
                "the time was up before all that stands at the provider was read",
                hint="give it a longer --timeout; nothing was changed",
            )
        return min(0.5, left)


def correct_base(store: Store, target: Target, plan: Plan, now: int) -> None:
    """Let the base say what was seen, so that the next push mends it; skip what is under way."""
    changes = iter(plan.changes)
    while batch := list(islice(changes, _BATCH)):
        with store.writing():
            for drift in batch:
                item = store.item(drift.order, target) or RemoteItem(drift.order)
                if item.intent is None or item.lease_until <= now:
                    leave_traces(store, item, target)
                    # The digest and this expiry together would be nothing that we wrote.
                    at = drift.remote_expires_at
                    store.put_item(replace(item, revision=None, digest=None, expires_at=at), target)
