"""How Plivo's things are shown and planned: shared by the commands on them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from mask_cli.cli.provisioning import goes_on, steps, tell, whole
from mask_cli.providers.base import Application, OfferedNumber, RentedNumber
from mask_cli.provision import AddToPool, apply, observe, plan_plivo
from mask_cli.redaction import redacted_text

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.consequences import Renting
    from mask_cli.providers.base import Rental
    from mask_cli.provision import Desired, Plan
    from mask_cli.records import Record

APPLICATION_FIELDS = tuple(field.name for field in fields(Application))
OFFERED_FIELDS = tuple(field.name for field in fields(OfferedNumber))
RENTED_FIELDS = (*(field.name for field in fields(RentedNumber)), "application")


def shown(thing: Application | OfferedNumber | RentedNumber) -> Record:
    """Return the record of something of Plivo's; an application without an id has null there."""
    record: Record = {field.name: whole(getattr(thing, field.name)) for field in fields(thing)}
    if isinstance(thing, Application):
        record["app_id"] = thing.app_id or None
    if isinstance(thing, RentedNumber):
        # Somebody's words, which may hold somebody's number.
        record["alias"] = thing.alias and redacted_text(thing.alias)
    return record


def planned(
    mask: AppContext, desired: Desired, *, update: bool = True, take_over: bool = False
) -> Plan:
    """Look at what stands, plan, and tell the plan."""
    pool = None if desired.number is None else mask.pool
    plan = plan_plivo(
        desired, observe(mask.plivo, desired, pool), update=update, take_over=take_over
    )
    tell(mask, plan)
    return plan


def carried_out(
    mask: AppContext, plan: Plan, *, dry_run: bool, audited: str | None = None
) -> Application:
    """Apply a plan unless it is empty or a dry run; return the application as it is then.

    With `audited`, the action's name, a row in the audit names the application and what comes
    into the pool; single steps at the provider leave none and need no database.
    """
    if not goes_on(mask, plan, dry_run=dry_run):
        return plan.expected()
    pooled = [step.number.e164 for step in plan.steps if isinstance(step, AddToPool)]
    if audited is not None:
        mask.audit(audited, detail=", ".join((plan.expected().name, *pooled)))
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
        "steps": steps(plan),
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
