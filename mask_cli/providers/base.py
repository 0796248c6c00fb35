"""The contracts of the providers, kept short; every verb may be repeated without harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class KeyValueItem:
    """An item of the key-value store; `value` is None where a listing shows keys only.

    `expires_at` is UTC seconds. The value holds phone numbers, so it is kept out of `repr`.
    """

    key: str
    value: str | None
    expires_at: int

    def __repr__(self) -> str:
        return f"KeyValueItem(key={self.key!r}, expires_at={self.expires_at})"


@dataclass(frozen=True, slots=True)
class RemoteApplication:
    """An application at the provider; `name` is its first label."""

    application_id: str
    name: str


class KeyValueStore(Protocol):
    """The key-value store of one application.

    Raises ProviderUnavailable (75; `unsure` tells whether it may have been carried out),
    ProviderRefused (69) or ProviderDenied (77).
    """

    def set(self, key: str, value: str, expires_at: int) -> KeyValueItem:
        """Write an item, new or not; the answer is what stands there now."""
        ...

    def get(self, key: str) -> KeyValueItem | None:
        """Return the item, None when there is none."""
        ...

    def delete(self, key: str) -> bool:
        """Remove the item; False when there was none."""
        ...

    def items(self, namespace: str) -> Iterator[KeyValueItem]:
        """Yield all items whose key begins with the namespace, each once, in no order."""
        ...

    def keys(self, namespace: str | None = None) -> Iterator[KeyValueItem]:
        """Yield all keys, without their values, each once, in no order."""
        ...
