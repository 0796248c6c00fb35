"""`mask voximplant scenario`: the call scenario, rendered, checked and deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.cli.boundary import Commands
from mask_cli.cli.options import DryRun
from mask_cli.cli.voximplant_played import read_script
from mask_cli.cli.voximplant_shown import (
    Application,
    Force,
    Numbers,
    Operator,
    ReportUrl,
    Scenario,
    brought_about,
    chosen_application,
    desired,
    pooled_numbers,
    spoken,
    unsaid,
)
from mask_cli.errors import PartlyDone
from mask_cli.scenario.render import render as rendered

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext

_ANY = "+14155550100"
"""Each check puts its own numbers in; a text only needs to have one."""
CHECK_FIELDS = ("name", "rows", "passed", "detail")

app = Commands(
    name="scenario", add_completion=False, help="The script that answers Voximplant's calls."
)


@app.command()
def render(
    ctx: typer.Context,
    number: Numbers = None,
    operator: Operator = None,
    report_url: ReportUrl = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write it there; - is stdout."),
    ] = None,
) -> None:
    """Print the scenario, filled in; it serves the numbers of the pool, or those given.

    It holds these numbers and the operator's whole; that is audited.
    """
    mask: AppContext = ctx.obj
    text = _own_text(mask, number, operator, report_url)
    mask.audit("scenario render")
    if output is None or output == "-":
        mask.output.text(text)
        return
    from mask_cli.transfer import private_file

    with private_file(mask.outside_store(output)) as write:
        write(text)


@app.command()
def check(
    ctx: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE|-]", help="A rendered scenario; without one, ours as set."),
    ] = None,
) -> None:
    """Check a scenario: size, syntax, types where tsc is at hand, and its behaviour in calls."""
    from mask_cli.sandbox.scenario_check import check as checked

    mask: AppContext = ctx.obj
    text = read_script(file) if file else rendered(spoken(mask, [_ANY], None, None))
    results = checked(text)
    mask.output.records(CHECK_FIELDS, (result.to_dict() for result in results))
    failed = sum(result.passed is False for result in results)
    if failed:
        raise PartlyDone(f"{failed} of {len(results)} checks failed")


@app.command()
def deploy(
    ctx: typer.Context,
    number: Numbers = None,
    operator: Operator = None,
    report_url: ReportUrl = None,
    application: Application = None,
    scenario: Scenario = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Upload the scenario if it differs, and bind it where a number's rule lacks it."""
    mask: AppContext = ctx.obj
    found = chosen_application(mask, application).name
    settings = spoken(mask, number, operator, report_url)
    keeps = unsaid(settings, operator=operator, report_url=report_url)
    wanted = desired(mask, found, settings, scenario, keeps=keeps, everything=False)
    mask.output.record(brought_about(mask, wanted, force=force, dry_run=dry_run))


def _own_text(
    mask: AppContext, numbers: list[str] | None, operator: str | None, report_url: str | None
) -> str:
    pooled = [number.e164 for number in pooled_numbers(mask)]
    return rendered(spoken(mask, numbers or pooled, operator, report_url))
