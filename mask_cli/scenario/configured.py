"""What the settings say about the scenario: which text is to be deployed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mask_cli.errors import ConfigurationError
from mask_cli.scenario.render import LONGEST_RING, ScenarioSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mask_cli.config import Settings
    from mask_cli.models import PhoneNumber

REPORT_PATH = "/voximplant/calls"
"""Where `mask serve` takes call reports."""

_SECTION = "voximplant"
_FIELDS = {"language": str, "voice": str, "music_url": str, "phrases": dict}


def scenario_settings(
    settings: Settings,
    numbers: Sequence[PhoneNumber],
    *,
    operator: PhoneNumber | None = None,
    report_url: str | None = None,
) -> ScenarioSettings:
    """Return what is rendered in; without a report URL it is that of the public URL, if any."""
    public_url = settings["public_url"]
    found = ScenarioSettings(
        numbers=tuple(sorted(set(numbers))),
        operator=operator or settings["operator"],
        order_digits=settings["order_digits"],
        key_prefix=settings["key_prefix"],
        ring_timeout=min(settings["ring_timeout"], LONGEST_RING),
        call_time_limit=settings["call_time_limit"],
        attempts=settings["attempts"],
        recording=settings["recording"],
        report_url=report_url or (public_url and public_url + REPORT_PATH),
    )
    return replace(found, **_spoken(settings["phrases"]))


def _spoken(file: str | None) -> dict[str, Any]:
    """Return language, voice, music and phrases of the file's section for this provider.

    `{"voximplant": {"language": "de", "voice": "Google.de_DE_Wavenet_A", "phrases": {...}}}`
    """
    section = _read(Path(file).expanduser()).get(_SECTION, {}) if file else {}
    if not isinstance(section, dict):
        raise ConfigurationError(f"phrases: {_SECTION} in {file} is not an object")
    for name, value in section.items():
        if name not in _FIELDS or not isinstance(value, _FIELDS[name]):
            raise ConfigurationError(
                f"phrases: {_SECTION}.{name[:40]} in {file} is not known, or of a wrong kind",
                hint=f"one of {', '.join(_FIELDS)}",
            )
    return section


def _read(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"phrases: cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"phrases: {file} is not JSON in UTF-8") from error
    if not isinstance(read, dict):
        raise ConfigurationError(f"phrases: {file} is not a JSON object")
    return read
