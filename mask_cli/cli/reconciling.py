"""Compare the provider with what stands here, tell, and mend: shared by sync --full and drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mask_cli.cli.pushing import Manner, push_pending
from mask_cli.cli.standing import opened
from mask_cli.errors import ExitCode
from mask_cli.reconcile import PLAN_FIELDS, Reason, drift_record, planned
from mask_cli.redaction import redacted_text
from mask_cli.sync.remote import RemoteReader, correct_base

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.reconcile import Drift, Plan
    from mask_cli.records import Record

_NAMED = 20


def remote_plan(mask: AppContext, manner: Manner) -> Plan:
    """Return how the provider differs; SafetyStop when mending it looks like a mishap."""
    target, remote = opened(mask)
    reader = RemoteReader(
        mask.store,
        mask.upkeep,
        target,
        remote,
        mask.now,
        jobs=manner.jobs,
        pace=manner.pace,
        until=manner.end,
    )
    plan = reader.plan()
    if not manner.force:
        plan.check()
    return plan


def tell_drift(mask: AppContext, manner: Manner, *, exit_code: bool, counts: bool = False) -> None:
    """Print the plan, or its `counts` alone; change nothing."""
    if mask.site is None:
        plan = planned([], 0, found=False)
        mask.output.say("No provider is configured: there is nothing to compare with.")
    else:
        plan = remote_plan(mask, manner)
        mask.warn_of_clock()
    if counts:
        mask.output.counts(plan.counts(), well=not plan.changes)
    else:
        _tell_each(mask, plan)
    if plan.changes and exit_code:
        raise typer.Exit(ExitCode.PENDING)


def _tell_each(mask: AppContext, plan: Plan) -> None:
    if plan.changes or not mask.output.quiet:
        mask.output.records(PLAN_FIELDS, (_record(mask, drift) for drift in plan.drifts))
    mask.output.say(", ".join(f"{count} {name}" for name, count in plan.counts().items()))


def mend(mask: AppContext, manner: Manner) -> None:
    """Tell what others did there, then make it right."""
    plan = remote_plan(mask, manner)
    target = mask.target()
    assert target is not None, "just read"  # noqa: S101
    _tell_others(mask, plan)
    correct_base(mask.store, target, plan, mask.now())
    push_pending(mask, plan.counts(), manner)


def _tell_others(mask: AppContext, plan: Plan) -> None:
    others = [drift for drift in plan.changes if drift.by_others]
    for drift in others[:_NAMED]:
        mask.output.warn(
            f"order {drift.order}: somebody else changed it at the provider ({drift.reason});"
            f" it is {'deleted' if drift.reason is Reason.ORPHAN else 'written anew'}"
        )
    if len(others) > _NAMED:
        mask.output.warn(f"{len(others) - _NAMED} more were changed there by somebody else")


def _record(mask: AppContext, drift: Drift) -> Record:
    """Return a drift's record; a foreign key may be anything, even a phone number."""
    record = drift_record(drift)
    if len(drift.order) != mask.settings["order_digits"] or not drift.order.isdigit():
        record["order"] = redacted_text(drift.order)
    return record
