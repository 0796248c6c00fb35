"""Reading numbers: the guides' own samples are taken, nothing impossible or doubtful is."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mask_cli.errors import BadData
from mask_cli.phone import bulk_reader, checked_region, parse_number, shape_decides

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def read_by_the_library(digits: str) -> str | None:
    """Return E.164 of digits with their country code, None when they are not possible."""
    try:
        parsed = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return None
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    text: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return text


def read(text: str, region: str | None = None) -> str | None:
    try:
        return parse_number(text, region).e164
    except BadData:
        return None


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("12222222222", "+12222222222"),
        ("13333333333", "+13333333333"),
        ("14156667777", "+14156667777"),
        ("1-415-666-7777", "+14156667777"),
        ("+1 415 666 7777", "+14156667777"),
        ("+1 (415) 666-7782", "+14156667782"),
        ("1.415.666.7778", "+14156667778"),
        ("+1\u00a0415\u00a0666\u20117779", "+14156667779"),
        ("  +14156667780\n", "+14156667780"),
        ("+44 20 7946 0123", "+442079460123"),
        ("+49 30 123456", "+4930123456"),
        ("+39 06 698 1234", "+39066981234"),
        ("+7 495 123-45-67", "+74951234567"),
    ],
)
def test_a_number_is_read_as_people_and_the_guides_write_it(written: str, wanted: str) -> None:
    assert parse_number(written).e164 == wanted
    assert bulk_reader()(written) == wanted


BAD = [
    "",
    " ",
    "+",
    "()",
    "abc",
    "12345",
    "0014155550100",
    "04155550100",
    "1415555010",
    "141555501001",
    "+1415555010a",
    "1415+5550100",
    "++14155550100",
    "+1415555+0100",
    "tel:+14155550100",
    "14155550100;ext=7",
    "+14155550100 x12",
    "+999 1234567",
    "+0 415 555 0100",
    "-14155550100",
    "\u0661\u0664\u0661\u0665\u0665\u0665\u0665\u0660\u0661\u0660\u0660",
    "\uff0b14155550100",
    "1415555\x000100",
    "1415555\n0100",
    "1" * 16,
    "1" * 41,
    "1" * 1_000_000,
    "1-800-FLOWERS",
]


# These have a meaning in national form.
NATIONAL = ("04155550100", "0014155550100", "1415555010")
CASES = [(text, None) for text in BAD] + [(text, "US") for text in BAD if text not in NATIONAL]


@pytest.mark.parametrize(("text", "region"), CASES, ids=range(len(CASES)))
def test_what_is_no_number_is_refused_shortly_and_without_showing_it(
    text: str, region: str | None
) -> None:
    for reader in (lambda value: parse_number(value, region), bulk_reader(region)):
        with pytest.raises(BadData) as caught:
            reader(text)
        assert len(caught.value.message) < 160
        assert "4155550100" not in caught.value.message.replace(" ", "")


@given(st.text(max_size=45))
def test_no_text_makes_the_reader_fall_over(text: str) -> None:
    for region in (None, "US", "DE"):
        number = read(text, region)
        assert number is None or (
            number[0] == "+" and number[1:].isascii() and number[1:].isdigit()
        )


@settings(max_examples=2_000)
@given(st.sampled_from(CODES), st.text("0123456789", min_size=1, max_size=15))
@example(39, "0669812345")
@example(1, "15555550100")
@example(54, "91123456789")
@example(52, "12221234567")
@example(225, "0102030405")
def test_the_short_cut_never_disagrees_with_the_library(code: int, rest: str) -> None:
    digits = f"{code}{rest}"

    if shape_decides(digits):
        assert read_by_the_library(digits) == "+" + digits
    assert read(digits) == read_by_the_library(digits)


@settings(max_examples=1_000)
@given(st.text("0123456789", min_size=1, max_size=18))
def test_digits_without_a_known_country_are_not_guessed(digits: str) -> None:
    if shape_decides(digits):
        assert read_by_the_library(digits) == "+" + digits
    wanted = None if digits.startswith("0") else read_by_the_library(digits)
    assert read(digits) == wanted


@pytest.mark.parametrize("code", CODES)
def test_every_countrys_own_example_is_read(code: int) -> None:
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        example_number = phonenumbers.example_number(region)
        if region == "001":
            example_number = phonenumbers.example_number_for_non_geo_entity(code)
        assert example_number is not None
        e164 = phonenumbers.format_number(example_number, phonenumbers.PhoneNumberFormat.E164)
        assert read(e164) == read(e164[1:]) == bulk_reader()(e164) == e164
        if region != "001":
            national = phonenumbers.format_number(
                example_number, phonenumbers.PhoneNumberFormat.NATIONAL
            )
            assert read(national, region) in (e164, None)


@pytest.mark.parametrize(
    ("written", "region", "wanted"),
    [
        ("(415) 555-0132", "US", "+14155550132"),
        ("415 555 0132", "US", "+14155550132"),
        ("1-415-666-7777", "US", "+14156667777"),
        ("+44 20 7946 0123", "US", "+442079460123"),
        ("020 7946 0123", "GB", "+442079460123"),
        ("030 123456", "DE", "+4930123456"),
        ("06 698 1234", "IT", "+39066981234"),
        ("12222222222", "US", "+12222222222"),
        ("13333333333", "US", "+13333333333"),
    ],
)
def test_a_national_form_is_read_in_its_region(written: str, region: str, wanted: str) -> None:
    assert parse_number(written, region).e164 == wanted
    assert bulk_reader(region)(written) == wanted


@pytest.mark.parametrize(("written", "region"), [("4930123456", "US"), ("12222222222", "DE")])
def test_a_number_that_could_be_of_two_countries_is_not_guessed(written: str, region: str) -> None:
    with pytest.raises(BadData) as caught:
        parse_number(written, region)

    assert "could be" in caught.value.message
    assert written[2:-4] not in caught.value.message


def read_in(text: str, region: str) -> str | None:
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    e164: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return e164


@settings(max_examples=500)
@given(st.sampled_from(["US", "GB", "DE", "IT", "BR", "IN"]), st.text("0123456789", max_size=14))
def test_with_a_region_a_number_is_one_of_its_two_readings_or_refused(
    region: str, digits: str
) -> None:
    number = read(digits, region)

    if number is not None:
        assert number in (read_in(digits, region), read_by_the_library(digits))


def test_a_region_is_known_or_refused() -> None:
    assert checked_region("us") == "US"
    for text in ("", "USA", "XX", "001", "\u0130T"):
        with pytest.raises(BadData):
            checked_region(text)
