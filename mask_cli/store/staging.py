"""Bulk import into SQLite: rows wait in a temporary table, then move in one statement.

The temporary table is a private file that SQLite deletes by itself. Rows are appended and
sorted once, on their way into `mappings`; its indexes are built afterwards when it was empty:
a million rows so take a third of the time that three live indexes cost.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from mask_cli.store import schema
from mask_cli.store.base import ImportCounts, IncomingRow
from mask_cli.store.columns import OVERWRITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mask_cli.store.sqlite import SqliteStore

_COLUMNS = "order_number, line, courier, client, virtual_number, note, expires_at, moves_expiry"
_JOINED = "incoming i LEFT JOIN mappings m ON m.order_number = i.order_number"

# Every condition below is true or false, never NULL, also where `m` has no row.
_ACTIVE = "(m.order_number IS NOT NULL AND m.expires_at > :now)"
_SAME = (
    f"({_ACTIVE} AND m.courier = i.courier AND m.client = i.client"
    " AND (i.virtual_number IS NULL OR m.virtual_number IS i.virtual_number))"
)
_CONFLICT = f"({_ACTIVE} AND NOT {_SAME})"
_UPDATED = (
    f"({_SAME} AND ((i.moves_expiry AND m.expires_at <> i.expires_at)"
    " OR (i.note IS NOT NULL AND m.note IS NOT i.note)))"
)
# Where one row shows what is another's party, nobody knows which of the two is wrong.
_MIXED_UP = (
    "(courier IN shown OR client IN shown OR virtual_number IN (SELECT number FROM shown"
    " WHERE EXISTS (SELECT 1 FROM mappings WHERE courier = number)"
    " OR EXISTS (SELECT 1 FROM mappings WHERE client = number)"
    " OR number NOT IN (SELECT number FROM virtual_numbers)"
    " AND number IN (SELECT courier FROM incoming UNION SELECT client FROM incoming)))"
)
_UNCHANGED = f"({_SAME} AND NOT {_UPDATED})"
_EXPIRES = f"CASE WHEN {_SAME} AND NOT i.moves_expiry THEN m.expires_at ELSE i.expires_at END"


def _left_out(*, replace: bool) -> str:
    return _UNCHANGED if replace else f"({_UNCHANGED} OR {_CONFLICT})"


class SqliteStaging:
    """See `store.base.Staging`."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._connection = store.connection
        self._connection.execute(
            "CREATE TEMP TABLE incoming (order_number TEXT, line INTEGER, courier TEXT,"
            " client TEXT, virtual_number TEXT, note TEXT, expires_at INTEGER,"
            " moves_expiry INTEGER)"
        )
        self._connection.execute("CREATE TEMP TABLE kept (line INTEGER PRIMARY KEY, text TEXT)")
        self._connection.execute(
            "CREATE TEMP TABLE rejected (place INTEGER PRIMARY KEY, text BLOB)"
        )
        # One transaction for all appends; it locks nothing but the temporary file.
        self._connection.execute("BEGIN")
        self._indexed = False

    def close(self) -> None:
        """Throw away what is still staged."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        for table in ("incoming", "kept", "rejected"):
            self._connection.execute(f"DROP TABLE IF EXISTS temp.{table}")

    def add(self, rows: Sequence[IncomingRow]) -> None:
        """Take rows in."""
        self._connection.executemany("INSERT INTO incoming VALUES (?,?,?,?,?,?,?,?)", rows)

    def keep(self, texts: Sequence[tuple[int, str]]) -> None:
        """Keep the texts of rows as they came, by line: some may be rejected in the end."""
        self._connection.executemany("INSERT INTO kept VALUES (?,?)", texts)

    def text(self, line: int) -> str:
        """Return the text that was kept of a row."""
        found = self._connection.execute("SELECT text FROM temp.kept WHERE line = ?", (line,))
        (text,) = found.fetchone()
        return str(text)

    def reject(self, text: str) -> None:
        """Keep a text that is to be written out."""
        # What is no UTF-8 in the file is so in here, too.
        raw = text.encode(errors="surrogateescape")
        self._connection.execute("INSERT INTO rejected (text) VALUES (?)", (raw,))

    def rejected(self) -> Iterator[str]:
        """Yield what is to be written out, as it came."""
        for (raw,) in self._connection.execute("SELECT text FROM rejected ORDER BY place"):
            yield raw.decode(errors="surrogateescape")

    def take_duplicates(self, take: Callable[[IncomingRow], object]) -> None:
        """Leave out the rows whose order number came before, each handed to `take` first."""
        unique = "CREATE UNIQUE INDEX temp.incoming_by_order ON incoming (order_number)"
        try:
            self._connection.execute(unique)
        except sqlite3.IntegrityError:
            later = (
                "SELECT rowid FROM (SELECT rowid, row_number() OVER"
                " (PARTITION BY order_number ORDER BY rowid) AS nth FROM incoming) WHERE nth > 1"
            )
            for row in self._rows(f"SELECT {_COLUMNS} FROM incoming WHERE rowid IN ({later})"):
                take(row)
            self._connection.execute(f"DELETE FROM incoming WHERE rowid IN ({later})")
            self._connection.execute(unique)
        self._connection.execute("COMMIT")

    def take_mixed_up(self, take: Callable[[IncomingRow], object]) -> None:
        """Leave out, as above, the rows with a number that is virtual and a person's, too."""
        self._connection.execute(
            "CREATE TEMP TABLE shown AS SELECT DISTINCT virtual_number AS number FROM incoming"
            " WHERE virtual_number IS NOT NULL UNION SELECT number FROM virtual_numbers"
        )
        found = False
        if self._connection.execute("SELECT 1 FROM shown").fetchone():
            sql = f"SELECT {_COLUMNS} FROM incoming WHERE {_MIXED_UP} ORDER BY line"
            for row in self._rows(sql):
                found = True
                take(row)
        if found:
            self._connection.execute(f"DELETE FROM incoming WHERE {_MIXED_UP}")
        self._connection.execute("DROP TABLE shown")

    def conflicts(self, now: int) -> Iterator[IncomingRow]:
        """Yield the rows that differ from an active mapping here."""
        columns = ", ".join(f"i.{name.strip()}" for name in _COLUMNS.split(","))
        return self._rows(f"SELECT {columns} FROM {_JOINED} WHERE {_CONFLICT} ORDER BY i.line", now)

    def outlived(self, now: int) -> list[str]:
        """Return the staged orders whose mapping here has expired and is overwritten."""
        sql = f"SELECT i.order_number FROM {_JOINED} WHERE m.expires_at <= :now"
        return [order for (order,) in self._connection.execute(sql, {"now": now})]

    def audit(self, now: int, actor: str, *, replace: bool) -> int:
        """Write the audit rows of orders that `apply` changes, or that it knows already."""
        if self._store.row("SELECT 1 FROM mappings UNION ALL SELECT 1 FROM audit LIMIT 1") is None:
            return 0
        known = "SELECT 1 FROM audit a WHERE a.order_number = i.order_number"
        return self._connection.execute(
            f"""
            INSERT INTO audit (at, actor, action, order_number, detail)
            SELECT :now, :actor, 'import', i.order_number, CASE WHEN {_CONFLICT}
                THEN 'replaced, ' ELSE '' END || 'until '
                || strftime('%Y-%m-%dT%H:%M:%SZ', {_EXPIRES}, 'unixepoch')
            FROM {_JOINED} WHERE NOT {_left_out(replace=replace)}
                AND ({_ACTIVE} OR EXISTS ({known})) ORDER BY i.order_number
            """,
            {"now": now, "actor": actor},
        ).rowcount

    def apply(self, now: int, *, replace: bool) -> ImportCounts:
        """Store what is staged; conflicting rows overwrite or are skipped."""
        if self._store.used_orders() == 0:
            return self._fill(now)
        total, unchanged, updated, conflicts = self._connection.execute(
            f"SELECT count(*), total({_UNCHANGED}), total({_UPDATED}), total({_CONFLICT})"
            f" FROM {_JOINED}",
            {"now": now},
        ).fetchone()
        skipped = 0 if replace else int(conflicts)
        written = total - int(unchanged) - skipped
        self._merge(now, written, replace=replace)
        changed = int(updated) + (int(conflicts) if replace else 0)
        return ImportCounts(written - changed, changed, int(unchanged), skipped)

    def _fill(self, now: int) -> ImportCounts:
        """Move all rows into the empty table."""
        (total,) = self._connection.execute("SELECT count(*) FROM incoming").fetchone()
        first = self._store.next_revisions(total)
        schema.drop_indexes(self._connection)
        self._connection.execute(
            "INSERT INTO mappings SELECT order_number, row_number() OVER () + :before, courier,"
            " client, virtual_number, note, :now, :now, expires_at,"
            " row_number() OVER () + :before FROM incoming ORDER BY order_number",
            {"now": now, "before": first - 1},
        )
        schema.create_indexes(self._connection)
        return ImportCounts(total, 0, 0, 0)

    def _merge(self, now: int, count: int, *, replace: bool) -> None:
        """Write the rows that are new or differ, each with a revision of its own."""
        if not count:
            return
        first = self._store.next_revisions(count)
        revision = "row_number() OVER (ORDER BY i.order_number) + :before"
        self._connection.execute(
            f"""
            INSERT INTO mappings
            SELECT i.order_number, CASE WHEN {_SAME} THEN m.mapping_id ELSE {revision} END,
                i.courier, i.client,
                CASE WHEN {_SAME} THEN m.virtual_number ELSE i.virtual_number END,
                coalesce(i.note, CASE WHEN {_SAME} THEN m.note END),
                CASE WHEN {_SAME} THEN m.created_at ELSE :now END, :now,
                {_EXPIRES},
                {revision}
            FROM {_JOINED} WHERE NOT {_left_out(replace=replace)} {OVERWRITING}
            """,
            {"now": now, "before": first - 1},
        )

    def _rows(self, sql: str, now: int = 0) -> Iterator[IncomingRow]:
        """Yield rows as they are read: there may be as many as the file has."""
        return map(IncomingRow._make, self._connection.execute(sql, {"now": now}))
