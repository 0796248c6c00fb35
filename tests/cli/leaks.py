"""Find phone numbers that a person could read."""

from __future__ import annotations

import re

COURIER, CLIENT = "12222222222", "13333333333"
GUIDE = tuple(str(number) for number in range(14156667777, 14156667783))
FICTION = tuple(str(number) for number in range(14155550100, 14155550110))
KNOWN = (COURIER, CLIENT, *GUIDE, *FICTION)

_BETWEEN = re.compile(r"[\s+().\-/,;:_'\"\u00a0\u2010-\u2015]")


def whole_numbers(text: str) -> list[str]:
    """Return which of the tests' numbers stand in the text, whatever is between their digits.

    Only their last four digits are told, so that a failing test leaks nothing either. The
    country code may be missing: the rest can be dialled.
    """
    digits = _BETWEEN.sub("", text)
    return [f"…{number[-4:]}" for number in KNOWN if number[1:] in digits]
