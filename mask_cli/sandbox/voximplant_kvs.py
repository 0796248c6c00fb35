"""The key-value store of one emulated application: the data and its limits, no transport."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LONGEST_KEY = 200
LONGEST_VALUE = 2000
LONGEST_LIFE = 7_776_000
DEFAULT_LIFE = 2_592_000
MOST_ITEMS = 50
DEFAULT_ITEMS = 10
KEY = re.compile(r"[a-zA-Z0-9а-яА-ЯёЁ_\-:;.#+]*")  # noqa: RUF001 (the platform takes Cyrillic)


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands under a key; the value holds phone numbers and stays out of `repr`."""

    key: str
    value: str = field(repr=False)
    expires_at: int


@dataclass
class KeyValueModel:
    """Items by key; one whose `expires_at` has come is gone."""

    _items: dict[str, Stored] = field(default_factory=dict)
    _listings: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)

    def set(self, item: Stored) -> None:
        """Write an item, new or not."""
        before = self._items.get(item.key)
        if before is None or before.expires_at != item.expires_at:
            self._listings.clear()
        self._items[item.key] = item

    def get(self, key: str, now: int) -> Stored | None:
        """Return a live item."""
        item = self._items.get(key)
        if item is not None and item.expires_at <= now:
            self._forget(key)
            return None
        return item

    def delete(self, key: str, now: int) -> bool:
        """Remove an item; False when there was no live one."""
        live = self.get(key, now) is not None
        if live:
            self._forget(key)
        return live

    def page(self, pattern: str, reading: str, window: tuple[int, int], now: int) -> list[Stored]:
        """Return up to `count` live items from `offset` on; `window` is (count, offset)."""
        count, offset = window
        keys = self._matching(pattern, reading, now)
        return [self._items[key] for key in keys[offset : offset + count]]

    def live(self, now: int) -> dict[str, Stored]:
        """Return all live items by key."""
        return {key: item for key, item in self._items.items() if item.expires_at > now}

    def _forget(self, key: str) -> None:
        del self._items[key]
        self._listings.clear()

    def _matching(self, pattern: str, reading: str, now: int) -> list[str]:
        # Kept until an item comes, goes or expires: paging through 100,000 keys would
        # otherwise look at each of them 2,000 times.
        expiry, keys = self._listings.get((pattern, reading), (0, []))
        if now >= expiry:
            for key in [key for key, item in self._items.items() if item.expires_at <= now]:
                self._forget(key)
            keys = [key for key in self._items if matches(key, pattern, reading)]
            expiry = min((self._items[key].expires_at for key in keys), default=now + 1)
            self._listings[pattern, reading] = (expiry, keys)
        return keys


def matches(key: str, pattern: str, reading: str) -> bool:
    """Tell whether a listing with this pattern shows the key.

    Read as a `namespace` the pattern is the whole text before the colon; `prefix` is any
    beginning.
    """
    if not pattern:
        return True
    return key.partition(":")[0] == pattern if reading == "namespace" else key.startswith(pattern)
