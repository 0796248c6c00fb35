"""How Plivo's things are shown, planned and agreed to: shared by the commands on them.

Rented and offered numbers are the operator's own, not a person's: they are shown whole.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.errors import Declined, SafetyStop
from mask_cli.models import PhoneNumber
from mask_cli.output import on_terminal
from mask_cli.providers.base import Application, OfferedNumber, RentedNumber
from mask_cli.provision import AddToPool, apply, observe, plan_plivo
from mask_cli.redaction import redacted_text

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.consequences import Renting
    from mask_cli.providers.base import Rental
    from mask_cli.provision import Desired, Plan, Row
    from mask_cli.records import Record

APPLICATION_FIELDS = tuple(field.name for field in fields(Application))
OFFERED_FIELDS = tuple(field.name for field in fields(OfferedNumber))
RENTED_FIELDS = (*(field.name for field in fields(RentedNumber)), "application")

Yes = Annotated[
    bool, typer.Option("--yes", help="Agree to what it costs, or to what cannot be undone.")
]
MissingOk = Annotated[bool, typer.Option("--missing-ok", help="It is fine when it is not there.")]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Also from the application it leads to now.")
]


def whole(value: object) -> object:
    """Return a virtual number as its text, anything else as it is."""
    return value.e164 if isinstance(value, PhoneNumber) else value


def shown(thing: Application | OfferedNumber | RentedNumber) -> Record:
    """Return the record of something of Plivo's; an application without an id has null there."""
    record: Record = {field.name: whole(getattr(thing, field.name)) for field in fields(thing)}
    if isinstance(thing, Application):
        record["app_id"] = thing.app_id or None
    if isinstance(thing, RentedNumber):
        # Somebody's words, which may hold somebody's number.
        record["alias"] = thing.alias and redacted_text(thing.alias)
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
    return told(mask, plan)


def told(mask: AppContext, plan: Plan) -> Plan:
    """Tell a plan before it is carried out, what to beware of first."""
    for warning in plan.warnings:
        mask.output.warn(warning)
    for row in plan.rows():
        before = row.before or "none"
        mask.output.say(f"{row.action} {row.what}: {row.field}: {before} -> {row.after}")
    return plan


def carried_out(mask: AppContext, plan: Plan, *, dry_run: bool) -> Application:
    """Apply a plan unless it is empty or a dry run; return the application as it is then."""
    if plan.empty:
        mask.output.say("Everything is as wanted: nothing was changed.")
        return plan.expected()
    if dry_run:
        mask.output.say("Dry run: nothing was changed.")
        return plan.expected()
    pooled = [step.number.e164 for step in plan.steps if isinstance(step, AddToPool)]
    if pooled:
        # What comes into the pool is told as by `numbers add`; all else needs no database.
        mask.audit("plivo up", detail=", ".join(pooled))
    return apply(plan, mask.plivo, mask.pool if pooled else None).application


def served_record(
    desired: Desired, plan: Plan, application: Application, *, dry_run: bool
) -> Record:
    """Return what `up` answers: what stands, and the steps that led, or would lead, there."""
    return {
        "application": application.name,
        "app_id": application.app_id or None,
        "answer_url": application.answer_url,
        "hangup_url": application.hangup_url,
        "number": whole(desired.number),
        "steps": [step_record(row) for row in plan.rows()],
        "changed": not (plan.empty or dry_run),
    }


def rental_record(found: Renting, rental: Rental | None) -> Record:
    """Return what `rent` answers; without a rental nothing was rented now."""
    offered = found.offered
    monthly = offered.monthly_price if offered else found.rented and found.rented.monthly_price
    return {
        "number": found.number.e164,
        "app_id": found.rented.app_id if found.rented else found.app_id,
        "monthly_price": monthly,
        "setup_price": offered.setup_price if offered else None,
        "restriction": offered.restriction if offered else None,
        "pending": rental is not None and rental.pending,
        "changed": rental is not None and rental.changed,
    }


def settled(mask: AppContext, consequence: str, *, yes: bool, dry_run: bool) -> bool:
    """Tell whether to go on: not in a dry run, and only with --yes or a person's consent.

    Raises SafetyStop (4) when there is nobody to ask; who says no ends with 1.
    """
    said = consequence[0].upper() + consequence[1:]
    if dry_run:
        mask.output.say(f"{said}. Dry run: nothing was done.")
        return False
    if yes:
        mask.output.say(f"{said}.")
    elif not on_terminal():
        raise SafetyStop(f"{consequence}; nothing was done", hint="--yes goes on")
    elif not mask.output.agreed(f"{said}. Go on?"):
        raise Declined("nothing was done")
    return True
