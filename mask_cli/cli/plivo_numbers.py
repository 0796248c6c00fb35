"""`mask plivo number`: the numbers of a Plivo account, rented and on offer.

They are the operator's own, so they are shown whole.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.cli.boundary import Commands
from mask_cli.cli.options import (
    Country,
    DryRun,
    MissingOk,
    Number,
    OffersLimit,
    SearchedCountry,
    TakeOver,
    Yes,
)
from mask_cli.cli.plivo_shown import (
    OFFERED_FIELDS,
    RENTED_FIELDS,
    carried_out,
    rental_record,
    shown,
)
from mask_cli.cli.provisioning import searched_country, settled, tell
from mask_cli.consequences import Return, named_numbers, rented_number, renting
from mask_cli.errors import BadData
from mask_cli.provision import PROVIDER, application_named, assignment
from mask_cli.redaction import redacted_value

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext

_TYPES = ("local", "tollfree", "mobile", "national", "fixed")

app = Commands(name="number", add_completion=False, help="Rented numbers, and those on offer.")


@app.command()
def search(
    ctx: typer.Context,
    country: SearchedCountry = None,
    type_: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help=f"{', '.join(_TYPES[:-1])} or {_TYPES[-1]}."),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(metavar="DIGITS", help="How it begins after the country code.")
    ] = None,
    region: Annotated[str | None, typer.Option(metavar="NAME", help="As in California.")] = None,
    city: Annotated[str | None, typer.Option(metavar="NAME", help="Local numbers only.")] = None,
    limit: OffersLimit = 20,
) -> None:
    """List numbers that can be rented, with their prices."""
    mask: AppContext = ctx.obj
    where = searched_country(mask, country)
    if type_ not in (None, *_TYPES):
        raise BadData(
            f"{redacted_value(type_)} is not a type of number", hint=f"one of {', '.join(_TYPES)}"
        )
    given = {"type": type_, "pattern": pattern, "region": region, "city": city}
    filters = {name: value for name, value in given.items() if value is not None}
    offers = mask.plivo.offered_numbers(where, services="voice", **filters)
    mask.output.records(OFFERED_FIELDS, list(map(shown, islice(offers, limit))))


@app.command()
def rent(
    ctx: typer.Context,
    number: Number,
    application: Annotated[
        str | None, typer.Option("--app", metavar="NAME|ID", help="Where its calls go at once.")
    ] = None,
    country: Country = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Rent NUMBER, which costs money every month; one that is rented already costs nothing."""
    mask: AppContext = ctx.obj
    wanted = None if application is None else application_named(mask.plivo, application).app_id
    found = renting(mask.plivo, mask.number(number), wanted, country)
    rental = None
    audit = ("plivo number rent", f"{found.number.e164}, {found.price}")
    if found.offered is None:
        mask.output.say("It is rented already: nothing was changed.")
    elif settled(mask, str(found), yes=yes, dry_run=dry_run, audit=audit):
        rental = mask.plivo.rent(found.number, found.app_id)
        if rental.pending:
            mask.output.warn("the number waits for a verification and takes no calls yet")
    mask.output.record(rental_record(found, rental))


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List the rented numbers and the applications they lead to."""
    mask: AppContext = ctx.obj
    pairs = named_numbers(mask.plivo)
    records = [{**shown(rented), "application": name} for rented, name in pairs]
    mask.output.records(RENTED_FIELDS, records)


@app.command()
def assign(
    ctx: typer.Context,
    number: Number,
    application: Annotated[
        str, typer.Option("--app", metavar="NAME|ID", help="Where its calls go from now on.")
    ],
    take_over: TakeOver = False,
    dry_run: DryRun = False,
) -> None:
    """Let calls to a rented NUMBER go to an application."""
    mask: AppContext = ctx.obj
    ours, wanted = mask.number(number), application_named(mask.plivo, application)
    plan = assignment(mask.plivo, ours, wanted, take_over=take_over)
    tell(mask, plan)
    after = carried_out(mask, plan, dry_run=dry_run)
    record = {"number": ours.e164, "app_id": after.app_id, "application": after.name}
    mask.output.record({**record, "changed": not (plan.empty or dry_run)})


@app.command()
def unassign(ctx: typer.Context, number: Number, dry_run: DryRun = False) -> None:
    """Let calls to a rented NUMBER go nowhere; it stays rented."""
    mask: AppContext = ctx.obj
    before = mask.plivo.number(mask.number(number))
    changed = before.app_id is not None and not dry_run
    if changed:
        mask.plivo.unassign(before.number)
    else:
        mask.output.say("Nothing was changed.")
    app_id = None if changed else before.app_id
    mask.output.record({"number": before.number.e164, "app_id": app_id, "changed": changed})


@app.command()
def unrent(
    ctx: typer.Context,
    number: Number,
    missing_ok: MissingOk = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Give a rented NUMBER back; that cannot be undone, somebody else may get it."""
    mask: AppContext = ctx.obj
    ours = mask.number(number)
    rented = rented_number(mask.plivo, ours, missing_ok=missing_ok)
    found = Return(ours, rented, mask.pool.bound(ours))
    audit = ("plivo number unrent", ours.e164)
    if rented is not None and settled(mask, str(found), yes=yes, dry_run=dry_run, audit=audit):
        mask.plivo.unrent(ours)
    if not dry_run:
        # Also of one that went before: nobody must be given it.
        mask.pool.let_go(ours, PROVIDER)
    changed = rented is not None and not dry_run
    # What is not ours may be a person's.
    number_shown = ours.e164 if rented is not None else ours
    mask.output.record({"number": number_shown, "bound": found.bound, "changed": changed})
