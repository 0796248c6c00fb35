"""Decide what a call gets: one pure function for the webhook, `mask route` and `mask simulate`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from mask_cli.models import Mapping, PhoneNumber, Role, State

if TYPE_CHECKING:
    from collections.abc import Iterable

OPERATOR_KEY = "#"
RETRY_PAUSE = 1
"""Seconds of silence before a caller is asked again: one figure for every wrong order number,
so that neither words nor time tell a wrong one from somebody else's."""

# What numbers are written with in `tel:` and by some carriers.
_SEPARATORS = str.maketrans("", "", " -.()")
_DIALLABLE = re.compile(r"\+?([1-9][0-9]{6,14})", re.ASCII)


class Action(StrEnum):
    """What is done with the caller; after SAY the call ends."""

    DIAL = "dial"
    ASK = "ask"
    OPERATOR = "operator"
    SAY = "say"


class Ask(StrEnum):
    """When the order number is asked for."""

    AMBIGUOUS = "ambiguous"
    ALWAYS = "always"


class Reason(StrEnum):
    """Why; scripts and call records rely on these words."""

    COURIER_TO_CLIENT = "courier_to_client"
    CLIENT_TO_COURIER = "client_to_courier"
    ASK_ORDER = "ask_order"
    NO_DIGITS = "no_digits"
    BAD_DIGITS = "bad_digits"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_CALLER = "unknown_caller"
    UNKNOWN_NUMBER = "unknown_number"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    OPERATOR = "operator"
    UNAVAILABLE = "unavailable"


NO_OPERATOR = "no_operator"
"""The phrase for somebody who asks for an operator where none is set. The key of every other
phrase is its reason's word."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call when it has to be decided.

    `caller` and `called` are as they came from outside; `digits` is None before anything was
    asked and empty when nothing came. `attempts` counts the failed prompts of this call,
    `caller_attempts` this caller's wrong order numbers over recent calls.
    """

    caller: str | None = field(repr=False)
    called: str | None = field(repr=False)
    digits: str | None = field(default=None, repr=False)
    attempts: int = 0
    caller_attempts: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that routing depends on."""

    numbers: frozenset[PhoneNumber]
    ask: Ask = Ask.AMBIGUOUS
    order_digits: int = 5
    attempts: int = 3
    caller_attempts: int = 9
    operator: PhoneNumber | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The decision as data.

    `phrase` is the key of what is said first, after `pause` seconds; None says nothing.
    `caller_id` is the called number whenever somebody is dialled. `attempts` is the count to
    hand to the next decision of this call; `wrong_order` tells that this caller's own count
    grows too.
    """

    action: Action
    reason: Reason
    phrase: str | None = None
    callee: PhoneNumber | None = None
    caller_id: PhoneNumber | None = None
    mapping: Mapping | None = None
    role: Role | None = None
    pause: int = 0
    attempts: int = 0
    wrong_order: bool = False

    @property
    def order(self) -> str | None:
        """The order that the call belongs to."""
        return self.mapping.order if self.mapping else None


def parse_endpoint(text: str | None) -> PhoneNumber | None:
    """Return the number of a webhook's `From` or `To`, or None when it is not one.

    With or without plus or `tel:`, seven to fifteen ASCII digits. A `sip:` address is no
    number, even one made of digits: who places such a call chooses it.
    """
    if text is None or len(text) > 64:  # noqa: PLR2004 (longer than any number written out)
        return None
    bare = text.strip().removeprefix("tel:").translate(_SEPARATORS)
    match = _DIALLABLE.fullmatch(bare)
    return PhoneNumber("+" + match[1]) if match else None


def route(call: Call, candidates: Iterable[Mapping], now: int, rules: Rules) -> Route:
    """Decide who is dialled or what is said, and why.

    `candidates` are the mappings that have the caller as a party; others in it do no harm.
    With `ask: always` nobody's mappings are looked at before digits come, as where the store
    is keyed by order: the first prompt then does not tell who has an order. Several mappings
    are always asked about, even if all lead to the same person: the call belongs to one order.
    """
    called = parse_endpoint(call.called)
    if called is None or called not in rules.numbers:
        return _said(Reason.UNKNOWN_NUMBER)
    if call.digits is not None and OPERATOR_KEY in call.digits:
        return _operator(call, called, rules, Reason.OPERATOR, no_operator=NO_OPERATOR)
    caller = parse_endpoint(call.caller)
    if caller is None or caller in rules.numbers:
        return _operator(call, called, rules, Reason.UNKNOWN_CALLER)
    mine = [m for m in candidates if _reaches(m, caller, called, now, rules)]
    if call.digits is None:
        return _first(call, caller, called, mine, rules)
    return _answered(call, caller, called, mine, rules)


def unavailable() -> Route:
    """Return what a caller gets when the store cannot be read: an apology, nobody is dialled."""
    return _said(Reason.UNAVAILABLE)


def _reaches(
    mapping: Mapping, caller: PhoneNumber, called: PhoneNumber, now: int, rules: Rules
) -> bool:
    """Tell whether the caller may use the mapping on this number.

    A party that is one of our own numbers, or the same on both sides, would ring in a circle.
    """
    return (
        mapping.state(now) is State.ACTIVE
        and mapping.role_of(caller) is not None
        and mapping.virtual_number in (None, called)
        and mapping.courier != mapping.client
        and rules.numbers.isdisjoint((mapping.courier, mapping.client))
    )


def _first(
    call: Call, caller: PhoneNumber, called: PhoneNumber, mine: list[Mapping], rules: Rules
) -> Route:
    """Decide before anything was asked."""
    if rules.ask is Ask.AMBIGUOUS:
        if not mine:
            return _operator(call, called, rules, Reason.UNKNOWN_CALLER)
        if len(mine) == 1:
            return _dial(call, mine[0], caller, called)
    if _used_up(call.attempts, call.caller_attempts, rules):
        return _operator(call, called, rules, Reason.TOO_MANY_ATTEMPTS)
    return Route(Action.ASK, Reason.ASK_ORDER, Reason.ASK_ORDER, attempts=call.attempts)


def _answered(
    call: Call, caller: PhoneNumber, called: PhoneNumber, mine: list[Mapping], rules: Rules
) -> Route:
    """Decide on what came after a prompt; only what was typed counts, even if one order is left."""
    if _used_up(call.attempts, call.caller_attempts, rules):
        return _operator(call, called, rules, Reason.TOO_MANY_ATTEMPTS)
    digits = call.digits or ""
    reason = _digits_problem(digits, rules)
    if reason is None:
        named = [m for m in mine if m.order == digits]
        if len(named) == 1:
            return _dial(call, named[0], caller, called)
        reason = Reason.UNKNOWN_ORDER
    return _again(call, called, rules, reason)


def _digits_problem(digits: str, rules: Rules) -> Reason | None:
    if not digits:
        return Reason.NO_DIGITS
    whole = len(digits) == rules.order_digits and digits.isascii() and digits.isdigit()
    return None if whole else Reason.BAD_DIGITS


def _again(call: Call, called: PhoneNumber, rules: Rules, reason: Reason) -> Route:
    """Ask once more, or end it when this was the last attempt."""
    wrong_order = reason is Reason.UNKNOWN_ORDER
    attempts = call.attempts + 1
    if _used_up(attempts, call.caller_attempts + wrong_order, rules):
        end = Reason.TOO_MANY_ATTEMPTS
        return _operator(
            call, called, rules, end, attempts=attempts, pause=RETRY_PAUSE, wrong_order=wrong_order
        )
    return Route(
        Action.ASK, reason, reason, pause=RETRY_PAUSE, attempts=attempts, wrong_order=wrong_order
    )


def _used_up(attempts: int, caller_attempts: int, rules: Rules) -> bool:
    return attempts >= rules.attempts or caller_attempts >= rules.caller_attempts


def _dial(call: Call, mapping: Mapping, caller: PhoneNumber, called: PhoneNumber) -> Route:
    """Connect the caller with the other party of the mapping, never with anybody else."""
    role = Role.COURIER if mapping.courier == caller else Role.CLIENT
    to_client = role is Role.COURIER
    return Route(
        Action.DIAL,
        Reason.COURIER_TO_CLIENT if to_client else Reason.CLIENT_TO_COURIER,
        callee=mapping.client if to_client else mapping.courier,
        caller_id=called,
        mapping=mapping,
        role=role,
        attempts=call.attempts,
    )


def _operator(
    call: Call,
    called: PhoneNumber,
    rules: Rules,
    reason: Reason,
    *,
    no_operator: str | None = None,
    attempts: int | None = None,
    pause: int = 0,
    wrong_order: bool = False,
) -> Route:
    """Say why and dial the operator, or only say so where none is set or he is the caller."""
    callee = rules.operator
    if callee is None or callee in rules.numbers or callee == parse_endpoint(call.caller):
        callee = None
    return Route(
        Action.SAY if callee is None else Action.OPERATOR,
        reason,
        (no_operator or reason) if callee is None else reason,
        callee=callee,
        caller_id=None if callee is None else called,
        pause=pause,
        attempts=call.attempts if attempts is None else attempts,
        wrong_order=wrong_order,
    )


def _said(reason: Reason) -> Route:
    return Route(Action.SAY, reason, reason)
