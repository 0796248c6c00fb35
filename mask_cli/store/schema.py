"""The tables, and how an older database becomes a current one.

Migrations only ever append. `PRAGMA user_version` repeats how many have been applied, so that
a current database is recognised without loading sqlite-utils.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from sqlite_utils import Database

INDEXES = {
    "mappings_by_courier": "mappings (courier)",
    "mappings_by_client": "mappings (client)",
    "mappings_by_expiry": "mappings (expires_at)",
}
"""Kept apart because a large import drops them and builds them at its end."""


def create_indexes(connection: sqlite3.Connection) -> None:
    """Build the indexes of `mappings`."""
    for name, columns in INDEXES.items():
        connection.execute(f"CREATE INDEX {name} ON {columns}")


def drop_indexes(connection: sqlite3.Connection) -> None:
    """Drop the indexes of `mappings`; only inside a transaction that builds them again."""
    for name in INDEXES:
        connection.execute(f"DROP INDEX {name}")


def _001_mappings(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE mappings (
            order_number TEXT PRIMARY KEY,
            mapping_id INTEGER NOT NULL,
            courier TEXT NOT NULL,
            client TEXT NOT NULL,
            virtual_number TEXT,
            note TEXT,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            revision INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """
    )
    create_indexes(db.conn)
    # One counter for revisions and mapping ids: a value is never used twice.
    db.execute("CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO counters VALUES ('revision', 0)")
    import secrets

    db.execute("CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT")
    db.execute("INSERT INTO secrets VALUES ('digest', ?)", [secrets.token_bytes(32)])


def _002_base(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE targets (
            target_id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE
        ) STRICT
        """
    )
    db.execute(
        """
        CREATE TABLE remote_items (
            target_id INTEGER NOT NULL REFERENCES targets,
            order_number TEXT NOT NULL,
            mapping_id INTEGER,
            revision INTEGER,
            digest TEXT,
            expires_at INTEGER,
            intent TEXT CHECK (intent IN ('set', 'delete')),
            intent_token TEXT,
            intent_expires_at INTEGER,
            lease_until INTEGER NOT NULL DEFAULT 0,
            attempts INTEGER NOT NULL DEFAULT 0,
            last_error TEXT,
            refused INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (target_id, order_number)
        ) STRICT, WITHOUT ROWID
        """
    )
    db.execute(
        """
        CREATE TABLE applications (
            endpoint TEXT, account TEXT, name TEXT, application_id TEXT NOT NULL,
            PRIMARY KEY (endpoint, account, name)
        ) STRICT, WITHOUT ROWID
        """
    )


def _003_audit(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE audit (
            audit_id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            order_number TEXT,
            detail TEXT
        ) STRICT
        """
    )
    db.execute("CREATE INDEX audit_by_order ON audit (order_number)")
    db.execute("CREATE INDEX audit_by_time ON audit (at)")


def _004_pool(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE virtual_numbers (
            number TEXT PRIMARY KEY,
            provider TEXT,
            application TEXT,
            state TEXT NOT NULL CHECK (state IN ('active', 'quarantined', 'released')),
            added_at INTEGER NOT NULL,
            used INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID
        """
    )
    db.execute(
        """
        CREATE TABLE releases (
            release_id INTEGER PRIMARY KEY,
            pair TEXT NOT NULL,
            courier TEXT NOT NULL,
            client TEXT NOT NULL,
            virtual_number TEXT,
            released_at INTEGER NOT NULL
        ) STRICT
        """
    )
    for column in ("pair", "courier", "client", "released_at"):
        db.execute(f"CREATE INDEX releases_by_{column} ON releases ({column})")
    db.execute(
        "CREATE INDEX mappings_by_virtual_number ON mappings (virtual_number)"
        " WHERE virtual_number IS NOT NULL"
    )
    # How often each number is in use is kept by the database itself, whoever writes.
    counted = {"INSERT": ("new", "+"), "DELETE": ("old", "-")}
    for event, (row, sign) in counted.items():
        db.execute(
            f"CREATE TRIGGER virtual_number_{event.lower()} AFTER {event} ON mappings"
            f" WHEN {row}.virtual_number IS NOT NULL BEGIN UPDATE virtual_numbers"
            f" SET used = used {sign} 1 WHERE number = {row}.virtual_number; END"
        )
    db.execute(
        "CREATE TRIGGER virtual_number_update AFTER UPDATE OF virtual_number ON mappings"
        " WHEN old.virtual_number IS NOT new.virtual_number BEGIN"
        " UPDATE virtual_numbers SET used = used - 1 WHERE number = old.virtual_number;"
        " UPDATE virtual_numbers SET used = used + 1 WHERE number = new.virtual_number; END"
    )


def _005_calls(db: Database) -> None:
    # No phone number in any of these: a nonce's answer is sealed, and forgotten after a minute.
    db.execute(
        """
        CREATE TABLE calls (
            provider TEXT NOT NULL,
            call_id TEXT NOT NULL,
            started_at INTEGER NOT NULL,
            mapping_id INTEGER,
            order_number TEXT,
            role TEXT,
            outcome TEXT,
            reason TEXT,
            answered_at INTEGER,
            bridged_at INTEGER,
            ended_at INTEGER,
            seconds INTEGER,
            talked INTEGER,
            hangup_cause TEXT,
            recording_url TEXT,
            PRIMARY KEY (provider, call_id)
        ) STRICT
        """
    )
    db.execute("CREATE INDEX calls_by_start ON calls (started_at)")
    db.execute(
        """
        CREATE TABLE nonces (
            nonce TEXT PRIMARY KEY,
            digest TEXT NOT NULL,
            answer TEXT,
            token TEXT NOT NULL,
            at INTEGER NOT NULL
        ) STRICT
        """
    )
    db.execute("CREATE INDEX nonces_by_time ON nonces (at)")
    db.execute("CREATE INDEX nonces_with_answer ON nonces (at) WHERE answer IS NOT NULL")
    db.execute(
        """
        CREATE TABLE caller_attempts (
            caller TEXT NOT NULL,
            call_id TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            at INTEGER NOT NULL,
            UNIQUE (caller, call_id, attempt)
        ) STRICT
        """
    )
    db.execute("CREATE INDEX caller_attempts_by_time ON caller_attempts (at)")


def _006_runs(db: Database) -> None:
    # What cron did last, for doctor; one row a command.
    db.execute(
        """
        CREATE TABLE runs (
            name TEXT PRIMARY KEY,
            ended_at INTEGER NOT NULL,
            exit_code INTEGER NOT NULL,
            last_good_at INTEGER
        ) STRICT, WITHOUT ROWID
        """
    )


def _007_traces(db: Database) -> None:
    # What we wrote there and then replaced or deleted, until it would have expired: it alone may
    # come back by itself. Whatever else stands under a key without a base is a stranger's.
    db.execute("ALTER TABLE remote_items ADD COLUMN intent_digest TEXT")
    db.execute(
        """
        CREATE TABLE traces (
            target_id INTEGER NOT NULL REFERENCES targets,
            order_number TEXT NOT NULL,
            digest TEXT NOT NULL,
            expires_at INTEGER NOT NULL,
            PRIMARY KEY (target_id, order_number, digest, expires_at)
        ) STRICT, WITHOUT ROWID
        """
    )


MIGRATIONS: tuple[Callable[[Database], None], ...] = (
    _001_mappings,
    _002_base,
    _003_audit,
    _004_pool,
    _005_calls,
    _006_runs,
    _007_traces,
)
VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to VERSION; to be called inside `BEGIN IMMEDIATE`."""
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations("mask")
    for function in MIGRATIONS:
        migrations(name=function.__name__.lstrip("_"))(function)
    migrations.apply(Database(connection))
    connection.execute(f"PRAGMA user_version = {VERSION}")
