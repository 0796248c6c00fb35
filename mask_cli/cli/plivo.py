"""`mask plivo`: applications, and the whole in one plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.cli.boundary import Commands
from mask_cli.cli.options import DryRun
from mask_cli.cli.plivo_shown import (
    APPLICATION_FIELDS,
    agreed,
    carried_out,
    planned,
    shown,
    step_record,
)
from mask_cli.errors import UsageError
from mask_cli.provision import Desired, WantedApplication, application_named, wanted_for_serving

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext

app = Commands(
    name="plivo",
    places={"app": "plivo:application", "number": "plivo_numbers:app", "up": "plivo:up"},
    help="Set up a Plivo account: applications, numbers, or everything in one plan.",
)
application = Commands(name="app", help="What Plivo requests when one of its numbers is called.")

Which = Annotated[str, typer.Argument(metavar="NAME|ID", help="The application.")]


def _method(flag: str, of: str) -> typer.models.OptionInfo:
    """Return an option for the HTTP method of an address."""
    return typer.Option(flag, metavar="GET|POST", help=f"How {of} is requested.")


@application.command()
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: letters, digits, - _.")],
    answer_url: Annotated[
        str, typer.Option(metavar="URL", help="Asked what to do with a call.")
    ],
    answer_method: Annotated[str | None, _method("--answer-method", "it")] = None,
    hangup_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Told when a call has ended.")
    ] = None,
    hangup_method: Annotated[str | None, _method("--hangup-method", "it")] = None,
    fallback_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Asked when the answer URL fails.")
    ] = None,
    fallback_method: Annotated[str | None, _method("--fallback-method", "it")] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Change one that exists with other values.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Create an application; one that is as wanted already stays as it is."""
    mask: AppContext = ctx.obj
    addresses = (answer_url, answer_method, hangup_url, hangup_method)
    wanted = WantedApplication(name, *addresses, fallback_url, fallback_method)
    plan = planned(mask, Desired(wanted), update=update)
    if hangup_url is None:
        mask.output.say("Without --hangup-url Plivo tells the answer URL of hangups, too.")
    after = carried_out(mask, plan, dry_run=dry_run)
    mask.output.record({**shown(after), "changed": not (plan.empty or dry_run)})


@application.command("list")
def list_(ctx: typer.Context) -> None:
    """List the applications."""
    mask: AppContext = ctx.obj
    mask.output.records(APPLICATION_FIELDS, map(shown, mask.plivo.applications()))


@application.command()
def show(ctx: typer.Context, which: Which) -> None:
    """Show one application."""
    mask: AppContext = ctx.obj
    mask.output.record(shown(application_named(mask.plivo, which)))


@application.command()
def delete(
    ctx: typer.Context,
    which: Which,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="It is fine when it is not there.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Unassign an application's numbers, then delete it; that cannot be undone."""
