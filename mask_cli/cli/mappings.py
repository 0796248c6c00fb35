"""The commands on mappings: add, list, show, reassign, expire, extend, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.cli.options import (
    DryRun,
    Limit,
    MissingOk,
    NoPush,
    OrderId,
    OrderIds,
    duration,
    moment,
)
from mask_cli.errors import NotFound, UsageError
from mask_cli.models import State
from mask_cli.orders import NewMapping, stored
from mask_cli.records import MAPPING_FIELDS
from mask_cli.store.base import Selection

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.models import PhoneNumber


def add(
    ctx: typer.Context,
    *,
    order: Annotated[
        str | None,
        typer.Argument(metavar="[ORDER]", help="Order number; without it a random free one."),
    ] = None,
    courier: Annotated[str, typer.Option(metavar="NUMBER", help="The courier's number.")],
    client: Annotated[str, typer.Option(metavar="NUMBER", help="The client's number.")],
    ttl: Annotated[int | None, duration("--ttl", "How long it lasts (setting ttl).")] = None,
    expires_at: Annotated[int | None, moment("--expires-at", "When it ends.")] = None,
    virtual_number: Annotated[
        str,
        typer.Option(metavar="NUMBER|auto|none", help="Rented number: this, one of the pool, all."),
    ] = "auto",
    note: Annotated[str | None, typer.Option(help="A remark, without numbers.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite an active order.")] = False,
    dry_run: DryRun = False,
    no_push: NoPush = False,
) -> None:
    """Store who may reach whom about ORDER, and push it to the provider."""
    mask: AppContext = ctx.obj
    orders = mask.orders(push=not no_push, dry_run=dry_run)
    new = NewMapping(
        mask.number(courier),
        mask.number(client),
        order,
        _expiry(ttl, expires_at, orders.now),
        None if virtual_number in ("auto", "none") else mask.number(virtual_number),
        note,
        allocate=virtual_number == "auto",
    )
    mask.finish([orders.add(new, overwrite=replace)], push=not no_push, dry_run=dry_run)


def list_(
    ctx: typer.Context,
    active: Annotated[bool, typer.Option("--active", help="Only active ones (default).")] = False,
    expired: Annotated[bool, typer.Option("--expired", help="Only expired ones.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Active and expired ones.")] = False,
    courier: Annotated[str | None, typer.Option(metavar="NUMBER", help="Of this courier.")] = None,
    client: Annotated[str | None, typer.Option(metavar="NUMBER", help="Of this client.")] = None,
    pending: Annotated[
        bool, typer.Option("--pending", help="Only what waits to be sent, deletions too.")
    ] = False,
    limit: Limit = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="What stands at the provider instead.")
    ] = False,
) -> None:
    """List mappings."""
    mask: AppContext = ctx.obj
    if active + expired + all_ + pending + remote > 1:
        raise UsageError("--active, --expired, --all, --pending and --remote exclude each other")
    if (remote or pending) and (courier or client):
        raise UsageError("--courier and --client do not go with --remote or --pending")
    if remote or pending:
        _list_remote(mask, limit) if remote else _list_pending(mask, limit)
        return
    state = None if all_ else State.EXPIRED if expired else State.ACTIVE
    selection = Selection(state, _number(mask, courier), _number(mask, client), limit)
    now = mask.now()
    rows = mask.store.listed(selection, mask.target(), now)
    mask.output.records(MAPPING_FIELDS, (mask.record(m, item, now) for m, item in rows))


def show(
    ctx: typer.Context,
    order: OrderId,
    remote: Annotated[
        bool, typer.Option("--remote", help="Ask the provider what stands there.")
    ] = False,
) -> None:
    """Show one mapping."""
    mask: AppContext = ctx.obj
    mapping = stored(mask.store, order, mask.settings["order_digits"])
    if mapping is None:
        raise NotFound(f"there is no order {order}", hint="mask list --all")
    target, now = mask.target(), mask.now()
    record = mask.record(mapping, mask.store.item(order, target) if target else None, now)
    if remote:
        from mask_cli.cli.standing import remote_part

        record.update(remote_part(mask, mapping, now))
    mask.output.record(record)


def reassign(
    ctx: typer.Context,
    order: OrderId,
    courier: Annotated[str | None, typer.Option(metavar="NUMBER", help="The new courier.")] = None,
    client: Annotated[str | None, typer.Option(metavar="NUMBER", help="The new client.")] = None,
    dry_run: DryRun = False,
    no_push: NoPush = False,
) -> None:
    """Give an active ORDER another courier or client; its number and history stay."""
    mask: AppContext = ctx.obj
    if courier is None and client is None:
        raise UsageError("name --courier or --client, or both")
    orders = mask.orders(push=not no_push, dry_run=dry_run)
    change = orders.reassign(order, courier=_number(mask, courier), client=_number(mask, client))
    mask.finish([change], push=not no_push, dry_run=dry_run)


def expire(
    ctx: typer.Context,
    order: OrderIds,
    in_: Annotated[int | None, duration("--in", "After so long instead of now.")] = None,
    at: Annotated[int | None, moment("--at", "At that moment instead of now.")] = None,
    dry_run: DryRun = False,
    no_push: NoPush = False,
) -> None:
    """Make ORDERs unreachable, now or earlier than planned; all of them or none."""
    mask: AppContext = ctx.obj
    orders = mask.orders(push=not no_push, dry_run=dry_run)
    changes = orders.expire(order, _expiry(in_, at, orders.now, "--in and --at"))
    mask.finish(changes, push=not no_push, dry_run=dry_run)


def extend(
    ctx: typer.Context,
    order: OrderIds,
    by: Annotated[int, duration("--by", "How much longer.")],
    dry_run: DryRun = False,
    no_push: NoPush = False,
) -> None:
    """Keep ORDERs reachable for longer, counted from their expiry or from now if that passed."""
    mask: AppContext = ctx.obj
    changes = mask.orders(push=not no_push, dry_run=dry_run).extend(order, by)
    mask.finish(changes, push=not no_push, dry_run=dry_run)


def delete(
    ctx: typer.Context,
    order: OrderIds,
    missing_ok: MissingOk = False,
    dry_run: DryRun = False,
    no_push: NoPush = False,
) -> None:
    """Forget ORDERs, here and at the provider; all of them or none."""
    mask: AppContext = ctx.obj
    orders = mask.orders(push=not no_push, dry_run=dry_run)
    changes = orders.delete(order, missing_ok=missing_ok)
    mask.finish(changes, push=not no_push, dry_run=dry_run)


def _expiry(
    length: int | None, at: int | None, now: int, names: str = "--ttl and --expires-at"
) -> int | None:
    """Return the moment that one of two options names."""
    if length is not None and at is not None:
        raise UsageError(f"{names} exclude each other")
    return at if length is None else now + length


def _number(mask: AppContext, text: str | None) -> PhoneNumber | None:
    return None if text is None else mask.number(text)


def _list_pending(mask: AppContext, limit: int | None) -> None:
    from mask_cli.cli.standing import pending_records

    mask.output.records(MAPPING_FIELDS, pending_records(mask, limit))


def _list_remote(mask: AppContext, limit: int | None) -> None:
    from mask_cli.cli.standing import REMOTE_FIELDS, remote_records

    mask.output.records(REMOTE_FIELDS, remote_records(mask, limit))
