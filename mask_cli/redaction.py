"""Show that there is a phone number without showing the phone number."""

from __future__ import annotations

import re

HIDDEN = "•" * 7
"""Always seven, so that the length of a number is not shown either."""

_LEAST_HIDDEN = 4

# ITU E.164: zones 1 and 7 have one digit, these have two, all others three.
_TWO_DIGIT_CODES = frozenset(
    "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64"
    " 65 66 81 82 84 86 90 91 92 93 94 95 98".split()
)

_BETWEEN = r"[\s().\-/\u2010-\u2015\u00a0]{0,3}"
"""What people put between the digits of a number."""

_DATE = r"(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)"
_MOMENT = re.compile(rf"{_DATE}(?:[ T]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)
# Seven is where a subscriber number begins. Dates are no numbers.
_NUMBER_LIKE = re.compile(rf"{_DATE}|(?P<number>\+?\d(?:{_BETWEEN}\d){{6,}})")
# Order numbers end at ten digits; what is longer, or has a plus, can only be a phone number.
# So can three, three and four digits with something between them, as the guides write it.
_WRITTEN = r"(?<![\d.:-])(?:\d{1,3}[ .\-/]{1,2})?\(?\d{3}\)?[ .\-/]{1,2}\d{3}[ .\-/]\d{4}(?!\d)"
_SURELY_NUMBER = re.compile(
    rf"\+\d(?:{_BETWEEN}\d){{6,}}|(?<!\d)\d{{11,15}}(?!\d)|{_WRITTEN}", re.ASCII
)

_LONGEST_SHOWN = 40


def redacted_number(digits: str) -> str:
    """Return `+1•••••••7777` for the digits of an E.164 number, with or without its plus.

    Short numbers show fewer last digits: at least four stay hidden.
    """
    digits = digits.removeprefix("+")
    code = digits[: _country_code_length(digits)]
    shown = min(4, max(0, len(digits) - len(code) - _LEAST_HIDDEN))
    return f"+{code}{HIDDEN}{digits[len(digits) - shown :]}"


def redacted_text(text: str) -> str:
    """Return somebody else's text with everything in it that could be a phone number hidden."""
    return _NUMBER_LIKE.sub(lambda m: HIDDEN if m["number"] else m[0], text)


def redacted_message(text: str) -> str:
    """Return our own text, order numbers and all, with what must be a phone number hidden."""
    return _SURELY_NUMBER.sub(
        lambda match: redacted_number("".join(c for c in match[0] if c.isdigit())), text
    )


def redacted_value(value: object) -> str:
    """Return a bad value for an error message: quoted, short, without its digits' meaning.

    Of seven digits or more only the last two are shown, so that a row can be recognised.
    """
    text = "".join(c if c.isprintable() else "?" for c in str(value)[: _LONGEST_SHOWN * 2])
    digits = [i for i, c in enumerate(text) if c.isdigit()]
    if len(digits) >= 7 and not _MOMENT.fullmatch(text):  # noqa: PLR2004 (see _NUMBER_LIKE)
        hidden = set(digits[:-2])
        text = "".join("•" if i in hidden else c for i, c in enumerate(text))
    if len(text) > _LONGEST_SHOWN or len(str(value)) > _LONGEST_SHOWN * 2:
        text = text[:_LONGEST_SHOWN] + "…"
    return f"'{text}'"


def holds_number(text: str) -> bool:
    """Tell whether the text holds what could be a phone number: seven digits, however spaced."""
    return any(match["number"] for match in _NUMBER_LIKE.finditer(text))


def _country_code_length(digits: str) -> int:
    if digits[:1] in ("1", "7"):
        return 1
    return 2 if digits[:2] in _TWO_DIGIT_CODES else 3
