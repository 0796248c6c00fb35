"""Decide a call from the store: what the webhook and `mask route` share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mask_cli.models import keyed_digest
from mask_cli.routing import Ask, Call, Route, Rules, parse_endpoint, route

if TYPE_CHECKING:
    from mask_cli.models import PhoneNumber
    from mask_cli.store.calls_base import Calls

ATTEMPTS_WINDOW = 3_600
"""Seconds for which a caller's wrong order numbers are counted over calls."""


def decide(
    calls: Calls, call: Call, now: int, rules: Rules, *, key: bytes, under_way: int = 0
) -> Route:
    """Return the route of a call; `under_way` are wrong order numbers not stored yet.

    Which numbers are ours is looked up for everybody who takes part in the call.
    """
    called, caller = parse_endpoint(call.called), parse_endpoint(call.caller)
    if called is None:
        return route(call, (), now, rules)
    mappings = [] if caller is None else calls.candidates(caller, called, call.digits, now)
    people = {called, caller, rules.operator}
    people.update(*((mapping.courier, mapping.client) for mapping in mappings))
    rules = replace(rules, numbers=calls.ours([number for number in people if number]))
    if caller is not None and _may_ask(call, len(mappings), rules):
        counted = calls.wrong_orders(caller_key(key, caller), now - ATTEMPTS_WINDOW)
        call = replace(call, caller_attempts=counted + under_way)
    return route(call, mappings, now, rules)


def caller_key(key: bytes, caller: PhoneNumber) -> str:
    """Return the keyed hash under which a caller's attempts are counted."""
    return keyed_digest(key, caller.e164)


def _may_ask(call: Call, mappings: int, rules: Rules) -> bool:
    return call.digits is not None or mappings > 1 or rules.ask is Ask.ALWAYS
