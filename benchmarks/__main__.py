"""Print the table: `python -m benchmarks [NAME...] [--rows N] [--pairs N] ...`; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import signal
import sqlite3
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import BenchmarkError, Figure
from benchmarks.prune import prune
from benchmarks.report import as_json, as_table
from benchmarks.rows import add, import_, list_, show
from benchmarks.sync import drift, sync
from benchmarks.webhook import webhook
from benchmarks.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

BENCHMARKS: dict[str, Callable[[Workbench], list[Figure]]] = {
    "show": show,
    "add": add,
    "import": import_,
    "list": list_,
    "prune": prune,
    "sync": sync,
    "drift": drift,
    "webhook": webhook,
}
FEWEST_ROWS = 1000


def main() -> int:
    """Measure what was asked for; return 1 when a program failed, 0 otherwise."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _leave)
    with tempfile.TemporaryDirectory(prefix="mask-benchmarks-") as folder:
        bench = Workbench(
            Path(folder), arguments.rows, arguments.seed, arguments.pairs, arguments.budget
        )
        try:
            figures = _measured(bench, arguments.names or list(BENCHMARKS))
        except BenchmarkError as error:
            print(f"Error: {error}", file=sys.stderr)
            return 1
    if arguments.format == "json":
        print(json.dumps(as_json(figures, _conditions(bench)), indent=2))
    else:
        print(as_table(figures, _conditions(bench)))
    return 0


def _measured(bench: Workbench, names: list[str]) -> list[Figure]:
    (bench.folder / "home").mkdir()
    figures: list[Figure] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        figures += BENCHMARKS[name](bench)
    return figures


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rows", type=int, default=1_000_000, help="orders in the store")
    parser.add_argument("--pairs", type=int, default=5, help="times each comparison is made")
    parser.add_argument("--seed", type=int, default=None, help="of the generated orders")
    parser.add_argument(
        "--budget", type=float, default=300.0, help="seconds after which a row starts no new pair"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(BENCHMARKS)):
        parser.error(f"no benchmark is called {', '.join(unknown)}")
    if arguments.rows < FEWEST_ROWS or arguments.pairs < 1:
        parser.error(f"at least {FEWEST_ROWS} rows and one pair")
    if arguments.seed is None:
        arguments.seed = secrets.randbits(32)
    return arguments


def _conditions(bench: Workbench) -> dict[str, str | int]:
    return {
        "rows": bench.rows,
        "seed": bench.seed,
        "pairs": bench.pairs,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "sqlite-utils": version("sqlite-utils"),
        "cores": os.cpu_count() or 0,
        "system": platform.system(),
    }


def _leave(signum: int, _: FrameType | None) -> None:
    """End through the `finally` clauses: nothing stays behind."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
