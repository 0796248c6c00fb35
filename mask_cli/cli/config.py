"""`mask config`: the settings in force and where they come from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer  # noqa: TC002 (Typer reads annotations at run time)

from mask_cli.cli.boundary import Commands
from mask_cli.cli.options import DryRun
from mask_cli.errors import Conflict, FileProblem
from mask_cli.providers.plivo_checks import is_auth_id
from mask_cli.redaction import redacted_message
from mask_cli.settings import sample_settings

if TYPE_CHECKING:
    from pathlib import Path

    from mask_cli.cli.context import AppContext

SETTING_FIELDS = ("name", "value", "source", "environment", "help")

app = Commands(name="config", help="The settings in force and where they come from.")


@app.command()
def show(ctx: typer.Context) -> None:
    """List every setting, its value and its source."""
    mask: AppContext = ctx.obj
    default = str(mask.settings.database)
    mask.output.records(
        SETTING_FIELDS,
        (
            {
                "name": value.setting.name,
                "value": _shown(default if value.setting.name == "database" else value.shown),
                "source": _shown(value.source),
                "environment": value.setting.env,
                "help": value.setting.help,
            }
            for value in mask.settings.values.values()
        ),
    )


@app.command()
def path(ctx: typer.Context) -> None:
    """Print where the settings file is, or would be."""
    mask: AppContext = ctx.obj
    mask.output.text(redacted_message(str(settings_file(mask))))


@app.command()
def init(ctx: typer.Context, dry_run: DryRun = False) -> None:
    """Write a settings file with every setting, commented out; never over another."""
    mask: AppContext = ctx.obj
    file = settings_file(mask)
    if os.path.lexists(file):
        raise Conflict(f"there is a settings file already: {file}")
    if dry_run:
        mask.output.say("Dry run: nothing was written.")
    else:
        _write_sample(file)
    mask.output.text(redacted_message(str(file)))


def _write_sample(file: Path) -> None:
    """Write the settings file, private; even now never over another."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(sample_settings())
    except OSError as error:
        raise FileProblem(f"cannot write {file}: {error.strerror}") from error


def _shown(value: object) -> object:
    # An account's name is whole, however many digits in a row it has.
    if not isinstance(value, str) or is_auth_id(value):
        return value
    return redacted_message(value)


def settings_file(mask: AppContext) -> Path:
    """Return the settings file, also one that does not exist yet."""
    from mask_cli.config import settings_path

    return settings_path(mask.flags.get("config"))
