"""The command line: the root, and the commands under it, one module a noun."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from mask_cli import __version__
from mask_cli.cli.boundary import Commands
from mask_cli.output import Output

COMMANDS = {
    "add": "mappings:add",
    "list": "mappings:list_",
    "show": "mappings:show",
    "reassign": "mappings:reassign",
    "expire": "mappings:expire",
    "extend": "mappings:extend",
    "delete": "mappings:delete",
    "import": "transfer:import_",
    "export": "transfer:export",
    "sync": "upkeep:sync",
    "drift": "upkeep:drift",
    "prune": "upkeep:prune",
    "audit": "upkeep:audit",
    "doctor": "upkeep:doctor",
    "numbers": "numbers:app",
    "route": "calls_try:route",
    "simulate": "calls_try:simulate",
    "serve": "serve:serve",
    "calls": "calls:app",
    "config": "config:app",
    "voximplant": "voximplant:app",
    "plivo": "plivo:app",
    "sandbox": "sandbox:sandbox",
    "demo": "sandbox:demo",
}
"""Where each command stands, as `module:name`; it is imported when it is called."""
ALIASES = {"remove": "mappings:delete", "rm": "mappings:delete"}

app = Commands(
    name="mask",
    places=COMMANDS,
    hidden_places=ALIASES,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        Output().text(f"mask {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001 (its callback answers)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Let two people call each other through a rented number without seeing each other's."""
    ctx.obj.command = f"mask {ctx.invoked_subcommand}"


def main() -> NoReturn:
    """Run the program."""
    app(prog_name="mask")
    raise AssertionError("unreachable: the root group exits")
