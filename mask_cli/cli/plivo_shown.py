"""How Plivo's things are shown, planned and agreed to: shared by the commands on them.

Rented and offered numbers are the operator's own, not a person's: they are shown whole.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import typer

from mask_cli.errors import SafetyStop
from mask_cli.models import PhoneNumber
from mask_cli.output import on_terminal
from mask_cli.providers.base import Application, OfferedNumber, RentedNumber
from mask_cli.provision import AddToPool, apply, observe, plan_plivo

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.provision import Desired, Plan, Row
    from mask_cli.records import Record

APPLICATION_FIELDS = tuple(field.name for field in fields(Application))
OFFERED_FIELDS = tuple(field.name for field in fields(OfferedNumber))
RENTED_FIELDS = (*(field.name for field in fields(RentedNumber)), "application")


def whole(value: object) -> object:
    """Return a virtual number as its text, anything else as it is."""
    return value.e164 if isinstance(value, PhoneNumber) else value


def shown(thing: Application | OfferedNumber | RentedNumber) -> Record:
    """Return the record of something of Plivo's; an application without an id has null there."""
    record: Record = {field.name: whole(getattr(thing, field.name)) for field in fields(thing)}
    if isinstance(thing, Application):
        record["app_id"] = thing.app_id or None
    return record


def step_record(row: Row) -> Record:
    """Return the record of one line of a plan."""
    return {
        "action": row.action,
        "what": whole(row.what),
        "field": row.field,
        "before": row.before,
        "after": row.after,
    }


def planned(
    mask: AppContext, desired: Desired, *, update: bool = True, take_over: bool = False
) -> Plan:
    """Look at what stands, plan, and tell the plan."""
    pool = None if desired.number is None else mask.pool
    plan = plan_plivo(
        desired, observe(mask.plivo, desired, pool), update=update, take_over=take_over
    )
    for warning in plan.warnings:
        mask.output.warn(warning)
    for row in plan.rows():
        what, before = whole(row.what), row.before or "none"
        mask.output.say(f"{row.action} {what}: {row.field}: {before} -> {row.after}")
    return plan


def carried_out(mask: AppContext, plan: Plan, *, dry_run: bool) -> Application:
    """Apply a plan unless it is empty or a dry run; return the application as it is then."""
    if plan.empty:
        mask.output.say("Everything is as wanted: nothing was changed.")
        return plan.expected()
    if dry_run:
        mask.output.say("Dry run: nothing was changed.")
        return plan.expected()
    pooled = any(isinstance(step, AddToPool) for step in plan.steps)
    return apply(plan, mask.plivo, mask.pool if pooled else None).application


def agreed(consequence: str, *, yes: bool) -> None:
    """Go on when it was agreed to: by --yes, or by the person at the terminal.

    Raises SafetyStop (4) when there is nobody to ask; who says no ends with 1.
    """
    if yes:
        return
    if not on_terminal():
        raise SafetyStop(f"{consequence}; nothing was done", hint="--yes goes on")
    typer.confirm(f"{consequence}. Go on?", abort=True, err=True)
