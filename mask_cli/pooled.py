"""The pool in the database as provisioning and unrenting see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mask_cli.models import PhoneNumber
    from mask_cli.store.sqlite import SqliteStore

_QUARANTINED, _RELEASED = "quarantined", "released"


@dataclass(frozen=True, slots=True)
class StoredPool:
    """See `provision.Pool`; a number that was quarantined stays so whatever is provisioned."""

    store: SqliteStore
    now: int

    def refuse_party(self, number: PhoneNumber) -> None:
        """Raise BadData for a person's number, before anything is changed at a provider."""
        self.store.pool.refuse_party(number)

    def holds(self, number: PhoneNumber, provider: str, application: str) -> bool:
        """Tell whether the number is in the pool, of this provider and application id."""
        found = self.store.pool.get(number)
        return (
            found is not None
            and found.state != _RELEASED
            and (found.provider, found.application) == (provider, application)
        )

    def add(self, number: PhoneNumber, provider: str, application: str) -> None:
        """Put it there, of this application; nothing changes when it is so already."""
        with self.store.writing() as store:
            before = store.pool.get(number)
            store.pool.put(number, provider, application, self.now)
            if before is not None and before.state == _QUARANTINED:
                store.pool.set_state(number, _QUARANTINED)

    def bound(self, number: PhoneNumber) -> int:
        """Count the mappings bound to a number of the pool."""
        found = self.store.pool.get(number)
        return found.used if found is not None else 0

    def let_go(self, number: PhoneNumber, provider: str) -> None:
        """Take a number that is no longer ours out of use, unless it is another provider's."""
        with self.store.writing() as store:
            found = store.pool.get(number)
            if found is not None and found.provider in (None, provider):
                store.pool.set_state(number, _RELEASED)
