"""What callers hear, in which language and voice: packaged, or from the operator's file.

The file is JSON with one object per provider, each replacing what it names:
`{"plivo": {"language": "de-DE", "voice": "WOMAN", "phrases": {"goodbye": "..."}}}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mask_cli.errors import ConfigurationError
from mask_cli.redaction import holds_number, redacted_value

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTION = "plivo"
_LONGEST = 500
_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Z]{2}", re.ASCII)
_VOICE = re.compile(r"WOMAN|MAN|Polly\.[A-Za-z-]{2,40}", re.ASCII)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Phrases:
    """Checked texts by key, ready to be spoken."""

    language: str
    voice: str
    texts: Mapping[str, str] = field(repr=False)

    def __getitem__(self, key: str) -> str:
        return self.texts[key]


def load_phrases(file: str | None, order_digits: int) -> Phrases:
    """Return the packaged phrases with a file's in their place; ConfigurationError when wrong."""
    packaged = _packaged()
    own = _section(Path(file).expanduser()) if file else {}
    language, voice = (str(own.get(name, packaged[name])) for name in ("language", "voice"))
    texts = {**packaged["phrases"], **_own_texts(own, packaged["phrases"].keys())}
    if not _LANGUAGE.fullmatch(language) or not _VOICE.fullmatch(voice):
        raise ConfigurationError(
            f"phrases: language {redacted_value(language)} or voice {redacted_value(voice)}"
            " is not one that Plivo knows",
            hint='"language": "en-US", "voice": "WOMAN", "MAN" or "Polly.Name"',
        )
    return Phrases(language, voice, {key: _checked(key, texts[key], order_digits) for key in texts})


@cache
def _packaged() -> dict[str, Any]:
    text = files(__package__).joinpath("phrases.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def _section(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"phrases: cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"phrases: {file} is not JSON in UTF-8") from error
    section = read.get(_SECTION, {}) if isinstance(read, dict) else None
    if not isinstance(section, dict):
        raise ConfigurationError(
            f"phrases: {file} is not an object of objects", hint='{"plivo": {"phrases": {...}}}'
        )
    if unknown := sorted(section.keys() - {"language", "voice", "phrases"}):
        raise ConfigurationError(f"phrases: {file} has an unknown {redacted_value(unknown[0])}")
    return section


def _own_texts(own: Mapping[str, Any], known: Any) -> dict[str, Any]:  # noqa: ANN401 (a keys view)
    texts = own.get("phrases", {})
    if not isinstance(texts, dict):
        raise ConfigurationError("phrases: phrases is not an object")
    if unknown := sorted(texts.keys() - known):
        raise ConfigurationError(
            f"phrases: there is no phrase {redacted_value(unknown[0])}",
            hint=f"one of {', '.join(known)}",
        )
    return texts


def _checked(key: str, text: object, order_digits: int) -> str:
    if not isinstance(text, str) or not 0 < len(text.strip()) <= _LONGEST:
        raise ConfigurationError(f"phrases: {key} is not a text of 1 to {_LONGEST} letters")
    if not text.isprintable() or holds_number(text):
        raise ConfigurationError(f"phrases: {key} holds control characters or a phone number")
    if set(_PLACEHOLDER.findall(text)) - {"length"}:
        raise ConfigurationError(f"phrases: {key} can only name {{length}}")
    return text.replace("{length}", str(order_digits))
