"""`mask voximplant number`: the numbers of a Voximplant account, rented and on offer.

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
from mask_cli.cli.provisioning import searched_country, settled
from mask_cli.cli.voximplant_shown import (
    NUMBER_FIELDS,
    OFFER_FIELDS,
    Application,
    application_id,
    number_record,
    offer_record,
)
from mask_cli.errors import Conflict, NotFound
from mask_cli.provision_voximplant import offer_of, rule_named

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext

app = Commands(name="number", add_completion=False, help="Rented numbers, and those on offer.")

Category = Annotated[
    str | None, typer.Option(metavar="NAME", help="As in GEOGRAPHIC, TOLLFREE, MOBILE.")
]

State = Annotated[
    str | None, typer.Option(metavar="STATE", help="Where there are states: CA, WA (all of them).")
]


@app.command()
def search(
    ctx: typer.Context,
    country: SearchedCountry = None,
    category: Category = None,
    state: State = None,
    limit: OffersLimit = 20,
) -> None:
    """List numbers that can be rented, with their prices."""
    mask: AppContext = ctx.obj
    where = searched_country(mask, country)
    regions = mask.voximplant.regions(where, category, state and state.upper())
    offers = (offer for region in regions for offer in mask.voximplant.offers(region))
    mask.output.records(OFFER_FIELDS, map(offer_record, islice(offers, limit)))


@app.command()
def rent(
    ctx: typer.Context,
    number: Number,
    country: Country = None,
    category: Category = None,
    state: State = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Rent NUMBER, which costs money every month; one that is rented already costs nothing."""
    mask: AppContext = ctx.obj
    ours = mask.number(number)
    if mask.voximplant.find_number(ours) is not None:
        mask.output.say("It is rented already: nothing was changed.")
        mask.output.record({**dict.fromkeys(OFFER_FIELDS), "number": ours.e164, "changed": False})
        return
    offer = offer_of(mask.voximplant, ours, country, category, state and state.upper())
    what = f"renting {ours} costs {offer.price}"
    audit = ("voximplant number rent", f"{ours.e164}, {offer.price}")
    changed = settled(mask, what, yes=yes, dry_run=dry_run, audit=audit)
    if changed:
        changed = mask.voximplant.rent(offer)
    mask.output.record({**offer_record(offer), "changed": changed})


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List the rented numbers and what their calls go to."""
    mask: AppContext = ctx.obj
    mask.output.records(NUMBER_FIELDS, map(number_record, mask.voximplant.numbers()))


@app.command()
def assign(
    ctx: typer.Context,
    number: Number,
    application: Application = None,
    rule: Annotated[
        str | None, typer.Option(metavar="NAME|ID", help="Which rule (the one for this number).")
    ] = None,
    take_over: TakeOver = False,
    dry_run: DryRun = False,
) -> None:
    """Let calls to a rented NUMBER go to a rule of an application."""
    mask: AppContext = ctx.obj
    where, before = application_id(mask, application), mask.voximplant.number(mask.number(number))
    if before.application_id not in (None, where) and not take_over:
        raise Conflict(
            f"calls to {before.number} go to {before.application}", hint="--take-over moves them"
        )
    rules = mask.voximplant.rules(where)
    own = next((one.rule_id for one in rules if one.pattern == before.number.digits), "")
    goal = rule_named(rules, (own or "for this number") if rule is None else rule)
    changed = before.rule_id != goal.rule_id and not dry_run
    if changed:
        mask.voximplant.assign(before, where, goal.rule_id)
    after = mask.voximplant.number(before.number) if changed else before
    mask.output.record({**number_record(after), "changed": changed})


@app.command()
def unassign(ctx: typer.Context, number: Number, dry_run: DryRun = False) -> None:
    """Let calls to a rented NUMBER go nowhere; it stays rented."""
    mask: AppContext = ctx.obj
    before = mask.voximplant.number(mask.number(number))
    changed = not dry_run and mask.voximplant.unassign(before)
    after = mask.voximplant.number(before.number) if changed else before
    mask.output.record({**number_record(after), "changed": changed})


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
    found = mask.voximplant.find_number(ours)
    if found is None and not missing_ok:
        raise NotFound(f"the number {ours} is not rented here", hint="mask voximplant number list")
    bound = mask.pool.bound(ours)
    what = f"giving {ours} back cannot be undone; {bound} mappings are bound to it"
    audit = ("voximplant number unrent", ours.e164)
    changed = found is not None and settled(mask, what, yes=yes, dry_run=dry_run, audit=audit)
    if found is not None and changed:
        mask.voximplant.unrent(found)
        mask.pool.let_go(ours, "voximplant")
    # What is not ours may be a person's.
    number_shown = ours.e164 if found is not None else ours
    mask.output.record({"number": number_shown, "bound": bound, "changed": changed})
