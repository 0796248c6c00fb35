"""`show`, `add`, `import` and `list`: one function a row of the table."""

from __future__ import annotations

import json
import random
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.generate import ORDER_DIGITS
from benchmarks.harness import BenchmarkError, Figure, Run, in_turn, median_ratio, times
from benchmarks.workbench import expect_rows, remove, values

if TYPE_CHECKING:
    from benchmarks.workbench import Workbench

QUICK = 4
"""A command of a tenth of a second takes this many times the pairs."""
FREE_TRIES = 1000


def show(bench: Workbench) -> list[Figure]:
    """Time `mask show` against a query for the same row of the same file."""
    store = bench.store(bench.rows)
    orders = _some_orders(bench, bench.pairs * QUICK + 1)

    def ours(turn: int) -> Run:
        return bench.mask(store, "show", orders[turn], "--format", "json", lines=True)

    def theirs(turn: int) -> Run:
        sql = f"select * from mappings where order_number = '{orders[turn]}'"
        return bench.sqlite_utils("query", str(store), sql)

    runs = in_turn(bench.pairs * QUICK, bench.budget, ours, theirs)
    return [_ratio("show", "sqlite-utils query", runs, 0.75)]


def add(bench: Workbench) -> list[Figure]:
    """Time `mask add --no-push` against inserting one row, both into a full store."""
    store, bare = bench.fresh(bench.store(bench.rows), "add.db"), bench.bare
    orders = _free_orders(bench, bench.pairs * QUICK + 1)
    parties = {"courier": "+14155550100", "client": "+14155550101"}

    def ours(turn: int) -> Run:
        options = [f"--{name}={number}" for name, number in parties.items()]
        return bench.mask(store, "add", orders[turn], *options, "--ttl", "10d", "--no-push")

    def theirs(turn: int) -> Run:
        row = {"order_number": orders[turn], **parties, "expires_at": 2_000_000_000}
        given = json.dumps(row).encode()
        return bench.sqlite_utils("insert", str(bare), "mappings", "-", stdin=given)

    runs = in_turn(bench.pairs * QUICK, bench.budget, ours, theirs)
    for database in (store, bare):
        expect_rows(database, bench.rows + len(runs) + 1)
    remove(store)
    return [_ratio("add --no-push", "sqlite-utils insert", runs, 0.9)]


def import_(bench: Workbench) -> list[Figure]:
    """Time `mask import` into an empty store against two ways of `sqlite-utils insert`."""
    file, target = bench.orders(bench.rows), bench.folder / "import.db"
    few = bench.orders(bench.rows // 100)

    def ours(turn: int) -> Run:
        remove(target)
        done = bench.mask(target, "import", str(few if turn < 0 else file))
        expect_rows(target, bench.rows // 100 if turn < 0 else bench.rows)
        return done

    def theirs(turn: int, *options: str) -> Run:
        remove(target)
        given = str(few if turn < 0 else file)
        done = bench.sqlite_utils(
            "insert", str(target), "mappings", given, "--csv", "--pk", "order", *options
        )
        expect_rows(target, bench.rows // 100 if turn < 0 else bench.rows)
        return done

    runs = in_turn(
        bench.pairs,
        bench.budget,
        ours,
        theirs,
        lambda turn: theirs(turn, "--no-detect-types"),
    )
    remove(target)
    peak = median(mine.megabytes for mine, *_ in runs)
    return [
        _faster("import", "sqlite-utils insert --csv --pk", runs, 1, 4),
        _faster("import", "the same with --no-detect-types", runs, 2, 2),
        Figure("import", "peak memory", peak, "MB", 120),
    ]


def list_(bench: Workbench) -> list[Figure]:
    """Time the first line of `mask list --format jsonl`; weigh its memory against a tenth."""
    large, small = bench.store(bench.rows), bench.store(bench.rows // 10)
    runs = in_turn(
        bench.pairs,
        bench.budget,
        lambda _: bench.mask(large, "list", "--all", "--format", "jsonl", lines=True),
        lambda _: bench.mask(small, "list", "--all", "--format", "jsonl", lines=True),
    )
    first = median(big.first_line for big, _ in runs)
    peaks = [big.megabytes for big, _ in runs], [little.megabytes for _, little in runs]
    detail = f"{median(peaks[0]):.1f} MB, {median(peaks[1]):.1f} MB with a tenth of the rows"
    whole = times("all lines in", [big.seconds for big, _ in runs])
    return [
        Figure("list --format jsonl", "first line", first, "s", 0.3, detail=whole),
        Figure(
            "list --format jsonl", "peak with 1/10", median_ratio(*peaks), "x", 1.1, detail=detail
        ),
    ]


def _some_orders(bench: Workbench, count: int) -> list[str]:
    """Return stored orders from all over the table."""
    source = random.Random(bench.seed)  # noqa: S311 - a choice that must come out the same again
    sql = "SELECT order_number FROM mappings WHERE order_number >= ? ORDER BY order_number LIMIT 1"
    starts = (
        f"{source.randrange(9 * 10 ** (ORDER_DIGITS - 1)):0{ORDER_DIGITS}d}" for _ in range(count)
    )
    return [
        str(order) for start in starts for order in values(bench.store(bench.rows), sql, [start])
    ]


def _free_orders(bench: Workbench, count: int) -> list[str]:
    """Return orders that are not stored."""
    source = random.Random(bench.seed)  # noqa: S311 - a choice that must come out the same again
    tries = {f"{source.randrange(10**ORDER_DIGITS):0{ORDER_DIGITS}d}" for _ in range(FREE_TRIES)}
    sql = "SELECT order_number FROM mappings WHERE order_number IN (SELECT value FROM json_each(?))"
    taken = values(bench.store(bench.rows), sql, [json.dumps(sorted(tries))])
    free = sorted(tries.difference(str(order) for order in taken))
    if len(free) < count:
        raise BenchmarkError("too few order numbers are free")
    return free[:count]


def _ratio(job: str, against: str, runs: tuple[tuple[Run, ...], ...], limit: float) -> Figure:
    mine, theirs = [pair[0].seconds for pair in runs], [pair[1].seconds for pair in runs]
    detail = f"{times('mask', mine)}, {times('other', theirs)}, {len(runs)} pairs"
    return Figure(job, against, median_ratio(mine, theirs), "x time", limit, detail=detail)


def _faster(
    job: str, against: str, runs: tuple[tuple[Run, ...], ...], rival: int, limit: float
) -> Figure:
    mine, theirs = [turn[0].seconds for turn in runs], [turn[rival].seconds for turn in runs]
    detail = f"{times('mask', mine)}, {times('other', theirs)}, {len(runs)} pairs"
    ratio = median_ratio(theirs, mine)
    return Figure(job, against, ratio, "x faster", limit, at_least=True, detail=detail)
