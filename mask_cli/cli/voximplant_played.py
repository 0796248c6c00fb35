"""What a simulated Voximplant call is played with: the scenario's text and the mappings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mask_cli.cli.standing import opened
from mask_cli.errors import FileProblem
from mask_cli.models import remote_value
from mask_cli.providers.base import KeyValueItem
from mask_cli.times import format_time

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.models import PhoneNumber
    from mask_cli.sandbox.simulate_voximplant import Storage


def read_script(file: str) -> str:
    """Return a file's text, or that of standard input for `-`."""
    if file == "-":
        return str(typer.get_text_stream("stdin").read())
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(f"cannot read {file}: {getattr(error, 'strerror', None)}") from error


def scenario_of(mask: AppContext, called: PhoneNumber, file: str | None = None) -> str:
    """Return the text of `file`, else the deployed one, else what the settings make."""
    if file is not None:
        return read_script(file)
    from mask_cli.cli.voximplant_shown import pooled_numbers
    from mask_cli.provision_voximplant import deployed_text
    from mask_cli.scenario.configured import scenario_settings
    from mask_cli.scenario.render import render

    if mask.site is not None:
        text = deployed_text(mask.voximplant, mask.site.application)
        if text is not None:
            return text
        mask.output.warn("no scenario is deployed: this plays the one that would be")
    return render(scenario_settings(mask.settings, pooled_numbers(mask) or [called]))


def report_line(report: dict[str, Any]) -> str:
    """Return the report that a call ended with, for people: what it holds, times in words."""
    legs = "; ".join(
        ", ".join(f"{name} {value}" for name, value in leg.items() if value is not None)
        for leg in report["legs"]
    )
    told = (
        f"{name} {format_time(value) if name.endswith('_at') else value}"
        for name, value in report.items()
        if value is not None and name != "legs"
    )
    return f"Report: {', '.join(told)}; legs: {legs}"


def storage_of(mask: AppContext, text: str) -> Storage:
    """Return where the scenario finds mappings: the account's store, else those kept here."""
    if mask.site is not None:
        return opened(mask)[1].get
    from mask_cli.sandbox.simulated_call import order_key

    prefix = order_key(text)

    def find(key: str) -> KeyValueItem | None:
        mapping = mask.store.get(key.removeprefix(prefix))
        if mapping is None or mapping.expires_at <= mask.now():
            return None
        return KeyValueItem(key, remote_value(mapping), mapping.expires_at)

    return find
