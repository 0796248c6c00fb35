"""How Voximplant's things are shown and planned: shared by the commands on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mask_cli.cli.provisioning import goes_on, steps, tell, whole
from mask_cli.errors import UsageError
from mask_cli.provision_voximplant import Desired, apply, observe, plan_voximplant, scenario_name
from mask_cli.redaction import redacted_text
from mask_cli.scenario.configured import scenario_settings
from mask_cli.scenario.render import digest
from mask_cli.voximplant_steps import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mask_cli.cli.context import AppContext
    from mask_cli.models import PhoneNumber
    from mask_cli.providers.base import RemoteApplication
    from mask_cli.providers.voximplant_records import VoximplantNumber, VoximplantOffer
    from mask_cli.records import Record
    from mask_cli.scenario.render import ScenarioSettings

NUMBER_FIELDS = (
    *("number", "application", "application_id", "rule", "rule_id", "monthly_price"),
    *("next_renewal", "category", "test"),
)
OFFER_FIELDS = (
    *("number", "country", "category", "region", "monthly_price", "setup_price", "verification"),
    "state",
)

Numbers = Annotated[
    list[str] | None,
    typer.Option("--number", metavar="NUMBER", help="A rented number; may be repeated."),
]
Operator = Annotated[
    str | None,
    typer.Option(metavar="NUMBER|none", help="Whom callers reach with # (setting operator)."),
]
ReportUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL|none", help="Where calls are reported (public_url + /voximplant/calls)."
    ),
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


_NONE = "none"
"""The word that takes an operator or a report URL away."""


def spoken(
    mask: AppContext, numbers: Sequence[str] | None, operator: str | None, report_url: str | None
) -> ScenarioSettings:
    """Return what the scenario is to know, as flags and settings say."""
    found = scenario_settings(
        mask.settings,
        [mask.number(number) for number in numbers or ()],
        operator=None if operator in (None, _NONE) else mask.number(operator),
        report_url=None if report_url == _NONE else report_url,
    )
    return replace(
        found,
        operator=None if operator == _NONE else found.operator,
        report_url=None if report_url == _NONE else found.report_url,
    )


def unsaid(settings: ScenarioSettings, **flags: str | None) -> frozenset[str]:
    """Return which of these settings neither a flag nor a setting names: what is live stays."""
    return frozenset(
        name for name, flag in flags.items() if flag != _NONE and not getattr(settings, name)
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
    keeps: frozenset[str],
    everything: bool = True,
) -> Desired:
    """Return what shall stand, the report secret from the settings."""
    return Desired(
        name,
        settings,
        scenario_name(name) if scenario is None else scenario,
        mask.settings["voximplant.report_secret"] if everything else None,
        everything,
        keeps,
    )


def brought_about(
    mask: AppContext, wanted: Desired, *, force: bool, take_over: bool = False, dry_run: bool
) -> Record:
    """Look at what stands, tell the plan, apply it; return what stands, and the steps there."""
    pool = mask.pool if wanted.everything else None
    current = observe(mask.voximplant, wanted, pool)
    plan = plan_voximplant(wanted, current, force=force, take_over=take_over)
    tell(mask, plan)
    _tell_kept(mask, plan.kept)
    changed = goes_on(mask, plan, dry_run=dry_run)
    if changed:
        action = "voximplant up" if wanted.everything else "scenario deploy"
        mask.audit(action, detail=wanted.scenario)
        apply(plan, mask.voximplant, pool)
    return {
        "application": wanted.application,
        "application_id": plan.place.application_id or None,
        "scenario": wanted.scenario,
        "scenario_id": plan.place.scenario_id or None,
        "sha256": digest(plan.text),
        "numbers": [whole(number) for number in plan.numbers],
        "kept": sorted(plan.kept),
        "steps": steps(plan),
        "changed": changed,
    }


def _tell_kept(mask: AppContext, kept: Mapping[str, object]) -> None:
    for name, value in kept.items():
        flag = f"--{name.replace('_', '-')} none"
        mask.output.say(f"{name}: {value} is kept as it is deployed; {flag} takes it away")


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
        "state": offer.region.state,
    }
    return values


def application_id(mask: AppContext, name: str | None) -> str:
    """Return the id of an application, the configured one without a name."""
    return chosen_application(mask, name).application_id


def chosen_application(mask: AppContext, name: str | None) -> RemoteApplication:
    """Return an application by name or id, the configured one without a name."""
    chosen = mask.settings["voximplant.application"] if name is None else name
    if not chosen:
        raise UsageError("which application?", hint="--app, or MASK_VOXIMPLANT_APPLICATION")
    return mask.voximplant.account.resolve_application(chosen)
