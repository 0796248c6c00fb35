"""`mask voximplant`: what stands at the provider, seen and changed directly."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.cli.boundary import Commands
from mask_cli.cli.options import DryRun, Limit, duration
from mask_cli.cli.standing import opened
from mask_cli.errors import BadData, NotFound
from mask_cli.models import (
    DAY,
    REMOTE_LIFE,
)
from mask_cli.records import Record
from mask_cli.redaction import redacted_text
from mask_cli.times import format_time

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.providers.base import KeyValueItem

_LONGEST = 90 * DAY
ITEM_FIELDS = ("key", "value", "expires_at")

app = Commands(
    name="voximplant",
    add_completion=False,
    places={
        "up": "voximplant_setup:up",
        "scenario": "voximplant_scenario:app",
        "app": "voximplant_setup:application",
        "rule": "voximplant_setup:rule",
        "number": "voximplant_numbers:app",
        "kv": "voximplant:kv",
    },
)
kv = Commands(
    name="kv", add_completion=False, help="The items of the application's key-value store."
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="The whole key, prefix included.")]


@app.callback()
def voximplant() -> None:
    """Set up a Voximplant account, in one plan or step by step; see what stands there."""


@kv.command("list")
def kv_list(
    ctx: typer.Context,
    namespace: Annotated[
        str | None,
        typer.Argument(metavar="[PREFIX]", help="How the keys begin (setting key_prefix)."),
    ] = None,
    limit: Limit = None,
) -> None:
    """List the items whose key begins with PREFIX; without one, keys only."""
    mask: AppContext = ctx.obj
    target, store = opened(mask)
    prefix = target.key_prefix if namespace is None else namespace
    items = store.items(prefix) if prefix else store.keys()
    # Half a list on stdout would look like a whole one: all of it is there before the first line.
    found = list(islice(items, limit))
    mask.output.records(ITEM_FIELDS, (item_record(mask, item) for item in found))


@kv.command("get")
def kv_get(ctx: typer.Context, key: Key) -> None:
    """Show the item under KEY."""
    mask: AppContext = ctx.obj
    item = opened(mask)[1].get(key)
    if item is None:
        raise NotFound(f"there is no key {redacted_text(key)!r}", hint="mask voximplant kv list")
    mask.output.record(item_record(mask, item))


@kv.command("set")
def kv_set(
    ctx: typer.Context,
    key: Key,
    value: Annotated[str, typer.Argument(help="The value; - reads it from standard input.")],
    ttl: Annotated[int, duration("--ttl", "How long it lasts, 90d at most.")] = 10 * DAY,
    dry_run: DryRun = False,
) -> None:
    """Write VALUE under KEY, past the mappings; mask sync does not know of it."""
    mask: AppContext = ctx.obj
    if value == "-":
        value = typer.get_text_stream("stdin").read().rstrip("\n")
    if ttl > _LONGEST:
        raise BadData("the provider keeps an item for 90d at most")
    expires_at = mask.now() + min(ttl, REMOTE_LIFE)
    store = opened(mask)[1]
    if dry_run:
        mask.output.say("Dry run: nothing was written.")
        return
    with mask.audited("kv set", redacted_text(key)):
        item = store.set(key, value, expires_at)
    mask.output.record(item_record(mask, item))


@kv.command("delete")
def kv_delete(ctx: typer.Context, key: Key, dry_run: DryRun = False) -> None:
    """Remove the item under KEY, past the mappings; fine when there is none."""
    mask: AppContext = ctx.obj
    shown = key if mask.output.reveal is not None else redacted_key(key, mask)
    store = opened(mask)[1]
    if dry_run:
        there = store.get(key) is not None
        mask.output.record({"key": shown, "deleted": False, "found": there})
        return
    with mask.audited("kv delete", redacted_text(key)):
        found = store.delete(key)
    mask.output.record({"key": shown, "deleted": True, "found": found})


def item_record(mask: AppContext, item: KeyValueItem) -> Record:
    """Return an item's record, the numbers in its value hidden unless revealed."""
    value = item.value
    if value is not None and mask.output.reveal is None:
        value = redacted_text(value)
    key = item.key if mask.output.reveal is not None else redacted_key(item.key, mask)
    return {"key": key, "value": value, "expires_at": format_time(item.expires_at)}


def redacted_key(key: str, mask: AppContext) -> str:
    """Return a key with its numbers hidden, unless it is an order's of ours."""
    order = key.removeprefix(mask.settings["key_prefix"])
    ours = order.isdigit() and len(order) == mask.settings["order_digits"]
    return key if ours else redacted_text(key)
