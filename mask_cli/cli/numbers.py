"""`mask numbers`: the pool of virtual numbers that orders are given."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mask_cli.cli.boundary import Commands
from mask_cli.cli.options import DryRun
from mask_cli.errors import BadData, NotFound
from mask_cli.store.base import Selection
from mask_cli.times import format_time

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.models import PhoneNumber
    from mask_cli.store.base import VirtualNumber

POOL_FIELDS = ("number", "provider", "application", "state", "used", "added_at")

app = Commands(name="numbers", help="The pool of virtual numbers that orders are given.")

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="A rented number.")]


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List the pool, and how many mappings each number serves."""
    mask: AppContext = ctx.obj
    mask.output.records(POOL_FIELDS, [_record(entry) for entry in mask.store.pool.numbers()])


@app.command()
def add(
    ctx: typer.Context,
    number: Number,
    provider: Annotated[
        str | None, typer.Option(metavar="[plivo|voximplant]", help="Whom it is rented from.")
    ] = None,
    application: Annotated[
        str | None, typer.Option(metavar="ID", help="The application that answers it.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Put a rented number into the pool, or back into it."""
    mask: AppContext = ctx.obj
    if provider not in (None, "plivo", "voximplant"):
        raise BadData(f"there is no provider {provider!r}", hint="plivo or voximplant")
    _change(mask, mask.number(number), "numbers add", (provider, application), dry_run=dry_run)


@app.command()
def quarantine(ctx: typer.Context, number: Number, dry_run: DryRun = False) -> None:
    """Give the number to no further order; those that have it keep it."""
    mask: AppContext = ctx.obj
    _change(mask, _ours(mask, number), "numbers quarantine", None, dry_run=dry_run)


@app.command()
def plan(ctx: typer.Context) -> None:
    """Compute how many numbers today's mappings need, and which are idle."""
    from mask_cli.plan import number_plan

    mask: AppContext = ctx.obj
    now = mask.now()
    mappings = (mapping for mapping, _ in mask.store.listed(Selection(), None, now))
    entries = [e for e in mask.store.pool.numbers() if e.state == "active"]
    figures = number_plan(mappings, [entry.number for entry in entries], now)
    record = {**asdict(figures), "exact": figures.exact, "missing": figures.missing}
    record["idle"] = [number.e164 for number in figures.idle]
    mask.output.record(record)


def _ours(mask: AppContext, text: str) -> PhoneNumber:
    number = mask.number(text)
    if mask.store.pool.get(number) is None:
        raise NotFound(f"{number} is not in the pool", hint="mask numbers list")
    return number


def _change(
    mask: AppContext,
    number: PhoneNumber,
    action: str,
    place: tuple[str | None, str | None] | None,
    *,
    dry_run: bool,
) -> None:
    """Put a number into the pool (with `place`) or quarantine it; print it with `changed`."""
    with mask.store.writing(keep=not dry_run) as store:
        before = store.pool.get(number)
        if place is None:
            store.pool.set_state(number, "quarantined")
        else:
            store.pool.put(number, *place, mask.now())
        after = store.pool.get(number)
        assert after is not None, "just put there"  # noqa: S101 (an invariant)
        if before != after:
            mask.audit_inside(action, detail=number.e164)
    mask.output.record({**_record(after), "changed": before != after})
    if dry_run:
        mask.output.say("Dry run: nothing was changed.")


def _record(entry: VirtualNumber) -> dict[str, Any]:
    """Return a number's record; it is ours and public, so it is shown whole."""
    return {
        "number": entry.number.e164,
        "provider": entry.provider,
        "application": entry.application,
        "state": entry.state,
        "used": entry.used,
        "added_at": format_time(entry.added_at),
    }
