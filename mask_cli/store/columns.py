"""The columns of the SQLite tables, and how their rows become our values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mask_cli.models import RENEW_BELOW, Mapping, PhoneNumber, RemoteItem, State

if TYPE_CHECKING:
    from mask_cli.store.base import Selection

Row = tuple[Any, ...]

MAPPING = (
    "order_number, courier, client, expires_at, created_at, updated_at,"
    " virtual_number, note, mapping_id, revision"
)
# Not INSERT OR REPLACE: triggers must see what was there before.
OVERWRITING = "ON CONFLICT (order_number) DO UPDATE SET " + ", ".join(
    f"{name.strip()} = excluded.{name.strip()}" for name in MAPPING.split(",")[1:]
)
ITEM = (
    "order_number, mapping_id, revision, digest, expires_at, intent, intent_token,"
    " intent_expires_at, lease_until, attempts, last_error, refused, intent_digest"
)
_M = ", ".join(f"m.{name.strip()}" for name in MAPPING.split(","))
_I = ", ".join(f"i.{name.strip()}" for name in ITEM.split(","))
JOINED = f"{_M}, {_I}"
"""Of `mappings m` and `remote_items i`, side by side."""
MAPPING_WIDTH = MAPPING.count(",") + 1

WRITES = f"""
    SELECT m.order_number, {JOINED} FROM mappings m
    LEFT JOIN remote_items i ON i.target_id = :t AND i.order_number = m.order_number
    WHERE m.expires_at > :now AND (
        i.order_number IS NULL OR i.intent IS NOT NULL OR i.revision IS NOT m.revision
        OR (m.expires_at > coalesce(i.expires_at, 0)
            AND coalesce(i.expires_at, 0) - :now < {RENEW_BELOW}))
"""
DELETIONS = f"""
    SELECT i.order_number, {JOINED} FROM remote_items i
    LEFT JOIN mappings m ON m.order_number = i.order_number
    WHERE i.target_id = :t AND (m.order_number IS NULL OR m.expires_at <= :now)
        AND (i.intent IS NOT NULL OR i.expires_at > :now)
"""


def conditions(selection: Selection, now: int) -> tuple[str, list[object]]:
    """Return the WHERE clause of a selection, over `mappings m`, and its values."""
    found: list[tuple[str, object]] = []
    if selection.state is State.ACTIVE:
        found.append(("m.expires_at > ?", now))
    if selection.state is State.EXPIRED:
        found.append(("m.expires_at <= ?", now))
    if selection.courier:
        found.append(("m.courier = ?", selection.courier.e164))
    if selection.client:
        found.append(("m.client = ?", selection.client.e164))
    if not found:
        return "", []
    return " WHERE " + " AND ".join(c for c, _ in found), [value for _, value in found]


def as_mapping(row: Row) -> Mapping:
    """Return the mapping that a row begins with (MAPPING)."""
    order, courier, client, expires, created, updated, virtual, note, identity, revision = row[
        :MAPPING_WIDTH
    ]
    return Mapping(
        order,
        PhoneNumber(courier),
        PhoneNumber(client),
        expires,
        created,
        updated,
        PhoneNumber(virtual) if virtual else None,
        note,
        identity,
        revision,
    )


def as_item(row: Row) -> RemoteItem | None:
    """Return the base that a row (ITEM) holds, None for the empty side of a join."""
    return None if row[0] is None else RemoteItem(*row)
