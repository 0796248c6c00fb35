"""Trying everything without an account: sandbox, demo."""

from __future__ import annotations

import re
import shlex
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mask_cli.errors import BadData, FileProblem
from mask_cli.models import DAY
from mask_cli.redaction import redacted_value
from mask_cli.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mask_cli.cli.context import AppContext
    from mask_cli.sandbox.plivo_api import PlivoSandbox
    from mask_cli.sandbox.voximplant import VoximplantSandbox

_NOT_EXECUTABLE, _NO_SUCH_COMMAND = 126, 127
"""What every shell ends with then; all other codes are the command's own."""

_LATENCY = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s)?", re.ASCII)
_SLOWEST = 600
"""Seconds: no client waits longer, and nobody wants the sandbox to."""

_FURTHEST = 7 * DAY
"""Seconds: long before, no token of ours is accepted any more."""

Sandbox = TypeVar("Sandbox", "VoximplantSandbox", "PlivoSandbox")


def sandbox(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="Run it inside; its exit code is ours."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of Voximplant's; 0 takes a free one.")
    ] = 0,
    plivo_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of Plivo's; 0 takes a free one.")
    ] = 0,
    allow_kill: Annotated[
        bool,
        typer.Option("--allow-kill", help="Let control calls kill processes, for crash tests."),
    ] = False,
    latency: Annotated[
        str, typer.Option(metavar="TIME", help="Let Voximplant's answers take so long: 50ms, 2s.")
    ] = "0ms",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:CHANCE]",
            help="Let requests to Voximplant fail, as in lost:0.1, throttling:0.2, truncated.",
        ),
    ] = None,
    clock_off: Annotated[
        int,
        typer.Option(
            "--clock-off",
            min=-_FURTHEST,
            max=_FURTHEST,
            metavar="SECONDS",
            help="Voximplant's clock is so far ahead.",
        ),
    ] = 0,
    seed: Annotated[int | None, typer.Option(help="Let what happens by chance repeat.")] = None,
) -> None:
    """Emulate the providers on loopback and print the environment that points at them."""
    from mask_cli.sandbox.plivo_api import PlivoSandbox
    from mask_cli.sandbox.surroundings import surroundings
    from mask_cli.sandbox.voximplant import VoximplantSandbox

    mask: AppContext = ctx.obj
    voximplant = VoximplantSandbox(port=port, allow_kill=allow_kill)
    with _started(voximplant), _started(PlivoSandbox(plivo_port)) as plivo:
        _spoil(voximplant, [f"latency:{latency}", *(fault or ())], clock_off, seed)
        variables = surroundings(voximplant, plivo)
        if command:
            raise typer.Exit(_ended(mask, command, variables))
        _tell(mask, variables)
        threading.Event().wait()


def demo(ctx: typer.Context) -> None:
    """Show the whole on an emulated provider: import, push, list, expire, prune, delete."""
    from mask_cli.demo import demonstrate

    mask: AppContext = ctx.obj
    demonstrate(mask.output.title)
    mask.output.title("\nDone. Nothing is left behind.")


def _ended(mask: AppContext, command: list[str], variables: dict[str, str]) -> int:
    """Run a command inside; return its exit code, a shell's own where it cannot be run."""
    from mask_cli.sandbox.surroundings import run_inside

    try:
        return run_inside(command, variables)
    except OSError as error:
        mask.output.tell(f"Error: cannot run {command[0]}: {error.strerror}")
        return _NO_SUCH_COMMAND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE


def _spoil(sandbox: VoximplantSandbox, faults: list[str], clock_off: int, seed: int | None) -> None:
    """Let it go wrong from the start, or raise BadData."""
    sandbox.clock.offset = clock_off
    if seed is not None:
        sandbox.faults.seed(seed)
    for text in faults:
        kind, _, value = text.partition(":")
        try:
            if kind == "latency":
                sandbox.faults.add(kind, times=0, seconds=_seconds(value))
            else:
                sandbox.faults.add(kind, times=0, probability=float(value or 1))
        except ValueError as error:
            raise BadData(f"the fault {redacted_value(text)} is not one: {error}") from error


def _seconds(text: str) -> float:
    match = _LATENCY.fullmatch(text)
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else None
    if seconds is None or seconds > _SLOWEST:
        raise ValueError(f"write 50ms, 2s, at most {format_duration(_SLOWEST)}")
    return seconds


@contextmanager
def _started(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Start it, or raise FileProblem when its port is taken."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(sandbox)
        except OSError as error:
            raise FileProblem(f"cannot listen on loopback: {error.strerror}") from error
        yield running


def _tell(mask: AppContext, variables: dict[str, str]) -> None:
    """Print the environment, as JSON when that is asked for, else for a shell to read."""
    if mask.flags.get("format") in ("json", "jsonl"):
        mask.output.record(dict(variables))
    else:
        for name, value in variables.items():
            mask.output.text(f"export {name}={shlex.quote(value)}")
    mask.output.flush()
    mask.output.say("Listening on loopback until Ctrl-C.")
