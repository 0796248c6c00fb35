"""`mask voximplant up`, and its single steps on applications and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.cli.boundary import Commands
from mask_cli.cli.options import DryRun, MissingOk, TakeOver, Yes
from mask_cli.cli.provisioning import settled
from mask_cli.cli.voximplant_shown import (
    Application,
    Force,
    Numbers,
    Operator,
    ReportUrl,
    Scenario,
    application_id,
    brought_about,
    desired,
    spoken,
    unsaid,
)
from mask_cli.errors import NotFound, UsageError
from mask_cli.provision_voximplant import checked_application, rule_name, rule_named, scenario_name
from mask_cli.redaction import redacted_text

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.providers.voximplant_records import RemoteRule, RemoteScenario
    from mask_cli.records import Record

APPLICATION_FIELDS = ("application_id", "name")
RULE_FIELDS = ("rule_id", "name", "pattern", "scenarios")

application = Commands(name="app", add_completion=False, help="The applications of the account.")
rule = Commands(name="rule", add_completion=False, help="Which scenario the calls to a number run.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Lower case letters, digits and -.")]
Which = Annotated[str, typer.Argument(metavar="NAME|ID", help="Which one.")]


def up(
    ctx: typer.Context,
    name: Annotated[str, typer.Option("--app", metavar="NAME|ID", help="The application.")],
    number: Numbers = None,
    operator: Operator = None,
    report_url: ReportUrl = None,
    scenario: Scenario = None,
    force: Force = False,
    take_over: TakeOver = False,
    dry_run: DryRun = False,
) -> None:
    """Bring application, secret, scenario, rule, number and pool to where calls are answered."""
    mask: AppContext = ctx.obj
    if not number:
        raise UsageError("which number?", hint="--number; mask voximplant number list shows them")
    if name.isdigit():
        name = mask.voximplant.account.resolve_application(name).name
    settings = spoken(mask, number, operator, report_url)
    keeps = unsaid(settings, operator=operator, report_url=report_url)
    wanted = desired(mask, name, settings, scenario, keeps=keeps)
    record = brought_about(mask, wanted, force=force, take_over=take_over, dry_run=dry_run)
    mask.output.record(record)


@application.command()
def create(ctx: typer.Context, name: Name, dry_run: DryRun = False) -> None:
    """Create an application; one that exists stays as it is."""
    mask: AppContext = ctx.obj
    found = mask.voximplant.find_application(name)
    changed = found is None and not dry_run
    if changed:
        found = mask.voximplant.account.add_application(checked_application(name))
    number = found.application_id if found else None
    shown = found.name if found else checked_application(name)
    mask.output.record({"application_id": number, "name": shown, "changed": changed})


@application.command("list")
def list_applications(ctx: typer.Context) -> None:
    """List the applications."""
    mask: AppContext = ctx.obj
    found = mask.voximplant.account.applications()
    records = ({"application_id": one.application_id, "name": one.name} for one in found)
    mask.output.records(APPLICATION_FIELDS, records)


@application.command()
def delete(
    ctx: typer.Context,
    which: Which,
    missing_ok: MissingOk = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Delete an application with its rules, scenarios, mappings and secrets for good."""
    mask: AppContext = ctx.obj
    found = mask.voximplant.find_application(which)
    if found is None and not missing_ok:
        raise NotFound("there is no such application", hint="mask voximplant app list")
    if found is None:
        mask.output.record({"application_id": None, "name": None, "changed": False})
        return
    what = f"deleting the application {found.name!r} with all that is in it cannot be undone"
    audit = ("voximplant app delete", f"{found.name} ({found.application_id})")
    changed = settled(mask, what, yes=yes, dry_run=dry_run, audit=audit)
    if changed:
        mask.voximplant.delete_application(found.application_id)
    record = {"application_id": found.application_id, "name": found.name}
    mask.output.record({**record, "changed": changed})


@rule.command("list")
def list_rules(ctx: typer.Context, application: Application = None) -> None:
    """List the rules of an application in their order, with their scenarios."""
    mask: AppContext = ctx.obj
    rules = mask.voximplant.rules(application_id(mask, application))
    mask.output.records(RULE_FIELDS, map(_record, rules))


@rule.command("create")
def create_rule(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Whose calls it takes.")],
    application: Application = None,
    scenario: Scenario = None,
    dry_run: DryRun = False,
) -> None:
    """Create the rule for NUMBER, running the scenario; one that exists stays as it is."""
    mask: AppContext = ctx.obj
    where, ours = application_id(mask, application), mask.voximplant.number(mask.number(number))
    rules = mask.voximplant.rules(where)
    found = next((one for one in rules if one.pattern == ours.number.digits), None)
    if found is not None:
        mask.output.record({**_record(found), "changed": False})
        return
    runs, name = _scenario(mask, where, scenario), rule_name(ours.number, {r.name for r in rules})
    mask.output.say(f"create_rule {name}: pattern: none -> {ours.number}")
    if dry_run:
        mask.output.say("Dry run: nothing was changed.")
        planned = (None, name, ours.number.digits, [runs.name])
        record: Record = dict(zip(RULE_FIELDS, planned, strict=True))
    else:
        made = mask.voximplant.add_rule(where, name, ours.number.digits, runs.scenario_id)
        record = _record(rule_named(mask.voximplant.rules(where), made))
    mask.output.record({**record, "changed": not dry_run})


@rule.command("delete")
def delete_rule(
    ctx: typer.Context,
    which: Which,
    application: Application = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Delete a rule; calls to its number run no scenario then."""
    mask: AppContext = ctx.obj
    where = application_id(mask, application)
    found = rule_named(mask.voximplant.rules(where), which)
    led = [one.number for one in mask.voximplant.numbers(where) if one.rule_id == found.rule_id]
    stops = f"; calls to {', '.join(map(str, led))} run no scenario then" if led else ""
    what = f"deleting the rule {redacted_text(found.name)!r} cannot be undone{stops}"
    audit = ("voximplant rule delete", f"{found.name} ({found.rule_id})")
    changed = settled(mask, what, yes=yes, dry_run=dry_run, audit=audit)
    if changed:
        mask.voximplant.delete_rule(found.rule_id)
    mask.output.record({**_record(found), "changed": changed})


def _scenario(mask: AppContext, where: str, name: str | None) -> RemoteScenario:
    own = mask.voximplant.account.resolve_application(where).name
    found = mask.voximplant.find_scenario(scenario_name(own) if name is None else name, where)
    if found is None:
        raise NotFound("there is no such scenario", hint="mask voximplant scenario deploy")
    return found


def _record(found: RemoteRule) -> Record:
    """Return a rule's record; its pattern is a virtual number, the operator's own."""
    return {
        "rule_id": found.rule_id,
        "name": redacted_text(found.name),
        "pattern": found.pattern,
        "scenarios": [name for _, name in found.scenarios],
    }
