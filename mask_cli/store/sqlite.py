"""The store in one SQLite file, shared by as many processes as one computer has."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from mask_cli.models import Mapping, RemoteItem, Target
from mask_cli.store.base import AuditRow, Selection
from mask_cli.store.columns import (
    DELETIONS,
    ITEM,
    JOINED,
    MAPPING,
    MAPPING_WIDTH,
    OVERWRITING,
    WRITES,
    Row,
    as_item,
    as_mapping,
    conditions,
)
from mask_cli.store.connection import connect, translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mask_cli.store.base import Staging
    from mask_cli.store.pool import SqlitePool


class SqliteStore:
    """See `store.base.Store`; one connection, for one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        self.path = path
        self.connection = connection or connect(path)
        self._target_ids: dict[str, int] = {}

    @cached_property
    def pool(self) -> SqlitePool:
        """The virtual numbers."""
        from mask_cli.store.pool import SqlitePool

        return SqlitePool(self)

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()

    @contextmanager
    def writing(self, *, keep: bool = True) -> Iterator[SqliteStore]:
        """Open the one transaction in which reading and writing belong together.

        It begins IMMEDIATE: a deferred one fails at once when another writer gets in between
        its first read and its first write.
        """
        with translated(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self
                self.connection.execute("COMMIT" if keep else "ROLLBACK")
            except BaseException:
                # A full disk may have ended the transaction already.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            finally:
                # Ids given inside may be gone with it.
                self._target_ids.clear()

    # Mappings

    def get(self, order: str) -> Mapping | None:
        """Return the mapping of an order, active or expired."""
        row = self.row(f"SELECT {MAPPING} FROM mappings WHERE order_number = ?", order)
        return as_mapping(row) if row else None

    def put(self, mapping: Mapping) -> Mapping:
        """Store a mapping; return it with its new revision."""
        revision = self.next_revisions(1)
        stored = Mapping(
            order=mapping.order,
            courier=mapping.courier,
            client=mapping.client,
            expires_at=mapping.expires_at,
            created_at=mapping.created_at,
            updated_at=mapping.updated_at,
            virtual_number=mapping.virtual_number,
            note=mapping.note,
            mapping_id=mapping.mapping_id or revision,
            revision=revision,
        )
        self.execute(
            f"INSERT INTO mappings ({MAPPING}) VALUES (?,?,?,?,?,?,?,?,?,?) {OVERWRITING}",
            stored.order,
            stored.courier.e164,
            stored.client.e164,
            stored.expires_at,
            stored.created_at,
            stored.updated_at,
            stored.virtual_number.e164 if stored.virtual_number else None,
            stored.note,
            stored.mapping_id,
            stored.revision,
        )
        return stored

    def forget(self, order: str) -> bool:
        """Remove a mapping; False when there was none."""
        return self.execute("DELETE FROM mappings WHERE order_number = ?", order) > 0

    def next_revisions(self, count: int) -> int:
        """Take `count` values of the database-wide counter; return the first."""
        row = self.row(
            "UPDATE counters SET value = value + ? WHERE name = 'revision' RETURNING value", count
        )
        assert row is not None, "the counter is made with the table"  # noqa: S101 (an invariant)
        return int(row[0]) - count + 1

    def last_revision(self) -> int:
        """Return the counter's value: what was stored last has it."""
        row = self.row("SELECT value FROM counters WHERE name = 'revision'")
        return int(row[0]) if row else 0

    def listed(
        self, selection: Selection, target: Target | None, now: int
    ) -> Iterator[tuple[Mapping, RemoteItem | None]]:
        """Yield mappings in order of their number, each with its base."""
        where, values = conditions(selection, now)
        sql = (
            f"SELECT {JOINED} FROM mappings m LEFT JOIN remote_items i"
            " ON i.target_id = ? AND i.order_number = m.order_number"
            f"{where} ORDER BY m.order_number LIMIT ?"
        )
        limit = -1 if selection.limit is None else selection.limit
        for row in self.rows(sql, self._target_id(target), *values, limit):
            yield as_mapping(row), as_item(row[MAPPING_WIDTH:])

    def used_orders(self) -> int:
        """Count the order numbers in use, expired ones too."""
        row = self.row("SELECT count(*) FROM mappings")
        return int(row[0]) if row else 0

    def active_orders(self, beginning: str, now: int, limit: int) -> list[str]:
        """Return active order numbers that begin so, for completion."""
        sql = (
            "SELECT order_number FROM mappings WHERE order_number >= ? AND order_number < ?"
            " AND expires_at > ? ORDER BY order_number LIMIT ?"
        )
        return [row[0] for row in self.rows(sql, beginning, beginning + ":", now, limit)]

    def forget_expired(self, before: int, limit: int | None) -> Iterator[int]:
        """Remove expired mappings in transactions of their own; yield how many each removed."""
        from mask_cli.store.pruning import forget_expired

        yield from forget_expired(self, before, limit)

    def count_expired(self, before: int) -> int:
        """Count the mappings that expired at or before a moment."""
        row = self.row("SELECT count(*) FROM mappings WHERE expires_at <= ?", before)
        return int(row[0]) if row else 0

    def free_order(self, start: str) -> str | None:
        """Return the first order number not in use from `start` on, around the end."""
        for first, last in ((start, "9" * len(start)), ("0" * len(start), start)):
            wanted = int(first)
            sql = (
                "SELECT order_number FROM mappings WHERE order_number BETWEEN ? AND ?"
                " AND length(order_number) = ? ORDER BY order_number"
            )
            for (order,) in self.rows(sql, first, last, len(start)):
                if int(order) != wanted:
                    break
                wanted += 1
            if wanted <= int(last):
                return str(wanted).zfill(len(start))
        return None

    # The base

    def item(self, order: str, target: Target) -> RemoteItem | None:
        """Return the base of an order at a target."""
        row = self.row(
            f"SELECT {ITEM} FROM remote_items WHERE target_id = ? AND order_number = ?",
            self._target_id(target),
            order,
        )
        return as_item(row) if row else None

    def put_item(self, item: RemoteItem, target: Target) -> None:
        """Store the base of an order at a target."""
        self.execute(
            f"INSERT OR REPLACE INTO remote_items (target_id, {ITEM})"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            self._made_target_id(target),
            item.order,
            item.mapping_id,
            item.revision,
            item.digest,
            item.expires_at,
            item.intent,
            item.intent_token,
            item.intent_expires_at,
            item.lease_until,
            item.attempts,
            item.last_error,
            item.refused,
            item.intent_digest,
        )

    def drop_item(self, order: str, target: Target) -> None:
        """Forget the base: nothing of ours is there any more."""
        self.execute(
            "DELETE FROM remote_items WHERE target_id = ? AND order_number = ?",
            self._target_id(target),
            order,
        )

    def add_trace(self, order: str, target: Target, digest: str, expires_at: int) -> None:
        """Keep what we wrote there and are about to replace or delete."""
        self.execute(
            "INSERT OR IGNORE INTO traces VALUES (?,?,?,?)",
            self._made_target_id(target),
            order,
            digest,
            expires_at,
        )

    def traces(self, order: str, target: Target) -> list[tuple[str, int]]:
        """Return what we once wrote there: digests and expiries."""
        sql = "SELECT digest, expires_at FROM traces WHERE target_id = ? AND order_number = ?"
        return [(row[0], row[1]) for row in self.rows(sql, self._target_id(target), order)]

    def drop_traces(self, now: int) -> int:
        """Forget what has expired wherever it might have come back."""
        return self.execute("DELETE FROM traces WHERE expires_at <= ?", now)

    def drop_gone_items(self, target: Target, now: int) -> int:
        """Forget base rows whose item has expired there and whose mapping is gone here."""
        return self.execute(
            "DELETE FROM remote_items WHERE target_id = ?1 AND intent IS NULL"
            " AND lease_until <= ?2 AND (expires_at IS NULL OR expires_at <= ?2) AND NOT EXISTS"
            " (SELECT 1 FROM mappings m WHERE m.order_number = remote_items.order_number)",
            self._target_id(target),
            now,
        )

    def pending(
        self, target: Target, now: int, *, deletions_only: bool = False
    ) -> Iterator[tuple[str, Mapping | None, RemoteItem | None]]:
        """Yield what has to be sent to a target: order, mapping, base; one query.

        The conditions are those of `models.needs_push`; the contract suite holds them equal.
        """
        sql = DELETIONS if deletions_only else f"{WRITES} UNION ALL {DELETIONS}"
        values = {"t": self._target_id(target), "now": now}
        with translated(self.path):
            for row in self.connection.execute(sql, values):
                mapping = as_mapping(row[1:]) if row[1] is not None else None
                yield row[0], mapping, as_item(row[1 + MAPPING_WIDTH :])

    def items_elsewhere(self, target: Target | None, now: int) -> int:
        """Count unexpired items at other targets than this one."""
        row = self.row(
            "SELECT count(*) FROM remote_items WHERE target_id <> ? AND expires_at > ?",
            self._target_id(target),
            now,
        )
        return int(row[0]) if row else 0

    def known_application(self, endpoint: str, account: str, name: str) -> str | None:
        """Return the id an application name was last resolved to."""
        row = self.row(
            "SELECT application_id FROM applications"
            " WHERE endpoint = ? AND account = ? AND name = ?",
            endpoint,
            account,
            name,
        )
        return row[0] if row else None

    def remember_application(
        self, endpoint: str, account: str, name: str, application_id: str | None
    ) -> None:
        """Keep the id of an application name; None forgets it."""
        self.execute(
            "DELETE FROM applications WHERE endpoint = ? AND account = ? AND name = ?",
            endpoint,
            account,
            name,
        )
        if application_id is not None:
            self.execute(
                "INSERT INTO applications VALUES (?,?,?,?)", endpoint, account, name, application_id
            )

    def digest_key(self) -> bytes:
        """Return the key of this database for hashes of numbers."""
        row = self.row("SELECT value FROM secrets WHERE name = 'digest'")
        assert row is not None, "the key is made with the table"  # noqa: S101 (an invariant)
        return bytes(row[0])

    @contextmanager
    def staging(self) -> Iterator[Staging]:
        """Open a place for an import."""
        from mask_cli.store.staging import SqliteStaging

        with translated(self.path):
            staging = SqliteStaging(self)
            try:
                yield staging
            finally:
                staging.close()

    # The audit

    def add_audit(self, row: AuditRow) -> None:
        """Write an audit row."""
        self.execute(
            "INSERT INTO audit (at, actor, action, order_number, detail) VALUES (?,?,?,?,?)",
            row.at,
            row.actor,
            row.action,
            row.order,
            row.detail,
        )

    def audit(self, order: str | None, limit: int | None) -> Iterator[AuditRow]:
        """Yield audit rows, newest first."""
        sql = (
            "SELECT at, actor, action, order_number, detail FROM audit"
            " WHERE ?1 IS NULL OR order_number = ?1 ORDER BY audit_id DESC LIMIT ?2"
        )
        for row in self.rows(sql, order, -1 if limit is None else limit):
            yield AuditRow(*row)

    def prune_audit(self, before: int) -> int:
        """Remove audit rows older than a moment; return how many."""
        return self.execute("DELETE FROM audit WHERE at < ?", before)

    # SQLite

    def _target_id(self, target: Target | None) -> int:
        """Return the short id of a target, 0 when nothing was ever written for it."""
        if target is None:
            return 0
        if target.id not in self._target_ids:
            row = self.row("SELECT target_id FROM targets WHERE name = ?", target.id)
            if row is None:
                return 0
            self._target_ids[target.id] = int(row[0])
        return self._target_ids[target.id]

    def _made_target_id(self, target: Target) -> int:
        if not self._target_id(target):
            self.execute("INSERT OR IGNORE INTO targets (name) VALUES (?)", target.id)
        return self._target_id(target)

    def execute(self, sql: str, *values: object) -> int:
        """Run a statement; return how many rows it touched. For the rooms of this store."""
        with translated(self.path):
            return self.connection.execute(sql, values).rowcount

    def executemany(self, sql: str, values: Sequence[tuple[object, ...]]) -> int:
        """Run a statement many times; return how many rows it touched. For the rooms."""
        with translated(self.path):
            return self.connection.executemany(sql, values).rowcount

    def row(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query. For the rooms of this store."""
        with translated(self.path):
            row: Row | None = self.connection.execute(sql, values).fetchone()
            return row

    def rows(self, sql: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a query. For the rooms of this store."""
        with translated(self.path):
            yield from self.connection.execute(sql, values)
