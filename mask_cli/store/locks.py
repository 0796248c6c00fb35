"""One run of a kind at a time: a lock on the database itself that dies with its process.

It is a byte-range lock far behind the file's end, where SQLite has none. So there is no lock
file that somebody could delete, nothing is left when a process is killed, and the lock is that
of the data, under whatever path it was opened.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from typing import TYPE_CHECKING, Self

from mask_cli.errors import StorageError, TryLater

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_BEHIND_ALL = 1 << 60
_PLACES = {"sync": 0, "prune": 1}
_HELD = {errno.EAGAIN, errno.EACCES}


class RunLock:
    """The lock of one kind of run; entering raises TryLater while another process holds it.

    `close` only after the database was closed: to close any descriptor of a file drops the
    locks that SQLite has on it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError(f"the database {path} cannot be locked: {error.strerror}") from error

    def __enter__(self) -> Self:
        try:
            self._set(fcntl.F_WRLCK)
        except OSError as error:
            if error.errno not in _HELD:
                raise StorageError(f"the database cannot be locked: {error.strerror}") from error
            raise TryLater(
                f"another mask {self._name} is running on this database",
                hint="it does the same; run this one later if anything is left",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._set(fcntl.F_UNLCK)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _set(self, kind: int) -> None:
        place = _BEHIND_ALL + _PLACES[self._name]
        if sys.platform == "linux":
            # Of the open file, not of the process: a second run in one process is refused too.
            lock = struct.pack("hhqqi4x", kind, os.SEEK_SET, place, 1, 0)
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, lock)
        else:
            held = fcntl.LOCK_EX | fcntl.LOCK_NB if kind == fcntl.F_WRLCK else fcntl.LOCK_UN
            fcntl.lockf(self._file, held, 1, place, os.SEEK_SET)
