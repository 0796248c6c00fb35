"""What stands at the provider, beside what is here: shared by list, show and kv."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from mask_cli.errors import ConfigurationError
from mask_cli.models import Mapping, PhoneNumber, State, Target, keyed_digest, remote_state
from mask_cli.reconcile import Seen, drift_of
from mask_cli.records import Record, gone_record
from mask_cli.redaction import redacted_text
from mask_cli.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mask_cli.cli.context import AppContext
    from mask_cli.providers.base import KeyValueItem, KeyValueStore

REMOTE_FIELDS = ("order", "courier", "client", "expires_at", "known", "state")


def opened(mask: AppContext) -> tuple[Target, KeyValueStore]:
    """Return the target and its key-value store, or raise ConfigurationError."""
    if mask.site is None:
        raise ConfigurationError(
            "no provider is configured",
            hint="set VOXIMPLANT_CREDENTIALS and MASK_VOXIMPLANT_APPLICATION, or try: mask sandbox",
        )
    target = mask.target() or mask.site.looked_up(mask.store)
    return target, mask.site.key_value_store(target)


def remote_part(mask: AppContext, mapping: Mapping, now: int) -> Record:
    """Ask the provider for a mapping's item; return what `show --remote` adds.

    `agrees` when `drift` would not name the order.
    """
    target, store = opened(mask)
    item = store.get(target.key(mapping.order))
    seen, key = None, mask.store.digest_key()
    if item is not None:
        seen = Seen(keyed_digest(key, item.value or ""), item.expires_at)
    base = mask.store.item(mapping.order, target)
    return {
        "remote_item": item and {**_parties(item), "expires_at": format_time(item.expires_at)},
        "agrees": drift_of(mapping.order, mapping, base, seen, now=now, key=key) is None,
    }


def remote_records(mask: AppContext, limit: int | None) -> Iterator[Record]:
    """Return what stands at the provider under our prefix; `known` tells what is in the base.

    All of it is there before the first record: half a list would look like a whole one.

    Without a prefix only the keys of the base are looked at: others may be anybody's.
    `state` is that of the order here: expired also when only the base knows of it, None when
    nothing does.
    """
    target, store = opened(mask)
    items = (
        store.items(target.key_prefix) if target.key_prefix else _base_items(mask, target, store)
    )
    return _records(mask, target, list(islice(items, limit)))


def _records(mask: AppContext, target: Target, items: list[KeyValueItem]) -> Iterator[Record]:
    digits, now = mask.settings["order_digits"], mask.now()
    for item in items:
        order = item.key.removeprefix(target.key_prefix)
        mapping, known = mask.store.get(order), mask.store.item(order, target) is not None
        ended = State.EXPIRED if known else None
        yield {
            "order": order if len(order) == digits and order.isdigit() else redacted_text(order),
            **_parties(item),
            "expires_at": format_time(item.expires_at),
            "known": known,
            "state": mapping.state(now) if mapping else ended,
        }


def _base_items(mask: AppContext, target: Target, store: KeyValueStore) -> Iterator[KeyValueItem]:
    """Yield what stands under the keys of the base, one request each.

    Also for orders that are gone here: until their deletion is done, they can be called.
    """
    for order, _, item in mask.upkeep.compared(target, mask.now()):
        found = store.get(target.key(order)) if item is not None else None
        if found is not None:
            yield found


def pending_records(mask: AppContext, limit: int | None) -> Iterator[Record]:
    """Yield the records of what waits to be sent, deletions without their numbers."""
    target, now = mask.target(), mask.now()
    if target is None:
        return
    for order, mapping, item in islice(mask.store.pending(target, now), limit):
        if mapping is not None:
            yield mask.record(mapping, item, now)
        else:
            yield gone_record(order, remote_state(None, item, now))


def _parties(item: KeyValueItem) -> dict[str, Any]:
    """Return the parties in an item's value; None where it holds none."""
    try:
        value = json.loads(item.value or "")
        return {role: _number(value[role]) for role in ("courier", "client")}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {"courier": None, "client": None}


def _number(value: object) -> PhoneNumber | None:
    """Return a party as our program and the guide's write it, None when it is anything else."""
    text = str(value).removeprefix("+")
    return PhoneNumber("+" + text) if text.isascii() and text.isdigit() else None
