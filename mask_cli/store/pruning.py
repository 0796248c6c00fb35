"""Remove what has expired from SQLite, fast, and without keeping other writers out for long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mask_cli.store.sqlite import SqliteStore

_PRUNE_ROUND = 200_000
"""So many order numbers are held in memory by a prune."""
_PRUNE_BATCH, _PRUNE_LEAST = 50_000, 1_000
_PRUNE_HOLD = 0.8
"""Seconds that a prune's transaction should take: shorter ones cost more, longer ones keep others
waiting; the batches, at first _PRUNE_BATCH, grow and shrink to meet it."""
_PRUNE_REST = 1.5
"""What is left is removed at once when it is at most so many batches."""
_PRUNE_PAUSE = 0.12
"""Seconds between them: one who waits for SQLite's lock may sleep for a tenth before it looks."""


def forget_expired(store: SqliteStore, before: int, limit: int | None) -> Iterator[int]:
    """Remove expired mappings in transactions of their own; yield how many each removed.

    By primary key and in its order, with rare checkpoints: what is left of the cost is
    that of the indexes.
    """
    store.execute("PRAGMA wal_autocheckpoint = 50000")
    store.execute("PRAGMA cache_size = -131072")
    size = _PRUNE_BATCH
    left = -1 if limit is None else limit
    while left:
        ask = _PRUNE_ROUND if left < 0 else min(left, _PRUNE_ROUND)
        orders = store.rows(
            "SELECT order_number FROM mappings WHERE expires_at <= ? LIMIT ?", before, ask
        )
        found = sorted(order for (order,) in orders)
        left = left - len(found) if left > 0 else left
        last = len(found) < ask
        while found:
            # Every batch writes most pages of the indexes: a small one at the end would cost
            # nearly as much as a whole one.
            most = size if len(found) > _PRUNE_REST * size else len(found)
            batch, found = found[:most], found[most:]
            gone, seconds = _forgotten(store, batch, before)
            size = max(_PRUNE_LEAST, min(2 * size, int(size * _PRUNE_HOLD / seconds)))
            yield gone
            if found:
                time.sleep(_PRUNE_PAUSE)
        if last:
            return


def _forgotten(store: SqliteStore, orders: list[str], before: int) -> tuple[int, float]:
    """Remove those orders that are still expired; return how many, and the seconds it took."""
    started = time.perf_counter()
    with store.writing():
        if not store.pool.is_empty():
            gone_now = (store.get(order) for order in orders)
            bound = [m for m in gone_now if m and m.virtual_number and m.expires_at <= before]
            store.pool.release(bound, before)
        sql = "DELETE FROM mappings WHERE order_number = ? AND expires_at <= ?"
        values = [(order, before) for order in orders]
        gone = store.connection.executemany(sql, values).rowcount
    return gone, time.perf_counter() - started
