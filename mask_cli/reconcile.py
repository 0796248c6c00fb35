"""Compare what should stand at a provider with what does: local x base x remote, no effects.

*Local* is the mapping, *base* what we last wrote and had acknowledged, *remote* what stands
there. Local against remote tells what to do; base against remote tells whether somebody else
did something there:

| local  | base | remote              | reason           | what is done        |
| ------ | ---- | ------------------- | ---------------- | ------------------- |
| active | any  | none                | `missing`        | written             |
| active | any  | another value       | `changed`        | written             |
| active | any  | another expiry      | `expiry_differs` | written             |
| none   | yes  | there               | `orphan`         | deleted             |
| none   | none | what we wrote once  | `orphan`         | deleted             |
| none   | none | anything else       | `foreign`        | reported, no more   |

"None" of local is a mapping that is gone or has expired; of base, one that names nothing which
still stands there. "What we wrote once": value and expiry are those of a *trace*, which every
write of ours leaves when it is replaced or deleted. So it is a late echo of it, or a stranger's
key that cannot be told from one; for those the limit on orphans counts it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mask_cli.errors import SafetyStop
from mask_cli.models import RENEW_BELOW, keyed_digest, needs_push, remote_value
from mask_cli.times import format_time

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mask_cli.models import Mapping, RemoteItem

PLAN_FIELDS = ("order", "reason", "action", "by_others", "local_expires_at", "remote_expires_at")
ORPHAN_SHARE, FEWEST_ORPHANS = 0.3, 10


class Reason(StrEnum):
    """How an order at the provider differs from here."""

    MISSING = "missing"
    CHANGED = "changed"
    EXPIRY_DIFFERS = "expiry_differs"
    ORPHAN = "orphan"
    FOREIGN = "foreign"


ACTIONS = {Reason.ORPHAN: "delete", Reason.FOREIGN: "none"}
"""What is done about it; `set` about all others."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands at the provider; `digest` is that of its value, None when it was not shown."""

    digest: str | None
    expires_at: int


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference.

    `by_others`: it is not what we wrote. `explained`: a deletion that somebody here asked for.
    """

    order: str
    reason: Reason
    by_others: bool = False
    explained: bool = True
    local_expires_at: int | None = None
    remote_expires_at: int | None = None

    @property
    def action(self) -> str:
        """What `sync --full` does about it: set, delete or none."""
        return ACTIONS.get(self.reason, "set")


@dataclass(frozen=True, slots=True)
class Plan:
    """All differences by order number, and how many live keys the base names."""

    drifts: tuple[Drift, ...]
    base: int
    found: bool
    """Whether any of the base's keys stands there."""

    @property
    def changes(self) -> list[Drift]:
        """The differences that something is done about."""
        return [drift for drift in self.drifts if drift.reason is not Reason.FOREIGN]

    def counts(self) -> dict[str, int]:
        """Return how many differences there are of each reason."""
        counted = Counter(drift.reason for drift in self.drifts)
        return {str(reason): counted[reason] for reason in Reason}

    def check(self) -> None:
        """Raise SafetyStop when doing all that would more likely be a mishap than meant."""
        if self.base and not self.found:
            raise SafetyStop(
                f"nothing of ours stands at the provider, where {self.base} keys should",
                hint="check application and key_prefix; --force writes all of them anew",
            )
        orphans = sum(d.reason is Reason.ORPHAN and not d.explained for d in self.drifts)
        refuse_orphans(orphans, self.base)


def refuse_orphans(orphans: int, base: int) -> None:
    """Raise SafetyStop when too large a share would be deleted that nobody asked for."""
    if orphans >= FEWEST_ORPHANS and orphans > base * ORPHAN_SHARE:
        raise SafetyStop(
            f"{orphans} of {base} keys at the provider would be deleted though nobody here"
            " expired or deleted those orders",
            hint="was the database replaced, or is the clock wrong? --force deletes them",
        )


def drift_of(
    order: str,
    mapping: Mapping | None,
    item: RemoteItem | None,
    seen: Seen | None,
    *,
    now: int,
    key: bytes,
    gone_on_purpose: bool = False,
    traces: Collection[tuple[str, int]] = (),
) -> Drift | None:
    """Return how an order differs, if it does; `key` is that of the base's digests.

    `gone_on_purpose`: the last that was done to the order here was to expire or delete it.
    `traces`: digests and expiries that we wrote there and replaced or deleted.
    """
    if mapping is None or mapping.expires_at <= now:
        # The same rule that makes a deletion pending: what has expired there is not ours.
        base = item if needs_push(mapping, item, now) else None
        return _left_over(order, mapping, base, seen, explained=gone_on_purpose, traces=traces)
    reason = _reason(mapping, item, seen, now=now, key=key)
    if reason is None:
        return None
    return Drift(
        order,
        reason,
        by_others=_by_others(item, seen, now),
        local_expires_at=mapping.expires_at,
        remote_expires_at=seen.expires_at if seen else None,
    )


def _reason(
    mapping: Mapping, item: RemoteItem | None, seen: Seen | None, *, now: int, key: bytes
) -> Reason | None:
    if seen is None:
        return Reason.MISSING
    if seen.digest != keyed_digest(key, remote_value(mapping)):
        return Reason.CHANGED
    return None if _expiry_is_right(mapping, item, seen, now) else Reason.EXPIRY_DIFFERS


def _expiry_is_right(mapping: Mapping, item: RemoteItem | None, seen: Seen, now: int) -> bool:
    if seen.expires_at == mapping.expires_at:
        return True
    # The platform keeps no longer than 90 days: what we wrote is right until it is renewed.
    ours = item is not None and (item.revision, item.expires_at) == (
        mapping.revision,
        seen.expires_at,
    )
    capped = seen.expires_at < mapping.expires_at
    return ours and capped and seen.expires_at - now >= RENEW_BELOW


def _left_over(
    order: str,
    mapping: Mapping | None,
    item: RemoteItem | None,
    seen: Seen | None,
    *,
    explained: bool,
    traces: Collection[tuple[str, int]],
) -> Drift | None:
    """Return the drift of what stands there for an order that has ended here."""
    if seen is None:
        return None
    echo = item is None and (seen.digest, seen.expires_at) in traces
    if item is not None:
        ended_early = mapping is not None and mapping.expires_at < (item.expires_at or 0)
        explained = explained or item.intent is not None or ended_early
    return Drift(
        order,
        Reason.FOREIGN if item is None and not echo else Reason.ORPHAN,
        by_others=not echo if item is None else _differs(item, seen),
        explained=explained and item is not None,
        local_expires_at=mapping.expires_at if mapping else None,
        remote_expires_at=seen.expires_at,
    )


def _by_others(item: RemoteItem | None, seen: Seen | None, now: int) -> bool:
    """Tell whether somebody else made it so; an open intent may have been ours."""
    if item is None:
        return seen is not None
    if seen is None:
        nothing_known = item.intent is not None or item.revision is None
        return not nothing_known and (item.expires_at or 0) > now
    return _differs(item, seen)


def _differs(item: RemoteItem, seen: Seen) -> bool:
    if item.intent is not None or item.revision is None:
        return False
    return (seen.digest, seen.expires_at) != (item.digest, item.expires_at)


def planned(drifts: Iterable[Drift], base: int, *, found: bool) -> Plan:
    """Return the plan, sorted."""
    return Plan(tuple(sorted(drifts, key=lambda drift: drift.order)), base, found)


def drift_record(drift: Drift) -> dict[str, Any]:
    """Return a difference's record."""
    times = (drift.local_expires_at, drift.remote_expires_at)
    local, remote = (None if at is None else format_time(at) for at in times)
    return {
        "order": drift.order,
        "reason": str(drift.reason),
        "action": drift.action,
        "by_others": drift.by_others,
        "local_expires_at": local,
        "remote_expires_at": remote,
    }
