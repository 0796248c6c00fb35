"""The exit code of every way in which a command can end."""

from __future__ import annotations

import typer

from mask_cli.errors import ExitCode, MaskError
from mask_cli.output import OutputClosed


class Terminated(BaseException):
    """SIGTERM came; not an Exception, so that nothing but the boundary handles it."""


_CODES: dict[type[BaseException], ExitCode] = {
    typer.TyperException: ExitCode.USAGE,
    typer.Abort: ExitCode.DECLINED,
    OutputClosed: ExitCode.OUTPUT_CLOSED,
    BrokenPipeError: ExitCode.OUTPUT_CLOSED,
    KeyboardInterrupt: ExitCode.INTERRUPTED,
    Terminated: ExitCode.TERMINATED,
}


def exit_code(error: BaseException) -> int:
    """Return what a command ends with that raises this; what is not foreseen is a fault."""
    if isinstance(error, MaskError | typer.Exit):
        return error.exit_code
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), ExitCode.BUG)
