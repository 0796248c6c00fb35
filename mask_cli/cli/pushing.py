"""Send what is pending and tell how it went: shared by sync, prune and import."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mask_cli.cli.context import not_sent, with_way_out
from mask_cli.errors import MaskError, PartlyDone, SafetyStop, TryLater
from mask_cli.reconcile import refuse_orphans
from mask_cli.sync import Outcome, SyncReport, sync_record
from mask_cli.sync.crew import Pace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mask_cli.cli.context import AppContext
    from mask_cli.models import Target
    from mask_cli.records import Record

JOBS, MOST_JOBS = 16, 64
_WORTH_TELLING = 1.0
"""Seconds: of a shorter run the counts tell enough."""
_NAMED = 20
"""How many failures are named one by one."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run goes: requests side by side, how many a second, when to stop.

    `end` is a `time.monotonic()` moment.
    """

    jobs: int = JOBS
    pace: Pace = field(default_factory=Pace)
    end: float | None = None
    force: bool = False


def mannered(
    mask: AppContext, jobs: int, rate: float | None, timeout: int | None, *, force: bool
) -> Manner:
    """Return how a run is to go; `timeout` seconds from now it is over, whatever it does then."""
    if mask.site is not None:
        mask.site.connections = jobs
        mask.site.timeout = min(mask.site.timeout, timeout or mask.site.timeout)
    end = None if timeout is None else time.monotonic() + timeout
    return Manner(jobs, Pace(rate), end, force)


def push_pending(
    mask: AppContext,
    counts: dict[str, int] | None = None,
    manner: Manner | None = None,
    *,
    stored: bool = False,
) -> None:
    """Send what is pending; print the run's counts, after those of what went before it.

    `stored`: that has changed something here, and is told however the sending ends.
    Raises SafetyStop when many keys would be deleted that nobody here asked to.
    """
    assert mask.site is not None, "asked before"  # noqa: S101
    try:
        target = mask.site.looked_up(mask.store)
        # Mostly nothing waits, and of a million orders that is not seen for nothing: look once.
        total = mask.upkeep.count_pending(target, mask.now())
        report = SyncReport()
        if total:
            if manner is None or not manner.force:
                refuse_orphans(*mask.upkeep.orphans(target, mask.now()))
            report = synced(mask, mask.upkeep.pending_orders(target, mask.now()), total, manner)
    except MaskError as error:
        if counts is None or not stored:
            raise
        unknown = dict.fromkeys(sync_record(SyncReport(), 0))
        left = {"pending": _waiting(mask, counts)}
        raise _unsent(mask, {**counts, **unknown, **left}, error) from error
    record = sync_record(report, max(0, total - report.done))
    told(mask, {**(counts or {}), **record}, report, total, stored=stored)


def push_deletions(mask: AppContext, counts: dict[str, int], target: Target, total: int) -> None:
    """Send the deletions that wait; print the counts, after those of what went before."""
    now, held_back = mask.now(), None
    try:
        refuse_orphans(*mask.upkeep.orphans(target, now))
    except SafetyStop as stop:
        held_back = SafetyStop(stop.message, hint="held back here; mask sync --force deletes them")
    only = held_back is not None
    orders = mask.upkeep.pending_orders(target, now, deletions_only=True, asked_only=only)
    try:
        report = synced(mask, orders, total)
    except MaskError as error:
        unknown = {"deleted": None, "pending": total}
        raise _unsent(mask, {**counts, **unknown}, error) from error
    pending = max(0, total - report.done)
    deleted = report.counts[Outcome.DELETED]
    told(mask, {**counts, "deleted": deleted, "pending": pending}, report, total, stored=True)
    if held_back is not None:
        raise held_back


def _unsent(mask: AppContext, counts: Record, error: MaskError) -> MaskError:
    """Print the counts of what was done here; return what to end with when sending failed."""
    mask.output.counts(counts, well=False)
    return not_sent([error])


def _waiting(mask: AppContext, counts: dict[str, int]) -> int:
    """Count what is pending; at a place never found, what was just stored is."""
    target = mask.target()
    if target is None:
        return counts["added"] + counts["updated"]
    return mask.upkeep.count_pending(target, mask.now())


def synced(
    mask: AppContext, orders: Iterable[str], total: int, manner: Manner | None = None
) -> SyncReport:
    """Send these orders, with progress on a terminal and one line about it elsewhere."""
    manner = manner or Manner()
    target = mask.target()
    assert target is not None, "asked before"  # noqa: S101
    started = time.monotonic()
    with mask.output.progress("Sending", total) as step:
        pusher = mask.pusher(target)
        report = pusher.sync(
            orders,
            until=manner.end,
            progress=lambda _: step(),
            jobs=manner.jobs,
            pace=manner.pace,
        )
    mask.warn_of_clock()
    seconds = time.monotonic() - started
    if seconds >= _WORTH_TELLING:
        rate = f"{seconds:.1f} s, {report.done / seconds:.0f} a second"
        mask.output.say(f"{report.done} of {total} orders done in {rate}.")
    return report


def told(mask: AppContext, counts: Record, report: SyncReport, total: int, *, stored: bool) -> None:
    """Print the counts; then name what failed and end with its exit code.

    Denied before anything was sent or `stored`, there is nothing to tell but the error.
    """
    failure = _failure(report, total, stored=stored)
    if report.ended_by is None or stored or report.sent:
        mask.output.counts(counts, well=failure is None)
    for order, reason in _problems(report):
        mask.output.warn(f"order {order}: {reason}")
    if failure is not None:
        raise failure


def _problems(report: SyncReport) -> list[tuple[str, str]]:
    """Return the failures to name: what ended the run is told once, not for each order."""
    told_once = None if report.ended_by is None else report.ended_by.message
    problems = [(order, why) for order, why in report.problems.items() if why != told_once]
    return problems[:_NAMED]


def _failure(report: SyncReport, total: int, *, stored: bool) -> MaskError | None:
    if report.ended_by is not None:
        return not_sent([report.ended_by]) if stored else report.ended_by
    if report.counts[Outcome.REFUSED]:
        return PartlyDone(
            f"{report.counts[Outcome.REFUSED]} of {total} were refused by the provider",
            hint=with_way_out(
                report.error, "mask list --pending shows them; mask doctor checks the settings"
            ),
        )
    if report.pending or report.stopped:
        return TryLater(
            "not everything could be sent" if not report.stopped else "stopped before the end",
            hint=with_way_out(report.error, "mask sync goes on with what is left pending"),
        )
    return None
