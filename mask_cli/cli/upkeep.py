"""What cron jobs and careful operators run: sync, prune, audit, doctor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.cli.options import DryRun, Limit, NoPush, duration, grace
from mask_cli.cli.pushing import push_deletions, push_pending
from mask_cli.doctor import CHECK_FIELDS, Patient, examined
from mask_cli.errors import ExitCode
from mask_cli.models import DAY
from mask_cli.records import audit_record
from mask_cli.sync import SyncReport, sync_record

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext

AUDIT_FIELDS = ("at", "actor", "action", "order", "detail")


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
        mask.output.counts(sync_record(SyncReport(), 0))
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
    """Forget mappings that expired, and audit and call rows past their retention."""
    mask: AppContext = ctx.obj
    orders = mask.orders(push=not no_push, dry_run=dry_run)
    counts = orders.prune(grace, limit, mask.settings["retention.audit"])
    counts["calls"] = _old_calls(mask, dry_run=dry_run)
    target = mask.target()
    deletions: list[str] = []
    if target is not None and not dry_run:
        mask.store.drop_gone_items(target, mask.now())
        pending = mask.store.pending(target, mask.now(), deletions_only=True)
        deletions = [order for order, _, _ in pending]
    if deletions and not no_push:
        push_deletions(mask, counts, deletions)
        return
    mask.output.counts({**counts, "deleted": 0, "pending": len(deletions)}, well=not dry_run)
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
    patient = Patient(
        mask.settings,
        lambda: mask.store,
        lambda: mask.site,
        mask.now(),
        lambda: mask.plivo,
        lambda: mask.store.pool,
    )
    checks = examined(patient, offline=offline)
    mask.output.records(CHECK_FIELDS, checks)
    if exit_code and any(check["result"] == "failed" for check in checks):
        raise typer.Exit(ExitCode.CONFIGURATION)


def _old_calls(mask: AppContext, *, dry_run: bool) -> int:
    from mask_cli.store.calls import SqliteCalls
    from mask_cli.web.writer import tidied

    calls, before = SqliteCalls(mask.store), mask.now() - mask.settings["retention.calls"]
    if dry_run:
        return calls.count_before(before)
    # Where no server runs any more, nobody else does.
    while tidied(calls, mask.now()):
        pass
    return calls.prune(before)


def _tell_pending(mask: AppContext, *, exit_code: bool) -> None:
    target = mask.target()
    if target is None:
        assert mask.site is not None, "asked before"  # noqa: S101
        target = mask.site.looked_up(mask.store)
    pending = sum(1 for _ in mask.store.pending(target, mask.now()))
    mask.output.counts(sync_record(SyncReport(), pending), well=not pending)
    if pending and exit_code:
        raise typer.Exit(ExitCode.PENDING)
