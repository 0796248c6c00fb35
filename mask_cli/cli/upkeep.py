"""What cron jobs and careful operators run: sync, prune, audit, doctor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.cli.options import DryRun, Limit, NoPush, duration, grace
from mask_cli.doctor import CHECK_FIELDS, Patient, examined
from mask_cli.errors import ExitCode, MaskError, PartlyDone, TryLater
from mask_cli.models import DAY
from mask_cli.records import Record, audit_record
from mask_cli.sync import Outcome, SyncReport, sync_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mask_cli.cli.context import AppContext

AUDIT_FIELDS = ("at", "actor", "action", "order", "detail")
_NAMED = 20
"""How many failures are named one by one."""


def sync(
    ctx: typer.Context,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="With --dry-run: exit 3 when something is pending.")
    ] = False,
    timeout: Annotated[int | None, duration("--timeout", "Stop cleanly after so long.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Send what is pending to the provider."""
    mask: AppContext = ctx.obj
    end = None if timeout is None else time.monotonic() + timeout
    if mask.site is None:
        mask.output.record(sync_record(SyncReport(), 0))
        mask.output.say("No provider is configured: there is nowhere to send to.")
    elif dry_run:
        _tell_pending(mask, exit_code=exit_code)
    else:
        push_pending(mask, end=end)


def prune(
    ctx: typer.Context,
    grace: Annotated[int, grace("--grace", "Only what expired so long ago.")] = DAY,
    limit: Limit = None,
    dry_run: DryRun = False,
    no_push: NoPush = False,
) -> None:
    """Forget mappings that expired, and audit rows past their retention."""
    mask: AppContext = ctx.obj
    orders = mask.orders(push=not no_push, dry_run=dry_run)
    counts = orders.prune(grace, limit, mask.settings["retention.audit"])
    target = mask.target()
    deletions: list[str] = []
    if target is not None and not dry_run:
        mask.store.drop_gone_items(target, mask.now())
        pending = mask.store.pending(target, mask.now(), deletions_only=True)
        deletions = [order for order, _, _ in pending]
    if deletions and not no_push:
        report = _synced(mask, deletions, None)
        counts["deleted"] = report.counts[Outcome.DELETED]
        counts["pending"] = len(deletions) - counts["deleted"] - report.counts[Outcome.NOTHING]
        _end(mask, counts, report, len(deletions))
        return
    mask.output.record({**counts, "deleted": 0, "pending": len(deletions)})
    if dry_run:
        mask.output.say("Dry run: nothing was changed.")


def audit(
    ctx: typer.Context,
    order: Annotated[
        str | None, typer.Option("--order", help="Only what was done to this order.")
    ] = None,
    limit: Limit = None,
) -> None:
    """List who did what, newest first."""
    mask: AppContext = ctx.obj
    rows = mask.store.audit(order, limit)
    mask.output.records(AUDIT_FIELDS, (audit_record(row) for row in rows))


def doctor(
    ctx: typer.Context,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 78 when a check fails.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no provider.")] = False,
) -> None:
    """Check settings, files, database and provider; change nothing."""
    mask: AppContext = ctx.obj
    patient = Patient(mask.settings, lambda: mask.store, lambda: mask.site, mask.now())
    checks = examined(patient, offline=offline)
    mask.output.records(CHECK_FIELDS, checks)
    if exit_code and any(check["result"] == "failed" for check in checks):
        raise typer.Exit(ExitCode.CONFIGURATION)


def _tell_pending(mask: AppContext, *, exit_code: bool) -> None:
    target = mask.target()
    if target is None:
        assert mask.site is not None, "asked before"  # noqa: S101
        target = mask.site.looked_up(mask.store)
    pending = sum(1 for _ in mask.store.pending(target, mask.now()))
    mask.output.record(sync_record(SyncReport(), pending))
    if pending and exit_code:
        raise typer.Exit(ExitCode.PENDING)


def push_pending(
    mask: AppContext, counts: dict[str, int] | None = None, end: float | None = None
) -> None:
    """Send what is pending; print the run's counts, after those of what went before it."""
    assert mask.site is not None, "asked before"  # noqa: S101
    target = mask.site.looked_up(mask.store)
    orders = [order for order, _, _ in mask.store.pending(target, mask.now())]
    report = _synced(mask, orders, end)
    done = sum(report.counts[o] for o in (Outcome.SET, Outcome.DELETED, Outcome.NOTHING))
    record = sync_record(report, len(orders) - done)
    _end(mask, {**(counts or {}), **record}, report, len(orders))


def _synced(mask: AppContext, orders: Iterable[str], end: float | None) -> SyncReport:
    orders = list(orders)
    target = mask.target()
    assert target is not None, "asked before"  # noqa: S101
    with mask.output.progress("Sending", len(orders)) as step:
        pusher = mask.pusher(target)
        return pusher.sync(orders, until=end, progress=lambda _: step())


def _end(mask: AppContext, counts: Record, report: SyncReport, total: int) -> None:
    """Print the counts; then name what failed and end with its exit code."""
    mask.output.record(counts)
    for order, reason in list(report.problems.items())[:_NAMED]:
        mask.output.warn(f"order {order}: {reason}")
    failure = _failure(report, total)
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
