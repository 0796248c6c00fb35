"""What a simulated Voximplant call is played with: the scenario's text and the mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mask_cli.cli.standing import opened
from mask_cli.models import remote_value
from mask_cli.providers.base import KeyValueItem
from mask_cli.times import format_time

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext
    from mask_cli.models import PhoneNumber
    from mask_cli.sandbox.simulate_voximplant import Storage


def scenario_of(mask: AppContext, called: PhoneNumber) -> str:
    """Return the deployed text where an account is configured, else what the settings make."""
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
