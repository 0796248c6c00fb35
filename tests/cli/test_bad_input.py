"""What people and programs get wrong on the command line: refused, told, nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode
from tests.cli.conftest import PARTIES
from tests.cli.leaks import CLIENT, COURIER

if TYPE_CHECKING:
    from tests.cli.conftest import FixedClock, Mask

MEGABYTE = "1" * 100_000  # what one argument of a process may be; the rest comes by file


def refused(mask: Mask, *words: str, told: str = "") -> None:
    """Assert that it is refused as bad data before anything is stored."""
    before = mask.everything()
    run = mask(*words)
    run.failed(ExitCode.BAD_DATA, told)
    assert len(run.err) < 500
    assert mask.everything() in (before, [[], [], [], [("revision", 0)]])


@pytest.mark.parametrize(
    "number",
    [
        "",
        " ",
        "courier",
        "+",
        "123",
        "+1222",
        "122222222222222222",
        "1222abc2222",
        "1222+2222222",
        "12222222222x5",
        "+0222222222",
        "999 1234567890",
        "\u0661\u0662\u0662\u0662\u0662\u0662\u0662\u0662\u0662\u0662\u0662",
        "1222222\uff122222",
        "12222222222\n13333333333",
        "12222222222,13333333333",
        "tel:+12222222222",
        "-12222222222",
        "\U0001f4de",
        MEGABYTE,
        "a" * 100_000,
    ],
    ids=lambda text: ascii(text[:12]).replace("2222", "…"),
)
def test_what_is_no_phone_number_is_not_called(mask: Mask, number: str) -> None:
    refused(mask, "add", "12345", f"--courier={number}", "--client", CLIENT)
    refused(mask, "add", "12345", "--courier", COURIER, f"--client={number}")


@pytest.mark.parametrize("same", [COURIER, "+1 222 222-2222", "1 (222) 222.2222"])
def test_courier_and_client_are_never_one_person(mask: Mask, same: str) -> None:
    refused(mask, "add", "12345", "--courier", COURIER, "--client", same, told="the same number")


@pytest.mark.parametrize(
    "order",
    [
        *("1234", "123456", "1234a", "12*45", "*", "12345#", "all", "", " ", " 12345", "12345 "),
        *("+1234", "-1234", "1234\u0665", "1e4", "0x123", "12345\n", "%", "'; --", "1" * 100_000),
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_an_order_number_of_another_form_reaches_no_mapping(mask: Mask, order: str) -> None:
    mask("add", "12345", *PARTIES).done()
    refused(mask, "add", *PARTIES, "--", order)
    for words in (("show",), ("expire",), ("extend", "--by=1h"), ("delete",)):
        refused(mask, *words, "--", order)
    refused(mask, "reassign", "--courier=14156667777", "--", order)


@pytest.mark.parametrize(
    "duration",
    [
        *("0", "0s", "-1", "-5m", "+5", "1.5h", "10 d", "d", "10x", "", "1h30", "30m1h", "1e9"),
        *("3651d", "99999999999999999999", "9" * 5000, "99999999d", "\u0661\u0660d", "forever"),
    ],
    ids=lambda text: ascii(text[:10]),
)
def test_a_duration_that_is_none_does_not_end_a_mapping_at_some_other_moment(
    mask: Mask, duration: str
) -> None:
    refused(mask, "add", "12345", *PARTIES, f"--ttl={duration}")
    refused(mask, "extend", "12345", f"--by={duration}")
    refused(mask, "expire", "12345", f"--in={duration}")


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026-02-30", "not a time"),
        ("2026-02-30 12:00", "not a time"),
        ("2026-12-24", "not a time"),
        ("2026-13-01 12:00", "not a time"),
        ("2026-12-24 25:00", "not a time"),
        ("tomorrow", "not a time"),
        ("1798135200", "not a time"),
        ("", "not a time"),
        ("2020-01-01T00:00:00Z", "in the past"),
        ("2026-12-01T12:00:00Z", "in the past"),
        ("2026-12-01 13:00", "in the past"),
        ("2027-03-28 02:30", "does not exist"),
        ("2027-10-31 02:30", "is repeated"),
        ("9999-12-31 23:59", "not a time"),
        ("9999-12-31T23:59:59-23:59", "not a time"),
        ("0001-01-01 00:00", "not a time"),
    ],
)
def test_a_moment_that_is_none_or_is_over_ends_no_mapping(
    mask: Mask, moment: str, told: str
) -> None:
    refused(mask, "add", "12345", *PARTIES, f"--expires-at={moment}", told=told)
    mask("add", "12345", *PARTIES).done()
    refused(mask, "expire", "12345", f"--at={moment}", told=told)


@pytest.mark.parametrize(
    "note",
    ["call 12222222222", "+1 415 666 7777", "1234567", "1-2-3-4-5-6-7", "a\x1b[31mb", "a\nb"],
)
def test_a_note_neither_shows_a_number_nor_drives_a_terminal(mask: Mask, note: str) -> None:
    refused(mask, "add", "12345", *PARTIES, "--note", note, told="the note")


def test_a_virtual_number_is_never_a_party(mask: Mask) -> None:
    refused(mask, "add", "12345", *PARTIES, "--virtual-number", COURIER, told="virtual number")
    refused(mask, "add", "12345", *PARTIES, "--virtual-number", "some")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MASK_ORDER_DIGITS", "3"),
        ("MASK_ORDER_DIGITS", "eleven"),
        ("MASK_ORDER_DIGITS", "9" * 50),
        ("MASK_TTL", "0"),
        ("MASK_TTL", "-1d"),
        ("MASK_REGION", "Atlantis"),
        ("MASK_KEY_PREFIX", "or der:"),
        ("MASK_VOXIMPLANT_ENDPOINT", "https://api.example.com/"),
        ("MASK_VOXIMPLANT_TIMEOUT", "soon"),
        ("MASK_VOXIMPLANT_TIMEOUT", "11m"),
        ("MASK_DATABASE", "postgresql://localhost/mask"),
    ],
)
def test_a_wrong_setting_is_named_with_its_source(
    mask: Mask, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    run = mask("list")
    run.failed(ExitCode.CONFIGURATION, "" if name == "MASK_DATABASE" else name)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("MASK_RING_TIMEOUT", "4m", "4m is not between 5s and 2m"),
        ("MASK_RING_TIMEOUT", "4", "4s is not between 5s and 2m"),
        ("MASK_CALL_TIME_LIMIT", "48h", "2d is not between 10s and 24h"),
        ("MASK_CALL_TIME_LIMIT", str(60 * 86_400), "60d is not between 10s and 24h"),
    ],
)
def test_what_no_platform_keeps_to_is_refused_for_both_alike(
    mask: Mask, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    """Plivo would cut it silently, and Voximplant refuse it."""
    monkeypatch.setenv(name, value)
    route = ("route", "--caller", COURIER, "--called", CLIENT, "--xml")
    for words in (route, ("voximplant", "scenario", "render", "--number", "+14155550199")):
        run = mask(*words)
        run.failed(ExitCode.CONFIGURATION, told)
        assert f"(from {name})" in run.err


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"order_digits = ",
        b"order_digits = true",
        b"[voximplant]\ncredentials = 5.5",
        b"x" * 100,
        b"region = '" + b"a" * 10_000 + b"'",
        b"\0",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_broken_settings_file_is_a_configuration_error(mask: Mask, content: bytes) -> None:
    file = mask.write("settings.toml", content)
    run = mask("list", "--config", file)
    run.failed(ExitCode.CONFIGURATION)
    assert len(run.err) < 1_000


def test_a_shortened_order_length_hides_nothing(
    mask: Mask, monkeypatch: pytest.MonkeyPatch, clock: FixedClock
) -> None:
    """Orders stored before order_digits changed must not become unreachable unseen."""
    mask("add", "12345", *PARTIES).done()
    monkeypatch.setenv("MASK_ORDER_DIGITS", "6")
    assert mask("list", "--format", "jsonl").done().rows[0]["order"] == "12345"
    clock.pass_(60)
    assert mask("show", "12345", "--format", "json").done().json["order"] == "12345"
    mask("extend", "12345", "--by", "1h").done()
    mask("reassign", "12345", "--courier", "+14155550103").done()
    mask("expire", "12345").done()
    mask("delete", "12345").done()
    assert mask("list", "--all", "--format", "json").done().json == []
    for words in (("show", "12345"), ("delete", "12345"), ("add", "12345", *PARTIES)):
        mask(*words).failed(ExitCode.BAD_DATA, "order_digits")


@pytest.mark.parametrize(
    "words",
    [("import", "4155550100"), ("--config", "4155550100", "list"), ("export", "4155550100/x")],
)
def test_a_number_written_as_at_home_is_not_repeated_from_a_file_name(
    mask: Mask, words: tuple[str, ...]
) -> None:
    run = mask(*words)
    assert run.code in (ExitCode.UNREADABLE, ExitCode.CONFIGURATION)
    assert "4155550100" not in run.out + run.err
