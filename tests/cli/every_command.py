"""Every command there is, found by walking the tree, with one good call of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
import typer.main

from mask_cli.cli import app
from tests.cli.leaks import CLIENT, COURIER, GUIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

# A rented number is the operator's own and shown whole; no party of these tests has it.
POOL = "+14155550190"
RENTED = "+14155550120"
"""The operator's own, shown whole; of the parties' numbers that are looked for it is none."""
ALSO_RENTED = "+12065550100"
RUNS_UNTIL_STOPPED = {("sandbox",), ("serve",)}
TAKES_SECONDS = {("demo",)}


def commands(
    group: Any = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with its path, hidden ones too."""
    group = group or typer.main.get_command(app)
    context = typer.Context(group, info_name="mask")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


EVERY = dict(commands())

# One good call of each; what is made up before is in `filled`.
GOOD: dict[tuple[str, ...], tuple[str, ...]] = {
    ("add",): (
        *("30001", "--courier", COURIER, "--client", CLIENT),
        *("--virtual-number", "+14155550100"),
    ),
    ("list",): ("--all",),
    ("show",): ("12345", "--remote"),
    ("reassign",): ("12345", "--courier", GUIDE[3]),
    ("expire",): ("12345", "20001"),
    ("extend",): ("12345", "--by", "1h"),
    ("delete",): ("12345",),
    ("remove",): ("20001",),
    ("rm",): ("20002",),
    ("prune",): ("--grace", "0"),
    ("import",): ("orders.csv", "--push"),
    ("export",): ("out.csv",),
    ("sync",): (),
    ("drift",): (),
    ("audit",): (),
    ("doctor",): (),
    ("config", "show"): (),
    ("config", "path"): (),
    ("config", "init"): (),
    ("numbers", "list"): (),
    ("numbers", "plan"): (),
    ("numbers", "add"): ("+14155550191",),
    ("numbers", "quarantine"): (POOL,),
    ("voximplant", "kv", "list"): ("",),
    ("voximplant", "kv", "get"): ("order:77777",),
    ("voximplant", "kv", "set"): ("order:1", '{"courier":"14156667777"}'),
    ("voximplant", "kv", "delete"): ("+14156667778",),
    ("route",): ("--caller", "14156667777", "--called", POOL, "--xml"),
    ("simulate",): ("--via", "plivo", "--caller", "14156667777", "--called", POOL),
    ("calls", "list"): (),
    ("calls", "show"): ("c-1",),
    ("calls", "stats"): (),
    ("calls", "export"): ("calls.csv",),
    ("plivo", "app", "create"): ("shop", "--answer-url", "https://shop.example/answer"),
    ("plivo", "app", "list"): (),
    ("plivo", "app", "show"): ("shop",),
    ("plivo", "number", "search"): ("US", "--pattern", RENTED[2:-1]),
    ("plivo", "number", "rent"): (RENTED, "--yes"),
    ("plivo", "number", "list"): (),
    ("plivo", "number", "assign"): (RENTED, "--app", "shop"),
    ("plivo", "up"): (
        *("--app", "masking", "--public-url", "https://mask.example"),
        *("--number", RENTED, "--take-over"),
    ),
    ("plivo", "number", "unassign"): (RENTED,),
    ("plivo", "number", "unrent"): (RENTED, "--yes"),
    ("plivo", "app", "delete"): ("shop", "--yes"),
    ("voximplant", "app", "create"): ("shop",),
    ("voximplant", "app", "list"): (),
    ("voximplant", "number", "search"): ("US", "--category", "TOLLFREE"),
    ("voximplant", "number", "rent"): (ALSO_RENTED, "--yes"),
    ("voximplant", "number", "list"): (),
    ("voximplant", "up"): ("--app", "shop", "--number", ALSO_RENTED, "--operator", GUIDE[3]),
    ("voximplant", "scenario", "render"): ("--number", ALSO_RENTED, "-o", "scenario.js"),
    ("voximplant", "scenario", "check"): ("scenario.js",),
    ("voximplant", "scenario", "deploy"): ("--app", "shop", "--operator", GUIDE[4]),
    ("voximplant", "rule", "list"): ("--app", "shop"),
    ("voximplant", "rule", "create"): (ALSO_RENTED, "--app", "shop"),
    ("voximplant", "number", "unassign"): (ALSO_RENTED,),
    ("voximplant", "number", "assign"): (ALSO_RENTED, "--app", "shop"),
    ("voximplant", "rule", "delete"): ("mask-0100", "--app", "shop", "--yes"),
    ("voximplant", "number", "unrent"): (ALSO_RENTED, "--yes"),
    ("voximplant", "app", "delete"): ("shop", "--yes"),
    ("calls", "import"): ("--from", "voximplant", "--since", "1d"),
}
