"""Situations, and the routing word the scenario has for each; what a transcript shows of a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mask_cli.providers.base import KeyValueItem
from mask_cli.sandbox.scenario_bench import (
    ALSO_OURS,
    CLIENT,
    COURIER,
    OPERATOR,
    ORDER,
    OURS,
    PHRASES,
    SETTINGS,
    STORED,
    STRANGER,
    Bench,
)
from mask_cli.sandbox.simulate_voximplant import (
    BEHAVIOURS,
    NOW,
    Act,
    CallPlan,
    play,
    reason_of,
    story,
    typed,
)
from mask_cli.scenario.render import render, template

BENCH = Bench(template())


def leaves(seconds: float) -> Act:
    return Act("connected", seconds, hangup=True)


SITUATIONS: list[tuple[str, str | None, str, tuple[Act, ...], dict[str, Any]]] = [
    ("unknown_number", COURIER, "14156667779", typed(ORDER), {}),
    ("unknown_number", None, "14156667779", (), {}),
    ("unknown_caller", None, OURS, typed(ORDER), {"operator": None}),
    ("unknown_caller", "", OURS, typed(ORDER), {}),
    ("unknown_caller", "anonymous", OURS, typed(ORDER), {}),
    ("unknown_caller", "+", OURS, typed(ORDER), {}),
    ("unknown_caller", ALSO_OURS, OURS, typed(ORDER), {}),
    ("ask_order", COURIER, OURS, (leaves(3),), {}),
    ("ask_order", STRANGER, OURS, (leaves(3),), {}),
    ("no_digits", COURIER, OURS, (leaves(22),), {}),
    ("bad_digits", COURIER, OURS, (*typed("123"), leaves(14)), {}),
    ("bad_digits", COURIER, OURS, (*typed("12*45"), leaves(14)), {}),
    ("unknown_order", COURIER, OURS, (*typed("99999"), leaves(14)), {}),
    ("unknown_order", COURIER, OURS, (*typed("11111"), leaves(14)), {}),
    ("unknown_order", COURIER, OURS, (*typed("54321"), leaves(14)), {}),
    ("unknown_order", STRANGER, OURS, (*typed(ORDER), leaves(14)), {}),
    ("too_many_attempts", STRANGER, OURS, typed(*[ORDER] * 3), {}),
    ("too_many_attempts", COURIER, OURS, typed("99999"), {"attempts": 1, "operator": None}),
    ("courier_to_client", COURIER, OURS, typed(ORDER), {}),
    ("courier_to_client", f"+{COURIER}", ALSO_OURS, typed("99999", ORDER), {}),
    ("client_to_courier", CLIENT, OURS, typed(ORDER), {}),
    ("client_to_courier", CLIENT, OURS, typed("00123"), {}),
    ("operator", COURIER, OURS, typed("#"), {}),
    ("operator", STRANGER, OURS, typed("99999", "#"), {}),
    ("operator", COURIER, OURS, (*typed("#"), leaves(14)), {"operator": None}),
    ("unavailable", COURIER, OURS, typed(ORDER), {"storage_fault": "reject"}),
    ("unavailable", COURIER, OURS, typed(ORDER), {"storage_fault": "hang"}),
]


@pytest.mark.parametrize(("reason", "caller", "called", "acts", "given"), SITUATIONS)
def test_each_situation_has_its_fixed_word(
    reason: str, caller: str | None, called: str, acts: tuple[Act, ...], given: dict[str, Any]
) -> None:
    call = BENCH.call(*acts, caller=caller, called=called, **given)
    assert reason_of(call) == reason
    assert call.reports[-1]["reason"] == reason
    assert call.outcome == call.reports[-1]["outcome"]


def test_every_word_of_the_routing_table_is_among_the_situations() -> None:
    assert {situation[0] for situation in SITUATIONS} == {
        "courier_to_client",
        "client_to_courier",
        "ask_order",
        "no_digits",
        "bad_digits",
        "unknown_order",
        "unknown_caller",
        "unknown_number",
        "too_many_attempts",
        "operator",
        "unavailable",
    }


@pytest.mark.parametrize(("caller", "other"), [(COURIER, CLIENT), (CLIENT, COURIER)])
def test_the_guides_call_reaches_the_other_party_behind_the_rented_number(
    caller: str, other: str
) -> None:
    call = BENCH.call(*typed("12345"), caller=caller)
    (dialled,) = call.of("dialled")
    assert dialled["number"] == other
    assert dialled["caller_id"] == OURS
    assert any("1, 2, 3, 4, 5" in text for text in call.heard("party"))
    assert call.bridged_seconds == pytest.approx(30, abs=0.1)
    assert call.outcome == "connected"


def test_a_call_that_ends_before_the_answer_has_no_reason() -> None:
    call = BENCH.call(Act("alerting", 0, hangup=True))
    assert reason_of(call) is None
    assert call.outcome == "abandoned"


def test_a_transcript_leaks_no_number_unless_asked() -> None:
    call = BENCH.call(*typed(ORDER), caller=f"+{COURIER}")
    shown = json.dumps(call.to_dict(), ensure_ascii=False)
    for number in (COURIER, CLIENT, OURS, OPERATOR):
        assert number not in shown
        assert number not in repr(call)
    assert "+1•••••••3333" in shown
    assert CLIENT in json.dumps(call.to_dict(reveal=True))


def test_a_number_in_a_foreign_scenarios_log_is_hidden_too() -> None:
    script = f"""
        Logger.write('calling {CLIENT}');
        VoxEngine.addEventListener(AppEvents.CallAlerting, (e) => e.call.reject(603));
    """
    call = play(script, CallPlan(COURIER, OURS), {}, numbers=(OURS,))
    assert CLIENT not in json.dumps(call.to_dict())
    assert CLIENT in json.dumps(call.to_dict(reveal=True))


def test_the_story_of_a_call_is_told_in_order_and_without_numbers() -> None:
    call = BENCH.call(*typed(ORDER), recording="announced")
    told = story(call)
    assert [at for at, _, _ in told] == sorted(at for at, _, _ in told)
    words = [f"{who} {what}" for _, who, what in told]
    assert words[:2] == ["caller calls", "caller is answered"]
    assert f"scenario looks up order:{ORDER}" in words
    assert "party is called at +1•••••••3333, is shown +1•••••••7777" in words
    assert "party presses 1" in words
    assert "caller and party hear each other for 30 s" in words
    assert words[-2:] == ["party hangs up", "caller is hung up"]
    assert f"party is called at {CLIENT}, is shown {OURS}" in str(
        [f"{who} {what}" for _, who, what in story(call, reveal=True)]
    )


@pytest.mark.parametrize("callee", sorted(BEHAVIOURS))
def test_every_call_can_be_told(callee: str) -> None:
    call = BENCH.call(*typed("12#"), operator_does=BEHAVIOURS[callee], second_call=1.0)
    assert len(story(call)) == len(call.events)


def test_a_plan_shows_no_number_in_its_repr() -> None:
    assert COURIER not in repr(CallPlan(COURIER, OURS))


def test_the_storage_may_be_asked_through_a_function() -> None:
    asked: list[str] = []

    def find(key: str) -> KeyValueItem | None:
        asked.append(key)
        return STORED.get(key)

    call = play(render(SETTINGS), CallPlan(COURIER, OURS, typed(ORDER)), find)
    assert asked == [f"order:{ORDER}"]
    assert call.outcome == "connected"


def test_a_mapping_expires_between_two_calls() -> None:
    stored = {"order:12345": KeyValueItem("order:12345", STORED["order:12345"].value, NOW + 60)}
    text = render(SETTINGS)
    early = CallPlan(COURIER, OURS, typed(ORDER))
    late = CallPlan(COURIER, OURS, (*typed(ORDER), leaves(14)), now=NOW + 60)
    assert reason_of(play(text, early, stored)) == "courier_to_client"
    assert reason_of(play(text, late, stored)) == "unknown_order"


@pytest.mark.parametrize("callee", sorted(BEHAVIOURS))
def test_the_caller_always_hears_how_it_ends(callee: str) -> None:
    call = BENCH.call(*typed(ORDER), party=BEHAVIOURS[callee])
    told = PHRASES["client_unavailable"] in call.heard("caller")
    assert told != bool(call.of("bridged"))


def test_a_transcript_is_the_same_every_time() -> None:
    first, second = (BENCH.call(*typed("99999", ORDER)).to_dict() for _ in range(2))
    assert first == second
