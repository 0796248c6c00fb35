"""The scenario decides as `route()` does, wherever the keypad decides."""

from __future__ import annotations

import pytest

from mask_cli.models import PhoneNumber, remote_value
from mask_cli.providers.base import KeyValueItem
from mask_cli.sandbox.simulate_voximplant import Act, CallPlan, Transcript, play, typed
from mask_cli.scenario.render import ScenarioSettings, render
from tests.unit.routing_vectors import Vector, load

KEYPAD = [vector for vector in load() if vector.keypad]


def played(vector: Vector) -> Transcript:
    rules, call = vector.rules, vector.call
    stored = {
        f"order:{one.order}": KeyValueItem(f"order:{one.order}", remote_value(one), one.expires_at)
        for one in vector.candidates or ()
    }
    text = render(
        ScenarioSettings(
            numbers=tuple(sorted(rules.numbers)),
            operator=rules.operator,
            order_digits=rules.order_digits,
            attempts=rules.attempts,
        )
    )
    # Whoever is only asked leaves: what would come after that is another question.
    asked_only = call.digits is None and vector.expected["reason"] == "ask_order"
    leaves = (Act("connected", 3, hangup=True),) if asked_only else ()
    keys = typed(call.digits) if call.digits else ()
    plan = CallPlan(
        call.caller,
        call.called or "",
        (*keys, *leaves),
        storage_fault="reject" if vector.candidates is None else None,
        now=vector.now,
    )
    return play(text, plan, stored)


def decision(call: Transcript, attempts: int) -> str:
    """Return the first word after the question, or the question where nothing came after it.

    What used up the attempts is named before that they are used up.
    """
    later = [reason for reason in call.reasons if reason != "ask_order"]
    if attempts == 1 and later[1:2] == ["too_many_attempts"]:
        return later[1]
    return later[0] if later else call.reasons[-1]


def test_there_are_vectors_for_every_word_the_keypad_can_lead_to() -> None:
    assert {vector.expected["reason"] for vector in KEYPAD} == {
        *("ask_order", "bad_digits", "client_to_courier", "courier_to_client", "no_digits"),
        *("operator", "too_many_attempts", "unavailable", "unknown_caller", "unknown_number"),
        "unknown_order",
    }


@pytest.mark.parametrize("vector", KEYPAD, ids=lambda vector: vector.name)
def test_the_scenario_gives_the_reason_that_route_gives(vector: Vector) -> None:
    call = played(vector)
    assert vector.route().reason == vector.expected["reason"]
    assert decision(call, vector.rules.attempts) == vector.expected["reason"]


@pytest.mark.parametrize("vector", KEYPAD, ids=lambda vector: vector.name)
def test_the_scenario_dials_whom_route_dials(vector: Vector) -> None:
    expected = vector.expected
    if expected["action"] == "ask":
        return
    dialled = [
        (PhoneNumber(f"+{event['number']}"), PhoneNumber(f"+{event['caller_id']}"))
        for event in played(vector).of("dialled")
    ]
    decided = vector.route()
    callee = decided.callee
    assert dialled == ([] if callee is None else [(callee, decided.caller_id)])
