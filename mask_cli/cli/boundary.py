"""The one place where errors become words and exit codes, and the process ends."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import typer
import typer.main
from typer.core import TyperGroup

from mask_cli.cli.context import AppContext
from mask_cli.cli.endings import Terminated, exit_code
from mask_cli.cli.options import MaskCommand, global_options
from mask_cli.errors import ExitCode, MaskError, UsageError
from mask_cli.output import Output, writing
from mask_cli.redaction import redacted_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

Declared = TypeVar("Declared", bound="Callable[..., None]")


class MaskGroup(TyperGroup):
    """A group that takes the global options; the root of them is the error boundary.

    Commands in `places` are imported and built when they are asked for: to build all of them
    takes longer than most of them run.
    """

    places: ClassVar[Mapping[str, str]] = {}
    hidden_places: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, params: list[Any] | None = None, **more: Any) -> None:  # noqa: ANN401
        super().__init__(*args, params=[*(params or []), *global_options()], **more)
        unbuilt: dict[str, Any] = dict.fromkeys([*self.places, *self.hidden_places])
        self.commands.update(unbuilt)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 (Typer's own types)
        """Return a command, built now when it was not before."""
        if cmd_name in self.commands and self.commands[cmd_name] is None:
            place = self.places.get(cmd_name) or self.hidden_places[cmd_name]
            hidden = cmd_name in self.hidden_places
            self.commands[cmd_name] = _built(cmd_name, place, hidden=hidden)
        return super().get_command(ctx, cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 (Typer's own types)
        """Show the help, which is an answer like any other."""
        with writing():
            super().format_help(ctx, formatter)

    def main(self, *args: Any, **more: Any) -> NoReturn:  # noqa: ANN401 (Typer's signature)
        """Run a command and exit; every error ends here."""
        _open_streams()
        context = AppContext()
        more.update(standalone_mode=False, obj=context)
        try:
            signal.signal(signal.SIGTERM, _terminate)
            code = _run(lambda: super(MaskGroup, self).main(*args, **more), context)
        finally:
            # Whatever the last error was, this one is quieter.
            _close(context)
        _last_flush()
        sys.exit(code)


def _run(command: Any, context: AppContext) -> int:  # noqa: ANN401
    """Run the command; return the exit code, having told what went wrong."""
    try:
        returned = command()
        Output().flush()
    except (Exception, KeyboardInterrupt, Terminated) as error:  # noqa: BLE001 (the boundary)
        code = exit_code(error)
        if isinstance(error, MaskError):
            Output().error(error)
        elif isinstance(error, typer.TyperException):
            _wrong_usage(error)
        elif isinstance(error, Exception) and code == ExitCode.BUG:
            _bug(error, debug="debug" in context.flags)
        return code
    return returned if isinstance(returned, int) else ExitCode.DONE


def _wrong_usage(error: typer.TyperException) -> None:
    # Of a group without a command the help was shown, and nothing else is to be said.
    if error.format_message():
        Output().error(_usage(error))


def _usage(error: typer.TyperException) -> UsageError:
    """Put Typer's words into ours; they may quote a phone number."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "mask"
    return UsageError(redacted_text(error.format_message()), hint=f"{command} --help")


def _bug(error: Exception, *, debug: bool) -> None:
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


def _close(context: AppContext) -> None:
    try:
        context.close()
    except MaskError as error:
        Output().error(error)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _last_flush() -> None:
    """Let what could not be written go nowhere; the interpreter would complain about it."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def _open_streams() -> None:
    """Put nothing in the place of streams that whoever started us has closed.

    Else the database would get their number, and what is printed there would go into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 (open to the end)


class Commands(typer.Typer):
    """A Typer whose groups and commands all take the global options."""

    def __init__(
        self,
        places: Mapping[str, str] | None = None,
        hidden_places: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 (Typer's own options)
    ) -> None:
        found = {"places": places or {}, "hidden_places": hidden_places or {}}
        super().__init__(cls=type("MaskGroup", (MaskGroup,), found), no_args_is_help=True, **more)

    def command(
        self,
        name: str | None = None,
        **more: Any,  # noqa: ANN401
    ) -> Callable[[Declared], Declared]:
        """Declare a command."""
        return super().command(name, **{"cls": MaskCommand, **more})


def _built(name: str, place: str, *, hidden: bool) -> Any:  # noqa: ANN401 (Typer's own types)
    """Build the command or group that stands at `module:name`."""
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(f"mask_cli.cli.{module}"), attribute)
    if not isinstance(found, Commands):
        alone = typer.Typer(add_completion=False)
        alone.command(name, cls=MaskCommand, hidden=hidden)(found)
        found = alone
    command = typer.main.get_command(found)
    command.name = name
    return command
