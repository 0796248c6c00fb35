"""What cron jobs and careful operators run: sync, prune, audit, doctor."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.cli.options import DryRun, Limit, NoPush, duration, grace
from mask_cli.cli.pushing import JOBS, MOST_JOBS, mannered, push_deletions, push_pending
from mask_cli.cli.reconciling import mend, tell_drift
from mask_cli.doctor import CHECK_FIELDS, PENDING_LIMIT, Patient, all_well, examined
from mask_cli.errors import ExitCode
from mask_cli.models import DAY
from mask_cli.records import audit_record
from mask_cli.sync import SyncReport, sync_record

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.models import Target

Jobs = Annotated[
    int, typer.Option("--jobs", min=1, max=MOST_JOBS, metavar="N", help="Requests side by side.")
]
Rate = Annotated[
    float | None,
    typer.Option("--rate", min=0.01, metavar="R", help="At most so many requests a second."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Go on where so much would change that it looks wrong.")
]
Timeout = Annotated[int | None, duration("--timeout", "Stop cleanly after so long.")]

AUDIT_FIELDS = ("at", "actor", "action", "order", "detail")


def sync(
    ctx: typer.Context,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="With --dry-run: exit 3 when something is pending.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Read the provider too, and mend what differs.")
    ] = False,
    jobs: Jobs = JOBS,
    rate: Rate = None,
    timeout: Timeout = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Send what is pending to the provider."""
    mask: AppContext = ctx.obj
    manner = mannered(mask, jobs, rate, timeout, force=force)
    if dry_run and full:
        tell_drift(mask, manner, exit_code=exit_code)
    elif mask.site is None:
        mask.output.counts(sync_record(SyncReport(), 0))
        mask.output.say("No provider is configured: there is nowhere to send to.")
    elif dry_run:
        _tell_pending(mask, exit_code=exit_code)
    else:
        with mask.running("sync"):
            (mend if full else push_pending)(mask, manner=manner)


def drift(
    ctx: typer.Context,
    counts: Annotated[
        bool, typer.Option("--counts", help="Print one record: how many there are of each reason.")
    ] = False,
    jobs: Jobs = JOBS,
    rate: Rate = None,
    timeout: Timeout = None,
    force: Force = False,
) -> None:
    """Tell how the provider differs from here: exit 3 when something would be done about it."""
    mask: AppContext = ctx.obj
    manner = mannered(mask, jobs, rate, timeout, force=force)
    tell_drift(mask, manner, exit_code=True, counts=counts)


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
    with nullcontext() if dry_run else mask.running("prune"):
        target = None if dry_run else mask.target()
        if target is not None:
            mask.upkeep.expect_deletions(target, mask.now())
        counts = orders.prune(grace, limit, mask.settings["retention.audit"])
        counts["calls"] = _old_calls(mask, dry_run=dry_run)
        _tell_pruned(mask, counts, target, grace=grace, push=not no_push, dry_run=dry_run)
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
    pending_limit: Annotated[
        int, duration("--pending-limit", "Fail when something has been pending for longer.")
    ] = PENDING_LIMIT,
    sync_limit: Annotated[
        int | None, duration("--sync-limit", "Fail when no sync ended well for longer.")
    ] = None,
    prune_limit: Annotated[
        int | None, duration("--prune-limit", "Fail when no prune ended well for longer.")
    ] = None,
) -> None:
    """Check settings, files, database, provider and the last runs; change nothing."""
    mask: AppContext = ctx.obj
    limits = (("sync", sync_limit), ("prune", prune_limit))
    patient = Patient(
        mask.settings,
        lambda: mask.store,
        lambda: mask.site,
        mask.now(),
        lambda: mask.plivo,
        lambda: mask.store.pool,
        lambda: mask.upkeep,
        pending_limit,
        {name: limit for name, limit in limits if limit is not None},
    )
    checks = examined(patient, offline=offline)
    if not (mask.output.quiet and all_well(checks)):
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


def _tell_pruned(
    mask: AppContext,
    counts: dict[str, int],
    target: Target | None,
    *,
    grace: int,
    push: bool,
    dry_run: bool,
) -> None:
    """Delete there what is gone here and would live on; print the counts."""
    now, waiting = mask.now(), 0
    if target is not None:
        mask.store.drop_gone_items(target, now - grace)
        waiting = mask.upkeep.count_pending(target, now, deletions_only=True)
        if waiting and push:
            push_deletions(mask, counts, target, waiting)
            return
    mask.output.counts({**counts, "deleted": 0, "pending": waiting}, well=not dry_run)


def _tell_pending(mask: AppContext, *, exit_code: bool) -> None:
    target = mask.target()
    if target is None:
        assert mask.site is not None, "asked before"  # noqa: S101
        target = mask.site.looked_up(mask.store)
    pending = mask.upkeep.count_pending(target, mask.now())
    mask.output.counts(sync_record(SyncReport(), pending), well=not pending)
    if pending and exit_code:
        raise typer.Exit(ExitCode.PENDING)
