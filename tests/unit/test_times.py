"""Durations and moments as people write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_cli.errors import BadData
from mask_cli.times import (
    LATEST,
    LONGEST,
    format_duration,
    format_time,
    parse_duration,
    parse_grace,
    parse_time,
)

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("10d", 864_000),
        ("864000s", 864_000),
        ("1h30m", 5400),
        ("1d2h3m4s", 93_784),
        ("45", 45),
        ("007", 7),
        (" 5m ", 300),
        ("3650d", LONGEST),
    ],
)
def test_a_duration_is_read_as_written(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0",
        "0s",
        "0d0h",
        "-5m",
        "+5m",
        "1.5h",
        "1h 30m",
        "30m1h",
        "5x",
        "m",
        "1h1h",
        "\uff15m",
        "\u0665m",
        "1e3",
        "3651d",
        "99999999999999999999",
        "9" * 1000000,
        "1d" * 50,
        "5 m",
    ],
)
def test_a_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadData) as caught:
        parse_duration(text)
    assert len(caught.value.message) < 120


@given(st.integers(1, LONGEST))
def test_a_duration_survives_being_written(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(max_size=30))
def test_no_text_makes_the_reader_of_durations_fall_over(text: str) -> None:
    with suppress(BadData):
        assert 0 < parse_duration(text) <= LONGEST


@pytest.mark.parametrize("text", ["0", "0s", "0d0h0m0s", " 0 "])
def test_only_a_grace_may_be_nothing(text: str) -> None:
    assert parse_grace(text) == 0
    with pytest.raises(BadData):
        parse_duration(text)


def test_a_grace_is_a_duration_otherwise() -> None:
    assert parse_grace("24h") == 86_400
    with pytest.raises(BadData):
        parse_grace("-1")


def test_nothing_is_written_as_something() -> None:
    assert format_duration(0) == "0s"
    assert format_duration(864_000) == "10d"


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T18:00:00Z",
        "2026-12-01t18:00:00z",
        "2026-12-01T18:00:00z",
        "2026-12-01t18:00:00+00:00",
        "2026-12-01 18:00Z",
        "2026-12-01T18:00:00+00:00",
        "2026-12-01T19:00:00+01:00",
        "2026-12-01T13:00-05:00",
        "2026-12-01T18:00:00.000Z",
    ],
)
def test_a_time_with_its_offset_is_the_same_everywhere(text: str) -> None:
    wanted = int(datetime(2026, 12, 1, 18, tzinfo=UTC).timestamp())

    assert parse_time(text) == parse_time(text, NEW_YORK) == wanted


@pytest.mark.parametrize(
    ("text", "zone", "wanted"),
    [
        ("2026-12-01 18:00", BERLIN, "2026-12-01T17:00:00Z"),
        ("2026-07-01T18:00:30", BERLIN, "2026-07-01T16:00:30Z"),
        ("2026-12-01 18:00", NEW_YORK, "2026-12-01T23:00:00Z"),
        ("2028-02-29 00:00", ZoneInfo("UTC"), "2028-02-29T00:00:00Z"),
    ],
)
def test_a_local_time_is_that_of_its_zone(text: str, zone: ZoneInfo, wanted: str) -> None:
    assert format_time(parse_time(text, zone)) == wanted


@pytest.mark.parametrize(
    ("text", "zone", "words"),
    [
        ("2026-03-29 02:30", BERLIN, "does not exist"),
        ("2026-10-25 02:30", BERLIN, "is repeated"),
        ("2026-10-25T02:00:00", BERLIN, "is repeated"),
        ("2026-03-08 02:00", NEW_YORK, "does not exist"),
        ("2026-11-01 01:59", NEW_YORK, "is repeated"),
    ],
)
def test_a_local_time_that_a_clock_change_makes_doubtful_is_refused(
    text: str, zone: ZoneInfo, words: str
) -> None:
    with pytest.raises(BadData) as caught:
        parse_time(text, zone)
    assert words in caught.value.message
    assert "offset" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["2026-03-29 01:59", "2026-03-29 03:00", "2026-10-25 03:00"])
def test_a_local_time_beside_a_clock_change_is_taken(text: str) -> None:
    assert parse_time(text, BERLIN) > 0


def test_the_repeated_hour_can_be_named_with_its_offset() -> None:
    first = parse_time("2026-10-25T02:30:00+02:00", BERLIN)

    assert parse_time("2026-10-25T02:30:00+01:00", BERLIN) == first + 3600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "tomorrow",
        "2026-02-30 12:00",
        "2026-13-01 12:00",
        "2026-02-29T12:00:00Z",
        "2026-12-01",
        "2026-12-01 24:01",
        "2026-12-01 18:60",
        "18:00",
        "1800000000",
        "20261201T1800Z",
        "2026-12-01 18:00 CET",
        "2026-12-01T18:00:00+25:00",
        "2026-W01-1T00:00",
        "\u0662\u0660\u0662\u0666-12-01 18:00",
        "2026-12-01  18:00",
        "2026-12-01T18:00:00ZZ",
        "2026-12-01 18:00\n2",
        "0000-01-01 00:00",
        "10000-01-01 00:00",
        "2026-12-01 18:00" * 100000,
    ],
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadData) as caught:
        parse_time(text, BERLIN)
    assert len(caught.value.message) < 120


@pytest.mark.parametrize("text", ["0001-01-01 00:00", "9999-12-31 23:59"])
@pytest.mark.parametrize("ending", ["", "Z", "+14:00", "-14:00"])
@pytest.mark.parametrize("zone", [None, BERLIN, NEW_YORK])
def test_the_ends_of_the_calendar_are_refused_or_read_and_never_a_fault(
    text: str, ending: str, zone: ZoneInfo | None
) -> None:
    try:
        seconds = parse_time(text + ending, zone)
    except BadData:
        return
    assert format_time(seconds)


@given(st.integers(0, 4_000_000_000))
def test_a_time_survives_being_written(seconds: int) -> None:
    assert parse_time(format_time(seconds)) == seconds


@given(st.integers(min_value=-30_000_000_000, max_value=LATEST))
def test_a_written_time_is_that_of_the_calendar(seconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert format_time(seconds) == f"{moment:%Y-%m-%dT%H:%M:%SZ}"
