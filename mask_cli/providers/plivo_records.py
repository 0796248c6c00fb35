"""Plivo's records as our values, and back; what is missing or misshapen is an error."""

from __future__ import annotations

import re
from typing import Any

from mask_cli.errors import ProviderUnavailable
from mask_cli.models import PhoneNumber
from mask_cli.providers.base import Application, OfferedNumber, RentedNumber

_DIGITS = re.compile(r"\+?([0-9]{3,15})", re.ASCII)
_SUBACCOUNT = re.compile(r"SA[A-Z0-9]{18}", re.ASCII)


def application_of(record: object) -> Application:
    """Read an application; some fields are read under other names than they are written."""
    values = vars(record)
    log = values.get("log_incoming_messages", values.get("log_incoming_message", True))
    subaccount = _SUBACCOUNT.search(str(values.get("sub_account") or ""))
    return Application(
        app_id=_needed(values, "app_id"),
        name=_needed(values, "app_name"),
        answer_url=_text(values, "answer_url"),
        answer_method=_text(values, "answer_method") or "POST",
        hangup_url=_text(values, "hangup_url"),
        hangup_method=_text(values, "hangup_method") or "POST",
        fallback_url=_text(values, "fallback_answer_url"),
        fallback_method=_text(values, "fallback_method") or "POST",
        message_url=_text(values, "message_url"),
        message_method=_text(values, "message_method") or "POST",
        default_number_app=values.get("default_app") is True,
        default_endpoint_app=values.get("default_endpoint_app") is True,
        log_incoming_messages=log is not False,
        public_uri=values.get("public_uri") is True,
        subaccount=subaccount and subaccount[0],
    )


def sent_values(application: Application) -> dict[str, Any]:
    """Return all that the SDK is to send: what it is not given it resets.

    An address that is not set stays out; the SDK cannot unset one.
    """
    return {
        "answer_url": application.answer_url,
        "answer_method": application.answer_method,
        "hangup_url": application.hangup_url,
        "hangup_method": application.hangup_method,
        "fallback_answer_url": application.fallback_url,
        "fallback_method": application.fallback_method,
        "message_url": application.message_url,
        "message_method": application.message_method,
        "default_number_app": application.default_number_app,
        "default_endpoint_app": application.default_endpoint_app,
        "log_incoming_messages": application.log_incoming_messages,
        "public_uri": application.public_uri,
        "subaccount": application.subaccount,
    }


def rented_number_of(record: object) -> RentedNumber:
    """Read a rented number; its application is an address that ends in the id."""
    values = vars(record)
    where = _text(values, "application") or _text(values, "app_id") or ""
    return RentedNumber(
        number=_number(values),
        app_id=where.rstrip("/").rpartition("/")[2] or None,
        alias=_text(values, "alias"),
        monthly_price=_text(values, "monthly_rental_rate"),
        type=_text(values, "number_type") or _text(values, "type"),
        voice_enabled=values.get("voice_enabled") is True,
    )


def offered_number_of(record: object) -> OfferedNumber:
    """Read a number of the inventory; its sub type says `local` where its type says `fixed`."""
    values = vars(record)
    return OfferedNumber(
        number=_number(values),
        setup_price=_text(values, "setup_rate"),
        monthly_price=_text(values, "monthly_rental_rate"),
        voice_price=_text(values, "voice_rate"),
        restriction=_text(values, "restriction"),
        type=_text(values, "sub_type") or _text(values, "type"),
        region=_text(values, "region"),
        voice_enabled=values.get("voice_enabled") is True,
    )


def _text(values: dict[str, Any], name: str) -> str | None:
    value = values.get(name)
    return None if value is None or value == "" else str(value)


def _needed(values: dict[str, Any], name: str) -> str:
    text = _text(values, name)
    if text is None:
        raise ProviderUnavailable(f"a record of Plivo's has no {name}", unsure=False)
    return text


def _number(values: dict[str, Any]) -> PhoneNumber:
    match = _DIGITS.fullmatch(_needed(values, "number"))
    if match is None:
        raise ProviderUnavailable("a record of Plivo's has no phone number", unsure=False)
    return PhoneNumber("+" + match[1])
