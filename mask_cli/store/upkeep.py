"""What long runs ask of the SQLite store: little memory, short reads, one at a time.

A cursor that stays open would hold the database's past while others write, and fail the next
transaction of its own connection; so what is long is read piece by piece.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from mask_cli.store.columns import (
    DELETIONS,
    JOINED,
    MAPPING_WIDTH,
    WRITES,
    as_item,
    as_mapping,
)
from mask_cli.store.connection import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mask_cli.models import Mapping, RemoteItem, Target
    from mask_cli.store.sqlite import SqliteStore

_PIECE = 500


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the last run of a command ended, and when one last ended well."""

    ended_at: int
    exit_code: int
    last_good_at: int | None


# Where a piece goes on is part of each half, so that it is found by primary key.
_DELETIONS = f"{DELETIONS} AND i.order_number > :after ORDER BY i.order_number LIMIT {_PIECE}"
_WRITES = f"{WRITES} AND m.order_number > :after ORDER BY m.order_number LIMIT {_PIECE}"
_LOCAL = f"""
    SELECT m.order_number, {JOINED} FROM mappings m
    LEFT JOIN remote_items i ON i.target_id = :t AND i.order_number = m.order_number
    WHERE m.order_number > :after ORDER BY m.order_number LIMIT {_PIECE}
"""
_BASE_ONLY = f"""
    SELECT i.order_number, {JOINED} FROM remote_items i
    LEFT JOIN mappings m ON m.order_number = i.order_number
    WHERE i.target_id = :t AND m.order_number IS NULL AND i.order_number > :after
    ORDER BY i.order_number LIMIT {_PIECE}
"""


class SqliteUpkeep:
    """A room of one store; nothing of it may be used inside `writing()`."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def count_pending(self, target: Target, now: int, *, deletions_only: bool = False) -> int:
        """Count what has to be sent to a target."""
        sql = f"SELECT count(*) FROM ({DELETIONS})"
        if not deletions_only:
            sql = f"SELECT (SELECT count(*) FROM ({WRITES})) + ({sql})"
        with translated(self._store.path):
            row = self._store.connection.execute(sql, self._values(target, now)).fetchone()
        return int(row[0])

    def pending_orders(
        self, target: Target, now: int, *, deletions_only: bool = False, asked_only: bool = False
    ) -> Iterator[str]:
        """Yield what has to be sent, deletions first: who was taken off must not be reached.

        Others, and the caller itself, may write between two orders. `asked_only` leaves out the
        deletions that nobody here asked for.
        """
        for sql in (_DELETIONS,) if deletions_only else (_DELETIONS, _WRITES):
            for order, mapping, item in self._pieces(sql, target, now):
                if not (asked_only and self._unasked(order, mapping, item)):
                    yield order

    def compared(
        self, target: Target, now: int
    ) -> Iterator[tuple[str, Mapping | None, RemoteItem | None]]:
        """Yield all that is known here of any order: its mapping and its base."""
        for sql in (_LOCAL, _BASE_ONLY):
            yield from self._pieces(sql, target, now)

    def gone_on_purpose(self, order: str) -> bool:
        """Tell whether the last that was done to an order was to expire or delete it."""
        row = self._store.row(
            "SELECT action FROM audit WHERE order_number = ? AND action IN"
            " ('add', 'replace', 'reassign', 'extend', 'import', 'expire', 'delete')"
            " ORDER BY audit_id DESC LIMIT 1",
            order,
        )
        return row is not None and row[0] in ("expire", "delete")

    def orphans(self, target: Target, now: int) -> tuple[int, int]:
        """Count the deletions that nobody here asked for, and the live keys of the base."""
        gone = 0
        for order, mapping, item in self._pieces(_DELETIONS, target, now):
            gone += self._unasked(order, mapping, item)
        values = self._values(target, now)
        live = "SELECT count(*) FROM remote_items WHERE target_id = ? AND expires_at > ?"
        row = self._store.row(live, values["t"], now)
        return gone, int(row[0]) if row else 0

    def _unasked(self, order: str, mapping: Mapping | None, item: RemoteItem | None) -> bool:
        vanished = mapping is None and item is not None and item.intent is None
        return vanished and not self.gone_on_purpose(order)

    def expect_deletions(self, target: Target, now: int) -> None:
        """Leave an intent where a mapping that ended is still live there, before it is forgotten.

        Once its row is gone, nothing else tells that its deletion was meant.
        """
        pieces = self._pieces(_DELETIONS, target, now)
        while batch := list(islice(pieces, _PIECE)):
            with self._store.writing():
                for order, mapping, item in batch:
                    # What vanished without a word here stays an orphan: the safety limit is for it.
                    meant = mapping is not None or self.gone_on_purpose(order)
                    if item is not None and item.intent is None and meant:
                        self._expect_deletion(order, item, target)

    def _expect_deletion(self, order: str, item: RemoteItem, target: Target) -> None:
        if self._store.item(order, target) == item:
            self._store.put_item(replace(item, intent="delete"), target)

    def note_run(self, name: str, now: int, exit_code: int) -> None:
        """Keep how a run ended."""
        with self._store.writing():
            self._store.execute(
                "INSERT INTO runs VALUES (?1, ?2, ?3, CASE ?3 WHEN 0 THEN ?2 END)"
                " ON CONFLICT (name) DO UPDATE SET ended_at = ?2, exit_code = ?3,"
                " last_good_at = coalesce(excluded.last_good_at, last_good_at)",
                name,
                now,
                exit_code,
            )

    def last_run(self, name: str) -> LastRun | None:
        """Return how the last run of a command ended."""
        row = self._store.row(
            "SELECT ended_at, exit_code, last_good_at FROM runs WHERE name = ?", name
        )
        return LastRun(*row) if row else None

    def _pieces(
        self, sql: str, target: Target, now: int
    ) -> Iterator[tuple[str, Mapping | None, RemoteItem | None]]:
        after = ""
        while True:
            values = {**self._values(target, now), "after": after}
            with translated(self._store.path):
                rows = self._store.connection.execute(sql, values).fetchall()
            for row in rows:
                mapping = as_mapping(row[1:]) if row[1] is not None else None
                yield row[0], mapping, as_item(row[1 + MAPPING_WIDTH :])
            if len(rows) < _PIECE:
                return
            after = rows[-1][0]

    def _values(self, target: Target, now: int) -> dict[str, object]:
        row = self._store.row("SELECT target_id FROM targets WHERE name = ?", target.id)
        return {"t": row[0] if row else 0, "now": now}
