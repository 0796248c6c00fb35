"""Run `mask` and kill it, with SIGKILL, at a step of the store.

python -m tests.system.launch before|after NTH PATTERN ARGUMENTS...

The step is the NTH statement whose text begins with PATTERN; an empty one fits every statement.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from functools import partial
from typing import Any

WHEN, NTH, PATTERN = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class SteppingConnection(sqlite3.Connection):
    """A real connection that counts its statements."""

    passed = 0

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._step(sql, partial(super().execute, sql, *values))

    def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._step(sql, partial(super().executemany, sql, *values))

    def _step(self, sql: str, run: partial[sqlite3.Cursor]) -> sqlite3.Cursor:
        fits = sql.split()[: len(PATTERN.split())] == PATTERN.split()
        SteppingConnection.passed += fits
        here = fits and SteppingConnection.passed == NTH
        if here and WHEN == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = run()
        if here:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


if __name__ == "__main__":
    sqlite3.connect = partial(sqlite3.connect, factory=SteppingConnection)  # type: ignore[assignment]
    from mask_cli.cli import main

    sys.argv[:] = ["mask", *sys.argv[4:]]
    main()
