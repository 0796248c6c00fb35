"""Open a SQLite file safely: private, in WAL mode, migrated, its errors in our words."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mask_cli.errors import StorageError, TryLater
from mask_cli.store import schema

if TYPE_CHECKING:
    from pathlib import Path

BUSY_TIMEOUT = 20.0
"""Seconds to wait for another writer; our longest transaction is a large import."""

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PRIMARY = 0xFF
_REASONS = {
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is not a SQLite database",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written",
    sqlite3.SQLITE_PERM: "access is denied",
}
_HINTS = {
    sqlite3.SQLITE_READONLY: "check owner and mode of FILE, FILE-wal, FILE-shm and their folder",
    sqlite3.SQLITE_FULL: "free some space; nothing was half done",
    sqlite3.SQLITE_CORRUPT: "restore a backup, or try: sqlite3 FILE .recover",
    sqlite3.SQLITE_NOTADB: "point --database or MASK_DATABASE at another file",
}


class translated:  # noqa: N801 (used like a function; a generator would take five times as long)
    """Turn SQLite's errors into TryLater and StorageError that name the file."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            _raise_ours(error, self._path)


def _raise_ours(error: sqlite3.Error, path: Path) -> None:
    # Errors of the Python layer itself (a misuse) carry no code: those are bugs.
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or (code & _PRIMARY) == sqlite3.SQLITE_ERROR:
        # Its user_version happens to be ours; to look at every start would cost the hot path.
        if str(error).startswith("no such table"):
            raise _foreign(path) from error
        return
    code &= _PRIMARY
    if code in _BUSY:
        raise TryLater(
            # How long it was waited for differs: a command waits long, the webhook hardly.
            f"the database {path} is busy: another program is writing to it",
            hint="nothing was changed; run the command again",
        ) from error
    reason = _REASONS.get(code, str(error))
    raise StorageError(
        f"the database {path} cannot be used: {reason}", hint=_HINTS.get(code)
    ) from error


def connect(path: Path, *, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """Open the database, made and migrated when need be."""
    _made_private(path)
    with translated(path):
        connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
        try:
            _prepared(connection, path, time.monotonic() + timeout)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open an up-to-date database to read at once or not at all; for completion."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.2)
    if _version(connection) != schema.VERSION:
        connection.close()
        raise StorageError(f"the database {path} is not up to date")
    return connection


def _made_private(path: Path) -> None:
    """Make folder and file, readable by their owner only; SQLite's side files follow suit.

    A file that is there is not opened: to close any descriptor of it would drop the locks that
    other connections of this process have on it, and other programs would take it for unused.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            # What a link leads to may be missing, too.
            os.close(os.open(os.path.realpath(path), os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StorageError(
            f"the database {path} cannot be used: {error.strerror}",
            hint="point --database or MASK_DATABASE at a file you may write",
        ) from error


def _prepared(connection: sqlite3.Connection, path: Path, until: float) -> None:
    version = _version(connection)
    if version != schema.VERSION:
        _refuse_foreign(connection, path)
    if version > schema.VERSION:
        raise StorageError(
            f"the database {path} was written by a newer mask (its format is {version},"
            f" this program knows {schema.VERSION})",
            hint="upgrade mask-cli",
        )
    if version == schema.VERSION:
        return
    _set_wal(connection, until)
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Somebody else may have migrated while we waited for the lock.
        if _version(connection) < schema.VERSION:
            schema.migrate(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _set_wal(connection: sqlite3.Connection, until: float) -> None:
    """Switch to WAL; SQLite does not wait by itself when several processes do it at once."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY not in _BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Never change somebody else's database, not even its journal."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if tables and "_sqlite_migrations" not in tables:
        raise _foreign(path)


def _foreign(path: Path) -> StorageError:
    return StorageError(
        f"the database {path} belongs to another program",
        hint="point --database or MASK_DATABASE at another file",
    )


def _version(connection: sqlite3.Connection) -> int:
    row = connection.execute("PRAGMA user_version").fetchone()
    return int(row[0])
