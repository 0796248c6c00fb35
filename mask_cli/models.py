"""The values that everything else speaks of; no input, no output, no clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum

from mask_cli.errors import BadData
from mask_cli.redaction import holds_number, redacted_number, redacted_value

DAY = 86_400
REMOTE_LIFE = 90 * DAY - 300
"""The longest life of a key-value item, in seconds: 90 days, less what clocks may differ."""
RENEW_BELOW = 30 * DAY
"""A capped item is written anew when less than this remains, in seconds."""
DELETION = -1
"""Stands where a revision does, for an order that has ended: what is to be sent is its deletion."""

SHORTEST_ORDER, LONGEST_ORDER = 4, 10


@dataclass(frozen=True, slots=True, order=True)
class PhoneNumber:
    """A number in E.164 with its plus; prints itself redacted, whole only by `.e164`."""

    e164: str

    @property
    def digits(self) -> str:
        """The form that both providers take on the wire: no plus."""
        return self.e164[1:]

    def __str__(self) -> str:
        return redacted_number(self.e164)

    __repr__ = __str__


class Role(StrEnum):
    """Which party of a mapping somebody is."""

    COURIER = "courier"
    CLIENT = "client"


class State(StrEnum):
    """Whether the order can still be reached."""

    ACTIVE = "active"
    EXPIRED = "expired"


class Remote(StrEnum):
    """How the mapping stands at the provider, as far as we know."""

    LIVE = "live"
    PENDING = "pending"
    FAILED = "failed"
    ABSENT = "absent"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Mapping:
    """One order: who may reach whom, until when.

    Times are UTC seconds. `revision` and `mapping_id` come from one counter of the whole
    database: a new life of an order number gets a new `mapping_id`, every change a new
    `revision`. Both are 0 until stored.
    """

    order: str
    courier: PhoneNumber
    client: PhoneNumber
    expires_at: int
    created_at: int
    updated_at: int
    virtual_number: PhoneNumber | None = None
    note: str | None = None
    mapping_id: int = 0
    revision: int = 0

    def state(self, now: int) -> State:
        """Expired means unreachable at once: `expires_at <= now`."""
        return State.EXPIRED if self.expires_at <= now else State.ACTIVE

    def role_of(self, number: PhoneNumber) -> Role | None:
        """Tell which party has this number, if any."""
        if number == self.courier:
            return Role.COURIER
        return Role.CLIENT if number == self.client else None

    def party(self, role: Role) -> PhoneNumber:
        """Return the number of the party in that role."""
        return self.courier if role is Role.COURIER else self.client

    def changed(self, now: int, **values: object) -> Mapping:
        """Return the mapping with other values, the same when nothing differs."""
        after = replace(self, **values)  # type: ignore[arg-type]
        return self if after == self else replace(after, updated_at=now)


@dataclass(frozen=True, slots=True)
class Target:
    """One place where mappings are pushed to; another place knows nothing of this one."""

    endpoint: str
    account: str
    application: str
    key_prefix: str

    @property
    def id(self) -> str:
        """The name under which the store keeps what was pushed there."""
        return json.dumps([self.endpoint, self.account, self.application, self.key_prefix])

    def key(self, order: str) -> str:
        """Return the key of an order in the key-value store."""
        return self.key_prefix + order


@dataclass(frozen=True, slots=True)
class RemoteItem:
    """The base: what we last know to stand at a target for one order, and what is under way.

    `revision` is the mapping's when last written and acknowledged, None when nothing of ours
    is known to be there. `intent` names a request that may have been sent and not
    acknowledged: `set` or `delete`. Until `lease_until` nobody else may write that order.
    `refused` is the revision, or DELETION, that the provider last said no to; 0 is none.
    `intent_digest` is that of the value which an open `set` may have written.
    """

    order: str
    mapping_id: int | None = None
    revision: int | None = None
    digest: str | None = None
    expires_at: int | None = None
    intent: str | None = None
    intent_token: str | None = None
    intent_expires_at: int | None = None
    lease_until: int = 0
    attempts: int = 0
    last_error: str | None = None
    refused: int = 0
    intent_digest: str | None = None

    def written(self) -> list[tuple[str, int]]:
        """Return what we wrote there, or may have: digests and expiries."""
        pairs = (self.digest, self.expires_at), (self.intent_digest, self.intent_expires_at)
        return [(digest, at) for digest, at in pairs if digest is not None and at is not None]


def remote_value(mapping: Mapping) -> str:
    """Return what stands under the order's key: the guide's contract, nothing else."""
    return json.dumps(
        {"courier": mapping.courier.digits, "client": mapping.client.digits},
        separators=(",", ":"),
    )


def remote_expiry(mapping: Mapping, now: int) -> int:
    """Return the expiry to write, at most REMOTE_LIFE from now: the provider keeps no longer."""
    return min(mapping.expires_at, now + REMOTE_LIFE)


def remote_state(mapping: Mapping | None, item: RemoteItem | None, now: int) -> Remote:
    """Tell how an order stands at a target, from the base alone; None is a forgotten mapping."""
    active = mapping if mapping and mapping.expires_at > now else None
    if needs_push(mapping, item, now):
        # What was refused before a later change says nothing about that change.
        refused = item is not None and item.refused == sent_revision(active)
        return Remote.FAILED if refused else Remote.PENDING
    return Remote.LIVE if active else Remote.ABSENT


def sent_revision(active: Mapping | None) -> int:
    """Return what a push sends: a revision of an active mapping, or else DELETION."""
    return active.revision if active else DELETION


def needs_push(mapping: Mapping | None, item: RemoteItem | None, now: int) -> bool:
    """Tell whether local and base differ so that something has to be sent.

    An item that expires there by itself is not worth a request; one that would outlive the
    mapping is. An open intent always is: what it did is unknown.
    """
    if mapping is None or mapping.expires_at <= now:
        return item is not None and (
            item.intent is not None or (item.expires_at is not None and item.expires_at > now)
        )
    if item is None or item.intent is not None or item.revision != mapping.revision:
        return True
    left = (item.expires_at or 0) - now
    return mapping.expires_at > (item.expires_at or 0) and left < RENEW_BELOW


def keyed_digest(key: bytes, text: str) -> str:
    """Hash a value with the database's own key, so that stored hashes cannot be guessed back."""
    import hashlib
    import hmac

    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def checked_order(text: str, digits: int) -> str:
    """Return the order number, or raise BadData: exactly `digits` ASCII digits."""
    if len(text) == digits and text.isascii() and text.isdigit():
        return text
    raise BadData(
        f"order number {redacted_value(text)} is not {digits} digits",
        hint=f"order numbers here are {digits} digits, leading zeros count (setting order_digits)",
    )


def checked_parties(courier: PhoneNumber, client: PhoneNumber) -> None:
    """Raise BadData when both parties are one number: a call would reach the caller."""
    if courier == client:
        raise BadData(f"courier and client are the same number, {courier}")


def checked_note(note: str | None) -> str | None:
    """Return the note without blanks around it, or raise BadData when it could hold a number."""
    note = (note or "").strip()
    if not note:
        return None
    if holds_number(note):
        raise BadData(
            f"the note {redacted_value(note)} holds what looks like a phone number",
            hint="notes are shown to everybody; leave numbers out",
        )
    if not note.isprintable():
        raise BadData(f"the note {redacted_value(note)} holds control characters")
    return note
