"""`prune`: against one SQL DELETE, and what another writer feels meanwhile."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.harness import (
    LONGEST_RUN,
    BenchmarkError,
    Figure,
    Run,
    in_turn,
    median_ratio,
    rounds,
    times,
)
from benchmarks.workbench import expect_rows, remove, settle

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.workbench import Workbench

IDLE = 2.0
"""Seconds that the other writer is watched before `prune` begins."""
_DELETE = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
    " c.execute('DELETE FROM mappings WHERE expires_at <= unixepoch() - 86400'); c.commit()"
)

Samples = list[tuple[float, float]]


def prune(bench: Workbench) -> list[Figure]:
    """Prune a tenth of a store."""
    expired, bare = _expired_stores(bench)
    figures = [_against_one_delete(bench, expired, bare), *_beside_a_writer(bench, expired)]
    for database in (expired, bare):
        remove(database)
    return figures


def _expired_stores(bench: Workbench) -> tuple[Path, Path]:
    """Return a store and a bare table in which the same tenth expired three days ago or more."""
    bare = bench.fresh(bench.bare, "prune-bare.db")
    store = bench.fresh(bench.store(bench.rows), "prune-store.db")
    # The earliest tenth: as scattered over the order numbers as real ones are.
    sql = (
        "UPDATE mappings SET expires_at = unixepoch() - 3 * 86400 - expires_at % 86400"
        " WHERE order_number IN (SELECT order_number FROM mappings"
        f" ORDER BY expires_at, order_number LIMIT {bench.rows // 10})"
    )
    for database in (store, bare):
        with closing(sqlite3.connect(database)) as connection:
            connection.execute(sql)
            connection.commit()
        settle(database)
    return store, bare


def _against_one_delete(bench: Workbench, expired: Path, bare: Path) -> Figure:
    bare_rows = _count(bare)

    def ours(_: int) -> Run:
        store = bench.fresh(expired, "pruned.db")
        done = bench.mask(store, "prune")
        expect_rows(store, bench.rows - bench.rows // 10)
        return done

    def theirs(_: int) -> Run:
        database = bench.fresh(bare, "deleted.db")
        done = bench.python("-c", _DELETE, str(database))
        expect_rows(database, bare_rows - bench.rows // 10)
        return done

    runs = in_turn(bench.pairs, bench.budget, ours, theirs)
    for name in ("pruned.db", "deleted.db"):
        remove(bench.folder / name)
    mine, other = [pair[0].seconds for pair in runs], [pair[1].seconds for pair in runs]
    detail = f"{times('mask', mine)}, {times('other', other)}, {len(runs)} pairs"
    return Figure(
        "prune", "one DELETE, bare table", median_ratio(mine, other), "x time", 5, detail=detail
    )


def _count(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM mappings").fetchone()[0])


def _beside_a_writer(bench: Workbench, expired: Path) -> list[Figure]:
    seen = [_watched(bench, expired) for _ in rounds(bench.pairs, bench.budget)]
    idle = [median(seconds for _, seconds in before) for before, _ in seen]
    busy = [median(seconds for _, seconds in during) for _, during in seen]
    worst = max(seconds for _, during in seen for _, seconds in during)
    detail = f"{median(idle) * 1000:.2f} ms idle, {median(busy) * 1000:.2f} ms during prune"
    return [
        Figure(
            "prune", "a writer's idle median", median_ratio(busy, idle), "x time", 2, detail=detail
        ),
        # The median says nothing of the few writes that meet a long transaction.
        Figure("prune", "that writer's longest wait", worst, "s", None),
    ]


def _watched(bench: Workbench, expired: Path) -> tuple[Samples, Samples]:
    """Return the writer's samples before and during one `prune`."""
    store = bench.fresh(expired, "watched.db")
    writer = subprocess.Popen(
        (sys.executable, "-m", "benchmarks.writer", str(store)),
        env=bench.environment(store),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if writer.stdout is None or writer.stdout.readline() != "ready\n":
            raise BenchmarkError("the writer did not start")
        time.sleep(IDLE)
        started = time.monotonic()
        bench.mask(store, "prune")
        ended = time.monotonic()
        said, _ = writer.communicate(timeout=LONGEST_RUN)
    finally:
        if writer.poll() is None:
            writer.kill()
            writer.communicate()
        remove(store)
    return split_samples(said, started, ended)


def split_samples(said: str, started: float, ended: float) -> tuple[Samples, Samples]:
    """Part the writes that were over before `started` from those under way until `ended`."""
    samples = [(float(at), float(took)) for at, took in map(str.split, said.splitlines())]
    before = [(at, took) for at, took in samples if at + took < started]
    during = [(at, took) for at, took in samples if at + took >= started and at <= ended]
    if not before or not during:
        raise BenchmarkError("the writer wrote too little to compare")
    return before, during
