"""Send what is pending and tell how it went: shared by sync, prune and import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mask_cli.cli.context import not_sent
from mask_cli.errors import MaskError, PartlyDone, TryLater
from mask_cli.sync import Outcome, SyncReport, sync_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mask_cli.cli.context import AppContext
    from mask_cli.records import Record

_NAMED = 20
"""How many failures are named one by one."""


def push_pending(
    mask: AppContext, counts: dict[str, int] | None = None, end: float | None = None
) -> None:
    """Send what is pending; print the run's counts, after those of what went before it."""
    assert mask.site is not None, "asked before"  # noqa: S101
    try:
        target = mask.site.looked_up(mask.store)
        orders = [order for order, _, _ in mask.store.pending(target, mask.now())]
        report = synced(mask, orders, end)
    except MaskError as error:
        if counts is None:
            raise
        unknown = dict.fromkeys(sync_record(SyncReport(), 0))
        left = {"pending": _waiting(mask, counts)}
        raise _unsent(mask, {**counts, **unknown, **left}, error) from error
    done = sum(report.counts[o] for o in (Outcome.SET, Outcome.DELETED, Outcome.NOTHING))
    record = sync_record(report, len(orders) - done)
    told(mask, {**(counts or {}), **record}, report, len(orders))


def push_deletions(mask: AppContext, counts: dict[str, int], orders: list[str]) -> None:
    """Send the deletions of these orders; print the counts, after those of what went before."""
    try:
        report = synced(mask, orders, None)
    except MaskError as error:
        unknown = {"deleted": None, "pending": len(orders)}
        raise _unsent(mask, {**counts, **unknown}, error) from error
    deleted = report.counts[Outcome.DELETED]
    pending = len(orders) - deleted - report.counts[Outcome.NOTHING]
    told(mask, {**counts, "deleted": deleted, "pending": pending}, report, len(orders))


def _unsent(mask: AppContext, counts: Record, error: MaskError) -> MaskError:
    """Print the counts of what was done here; return what to end with when sending failed."""
    mask.output.counts(counts, well=False)
    return not_sent([error])


def _waiting(mask: AppContext, counts: dict[str, int]) -> int:
    """Count what is pending; at a place never found, what was just stored is."""
    target = mask.target()
    if target is None:
        return counts["added"] + counts["updated"]
    return sum(1 for _ in mask.store.pending(target, mask.now()))


def synced(mask: AppContext, orders: Iterable[str], end: float | None) -> SyncReport:
    """Send these orders, with progress; stop at `end`, a `time.monotonic()` moment."""
    orders = list(orders)
    target = mask.target()
    assert target is not None, "asked before"  # noqa: S101
    with mask.output.progress("Sending", len(orders)) as step:
        pusher = mask.pusher(target)
        return pusher.sync(orders, until=end, progress=lambda _: step())


def told(mask: AppContext, counts: Record, report: SyncReport, total: int) -> None:
    """Print the counts; then name what failed and end with its exit code."""
    failure = _failure(report, total)
    mask.output.counts(counts, well=failure is None)
    for order, reason in list(report.problems.items())[:_NAMED]:
        mask.output.warn(f"order {order}: {reason}")
    if failure is not None:
        raise failure


def _failure(report: SyncReport, total: int) -> MaskError | None:
    if report.counts[Outcome.REFUSED]:
        return PartlyDone(
            f"{report.counts[Outcome.REFUSED]} of {total} were refused by the provider",
            hint="mask list --pending shows them; mask doctor checks the settings",
        )
    if report.pending or report.stopped:
        return TryLater(
            "not everything could be sent" if not report.stopped else "stopped before the end",
            hint="what is left stays pending; mask sync goes on with it",
        )
    return None
