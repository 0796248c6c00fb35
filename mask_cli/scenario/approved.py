"""Whether the configuration in a scenario's text is one that `render` would have written."""

from __future__ import annotations

from typing import Any

from mask_cli.errors import BadData, ConfigurationError
from mask_cli.phone import parse_number
from mask_cli.scenario.render import ScenarioSettings, configuration, configuration_of

_NUMBERS = ("numbers", "operator")


def complaint_about(text: str) -> str | None:
    """Return what is wrong with a text's configuration, or None; BadData for no text of ours."""
    read = configuration_of(text)
    try:
        due = configuration(_settings(read))
    except (BadData, ConfigurationError) as error:
        return error.message
    except (TypeError, ValueError, AttributeError) as error:
        return f"a value is of a wrong kind: {error}"
    odd = sorted(name for name in due.keys() | read.keys() if due.get(name) != read.get(name))
    return f"not as mask writes it: {', '.join(odd)}" if odd else None


def _settings(read: dict[str, Any]) -> ScenarioSettings:
    known = {name: read[name] for name in ScenarioSettings.__slots__ if name in read}
    missing = {"numbers", "voice", "phrases"} - known.keys()
    if missing:
        raise BadData(f"{', '.join(sorted(missing))} is missing")
    operator = read.get("operator")
    return ScenarioSettings(
        numbers=tuple(parse_number(f"+{number}") for number in read["numbers"]),
        operator=None if operator is None else parse_number(f"+{operator}"),
        **{name: value for name, value in known.items() if name not in _NUMBERS},
    )
