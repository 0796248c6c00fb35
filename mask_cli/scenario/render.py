"""Fill the call scenario with settings and phrases; the result is what gets deployed."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from mask_cli.errors import BadData, ConfigurationError
from mask_cli.models import LONGEST_ORDER, SHORTEST_ORDER, PhoneNumber
from mask_cli.redaction import holds_number, redacted_value

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_RING = 60
"""The platform gives up after as many seconds, whatever is asked for."""
LONGEST_TEXT = 128 * 1024
"""What the Management API takes of a scenario, in bytes of UTF-8."""
REPORT_SECRET = "MASK_REPORT_SECRET"  # noqa: S105 (the name, not the value)

_PLACE = "MASK_CONFIG"
_CONSTANT = "const CONFIG = "
_LONGEST_PHRASE = 500
_LONGEST_CALL = 24 * 3600
_MOST_ATTEMPTS = 10
_VOICE = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*){1,3}", re.ASCII)
_KEY_PREFIX = re.compile(r"[A-Za-z0-9_\-:;.#+]{0,100}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_MAY_NAME = {"order_announcement": {"order", "length"}}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class ScenarioSettings:
    """What the scenario has to know; no secret is among it.

    `phrases` replaces packaged ones by name. For a language without packaged phrases all of
    them are needed, and a `voice`. `music_url` None: the caller hears a word from time to time.
    """

    numbers: tuple[PhoneNumber, ...]
    operator: PhoneNumber | None = None
    order_digits: int = 5
    key_prefix: str = "order:"
    ring_timeout: int = 30
    call_time_limit: int = 3600
    attempts: int = 3
    recording: Literal["off", "announced"] = "off"
    report_url: str | None = None
    music_url: str | None = None
    language: str = "en"
    voice: str | None = None
    phrases: Mapping[str, str] = field(default_factory=dict)


def render(settings: ScenarioSettings, source: str | None = None) -> str:
    """Return the scenario's text, the same for the same settings.

    `source` is another template than the packaged one.
    """
    return (source or template()).replace(_PLACE, _constant(configuration(settings)))


def digest(text: str) -> str:
    """Return the SHA-256 of a scenario's text, to tell whether the deployed one differs."""
    return hashlib.sha256(text.encode()).hexdigest()


def configuration_of(text: str) -> dict[str, Any]:
    """Read the configuration back out of a rendered scenario, or raise BadData."""
    return _split(text)[1]


def template_of(text: str) -> str:
    """Return a rendered scenario, also one edited since, without its configuration."""
    before, _, after = _split(text)
    return before + _PLACE + after


def _split(text: str) -> tuple[str, dict[str, Any], str]:
    before, mark, rest = text.partition(_CONSTANT)
    try:
        read, end = json.JSONDecoder().raw_decode(rest)
    except (ValueError, RecursionError):
        read = end = None
    if not isinstance(read, dict):
        raise BadData(
            "this text is not a scenario rendered by mask",
            hint="mask voximplant scenario render makes one",
        )
    return before + mark, read, rest[end:]


@cache
def template() -> str:
    """Return the scenario as it is packaged, its configuration not filled in."""
    return files(__package__).joinpath("kvs_scenario.js").read_text(encoding="utf-8")


@cache
def packaged_phrases() -> dict[str, dict[str, Any]]:
    """Return, by language, the default voice and the phrases that come with the program."""
    text = files(__package__).joinpath("phrases.json").read_text(encoding="utf-8")
    read: dict[str, dict[str, Any]] = json.loads(text)
    return read


def configuration(settings: ScenarioSettings) -> dict[str, Any]:
    """Return what is rendered into the scenario, or raise ConfigurationError."""
    _check_numbers(settings)
    _check_ranges(settings)
    return {
        "numbers": [number.digits for number in settings.numbers],
        "operator": settings.operator.digits if settings.operator else None,
        "order_digits": settings.order_digits,
        "key_prefix": settings.key_prefix,
        "ring_timeout": settings.ring_timeout,
        "call_time_limit": settings.call_time_limit,
        "attempts": settings.attempts,
        "recording": settings.recording,
        "report_url": _checked_url("report_url", settings.report_url),
        "music_url": _checked_url("music_url", settings.music_url),
        "voice": _voice(settings),
        "phrases": _phrases(settings),
    }


def _constant(value: dict[str, Any]) -> str:
    # ASCII only, so U+2028 ends no line; no "<", so no "</script>" ends a page that shows it.
    text = json.dumps(value, ensure_ascii=True, indent=2, sort_keys=True)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _check_numbers(settings: ScenarioSettings) -> None:
    if not settings.numbers:
        raise ConfigurationError("the scenario needs at least one rented number")
    if settings.operator in settings.numbers:
        raise ConfigurationError(
            f"the operator {settings.operator} is one of our rented numbers",
            hint="--operator names another, or none",
        )


def _check_ranges(settings: ScenarioSettings) -> None:
    for name, least, most in (
        ("order_digits", SHORTEST_ORDER, LONGEST_ORDER),
        ("ring_timeout", 5, LONGEST_RING),
        ("call_time_limit", 10, _LONGEST_CALL),
        ("attempts", 1, _MOST_ATTEMPTS),
    ):
        value = getattr(settings, name)
        if not least <= value <= most:
            raise ConfigurationError(f"{name} is {value}, not between {least} and {most}")
    if settings.recording not in ("off", "announced"):
        raise ConfigurationError(
            f"recording is {redacted_value(settings.recording)}, not off or announced"
        )
    if not _KEY_PREFIX.fullmatch(settings.key_prefix):
        raise ConfigurationError(f"key_prefix {redacted_value(settings.key_prefix)} is no prefix")


def _checked_url(name: str, url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname or parts.username is not None:
        raise ConfigurationError(
            f"{name} {redacted_value(url)} is not an https URL",
            hint="plain http is for loopback only; credentials do not belong in a URL",
        )
    return url


def _voice(settings: ScenarioSettings) -> str:
    voice = settings.voice or packaged_phrases().get(settings.language, {}).get("voice")
    if voice is None:
        raise ConfigurationError(
            f"no voice is known for language {redacted_value(settings.language)}",
            hint="set voice to a name of the platform's VoiceList, as Amazon.en_US_Joanna",
        )
    if not _VOICE.fullmatch(voice):
        raise ConfigurationError(f"{redacted_value(voice)} is not a voice, as Amazon.en_US_Joanna")
    return str(voice)


def _phrases(settings: ScenarioSettings) -> dict[str, str]:
    names = packaged_phrases()["en"]["phrases"].keys()
    for name in settings.phrases:
        if name not in names:
            raise ConfigurationError(
                f"there is no phrase {redacted_value(name)}", hint=f"one of {', '.join(names)}"
            )
    known = packaged_phrases().get(settings.language, {}).get("phrases", {}) | settings.phrases
    missing = sorted(names - known.keys())
    if missing:
        raise ConfigurationError(
            f"language {redacted_value(settings.language)} lacks phrases: {', '.join(missing)}"
        )
    return {name: _phrase(name, known[name], settings.order_digits) for name in names}


def _phrase(name: str, text: object, length: int) -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST_PHRASE:
        raise ConfigurationError(f"phrase {name} is not a text of 1 to {_LONGEST_PHRASE} letters")
    if holds_number(text):
        raise ConfigurationError(f"phrase {name} holds what looks like a phone number")
    strange = set(_PLACEHOLDER.findall(text)) - _MAY_NAME.get(name, {"length"})
    if strange:
        raise ConfigurationError(f"phrase {name} cannot name {', '.join(sorted(strange))}")
    if name == "order_announcement" and text.count("{order}") != 1:
        raise ConfigurationError("phrase order_announcement has to name {order} once")
    return text.replace("{length}", str(length))
