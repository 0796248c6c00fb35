"""The single table of settings: their names, environment variables, defaults, and readers.

It validates (`config`), prints `mask config show`, writes `mask config init` and the README's
reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mask_cli.errors import BadData
from mask_cli.models import LONGEST_ORDER, SHORTEST_ORDER
from mask_cli.redaction import redacted_value
from mask_cli.times import format_duration, parse_duration, parse_grace

if TYPE_CHECKING:
    from collections.abc import Callable

    from mask_cli.models import PhoneNumber


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in the file, its environment variable, how its text is read."""

    name: str
    env: str
    default: str | None
    help: str
    read: Callable[[str], Any] = str
    secret: bool = False


def _is_count(text: str) -> bool:
    # int() is slow on very long digit strings, and refuses the longest.
    return text.isascii() and text.isdigit() and len(text) <= 9  # noqa: PLR2004 (ample)


def _order_digits(text: str) -> int:
    if _is_count(text) and SHORTEST_ORDER <= int(text) <= LONGEST_ORDER:
        return int(text)
    raise BadData(f"{redacted_value(text)} is not between {SHORTEST_ORDER} and {LONGEST_ORDER}")


def _region(text: str) -> str | None:
    from mask_cli.phone import checked_region

    return checked_region(text) if text else None


def _key_prefix(text: str) -> str:
    legal = all(c.isalnum() or c in "_-:;.#+" for c in text)
    if legal and text.isascii() and len(text) <= 100:  # noqa: PLR2004 (keys end at 200)
        return text
    raise BadData(f"{redacted_value(text)} has characters that the store's keys cannot have")


def _endpoint(text: str) -> str:
    host, _, port = text.partition(":")
    if host and not set("/@?# ") & set(text) and (not port or port.isdigit()):
        return text
    raise BadData(f"{redacted_value(text)} is not host or host:port")


def _choice(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text in words:
            return text
        raise BadData(f"{redacted_value(text)} is not one of {', '.join(words)}")

    return read


def _count(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if _is_count(text) and least <= int(text) <= most:
            return int(text)
        raise BadData(f"{redacted_value(text)} is not a number from {least} to {most}")

    return read


def _number(text: str) -> PhoneNumber:
    from mask_cli.phone import parse_number

    return parse_number(text)


def _address(text: str) -> str:
    """Read a base URL: HTTPS, or plain HTTP to this computer only; ASCII, nothing after it."""
    scheme, _, rest = text.rstrip("/").partition("://")
    host = rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0]
    local = host in ("127.0.0.1", "localhost", "[::1]")
    secure = scheme == "https" or (scheme == "http" and local)
    if secure and host and text.isascii() and not set("?#@ %") & set(text):
        return text.rstrip("/")
    raise BadData(f"{redacted_value(text)} is not an https:// address without a query")


def _lasting(least: str, most: str) -> Callable[[str], int]:
    """Read a duration within bounds; one beyond is told as `60d`, not in seconds."""

    def read(text: str) -> int:
        seconds = parse_duration(text)
        if parse_duration(least) <= seconds <= parse_duration(most):
            return seconds
        raise BadData(f"{format_duration(seconds)} is not between {least} and {most}")

    return read


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(token for token in (part.strip() for part in text.split(",")) if token)


SETTINGS = (
    Setting(
        "database",
        "MASK_DATABASE",
        None,
        "SQLite file; by default mask.db in the user's data folder",
    ),
    Setting("order_digits", "MASK_ORDER_DIGITS", "5", "length of order numbers", _order_digits),
    Setting(
        "ttl", "MASK_TTL", "10d", "how long a new mapping lasts when nobody says", parse_duration
    ),
    Setting(
        "region",
        "MASK_REGION",
        None,
        "country (US, GB, DE) whose national form numbers may have",
        _region,
    ),
    Setting(
        "key_prefix",
        "MASK_KEY_PREFIX",
        "order:",
        "before the order number in the key-value store; empty for the guide's own scenario",
        _key_prefix,
    ),
    Setting(
        "operator",
        "MASK_OPERATOR",
        None,
        "number of the operator whom callers reach with #; none when unset",
        _number,
    ),
    Setting(
        "public_url",
        "MASK_PUBLIC_URL",
        None,
        "address under which providers reach mask serve",
        _address,
    ),
    Setting(
        "ask",
        "MASK_ASK",
        "ambiguous",
        "when Plivo callers are asked for the order number: ambiguous or always",
        _choice("ambiguous", "always"),
    ),
    Setting(
        "ring_timeout",
        "MASK_RING_TIMEOUT",
        "30s",
        "how long a callee's phone rings; from 5s to 2m, on Voximplant for 1m at most",
        _lasting("5s", "2m"),
    ),
    Setting(
        "call_time_limit",
        "MASK_CALL_TIME_LIMIT",
        "1h",
        "longest conversation; from 10s to 24h",
        _lasting("10s", "24h"),
    ),
    Setting("attempts", "MASK_ATTEMPTS", "3", "how often a caller may enter digits", _count(1, 9)),
    Setting(
        "recording",
        "MASK_RECORDING",
        "off",
        "record conversations: off, or announced (both parties hear a notice first)",
        _choice("off", "announced"),
    ),
    Setting("phrases", "MASK_PHRASES", None, "JSON file with the phrases that callers hear"),
    Setting(
        "cool_off",
        "MASK_COOL_OFF",
        "1h",
        "how long a virtual number rests for a party before another order gets it",
        parse_grace,
    ),
    Setting(
        "retention.calls",
        "MASK_RETENTION_CALLS",
        "90d",
        "how long prune keeps call rows",
        parse_duration,
    ),
    Setting(
        "retention.audit",
        "MASK_RETENTION_AUDIT",
        "365d",
        "how long prune keeps audit rows",
        parse_duration,
    ),
    Setting(
        "voximplant.credentials",
        "VOXIMPLANT_CREDENTIALS",
        None,
        "service-account file; without it nothing is pushed",
    ),
    Setting(
        "voximplant.application",
        "MASK_VOXIMPLANT_APPLICATION",
        None,
        "application, by id or name, whose key-value store is written",
    ),
    Setting(
        "voximplant.endpoint",
        "MASK_VOXIMPLANT_ENDPOINT",
        "api.voximplant.com",
        "host or host:port of the Management API",
        _endpoint,
    ),
    Setting(
        "voximplant.timeout",
        "MASK_VOXIMPLANT_TIMEOUT",
        "10s",
        "longest that one call to the provider may take, retries included; 10m at most",
        # Leases are twice as long, and are not believed beyond an hour.
        _lasting("1s", "10m"),
    ),
    Setting(
        "voximplant.report_secret",
        "MASK_VOXIMPLANT_REPORT_SECRET",
        None,
        "secret that signs the scenario's call reports",
        secret=True,
    ),
    Setting("plivo.auth_id", "PLIVO_AUTH_ID", None, "Auth ID of the Plivo account"),
    Setting(
        "plivo.auth_token",
        "PLIVO_AUTH_TOKEN",
        None,
        "Auth Token of the Plivo account; signs its webhook requests too",
        secret=True,
    ),
    Setting(
        "plivo.extra_tokens",
        "MASK_PLIVO_EXTRA_TOKENS",
        None,
        "further tokens that may sign webhook requests, comma-separated",
        _tokens,
        secret=True,
    ),
    Setting(
        "plivo.endpoint",
        "MASK_PLIVO_ENDPOINT",
        "https://api.plivo.com",
        "address of the Plivo API",
        _address,
    ),
)


def sample_settings() -> str:
    """Return a settings file with every setting, commented out, as `config init` writes it."""
    lines = ["# Settings of mask. Flags and environment variables are stronger.\n"]
    section = ""
    for setting in sorted(SETTINGS, key=lambda s: s.name.rpartition(".")[0]):
        table, _, name = setting.name.rpartition(".")
        if table != section:
            lines.append(f"\n[{table}]\n")
            section = table
        reference = '"env:NAME"' if setting.secret else _toml(setting.default or "")
        lines.append(f"# {setting.help} ({setting.env})\n# {name} = {reference}\n")
    return "".join(lines)


def _toml(text: str) -> str:
    return text if text.isdigit() else f'"{text}"'
