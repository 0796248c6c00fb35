"""Options and arguments that several commands share, and the ones that all take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from mask_cli.errors import UsageError
from mask_cli.output import Format, writing
from mask_cli.redaction import redacted_value
from mask_cli.times import parse_duration, parse_grace, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable


def _completed_order(incomplete: str) -> list[str]:
    """Return active order numbers; never an error, never a change."""
    try:
        from mask_cli.cli.completion import orders_beginning

        return orders_beginning(incomplete)
    except Exception:  # noqa: BLE001 (a shell's completion must stay silent)
        return []


OrderId = Annotated[
    str, typer.Argument(metavar="ORDER", help="Order number.", autocompletion=_completed_order)
]
OrderIds = Annotated[
    list[str],
    typer.Argument(metavar="ORDER...", help="Order numbers.", autocompletion=_completed_order),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, change and send nothing.")
]
NoPush = Annotated[
    bool, typer.Option("--no-push", help="Store here only; mask sync sends it later.")
]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The number.")]
Country = Annotated[
    str | None, typer.Option(metavar="COUNTRY", help="Where it is on offer: US, GB, DE.")
]
SearchedCountry = Annotated[
    str | None, typer.Argument(metavar="COUNTRY", help="US, GB, DE (setting region).")
]
MissingOk = Annotated[bool, typer.Option("--missing-ok", help="It is fine when there is none.")]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Also from the application it leads to now.")
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Agree to what it costs, or to what cannot be undone.")
]
OffersLimit = Annotated[int, typer.Option("--limit", min=1, metavar="K", help="At most so many.")]
WrittenForm = Annotated[
    str | None, typer.Option("--to", metavar="[csv|jsonl]", help="Form (by its name).")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="K", help="At most so many.")]


def duration(flag: str, text: str) -> Any:  # noqa: ANN401 (what typer.Option returns)
    """Return an option that reads `90s`, `15m`, `2h`, `10d` as seconds."""
    return typer.Option(flag, parser=_read(parse_duration), metavar="DURATION", help=text)


def grace(flag: str, text: str) -> Any:  # noqa: ANN401 (what typer.Option returns)
    """Return an option that reads a duration which may be nothing."""
    return typer.Option(flag, parser=_read(parse_grace), metavar="DURATION", help=text)


def _read(parse: Callable[[str], int]) -> Callable[[str | int], int]:
    """Return the parser for an option: Typer sends a default through it too."""
    return lambda value: value if isinstance(value, int) else parse(value)


def moment(flag: str, text: str) -> Any:  # noqa: ANN401 (what typer.Option returns)
    """Return an option that reads a point in time as UTC seconds."""
    return typer.Option(flag, parser=parse_time, metavar="TIME", help=text)


def written_form(kind: str | None, file: str) -> str:
    """Return the form to write a file in: csv or jsonl, as told or as its name says."""
    if kind not in (None, "csv", "jsonl"):
        raise UsageError("--to takes csv, jsonl")
    return kind or ("jsonl" if file.lower().endswith((".json", ".jsonl", ".ndjson")) else "csv")


def _check_format(value: str) -> None:
    if value not in list(Format):
        raise UsageError(
            f"there is no format {redacted_value(value)}", hint="one of " + ", ".join(Format)
        )


def _keep(context: Any, parameter: Any, value: Any) -> Any:  # noqa: ANN401 (Typer's own types)
    """Hand a global option to the context of the whole run, wherever it stood."""
    if parameter.name == "format" and value is not None:
        _check_format(value)
    if value not in (None, False):
        context.find_root().obj.flags[parameter.name] = value
    return value


def _global(declaration: str, text: str, **more: Any) -> Callable[[], TyperOption]:  # noqa: ANN401
    return lambda: TyperOption(
        param_decls=[declaration],
        help=text,
        callback=_keep,
        expose_value=False,
        rich_help_panel="Global options",
        **more,
    )


_GLOBAL = (
    _global("--format", "How answers are printed.", metavar="[auto|table|json|jsonl|csv|tsv]"),
    _global("--reveal", "Show phone numbers whole; this is audited.", is_flag=True),
    _global("--quiet", "Say nothing when all is well.", is_flag=True),
    _global("--config", "Settings file.", metavar="FILE"),
    _global("--database", "Database file.", metavar="PATH"),
    _global("--no-color", "No colours.", is_flag=True),
    _global("--debug", "Show the traceback of a fault in mask.", is_flag=True),
)


def global_options() -> list[TyperOption]:
    """Return the options that every command and group takes, before or after its name."""
    return [make() for make in _GLOBAL]


class MaskCommand(TyperCommand):
    """A command that takes the global options too."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **more: Any) -> None:  # noqa: ANN401
        super().__init__(*args, params=[*(params or []), *global_options()], **more)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 (Typer's own types)
        """Show the help, which is an answer like any other."""
        with writing():
            super().format_help(ctx, formatter)
