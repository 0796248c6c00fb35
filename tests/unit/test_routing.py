from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mask_cli.models import Mapping, PhoneNumber, Role
from mask_cli.routing import Action, Ask, Call, Reason, Route, Rules, parse_endpoint, route
from tests.unit.routing_vectors import Vector, load, outcome

NOW = 1_800_000_000
OURS = [PhoneNumber("+12222222222"), PhoneNumber("+13333333333")]
PEOPLE = [PhoneNumber(f"+1415555010{i}") for i in range(6)]
OPERATOR = PhoneNumber("+14155550199")
FIXED_WORDS = set(
    "courier_to_client client_to_courier ask_order no_digits bad_digits unknown_order"
    " unknown_caller unknown_number too_many_attempts operator unavailable".split()
)
RULES = Rules(numbers=frozenset(OURS))


def mapping(
    order: str,
    courier: PhoneNumber,
    client: PhoneNumber,
    *,
    number: PhoneNumber | None = None,
    expires_at: int = NOW + 60,
) -> Mapping:
    return Mapping(order, courier, client, expires_at, 0, 0, virtual_number=number)


@pytest.mark.parametrize("vector", load(), ids=lambda vector: vector.name)
def test_vector_is_not_decided_otherwise(vector: Vector) -> None:
    assert outcome(vector.route()) == vector.expected


def test_no_row_of_the_table_goes_without_vectors() -> None:
    reasons = Counter(vector.expected["reason"] for vector in load())
    assert set(reasons) == FIXED_WORDS == {str(reason) for reason in Reason}
    assert min(reasons.values()) >= 3
    keypad = {vector.expected["reason"] for vector in load() if vector.keypad}
    assert keypad == FIXED_WORDS


def test_keypad_vectors_do_not_ask_for_what_a_store_keyed_by_order_cannot_know() -> None:
    for vector in load():
        if vector.keypad:
            assert vector.rules.ask is Ask.ALWAYS
            assert vector.call.attempts == vector.call.caller_attempts == 0
            assert all(m.virtual_number is None for m in vector.candidates or ())


def test_vectors_hold_no_number_of_a_real_person() -> None:
    allowed = {f"+141566677{i}" for i in range(77, 83)} | {"+12222222222", "+13333333333"}
    for vector in load():
        numbers = {*vector.rules.numbers, vector.rules.operator}
        for candidate in vector.candidates or ():
            numbers |= {candidate.courier, candidate.client, candidate.virtual_number}
        for number in numbers - {None}:
            assert number is not None
            assert number.e164 in allowed or number.e164.startswith("+141555501")


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("14155550100", "14155550100"),
        ("+14155550100", "14155550100"),
        (" +1 (415) 555-0100 ", "14155550100"),
        ("tel:+1.415.555.0100", "14155550100"),
        ("1234567", "1234567"),
        ("123456789012345", "123456789012345"),
    ],
    ids=count(),
)
def test_a_number_in_another_form_is_not_lost(text: str, digits: str) -> None:
    number = parse_endpoint(text)
    assert number is not None
    assert number.digits == digits


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "+",
        "anonymous",
        "Restricted",
        "123456",
        "1234567890123456",
        "0014155550100",
        "++14155550100",
        "1415+5550100",
        "14155550100,14155550101",
        "14155550100;ext=1",
        "sip:14155550100@example.com",
        "sips:+14155550100@example.com",
        "14155550100@example.com",
        "\u0661\u0664\u0661\u0665\u0665\u0665\u0660\u0661\u0660\u0660",
        "1415555010\u00b2",
        "14155550100\n14155550101",
        "1415555\x000100",
        "1" * 100_000,
    ],
    ids=count(),
)
def test_what_is_no_number_does_not_match_a_party(text: str | None) -> None:
    assert parse_endpoint(text) is None


texts = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.sampled_from(["", "#", "12#", "anonymous", "sip:x@y", "1" * 40]),
    st.sampled_from([*PEOPLE, *OURS, OPERATOR]).map(lambda n: n.digits),
    st.sampled_from([*PEOPLE, *OURS]).map(lambda n: n.e164),
)
orders = st.sampled_from([f"0000{i}" for i in range(6)])
mappings = st.builds(
    mapping,
    orders,
    st.sampled_from(PEOPLE),
    st.sampled_from([*PEOPLE, OURS[1]]),
    number=st.sampled_from([None, *OURS, PhoneNumber("+14155550150")]),
    expires_at=st.integers(NOW - 3, NOW + 3),
)
candidate_lists = st.lists(mappings, max_size=6, unique_by=lambda m: m.order)
calls = st.builds(
    Call,
    texts,
    texts,
    st.one_of(st.none(), orders, texts),
    st.integers(0, 4),
    st.integers(0, 10),
)
any_rules = st.builds(
    Rules,
    numbers=st.just(frozenset(OURS)),
    ask=st.sampled_from(Ask),
    operator=st.sampled_from([None, OPERATOR, OURS[0]]),
)


@settings(max_examples=400)
@given(calls, candidate_lists, any_rules)
def test_nobody_but_the_other_party_of_an_own_active_mapping_is_dialled(
    call: Call, candidates: list[Mapping], rules: Rules
) -> None:
    decided = route(call, candidates, NOW, rules)
    assert decided.reason in FIXED_WORDS
    if decided.action is Action.DIAL:
        check_dialled(call, candidates, decided)
    elif decided.action is Action.OPERATOR:
        assert decided.callee == rules.operator == OPERATOR
    else:
        assert decided.callee is decided.caller_id is None
    if decided.callee is not None:
        assert decided.caller_id == parse_endpoint(call.called)
        assert decided.caller_id in OURS
        assert decided.callee not in (decided.caller_id, parse_endpoint(call.caller))


def check_dialled(call: Call, candidates: list[Mapping], decided: Route) -> None:
    caller, called = parse_endpoint(call.caller), parse_endpoint(call.called)
    used = decided.mapping
    assert used in candidates
    assert used is not None
    assert used.expires_at > NOW
    assert used.virtual_number in (None, called)
    assert {used.courier, used.client} == {caller, decided.callee}
    assert decided.role is (Role.COURIER if caller == used.courier else Role.CLIENT)
    assert call.digits in (None, used.order)
    assert decided.phrase is None


@settings(max_examples=500)
@given(calls, candidate_lists, any_rules)
def test_no_number_is_put_into_words_or_shown_in_a_log(
    call: Call, candidates: list[Mapping], rules: Rules
) -> None:
    decided = route(call, candidates, NOW, rules)
    assert decided.phrase in (FIXED_WORDS | {None, "no_operator"})
    shown = repr(decided) + repr(call)
    assert not any(number.digits in shown for number in [*PEOPLE, *OURS, OPERATOR])


@settings(max_examples=500)
@given(calls, candidate_lists, any_rules)
def test_mappings_of_others_do_not_change_the_decision(
    call: Call, candidates: list[Mapping], rules: Rules
) -> None:
    caller = parse_endpoint(call.caller)
    own = [m for m in candidates if caller is not None and m.role_of(caller)]
    assert route(call, own, NOW, rules) == route(call, candidates, NOW, rules)


@given(st.permutations([mapping(f"0000{i}", PEOPLE[0], PEOPLE[i]) for i in range(1, 5)]), texts)
def test_the_order_of_the_candidates_does_not_decide(
    candidates: list[Mapping], digits: str | None
) -> None:
    call = Call(PEOPLE[0].digits, OURS[0].digits, digits)
    decided = route(call, candidates, NOW, RULES)
    assert decided == route(call, sorted(candidates, key=lambda m: m.order), NOW, RULES)


@given(
    st.integers(0, 3), st.integers(0, 9), st.sampled_from([None, OPERATOR]), st.sampled_from(Ask)
)
def test_a_wrong_order_does_not_tell_whether_it_exists(
    attempts: int, caller_attempts: int, operator: PhoneNumber | None, ask: Ask
) -> None:
    rules = replace(RULES, operator=operator, ask=ask)
    candidates = [
        mapping("00001", PEOPLE[0], PEOPLE[1]),
        mapping("00002", PEOPLE[0], PEOPLE[2], expires_at=NOW),
        mapping("00003", PEOPLE[3], PEOPLE[4]),
        mapping("00004", PEOPLE[0], PEOPLE[2], number=OURS[1]),
    ]
    answers = {
        route(
            Call(PEOPLE[0].digits, OURS[0].digits, digits, attempts, caller_attempts),
            candidates,
            NOW,
            rules,
        )
        for digits in ("99999", "00002", "00003", "00004")
    }
    assert len(answers) == 1


def test_attempts_do_not_go_on_without_end() -> None:
    call = Call(PEOPLE[0].digits, OURS[0].digits, "99999")
    reasons = []
    for _ in range(10):
        decided = route(call, [], NOW, RULES)
        reasons.append(decided.reason)
        if decided.action is not Action.ASK:
            break
        call = replace(call, attempts=decided.attempts)
    assert reasons == [Reason.UNKNOWN_ORDER, Reason.UNKNOWN_ORDER, Reason.TOO_MANY_ATTEMPTS]


def test_hanging_up_and_calling_again_does_not_give_new_attempts_for_ever() -> None:
    wrong = 0
    for _ in range(50):
        decided = route(
            Call(PEOPLE[0].digits, OURS[0].digits, "99999", caller_attempts=wrong), [], NOW, RULES
        )
        wrong += decided.wrong_order
    assert wrong == RULES.caller_attempts
