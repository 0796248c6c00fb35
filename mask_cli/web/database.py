"""The store as a server needs it: opened late, given up when its file is not the same any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mask_cli.errors import StorageError
from mask_cli.store.calls import SqliteCalls
from mask_cli.store.connection import connect
from mask_cli.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path


_PRAGMAS = (
    # A commit need not wait for the disk: after a power cut the last moment's calls may be missing,
    # the database is sound.
    "synchronous = NORMAL",
    # Moving the log into the file is another thread's work; this only bounds the log.
    "wal_autocheckpoint = 16000",
    # What a statement needs to undo itself stays out of files: a third of all that was written.
    "temp_store = MEMORY",
)
_LOOK_EVERY = 0.2
"""Seconds after which the file is looked for again."""


class Database:
    """One connection, for one thread; it follows the file, and never makes a new one."""

    def __init__(self, path: Path, *, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._file: tuple[int, int] | None = None
        self._store: SqliteStore | None = None
        self._calls: SqliteCalls | None = None
        self._key = b""
        self._look_again = 0.0

    def calls(self) -> SqliteCalls:
        """Return the calls of the database that stands there, or raise StorageError.

        A file that was removed would go on answering from its remains: it is looked for now
        and then.
        """
        if self._calls is not None and time.monotonic() < self._look_again:
            return self._calls
        try:
            status = self._path.stat()
        except OSError as error:
            self.close()
            raise StorageError(f"the database {self._path} is gone") from error
        file = (status.st_dev, status.st_ino)
        if self._calls is None or file != self._file:
            self.close()
            self._open()
            self._file = file
        self._look_again = time.monotonic() + _LOOK_EVERY
        assert self._calls is not None, "opened above"  # noqa: S101 (an invariant)
        return self._calls

    def move_log(self) -> None:
        """Move what the write-ahead log holds into the file; nobody waits for it."""
        self.calls()
        assert self._store is not None, "opened with the calls"  # noqa: S101 (an invariant)
        self._store.row("PRAGMA wal_checkpoint(PASSIVE)")

    @property
    def key(self) -> bytes:
        """The key for hashes of numbers; known once `calls` was asked for."""
        return self._key

    def _open(self) -> None:
        store = SqliteStore(self._path, connect(self._path, timeout=self._timeout))
        try:
            for pragma in _PRAGMAS:
                store.execute(f"PRAGMA {pragma}")
            self._key = store.digest_key()
        except BaseException:
            store.close()
            raise
        self._store, self._calls = store, SqliteCalls(store)

    def close(self) -> None:
        """Let go of the file."""
        if self._store is not None:
            self._store.close()
        self._store = self._calls = None
