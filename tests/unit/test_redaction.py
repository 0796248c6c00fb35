"""Hiding numbers: nothing that could be one survives, and what is none stays readable."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_cli.redaction import (
    HIDDEN,
    holds_number,
    redacted_message,
    redacted_number,
    redacted_text,
    redacted_value,
)

SEPARATORS = " ().-/\u2010\u2013\u00a0\t"
DATE = re.compile(r"(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)")
separated = st.text(SEPARATORS, max_size=3)
digits = st.text("0123456789", min_size=1, max_size=16)


@st.composite
def numbers(draw: st.DrawFn, least: int = 7, most: int = 16) -> str:
    """Return a number as somebody might write it."""
    plain = draw(st.text("0123456789", min_size=least, max_size=most))
    written = "".join(digit + draw(separated) for digit in plain[:-1]) + plain[-1]
    return draw(st.sampled_from(["", "+"])) + written


def longest_run(text: str) -> int:
    """Return how many digits follow each other with at most three separators between."""
    longest = run = gap = 0
    for character in text:
        if character.isdecimal():
            run, gap = run + 1, 0
        elif character in SEPARATORS and gap < 3:
            gap += 1
        else:
            run = gap = 0
        longest = max(longest, run)
    return longest


def test_the_examples_of_the_documentation_are_true() -> None:
    assert redacted_number("+14156667777") == redacted_number("14156667777") == "+1•••••••7777"
    assert redacted_text("call 1-415-666-7777 now") == f"call {HIDDEN} now"


@given(st.text("0123456789", max_size=20))
def test_a_redacted_number_shows_its_country_code_and_at_most_four_digits(number: str) -> None:
    shown = redacted_number("+" + number)
    code, _, last = shown.removeprefix("+").partition(HIDDEN)

    assert shown.count(HIDDEN) == 1
    assert len(code) <= 3
    assert number.startswith(code)
    assert number.endswith(last)
    assert len(last) <= 4
    hidden = len(number) - len(code) - len(last)
    assert hidden >= 4 or not last


@pytest.mark.parametrize("number", ["", "1", "12", "12345", "4912", "375291"])
def test_a_short_number_is_not_shown_whole(number: str) -> None:
    shown = redacted_number(number)

    assert shown.endswith(HIDDEN)


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_the_country_code_is_not_mistaken_for_digits_of_the_number(code: int) -> None:
    assert redacted_number(f"+{code}5550100123") == f"+{code}{HIDDEN}0123"


@given(st.text("0123456789", min_size=5, max_size=15), st.text("0123456789", min_size=5))
def test_the_length_of_a_number_is_not_shown(one: str, two: str) -> None:
    if min(len(one), len(two)) > 10:
        assert len(redacted_number("1" + one)) == len(redacted_number("1" + two))


@given(st.lists(st.one_of(numbers(1), st.text(max_size=5), separated, st.just("2026-12-01"))))
def test_nothing_that_could_be_a_number_survives(parts: list[str]) -> None:
    text = redacted_text("".join(parts))

    assert longest_run(DATE.sub("D", text)) < 7


@given(st.text("abcxyz :,;_", max_size=9), numbers(), st.text("abcxyz :,;_", max_size=9))
def test_a_number_is_hidden_in_any_surroundings(before: str, number: str, after: str) -> None:
    text = before + number + after
    if DATE.fullmatch(number):
        return

    assert longest_run(DATE.sub("D", redacted_text(text))) < 7
    assert holds_number(text)
    assert redacted_text(before).rstrip() in redacted_text(text)


@given(st.text("0123456789", max_size=6))
def test_what_is_shorter_than_a_number_stays_readable(short: str) -> None:
    text = f"order {short}: code 332"

    assert redacted_text(text) == text
    assert not holds_number(text)


@given(st.dates())
def test_a_date_is_not_hidden(date: object) -> None:
    text = f"until {date}T18:00:00Z"
    if not re.search(r"until (19|20)", text):
        return

    assert redacted_text(text) == text
    assert not holds_number(text)


@given(st.text("0123456789", min_size=4, max_size=10))
def test_our_own_messages_keep_order_numbers(order: str) -> None:
    assert redacted_message(f"order {order} has expired") == f"order {order} has expired"


@given(numbers(11, 15).map(lambda text: "+" + text.lstrip("+")))
def test_our_own_messages_hide_what_must_be_a_number(number: str) -> None:
    assert longest_run(redacted_message(f"it is {number}!").replace(HIDDEN, "")) <= 3 + 4


@given(st.text())
def test_a_bad_value_is_shown_short_and_without_its_digits(text: str) -> None:
    shown = redacted_value(text)

    assert len(shown) <= 43
    assert shown.isprintable()
    digits_shown = sum(c.isdigit() for c in shown)
    assert digits_shown < 7


@pytest.mark.parametrize("value", ["1-415-666-7777", "x" * 50 + "14156667777", "1" * 1_000_000])
def test_a_bad_value_shows_at_most_two_digits_of_a_number(value: str) -> None:
    assert sum(c.isdigit() for c in redacted_value(value)) <= 2


def test_a_bad_value_without_a_number_can_be_recognised() -> None:
    assert redacted_value("12a45") == "'12a45'"
    assert redacted_value(None) == "'None'"


@pytest.mark.parametrize("text", ["2026-02-30", "2026-02-30 18:00", "2026-02-30T18:00:00Z"])
def test_a_wrong_date_can_be_recognised_in_its_error(text: str) -> None:
    assert redacted_value(text) == f"'{text}'"


def test_a_number_behind_a_date_is_hidden_all_the_same() -> None:
    assert "4155550100" not in redacted_value("2026-02-30 4155550100")
