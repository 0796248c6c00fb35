"""Write the README's reference from the program itself: commands, settings, exit codes.

python docs/reference.py            write it between the markers
python docs/reference.py --check    exit 1 when it is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mask_cli.cli import app
from mask_cli.errors import ExitCode
from mask_cli.settings import SETTINGS
from mask_cli.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"
GLOBAL = "Global options"


def reference() -> str:
    """Return the whole reference as Markdown."""
    return "\n".join([*_commands(), *_settings(), *_exit_codes()])


def written(readme: str) -> str:
    """Return the README with its reference up to date."""
    before, _, rest = readme.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{README.name} has no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def _commands() -> Iterator[str]:
    root = typer.main.get_command(app)
    yield "### Commands\n"
    yield "Every command takes these, before or after its name:\n"
    yield from _options(root, GLOBAL)
    yield ""
    for name, command in leaves(root, "mask"):
        yield f"#### `{' '.join([name, *_usage(command)])}`\n"
        yield _cell(command.help) + "\n"
        rows = [*_arguments(command), *_options(command, None)]
        yield from rows
        if rows:
            yield ""


def leaves(group: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 (Typer's own types)
    """Yield each command that is not a group, hidden ones left out, with its whole name."""
    context = group.context_class(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from leaves(command, f"{path} {name}")
        elif not command.hidden:
            yield f"{path} {name}", command


def _usage(command: Any) -> Iterator[str]:  # noqa: ANN401 (Typer's own types)
    """Yield what cannot be left out, and the arguments."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield parameter.metavar or parameter.name.upper()
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.required:
            yield f"{parameter.opts[0]} {parameter.metavar}"


def _arguments(command: Any) -> Iterator[str]:  # noqa: ANN401 (Typer's own types)
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = parameter.metavar or parameter.name.upper()
            yield f"- `{name}`: {_cell(parameter.help)}"


def _options(command: Any, panel: str | None) -> Iterator[str]:  # noqa: ANN401 (Typer's own types)
    for option in command.params:
        if option.param_type_name != "option" or option.rich_help_panel != panel:
            continue
        if option.name in ("install_completion", "show_completion"):
            continue
        value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
        yield f"- `{option.opts[0]}{value}`: {_cell(option.help)}{_default(option)}"


def _default(option: Any) -> str:  # noqa: ANN401 (Typer's own types)
    if option.default is None or option.is_flag:
        return ""
    lasts = option.metavar == "DURATION"
    return f" Default: `{format_duration(option.default) if lasts else option.default}`."


def _settings() -> Iterator[str]:
    yield "### Settings\n"
    yield "A flag is stronger than the environment, the environment than the settings file.\n"
    yield "| setting | environment | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        yield f"| `{setting.name}` | `{setting.env}` | {default} | {_cell(setting.help)} |"
    yield ""


def _exit_codes() -> Iterator[str]:
    yield "### Exit codes\n"
    yield "| code | meaning |"
    yield "| --- | --- |"
    for code in ExitCode:
        yield f"| {code.value} | {_cell(code.meaning)} |"
    yield ""


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def main() -> None:
    """Write the reference, or check it."""
    now = README.read_text(encoding="utf-8")
    then = written(now)
    if sys.argv[1:] == ["--check"]:
        if now != then:
            raise SystemExit(f"{README.name} is out of date; run: python docs/reference.py")
        return
    README.write_text(then, encoding="utf-8")
    print(f"{README.name}: reference written")


if __name__ == "__main__":
    main()
