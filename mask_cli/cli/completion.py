"""Order numbers for the shell's completion: read-only, few, fast."""

from __future__ import annotations

import time

from mask_cli.config import load_settings
from mask_cli.store.connection import connect_readonly
from mask_cli.store.sqlite import SqliteStore

MOST = 50


def orders_beginning(incomplete: str) -> list[str]:
    """Return active order numbers that begin so; may raise anything."""
    path = load_settings().database
    store = SqliteStore(path, connect_readonly(path))
    try:
        return store.active_orders(incomplete, int(time.time()), MOST)
    finally:
        store.close()
