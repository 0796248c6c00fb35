"""Durations and points in time as people write them; all results are whole seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from mask_cli.errors import BadData
from mask_cli.redaction import redacted_value

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?", re.ASCII)
LONGEST = 3_650 * 86_400
"""Ten years: beyond it a duration is a slip of the hand."""
LATEST = 253_402_300_799
"""The end of the year 9999; what is later cannot be written down."""
LATEST_YEAR = 9999


def parse_duration(text: str) -> int:
    """Return the seconds of `90s`, `15m`, `2h`, `10d`, `1h30m` or bare digits; above zero."""
    seconds = _duration_seconds(text.strip())
    if seconds is None:
        raise BadData(
            f"{redacted_value(text)} is not a duration",
            hint="write 90s, 15m, 2h, 10d, 1h30m, or seconds",
        )
    if not 0 < seconds <= LONGEST:
        raise BadData(
            f"the duration {redacted_value(text)} is not between 1s and {LONGEST // 86_400}d"
        )
    return seconds


def parse_grace(text: str) -> int:
    """Return the seconds of a duration that may also be nothing: `0`, `0s`."""
    return 0 if _duration_seconds(text.strip()) == 0 else parse_duration(text)


def _duration_seconds(text: str) -> int | None:
    # Longer than any sensible duration, and int() is slow on very long digit strings.
    if not text or len(text) > 20:  # noqa: PLR2004
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    return sum(
        int(amount) * size
        for amount, size in zip(match.groups(), _UNITS.values(), strict=True)
        if amount
    )


def format_duration(seconds: int) -> str:
    """Return `10d`, `1h30m`, `0s`: the shortest form that parses back."""
    parts = []
    for unit, size in _UNITS.items():
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def parse_time(text: str, zone: tzinfo | None = None) -> int:
    """Return UTC seconds of an RFC 3339 time, or of `2026-12-01 18:00` in `zone`.

    Without `zone` the computer's own is used. A local time that a clock change skips or
    repeats is refused: nobody knows which moment is meant.
    """
    moment = _parsed(text.strip())
    # In the first and the last year an offset may lead out of the calendar.
    if moment is None or not 1 < moment.year < LATEST_YEAR:
        raise BadData(
            f"{redacted_value(text)} is not a time",
            hint="write 2026-12-01T18:00:00Z, or 2026-12-01 18:00 for local time",
        )
    try:
        zoned = moment.tzinfo is not None
        seconds = int(moment.timestamp()) if zoned else _local_seconds(moment, text, zone)
        format_time(seconds)
    except (ValueError, OverflowError) as error:
        raise BadData(f"{redacted_value(text)} is beyond the calendar") from error
    return seconds


def _parsed(text: str) -> datetime | None:
    if not text.isascii():
        return None
    text = text.upper()  # RFC 3339 allows t and z in lower case
    if not _LOCAL.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo or _LOCAL.fullmatch(text) else None


def _local_seconds(moment: datetime, text: str, zone: tzinfo | None) -> int:
    early, late = (_in_zone(moment.replace(fold=fold), zone) for fold in (0, 1))
    if early == late:
        return early
    what = "is repeated" if early < late else "does not exist"
    raise BadData(
        f"the local time '{text.strip()}' {what}: the clock changes then",
        hint="write the time with its offset, as in 2026-10-25T02:30:00+02:00",
    )


def _in_zone(moment: datetime, zone: tzinfo | None) -> int:
    # A naive datetime's timestamp() is local time; that is what is wanted here.
    return int((moment.replace(tzinfo=zone) if zone else moment).timestamp())


@lru_cache(maxsize=4096)
def format_time(seconds: int) -> str:
    """Return RFC 3339 in UTC, `2026-12-01T18:00:00Z`."""
    # Of a million rows most share their seconds with others: they were imported together.
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00") + "Z"
