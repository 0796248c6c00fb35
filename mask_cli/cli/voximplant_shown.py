"""How Voximplant's things are shown, planned and agreed to: shared by the commands on them.

Rented and offered numbers are the operator's own, not a person's: they are shown whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mask_cli.cli.plivo_shown import step_record, whole
from mask_cli.errors import UsageError
from mask_cli.provision_voximplant import Desired, apply, observe, plan_voximplant, scenario_name
from mask_cli.redaction import redacted_text
from mask_cli.scenario.configured import scenario_settings
from mask_cli.scenario.render import digest
from mask_cli.voximplant_steps import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mask_cli.cli.context import AppContext
    from mask_cli.models import PhoneNumber
    from mask_cli.providers.voximplant_records import VoximplantNumber, VoximplantOffer
    from mask_cli.provision_voximplant import Plan
    from mask_cli.records import Record
    from mask_cli.scenario.render import ScenarioSettings

NUMBER_FIELDS = (
    *("number", "application", "application_id", "rule", "rule_id", "monthly_price"),
    *("next_renewal", "category", "test"),
)
OFFER_FIELDS = (
    *("number", "country", "category", "region", "monthly_price", "setup_price", "verification"),
)

Numbers = Annotated[
    list[str] | None,
    typer.Option("--number", metavar="NUMBER", help="A rented number; may be repeated."),
]
Operator = Annotated[
    str | None,
    typer.Option(metavar="NUMBER", help="Whom callers reach with # (setting operator)."),
]
ReportUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Where calls are reported (public_url + /voximplant/calls)."),
]
Application = Annotated[
    str | None,
    typer.Option("--app", metavar="NAME|ID", help="The application (setting)."),
]
Scenario = Annotated[
    str | None, typer.Option(metavar="NAME", help="The scenario's name (mask-APPLICATION).")
]
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite a scenario that somebody else changed.")
]


def spoken(
    mask: AppContext, numbers: Sequence[str] | None, operator: str | None, report_url: str | None
) -> ScenarioSettings:
    """Return what the scenario is to know, as flags and settings say."""
    return scenario_settings(
        mask.settings,
        [mask.number(number) for number in numbers or ()],
        operator=None if operator is None else mask.number(operator),
        report_url=report_url,
    )


def pooled_numbers(mask: AppContext) -> list[PhoneNumber]:
    """Return the numbers of the pool that are Voximplant's and still ours."""
    return [
        one.number
        for one in mask.store.pool.numbers()
        if one.provider == PROVIDER and one.state != "released"
    ]


def desired(
    mask: AppContext,
    name: str,
    settings: ScenarioSettings,
    scenario: str | None,
    *,
    everything: bool = True,
) -> Desired:
    """Return what shall stand, the report secret from the settings."""
    return Desired(
        name,
        settings,
        scenario or scenario_name(name),
        mask.settings["voximplant.report_secret"] if everything else None,
        everything,
    )


def planned(mask: AppContext, wanted: Desired, *, force: bool, take_over: bool = False) -> Plan:
    """Look at what stands, plan, and tell the plan."""
    pool = mask.pool if wanted.everything else None
    current = observe(mask.voximplant, wanted, pool)
    plan = plan_voximplant(wanted, current, force=force, take_over=take_over)
    for warning in plan.warnings:
        mask.output.warn(warning)
    for row in plan.rows():
        before = row.before or "none"
        mask.output.say(f"{row.action} {row.what}: {row.field}: {before} -> {row.after}")
    return plan


def carried_out(mask: AppContext, wanted: Desired, plan: Plan, *, dry_run: bool) -> Record:
    """Apply a plan unless it is empty or a dry run; return what stands, and the steps there."""
    if plan.empty:
        mask.output.say("Everything is as wanted: nothing was changed.")
    elif dry_run:
        mask.output.say("Dry run: nothing was changed.")
    else:
        mask.audit(
            "voximplant up" if wanted.everything else "scenario deploy", detail=wanted.scenario
        )
        apply(plan, mask.voximplant, mask.pool if wanted.everything else None)
    return {
        "application": wanted.application,
        "application_id": plan.place.application_id or None,
        "scenario": wanted.scenario,
        "scenario_id": plan.place.scenario_id or None,
        "sha256": digest(plan.text),
        "numbers": [whole(number) for number in plan.numbers],
        "steps": [step_record(row) for row in plan.rows()],
        "changed": not (plan.empty or dry_run),
    }


def number_record(number: VoximplantNumber) -> Record:
    """Return a rented number's record."""
    record = {name: whole(getattr(number, name)) for name in NUMBER_FIELDS}
    return {**record, "rule": number.rule and redacted_text(number.rule)}


def offer_record(offer: VoximplantOffer) -> Record:
    """Return the record of a number on offer."""
    values: dict[str, Any] = {
        "number": offer.number.e164,
        "country": offer.region.country,
        "category": offer.region.category,
        "region": offer.region.name,
        "monthly_price": offer.monthly_price,
        "setup_price": offer.setup_price,
        "verification": offer.region.verification,
    }
    return values


def application_id(mask: AppContext, name: str | None) -> str:
    """Return the id of an application, the configured one without a name."""
    chosen = name or mask.settings["voximplant.application"]
    if not chosen:
        raise UsageError("which application?", hint="--app, or MASK_VOXIMPLANT_APPLICATION")
    return mask.voximplant.account.resolve_application(chosen).application_id
