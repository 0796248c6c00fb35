"""What programs read: each thing as a flat record with all its fields, always.

Numbers stay `PhoneNumber`s; `output` decides whether they are shown whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mask_cli.models import Remote, State, remote_state
from mask_cli.times import format_time

if TYPE_CHECKING:
    from mask_cli.models import Mapping, RemoteItem
    from mask_cli.store.base import AuditRow

Record = dict[str, Any]

MAPPING_FIELDS = (
    "order",
    "courier",
    "client",
    "virtual_number",
    "note",
    "state",
    "remote",
    "created_at",
    "updated_at",
    "expires_at",
    "revision",
)
NUMBER_FIELDS = frozenset({"courier", "client", "virtual_number"})


def mapping_record(mapping: Mapping, item: RemoteItem | None, now: int, *, pushing: bool) -> Record:
    """Return a mapping's record; `pushing` tells whether a provider is configured."""
    return {
        "order": mapping.order,
        "courier": mapping.courier,
        "client": mapping.client,
        "virtual_number": mapping.virtual_number,
        "note": mapping.note,
        "state": str(mapping.state(now)),
        "remote": str(remote_state(mapping, item, now) if pushing else Remote.OFF),
        "created_at": format_time(mapping.created_at),
        "updated_at": format_time(mapping.updated_at),
        "expires_at": format_time(mapping.expires_at),
        "revision": mapping.revision,
    }


def gone_record(order: str, remote: Remote) -> Record:
    """Return the record of an order that is no longer here; its numbers are forgotten."""
    record: Record = dict.fromkeys(MAPPING_FIELDS)
    record.update(order=order, state=str(State.EXPIRED), remote=str(remote))
    return record


def audit_record(row: AuditRow) -> Record:
    """Return an audit row's record."""
    return {
        "at": format_time(row.at),
        "actor": row.actor,
        "action": row.action,
        "order": row.order,
        "detail": row.detail,
    }
