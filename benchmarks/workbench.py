"""A temporary folder with its own environment, the two programs, and the stores they work on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.generate import ORDER_DIGITS
from benchmarks.harness import BenchmarkError, Run, run

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
# What the console script does, but always from this tree.
MASK = (sys.executable, "-c", "import sys; from mask_cli.cli import main; sys.exit(main())")


@dataclass(frozen=True)
class Workbench:
    """Everything a row needs; `rows`, `pairs`, `budget` come from the command line."""

    folder: Path
    rows: int
    seed: int
    pairs: int
    budget: float

    def environment(self, database: Path) -> dict[str, str]:
        """Return an environment of its own: nothing of the caller's but the search path."""
        homes = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "MASK_DATABASE": str(database),
            "MASK_ORDER_DIGITS": str(ORDER_DIGITS),
            **{name: str(self.folder / "home") for name in homes},
            **{name: str(self.folder) for name in ("TMPDIR", "SQLITE_TMPDIR")},
        }

    def mask(self, database: Path, *arguments: str, lines: bool = False) -> Run:
        """Run `mask` on a database."""
        return run((*MASK, *arguments), self.environment(database), lines=lines)

    def sqlite_utils(self, *arguments: str, stdin: bytes = b"") -> Run:
        """Run `sqlite-utils`."""
        program = Path(sys.executable).with_name("sqlite-utils")
        return run(
            (str(program), *arguments), self.environment(self.folder / "unused"), stdin=stdin
        )

    def python(self, *arguments: str) -> Run:
        """Run a Python of the same version."""
        return run((sys.executable, *arguments), self.environment(self.folder / "unused"))

    def orders(self, rows: int) -> Path:
        """Return a generated file of orders."""
        path = self.folder / f"orders-{rows}.csv"
        if not path.exists():
            # In a process of its own: our size is the least that a child's peak can be.
            size = ("--rows", str(rows), "--seed", str(self.seed))
            self.python("-m", "benchmarks.generate", str(path), *size)
        return path

    def store(self, rows: int) -> Path:
        """Return a store of `mask` that holds the generated orders."""
        path = self.folder / f"store-{rows}.db"
        if not path.exists():
            self.mask(path, "import", str(self.orders(rows)))
            expect_rows(path, rows)
            settle(path)
        return path

    @cached_property
    def bare(self) -> Path:
        """A database with the same mappings in one table without further indexes."""
        path = self.folder / "bare.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("ATTACH ? AS store", (str(self.store(self.rows)),))
            connection.execute(
                "CREATE TABLE mappings (order_number TEXT PRIMARY KEY, courier TEXT, client TEXT,"
                " expires_at INTEGER)"
            )
            connection.execute(
                "INSERT INTO mappings SELECT order_number, courier, client, expires_at"
                " FROM store.mappings"
            )
            connection.commit()
        return path

    def fresh(self, original: Path, name: str) -> Path:
        """Return a copy of a settled database, in the place of an older copy."""
        copy = self.folder / name
        remove(copy)
        shutil.copyfile(original, copy)
        with copy.open("rb") as file:
            # Or the first fsync of the program under test would pay for our copying.
            os.fsync(file.fileno())
        return copy


def remove(database: Path) -> None:
    """Remove a database with its side files."""
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def settle(database: Path) -> None:
    """Move everything from the write-ahead log into the file, so that it can be copied."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def expect_rows(database: Path, rows: int, table: str = "mappings") -> None:
    """Refuse to go on when a program did not do its job."""
    found = values(database, f"SELECT count(*) FROM {table}")[0]
    if found != rows:
        raise BenchmarkError(f"{database.name} holds {found} rows instead of {rows}")


def values(database: Path, sql: str, parameters: Sequence[object] = ()) -> list[object]:
    """Return the first column of a query."""
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute(sql, tuple(parameters))]
