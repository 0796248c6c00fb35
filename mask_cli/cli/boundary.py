"""The one place where errors become words and exit codes, and the process ends."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer
from typer.core import TyperGroup

from mask_cli.cli.context import AppContext
from mask_cli.cli.options import MaskCommand, global_options
from mask_cli.errors import ExitCode, MaskError, UsageError
from mask_cli.output import Output, OutputClosed
from mask_cli.redaction import redacted_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

Declared = TypeVar("Declared", bound="Callable[..., None]")


class Terminated(BaseException):
    """SIGTERM came; not an Exception, so that nothing but the boundary handles it."""


class MaskGroup(TyperGroup):
    """A group that takes the global options; the root of them is the error boundary."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **more: Any) -> None:  # noqa: ANN401
        super().__init__(*args, params=[*(params or []), *global_options()], **more)

    def main(self, *args: Any, **more: Any) -> NoReturn:  # noqa: ANN401 (Typer's signature)
        """Run a command and exit; every error ends here."""
        context = AppContext()
        more.update(standalone_mode=False, obj=context)
        try:
            signal.signal(signal.SIGTERM, _terminate)
            code = _run(lambda: super(MaskGroup, self).main(*args, **more), context)
        finally:
            # Whatever the last error was, this one is quieter.
            _close(context)
        sys.exit(code)


def _run(command: Any, context: AppContext) -> int:  # noqa: ANN401, PLR0911 (one way out each)
    """Run the command; return the exit code, having told what went wrong."""
    try:
        returned = command()
        sys.stdout.flush()
    except MaskError as error:
        Output().error(error)
        return error.exit_code
    except typer.TyperException as error:
        Output().error(_usage(error))
        return ExitCode.USAGE
    except typer.Abort:
        return ExitCode.DECLINED
    except (OutputClosed, BrokenPipeError):
        _silence_stdout()
        return ExitCode.OUTPUT_CLOSED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Terminated:
        return ExitCode.TERMINATED
    except Exception as error:  # noqa: BLE001 (the boundary: a fault in mask itself)
        return _bug(error, debug="debug" in context.flags)
    return returned if isinstance(returned, int) else ExitCode.DONE


def _usage(error: typer.TyperException) -> UsageError:
    """Put Typer's words into ours; they may quote a phone number."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "mask"
    return UsageError(redacted_text(error.format_message()), hint=f"{command} --help")


def _bug(error: Exception, *, debug: bool) -> int:
    if debug:
        import traceback

        # Without locals, which hold phone numbers; the texts of errors may, too.
        print_to = redacted_text("".join(traceback.format_exception(error)))
        Output().say(print_to)
    described = MaskError(
        f"a fault in mask: {type(error).__name__}: {redacted_text(str(error))}",
        hint="run it again with --debug and report what it prints",
    )
    Output().error(described)
    return ExitCode.BUG


def _close(context: AppContext) -> None:
    try:
        context.close()
    except MaskError as error:
        Output().error(error)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _silence_stdout() -> None:
    """Let the interpreter's last flush go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


class Commands(typer.Typer):
    """A Typer whose groups and commands all take the global options."""

    def __init__(self, **more: Any) -> None:  # noqa: ANN401 (Typer's own options)
        super().__init__(cls=MaskGroup, no_args_is_help=True, **more)

    def command(
        self,
        name: str | None = None,
        **more: Any,  # noqa: ANN401
    ) -> Callable[[Declared], Declared]:
        """Declare a command."""
        return super().command(name, **{"cls": MaskCommand, **more})
