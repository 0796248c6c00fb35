"""The contract of a store; `tests/contract/test_store.py` holds every store to it.

Terms: a *mapping* is the truth of an order here; a *remote item* is the base, what we know of
the order at one *target*. Everything inside one `writing()` happens whole or not at all, and
nobody else writes meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from mask_cli.allocation import Allocation
    from mask_cli.models import Mapping, PhoneNumber, RemoteItem, State, Target


@dataclass(frozen=True, slots=True)
class Selection:
    """Which mappings to list; None means any."""

    state: State | None = None
    courier: PhoneNumber | None = None
    client: PhoneNumber | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what, when, to which order; `detail` holds no phone number."""

    at: int
    actor: str
    action: str
    order: str | None = None
    detail: str | None = None


class IncomingRow(NamedTuple):
    """A row of an import, checked; a plain tuple, as there may be millions.

    Numbers are E.164. `expires_at` is absolute when `moves_expiry`; else it counts for new
    mappings only, so that the same file again changes nothing. `line` is where it stood.
    """

    order: str
    line: int
    courier: str
    client: str
    virtual_number: str | None
    note: str | None
    expires_at: int
    moves_expiry: bool


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What an import did, in mappings."""

    added: int
    updated: int
    unchanged: int
    skipped: int


class Staging(Protocol):
    """Rows on their way in, kept apart until `apply`; nobody else waits for them."""

    def add(self, rows: Sequence[IncomingRow]) -> None:
        """Take rows in."""
        ...

    def keep(self, texts: Sequence[tuple[int, str]]) -> None:
        """Keep the texts of rows as they came, by line: some may be rejected in the end."""
        ...

    def text(self, line: int) -> str:
        """Return the text that was kept of a row."""
        ...

    def reject(self, text: str) -> None:
        """Keep a text that is to be written out."""
        ...

    def rejected(self) -> Iterator[str]:
        """Yield what is to be written out, as it came."""
        ...

    def take_duplicates(self, take: Callable[[IncomingRow], object]) -> None:
        """Leave out the rows whose order number came before, each handed to `take` first."""
        ...

    def take_mixed_up(self, take: Callable[[IncomingRow], object]) -> None:
        """Leave out, as above, the rows with a number that is both a virtual one and a person's.

        Whether the other use is here or in another row. Inside `writing()`.
        """
        ...

    def conflicts(self, now: int) -> Iterator[IncomingRow]:
        """Yield the rows that differ from an active mapping here. Inside `writing()`."""
        ...

    def outlived(self, now: int) -> list[str]:
        """Return the staged orders whose mapping here has expired and is overwritten.

        Inside `writing()`.
        """
        ...

    def audit(self, now: int, actor: str, *, replace: bool) -> int:
        """Write an audit row for each order that `apply` will change, or that the audit knows.

        Without it the audit's last word on an order would be an earlier one, its deletion
        perhaps. New orders have none: the import's own row counts them. Inside `writing()`.
        """
        ...

    def apply(self, now: int, *, replace: bool) -> ImportCounts:
        """Store what is staged; conflicting rows overwrite (`replace`) or are skipped.

        Inside `writing()`.
        """
        ...


@dataclass(frozen=True, slots=True)
class VirtualNumber:
    """A number of the pool; `used` counts the mappings bound to it, expired ones too.

    `state`: active (given out), quarantined (kept, not given out), released (no longer ours).
    """

    number: PhoneNumber
    provider: str | None
    application: str | None
    state: str
    added_at: int
    used: int


class Pool(Protocol):
    """The virtual numbers; what changes anything belongs inside the store's `writing()`."""

    def is_empty(self) -> bool:
        """Tell whether no number may be given out."""
        ...

    def numbers(self) -> list[VirtualNumber]:
        """Return the pool, by number."""
        ...

    def get(self, number: PhoneNumber) -> VirtualNumber | None:
        """Return a number of the pool."""
        ...

    def put(
        self, number: PhoneNumber, provider: str | None, application: str | None, now: int
    ) -> None:
        """Make a number active, of this application; None leaves what was known.

        Raises BadData as `refuse_party` does.
        """
        ...

    def refuse_party(self, number: PhoneNumber) -> None:
        """Raise BadData for a person's number: in the pool it would be shown to everybody."""
        ...

    def set_state(self, number: PhoneNumber, state: str) -> None:
        """Quarantine, release or activate a number."""
        ...

    def is_ours(self, number: PhoneNumber) -> bool:
        """Tell whether a called number is one of ours: in the pool, or bound to a mapping."""
        ...

    def allocated(
        self, courier: PhoneNumber, client: PhoneNumber, *, order: str, now: int, cool_off: int
    ) -> Allocation:
        """Choose the number for an order; `allocation.allocate` tells how."""
        ...

    def bind_since(self, revision: int, now: int, cool_off: int) -> dict[str, int]:
        """Give numbers to the mappings without one from a revision on; count the reasons."""
        ...

    def parties_meet(self, mapping: Mapping, now: int) -> bool:
        """Tell whether a party of the mapping has another active one on the same number."""
        ...

    def release(self, mappings: Iterable[Mapping], now: int) -> None:
        """Keep that these mappings give up their numbers: late calls must not meet strangers."""
        ...

    def prune_releases(self, before: int) -> int:
        """Forget releases older than a moment; return how many."""
        ...


class Store(Protocol):
    """Mappings, the base, and the audit.

    Raises TryLater (75) when the database stays busy and StorageError (74) for all else.
    """

    def close(self) -> None:
        """Let go of the database."""
        ...

    def writing(self, *, keep: bool = True) -> AbstractContextManager[Store]:
        """Open the one transaction in which reading and writing belong together.

        With `keep` False it is undone at its end: a dry run that still checks everything.
        """
        ...

    def get(self, order: str) -> Mapping | None:
        """Return the mapping of an order, active or expired."""
        ...

    def put(self, mapping: Mapping) -> Mapping:
        """Store a mapping; return it with its new revision (and mapping id when it had none)."""
        ...

    def forget(self, order: str) -> bool:
        """Remove a mapping; False when there was none. The base is not touched."""
        ...

    def listed(
        self, selection: Selection, target: Target | None, now: int
    ) -> Iterator[tuple[Mapping, RemoteItem | None]]:
        """Yield mappings in order of their number, each with its base; never all at once."""
        ...

    def free_order(self, start: str) -> str | None:
        """Return the first order number not in use from `start` on, around the end; None if full.

        It has as many digits as `start`.
        """
        ...

    def used_orders(self) -> int:
        """Count the order numbers in use, expired ones too."""
        ...

    def active_orders(self, beginning: str, now: int, limit: int) -> list[str]:
        """Return active order numbers that begin so, for completion."""
        ...

    def forget_expired(self, before: int, limit: int | None) -> Iterator[int]:
        """Remove up to `limit` mappings that expired at or before a moment.

        Not inside `writing()`: yields how many each of its own short transactions removed;
        others can write in between.
        """
        ...

    def count_expired(self, before: int) -> int:
        """Count the mappings that expired at or before a moment."""
        ...

    def item(self, order: str, target: Target) -> RemoteItem | None:
        """Return the base of an order at a target."""
        ...

    def put_item(self, item: RemoteItem, target: Target) -> None:
        """Store the base of an order at a target."""
        ...

    def drop_item(self, order: str, target: Target) -> None:
        """Forget the base: nothing of ours is there any more."""
        ...

    def add_trace(self, order: str, target: Target, digest: str, expires_at: int) -> None:
        """Keep what we wrote there and are about to replace or delete: it may come back."""
        ...

    def traces(self, order: str, target: Target) -> list[tuple[str, int]]:
        """Return what we once wrote there: digests and expiries."""
        ...

    def drop_traces(self, now: int) -> int:
        """Forget what has expired wherever it might have come back; return how many."""
        ...

    def drop_gone_items(self, target: Target, now: int) -> int:
        """Forget base rows whose item has expired there and whose mapping is gone here."""
        ...

    def pending(
        self, target: Target, now: int, *, deletions_only: bool = False
    ) -> Iterator[tuple[str, Mapping | None, RemoteItem | None]]:
        """Yield what has to be sent to a target: order, mapping, base; one query.

        Deletions are orders that are gone or expired here and not yet there.
        """
        ...

    def items_elsewhere(self, target: Target | None, now: int) -> int:
        """Count unexpired items at other targets than this one."""
        ...

    def known_application(self, endpoint: str, account: str, name: str) -> str | None:
        """Return the id an application name was last resolved to."""
        ...

    def remember_application(
        self, endpoint: str, account: str, name: str, application_id: str | None
    ) -> None:
        """Keep the id of an application name; None forgets it."""
        ...

    def digest_key(self) -> bytes:
        """Return the key of this database for hashes of numbers."""
        ...

    def staging(self) -> AbstractContextManager[Staging]:
        """Open a place for an import."""
        ...

    def add_audit(self, row: AuditRow) -> None:
        """Write an audit row."""
        ...

    def audit(self, order: str | None, limit: int | None) -> Iterator[AuditRow]:
        """Yield audit rows, newest first."""
        ...

    def prune_audit(self, before: int) -> int:
        """Remove audit rows older than a moment; return how many."""
        ...


class PooledStore(Store, Protocol):
    """A store that has a pool of virtual numbers as well."""

    @property
    def pool(self) -> Pool:
        """The virtual numbers."""
        ...

    def last_revision(self) -> int:
        """Return the counter's value: what was stored last has it, what comes is above."""
        ...
