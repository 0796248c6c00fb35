"""`mask plivo`: applications, and the whole in one plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mask_cli.cli.boundary import Commands
from mask_cli.cli.options import DryRun, MissingOk, TakeOver, Yes
from mask_cli.cli.plivo_shown import (
    APPLICATION_FIELDS,
    carried_out,
    planned,
    served_record,
    shown,
)
from mask_cli.cli.provisioning import settled
from mask_cli.consequences import deletion
from mask_cli.errors import UsageError
from mask_cli.provision import Desired, WantedApplication, application_named, wanted_for_serving

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext

app = Commands(
    name="plivo",
    add_completion=False,
    places={"app": "plivo:application", "number": "plivo_numbers:app", "up": "plivo:up"},
)
application = Commands(
    name="app", add_completion=False, help="What Plivo requests when one of its numbers is called."
)

Which = Annotated[str, typer.Argument(metavar="NAME|ID", help="The application.")]


@app.callback()
def plivo() -> None:
    """Set up a Plivo account: applications, numbers, or everything in one plan."""


def _method(flag: str, of: str) -> Any:  # noqa: ANN401 (what typer.Option returns)
    """Return an option for the HTTP method of an address."""
    return typer.Option(flag, metavar="GET|POST", help=f"How {of} is requested.")


@application.command()
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: letters, digits, - _.")],
    answer_url: Annotated[str, typer.Option(metavar="URL", help="Asked what to do with a call.")],
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
    after = carried_out(mask, plan, dry_run=dry_run)
    if after.hangup_url == after.answer_url:
        mask.output.say("Plivo tells hangups to the answer URL, too: --hangup-url sets another.")
    mask.output.record({**shown(after), "changed": not (plan.empty or dry_run)})


@application.command("list")
def list_(ctx: typer.Context) -> None:
    """List the applications."""
    mask: AppContext = ctx.obj
    # All pages before the first line: a list that breaks off prints nothing.
    mask.output.records(APPLICATION_FIELDS, list(map(shown, mask.plivo.applications())))


@application.command()
def show(ctx: typer.Context, which: Which) -> None:
    """Show one application."""
    mask: AppContext = ctx.obj
    mask.output.record(shown(application_named(mask.plivo, which)))


@application.command()
def delete(
    ctx: typer.Context,
    which: Which,
    missing_ok: MissingOk = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Unassign an application's numbers, then delete it; that cannot be undone."""
    mask: AppContext = ctx.obj
    found = deletion(mask.plivo, which, missing_ok=missing_ok)
    gone = found.application
    if gone is not None:
        audit = ("plivo app delete", f"{gone.name} ({gone.app_id})")
        if settled(mask, str(found), yes=yes, dry_run=dry_run, audit=audit):
            mask.plivo.delete_application(gone.app_id)
    mask.output.record(
        {
            "app_id": gone and gone.app_id,
            "name": gone and gone.name,
            "unassigned": [number.e164 for number in found.numbers],
            "changed": gone is not None and not dry_run,
        }
    )


def up(
    ctx: typer.Context,
    name: Annotated[str, typer.Option("--app", metavar="NAME", help="The application's name.")],
    public_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where Plivo reaches mask serve (setting public_url)."),
    ] = None,
    number: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="A rented number that leads there.")
    ] = None,
    answer_method: Annotated[str, _method("--answer-method", "the answer URL")] = "POST",
    take_over: TakeOver = False,
    dry_run: DryRun = False,
) -> None:
    """Bring application, number and pool to where mask serve answers; twice changes nothing."""
    mask: AppContext = ctx.obj
    address = mask.settings["public_url"] if public_url is None else public_url
    if address is None:
        raise UsageError("where is mask serve reached?", hint="--public-url, or MASK_PUBLIC_URL")
    led = None if number is None else mask.number(number)
    desired = Desired(wanted_for_serving(name, address, answer_method), led)
    plan = planned(mask, desired, take_over=take_over)
    after = carried_out(mask, plan, dry_run=dry_run, audited="plivo up")
    mask.output.record(served_record(desired, plan, after, dry_run=dry_run))
