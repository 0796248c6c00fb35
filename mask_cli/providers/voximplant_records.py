"""What a Voximplant account holds, read strictly from the platform's answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from mask_cli.errors import BadData
from mask_cli.models import PhoneNumber
from mask_cli.providers.voximplant_calls import odd


@dataclass(frozen=True, slots=True)
class RemoteScenario:
    """A scenario; `text` is None where a listing does not show it."""

    scenario_id: str
    name: str
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RemoteRule:
    """A rule and the names, by id, of the scenarios it runs; the pattern may be a number."""

    rule_id: str
    name: str
    pattern: str = field(repr=False)
    scenarios: tuple[tuple[str, str], ...] = ()

    def runs(self, scenario_id: str) -> bool:
        """Tell whether the rule runs this scenario."""
        return any(number == scenario_id for number, _ in self.scenarios)


@dataclass(frozen=True, slots=True)
class VoximplantNumber:
    """A rented number and what its calls go to; a `test` number is no caller ID."""

    phone_id: str
    number: PhoneNumber
    application_id: str | None
    application: str | None
    rule_id: str | None
    rule: str | None
    monthly_price: str | None
    next_renewal: str | None
    category: str | None
    test: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """A place whose numbers can be rented; `verification` names what must be proven first.

    `state` is None where the numbers of this category are not sorted by states.
    """

    region_id: str
    name: str
    country: str
    category: str
    monthly_price: str | None
    setup_price: str | None
    verification: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class VoximplantOffer:
    """A number that can be rented, and where."""

    number: PhoneNumber
    region: Region
    monthly_price: str | None
    setup_price: str | None

    @property
    def price(self) -> str:
        """What renting it costs, in the account's currency."""
        return f"{self.setup_price or '0'} now and {self.monthly_price or '?'} a month"


@dataclass(frozen=True, slots=True)
class RemoteLeg:
    """One leg of a finished call; its numbers were left out when it was read."""

    incoming: bool
    successful: bool
    seconds: int
    cost: float
    recording_url: str | None = None


@dataclass(frozen=True, slots=True)
class RemoteSession:
    """A finished call; times are UTC seconds."""

    session_id: str
    started_at: int
    seconds: int
    custom_data: str | None
    finish: str | None
    legs: tuple[RemoteLeg, ...]


def read_scenario(value: object) -> RemoteScenario:
    """Read a scenario of a listing."""
    fields = _fields(value, "scenario")
    text = fields.get("scenario_script")
    return RemoteScenario(
        _id(fields, "scenario_id"),
        _text(fields, "scenario_name"),
        text if isinstance(text, str) else None,
    )


def read_rule(value: object) -> RemoteRule:
    """Read a rule of a listing, its scenarios with it."""
    fields = _fields(value, "rule")
    scenarios = fields.get("scenarios") or []
    if not isinstance(scenarios, list):
        raise odd("rule")
    bound = [read_scenario(one) for one in scenarios]
    return RemoteRule(
        _id(fields, "rule_id"),
        _text(fields, "rule_name"),
        _text(fields, "rule_pattern"),
        tuple((one.scenario_id, one.name) for one in bound),
    )


def read_number(value: object, *, test: bool = False) -> VoximplantNumber:
    """Read a rented number."""
    fields = _fields(value, "number")
    application = _optional(fields, "application_name")
    return VoximplantNumber(
        _id(fields, "phone_id"),
        read_digits(fields.get("phone_number")),
        _optional(fields, "application_id"),
        application and application.partition(".")[0],
        _optional(fields, "rule_id"),
        _optional(fields, "rule_name"),
        read_price(fields.get("phone_price")),
        _optional(fields, "phone_next_renewal"),
        _optional(fields, "category_name"),
        test,
    )


def read_categories(reply: object) -> list[tuple[str, bool]]:
    """Read the categories of a country's numbers, and whether each is sorted by states."""
    if not isinstance(reply, list):
        raise odd("list of categories")
    try:
        found = [c for one in reply for c in one["phone_categories"]]
        return [(str(c["phone_category_name"]), c.get("country_has_states") is True) for c in found]
    except (TypeError, KeyError, AttributeError):
        raise odd("list of categories") from None


def read_state(value: object) -> str:
    """Read the code of a state."""
    return _text(_fields(value, "state"), "country_state")


def read_region(value: object, country: str, category: str, state: str | None = None) -> Region:
    """Read a place whose numbers can be rented."""
    fields = _fields(value, "region")
    return Region(
        _id(fields, "phone_region_id"),
        str(fields.get("phone_region_name") or ""),
        country,
        category,
        read_price(fields.get("phone_price")),
        read_price(fields.get("phone_installation_price")),
        _optional(fields, "required_verification"),
        state,
    )


def read_offer(value: object, region: Region) -> VoximplantOffer:
    """Read a number that can be rented; its prices, else those of its place."""
    fields = _fields(value, "number")
    return VoximplantOffer(
        read_digits(fields.get("phone_number")),
        region,
        read_price(fields.get("phone_price")) or region.monthly_price,
        read_price(fields.get("phone_installation_price")) or region.setup_price,
    )


def read_session(value: object) -> RemoteSession:
    """Read a finished call; the numbers in it go no further than here."""
    fields = _fields(value, "call history")
    started = fields.get("start_date")
    if not isinstance(started, datetime):
        raise odd("call history")
    # The SDK reads the platform's UTC times; an aware one stays what it is.
    aware = started if started.tzinfo else started.replace(tzinfo=UTC)
    legs = fields.get("calls") or []
    if not isinstance(legs, list):
        raise odd("call history")
    return RemoteSession(
        _id(fields, "call_session_history_id"),
        int(aware.timestamp()),
        _whole(fields.get("duration")),
        _optional(fields, "custom_data"),
        _optional(fields, "finish_reason"),
        tuple(_leg(leg) for leg in legs),
    )


def read_digits(value: object) -> PhoneNumber:
    """Read a number as the platform writes it: digits, with or without a plus."""
    digits = str(value).removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise odd("number")
    return PhoneNumber("+" + digits)


def read_price(value: object) -> str | None:
    """Return a price as decimal text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return format(Decimal(str(value)), "f")
    except InvalidOperation:
        return None


def checked_name(text: str, longest: int, what: str) -> str:
    """Return a name that the platform takes, or raise BadData."""
    if text.strip() and text.isprintable() and len(text) <= longest and ";" not in text:
        return text
    raise BadData(f"a {what}'s name has 1 to {longest} printable characters and no ;")


def _leg(value: object) -> RemoteLeg:
    fields = _fields(value, "call history")
    cost = fields.get("cost")
    return RemoteLeg(
        bool(fields.get("incoming")),
        bool(fields.get("successful")),
        _whole(fields.get("duration")),
        float(cost) if isinstance(cost, int | float) else 0.0,
        _optional(fields, "record_url"),
    )


def _fields(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise odd(what)
    return value


def _id(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, bool) or not str(value).isdigit():
        raise odd(name)
    return str(value)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise odd(name)
    return value


def _optional(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return None if value in (None, "") else str(value)


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
