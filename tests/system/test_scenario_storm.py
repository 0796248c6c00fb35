"""Thousands of calls in which anything may happen at any moment; what must hold in each."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import pytest

from mask_cli.sandbox.scenario_bench import (
    ALSO_OURS,
    CLIENT,
    COURIER,
    OPERATOR,
    ORDER,
    OURS,
    SETTINGS,
    STORED,
    STRANGER,
)
from mask_cli.sandbox.simulate_voximplant import (
    BEHAVIOURS,
    SECRET,
    Act,
    Behaviour,
    CallPlan,
    HttpAnswer,
    Transcript,
    play,
    typed,
)
from mask_cli.scenario.render import render
from mask_cli.scenario.report import HEADER, verify

PARTIES = (COURIER, CLIENT, f"+{COURIER}", f"+{CLIENT}")
CALLERS = (*PARTIES * 3, STRANGER, "", None, "anonymous")
MOMENTS = ("alerting", "connected", "quiet", "ringing", "answered", "bridged")
GOOD, DOWN = HttpAnswer(), HttpAnswer(code=503)
ANSWERS = (GOOD, GOOD, HttpAnswer(delay=4), DOWN, HttpAnswer(code=-4), HttpAnswer(delay=80))
# 54321 is the stranger's order with the client: all three may rightly be connected by it.
PAIRS = {ORDER: {COURIER, CLIENT}, "00123": {COURIER, CLIENT}, "54321": {STRANGER, CLIENT}}


def _keys(dice: random.Random) -> str:
    if dice.random() < 0.6:
        return dice.choice((ORDER, ORDER, ORDER, "00123", "54321", "11111", "22222"))
    return "".join(dice.choices("0123456789*#", k=dice.randint(1, 7)))


def _acts(dice: random.Random) -> tuple[Act, ...]:
    acts = list(typed(*(_keys(dice) for _ in range(dice.randint(0, 4)))))
    for _ in range(dice.choice((0, 0, 1, 2, 3))):
        when: Any = dice.choice(MOMENTS)
        after = round(dice.choice((0.0, 0.01, dice.uniform(0, 3), dice.uniform(0, 40))), 3)
        leaves = dice.random() < 0.4
        acts.append(Act(when, after, "" if leaves else _keys(dice), leaves, dice.uniform(0, 1)))
    return tuple(acts)


def _callee(dice: random.Random) -> Behaviour:
    if dice.random() < 0.5:
        return BEHAVIOURS[dice.choice(sorted(BEHAVIOURS))]
    fails = dice.choice((None, None, 404, 486, 480, 603, 402))
    agrees = typed("1") if dice.random() < 0.7 else ()
    after = dice.choice((0, 1.0, 5.0, 9.99, 10.0, 29.99, None))
    return Behaviour(after, fails, (*agrees, *_acts(dice)))


def _settings(dice: random.Random) -> Any:
    return replace(
        SETTINGS,
        operator=dice.choice((None, SETTINGS.operator)),
        music_url=dice.choice((None, SETTINGS.music_url)),
        recording=dice.choice(("off", "announced")),
        attempts=dice.randint(1, 4),
        ring_timeout=dice.choice((10, 30, 60)),
        call_time_limit=dice.choice((10, 60, 3600)),
    )


def _plan(dice: random.Random) -> CallPlan:
    return CallPlan(
        caller=dice.choice(CALLERS),
        called=dice.choice((OURS,) * 6 + (ALSO_OURS, f"+{OURS}", "14156667779")),
        acts=(*dice.choice(((), typed(ORDER))), *_acts(dice)),
        party=_callee(dice),
        operator=_callee(dice),
        storage_delay=dice.choice((0, 0.05, 0.1, 0.2, 0.99, 1.0, 3, 4.99, 5.0, 6)),
        storage_fault=dice.choice((None,) * 12 + ("reject", "hang")),
        http=tuple(dice.choices(ANSWERS, k=3)),
        replaced_fires=dice.random() < 0.5,
        speech_errors=tuple(dice.choices(range(1, 12), k=dice.choice((0, 0, 1, 2)))),
        speech_endless=tuple(dice.choices(range(1, 12), k=dice.choice((0, 0, 1)))),
        errors_at_once=dice.random() < 0.5,
        second_call=dice.choice((None, None, None, dice.uniform(0.1, 40))),
        terminated_at=dice.choice((None,) * 9 + (dice.uniform(0, 60),)),
        session=dice.randrange(10**9, 10**10),
    )


def _one_call(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 (plans of calls, the same for the same seed)
    plan = _plan(dice)
    call = play(render(_settings(dice)), plan, STORED)
    _ends(call, plan)
    _reaches_only_the_other_party(call, plan)
    _logs_nothing(call)
    _reports_once(call, plan)


def _ends(call: Transcript, plan: CallPlan) -> None:
    ended = {"Normal termination"}
    if plan.terminated_at is not None:
        ended.add("Terminated administratively")
    assert call.finish in ended, call.log
    assert not call.left_live
    assert not call.misuse
    left = call.of("gone", "caller")[0]["at"]
    for end in call.of("gone") + call.of("failed"):
        assert end["who"] == "second" or end["at"] <= left + 0.2, "a leg outlived the caller"
    for bridge in call.of("bridged"):
        ends = [call.of("gone", who)[0]["at"] for who in bridge["who"]]
        assert max(ends) - min(ends) < 0.2, "one leg outlived the other"
    assert not call.of("answered", "second")


def _reaches_only_the_other_party(call: Transcript, plan: CallPlan) -> None:
    called = [event["who"] for event in call.of("dialled")]
    assert called.count("party") <= 1
    assert called.count("operator") <= 1
    caller = (plan.caller or "").removeprefix("+")
    for event in call.of("dialled"):
        assert event["caller_id"] == plan.called.removeprefix("+")
        assert event["caller_id"] in (OURS, ALSO_OURS)
        if event["who"] == "operator":
            continue
        order = call.of("looked_up")[-1]["key"].removeprefix("order:")
        assert PAIRS[order] == {caller, event["number"]}
    for bridge in call.of("bridged"):
        if "party" in bridge["who"]:
            agreed = [e for e in call.of("pressed", "party") if e["key"] == "1"]
            assert agreed, "connected without consent"
            assert agreed[0]["at"] < bridge["at"]


def _logs_nothing(call: Transcript) -> None:
    told = "\n".join((*call.log, call.custom_data or ""))
    for number in (COURIER, CLIENT, STRANGER, OPERATOR, OURS, ALSO_OURS):
        assert number not in told
        assert not any(number in (request["body"] or "") for request in call.requests)
    assert not re.search(r"\d{4}", told)


def _reports_once(call: Transcript, plan: CallPlan) -> None:
    assert 1 <= len(call.requests) <= 3
    assert len({request["body"] for request in call.requests}) == 1, "two different reports"
    for request in call.requests:
        now = plan.now + int(request["at"])
        proof = request["headers"][HEADER]
        report = verify(SECRET, proof, request["body"].encode(), now)
        assert report["session"] == str(plan.session)
    accepted = [request["accepted"] for request in call.requests]
    tries = plan.http[: len(call.requests)]
    assert any(accepted) == any(answer.code == 200 for answer in tries)
    # It goes on trying exactly until it knows; a platform that ends it lets it try once more.
    known = [request["code"] == 200 for request in call.requests]
    assert known[-1] or call.requests[-1]["terminating"]
    if call.finish == "Normal termination":
        assert not any(known[:-1])


def _storm(seeds: range) -> None:
    for seed in seeds:
        try:
            _one_call(seed)
        except AssertionError as error:
            raise AssertionError(f"call {seed}: {error}") from error


def test_a_gust_of_calls_leaves_no_leg_leaks_no_number_and_reports_once() -> None:
    _storm(range(150))


@pytest.mark.slow
def test_a_storm_of_calls_leaves_no_leg_leaks_no_number_and_reports_once() -> None:
    _storm(range(10_000, 13_000))
