"""Read phone numbers as people write them; the only importer of phonenumbers.

A number must be possible (its country's plan knows the length), not valid: the numbers in
guides and the ranges kept for fiction are never given out.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import phonenumbers

from mask_cli.errors import BadData
from mask_cli.models import PhoneNumber
from mask_cli.redaction import redacted_value

if TYPE_CHECKING:
    from collections.abc import Callable
_WRITTEN = re.compile(r"\+?[0-9(][0-9 ().\-/\u00a0\u2010-\u2013]*")
_SEPARATORS = str.maketrans("", "", " ().-/\u00a0\u2010\u2011\u2012\u2013")
_LONGEST_WRITTEN = 40
_LONGEST_CODE = 3

_HINT = "write a plus, the country code and the number, as in +1 415 …"


def parse_number(text: str, region: str | None = None) -> PhoneNumber:
    """Return the number, or raise BadData with the value redacted.

    `region` (ISO 3166, two letters) lets numbers be written in national form. Without it,
    and always after a plus, the country code comes first.
    """
    written = text.strip()
    if len(written) > _LONGEST_WRITTEN or not _WRITTEN.fullmatch(written):
        raise BadData(f"{redacted_value(written)} is not a phone number", hint=_HINT)
    digits = written.translate(_SEPARATORS)
    if digits.startswith("+") or region is None:
        return _international(digits.removeprefix("+"), written)
    return _national(digits, region, written)


def bulk_reader(region: str | None = None) -> Callable[[str], str]:
    """Return a `parse_number` for many numbers, giving E.164 text: shape decides most of them."""
    if region is not None:
        return lambda text: parse_number(text, region).e164

    def read(text: str) -> str:
        digits = text[1:] if text[:1] == "+" else text
        if digits.isdecimal() and digits.isascii() and shape_decides(digits):
            return "+" + digits
        return parse_number(text).e164

    return read


def shape_decides(digits: str) -> bool:
    """Tell whether country code and length alone make these digits a possible number.

    False means that the library must be asked, not that the number is wrong: a leading zero
    or a national prefix may have to go first.
    """
    plan = _plan(digits[:_LONGEST_CODE])
    if plan is None:
        return False
    code_length, lengths, prefix = plan
    return len(digits) - code_length in lengths and not prefix(digits, code_length)


@cache
def _plan(head: str) -> tuple[int, frozenset[int], Callable[[str, int], object]] | None:
    """Return the length of the country code, the lengths after it, and a prefix test."""
    if head.startswith("0"):
        # No country code does; 001 is not 1.
        return None
    for length in range(1, _LONGEST_CODE + 1):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(head[:length] or 0))
        if regions:
            break
    else:
        return None
    code = int(head[:length])
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, regions[0])
    if metadata is None or metadata.general_desc is None:
        return None
    national = metadata.national_prefix_for_parsing
    prefix = re.compile(f"0|{national}" if national else "0")
    return length, frozenset(metadata.general_desc.possible_length), prefix.match


def _international(digits: str, written: str) -> PhoneNumber:
    if digits.startswith("0"):
        raise BadData(f"{redacted_value(written)} has no country code", hint=_HINT)
    if shape_decides(digits):
        return PhoneNumber("+" + digits)
    number, reason = _asked("+" + digits, None)
    if number is None:
        raise BadData(f"{redacted_value(written)} is not a phone number: {reason}", hint=_HINT)
    return number


def _national(digits: str, region: str, written: str) -> PhoneNumber:
    """Read in national form; when another country's number is as likely, refuse to guess."""
    national, reason = _asked(digits, region)
    if national is not None and _is_valid(national):
        return national
    international = None if digits.startswith("0") else _asked("+" + digits, None)[0]
    if national is None and international is None:
        raise BadData(f"{redacted_value(written)} is not a phone number: {reason}", hint=_HINT)
    if national is None or international is None or national == international:
        return national or international  # type: ignore[return-value]  # one of them is set
    raise BadData(
        f"{redacted_value(written)} could be {national} or {international}",
        hint="write it with a plus and its country code",
    )


def _asked(text: str, region: str | None) -> tuple[PhoneNumber | None, str]:
    """Ask the library; return the number, or None and what is wrong."""
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        return None, _PARSE_REASONS.get(error.error_type, "it cannot be read")
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None, _POSSIBLE_REASONS.get(reason, "it is not possible")
    return PhoneNumber(_e164(parsed)), ""


def _e164(parsed: phonenumbers.PhoneNumber) -> str:
    text: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return text


def _is_valid(number: PhoneNumber) -> bool:
    return bool(phonenumbers.is_valid_number(phonenumbers.parse(number.e164)))


# Keyed by the library's own constants (NumberParseException, ValidationResult).
_PARSE_REASONS = {
    0: "the country code does not exist",
    1: "too short",
    2: "too short",
    3: "too short",
    4: "too long",
}
_POSSIBLE_REASONS = {
    1: "the country code does not exist",
    2: "too short",
    3: "too long",
    4: "it lacks the area code",
    5: "no number there has this length",
}


def country_of(number: PhoneNumber) -> tuple[str | None, str]:
    """Return the country, the likeliest of those that share its code, and the digits after it."""
    parsed = phonenumbers.parse(number.e164)
    sure = phonenumbers.region_code_for_number(parsed)
    country = sure or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    # Satellite telephones and their kind are of no country.
    known = country in phonenumbers.SUPPORTED_REGIONS
    return country if known else None, phonenumbers.national_significant_number(parsed)


def checked_region(text: str) -> str:
    """Return the region in upper case, or raise BadData when no numbering plan has it."""
    if text.upper() in phonenumbers.SUPPORTED_REGIONS:
        return text.upper()
    raise BadData(f"{redacted_value(text)} is not a region", hint="two letters, as in US, GB or DE")
