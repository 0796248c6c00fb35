"""Only what our scenario signed, lately, is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_cli.errors import ExitCode
from mask_cli.sandbox.scenario_bench import COURIER, ORDER, OURS, SETTINGS, STORED
from mask_cli.sandbox.simulate_voximplant import (
    BEHAVIOURS,
    NOW,
    SECRET,
    CallPlan,
    play,
    typed,
)
from mask_cli.scenario.render import render
from mask_cli.scenario.report import (
    FIELDS,
    HEADER,
    LONGEST_BODY,
    OUTCOMES,
    REASONS,
    TOLERANCE,
    BadReport,
    BadSignature,
    ReportRefused,
    StaleReport,
    sign,
    verify,
)

REPORT: dict[str, Any] = dict.fromkeys(sorted(FIELDS)) | {
    "version": 1,
    "session": "4217",
    "outcome": "connected",
    "reason": "courier_to_client",
    "role": "courier",
}
BODY = json.dumps(REPORT).encode()


def signed(report: object) -> tuple[str, bytes]:
    body = json.dumps(report).encode()
    return sign(SECRET, body, NOW), body


def test_what_the_scenario_sends_is_believed() -> None:
    call = play(render(SETTINGS), CallPlan(COURIER, OURS, typed(ORDER)), STORED)
    request = call.requests[0]
    body = request["body"].encode()
    report = verify(SECRET, request["headers"][HEADER], body, NOW + int(request["at"]))
    assert report["outcome"] == "connected"
    assert report["order"] == ORDER


@pytest.mark.parametrize("callee", sorted(BEHAVIOURS))
def test_every_outcome_has_a_word_that_is_known(callee: str) -> None:
    plan = CallPlan(COURIER, OURS, typed(ORDER), party=BEHAVIOURS[callee])
    for report in play(render(SETTINGS), plan, STORED).reports:
        assert report["outcome"] in OUTCOMES
        assert report["reason"] in REASONS


def test_a_signature_of_ours_is_believed() -> None:
    assert verify(SECRET, sign(SECRET, BODY, NOW), BODY, NOW) == REPORT


@pytest.mark.parametrize("drift", [TOLERANCE, -TOLERANCE])
def test_clocks_may_differ_a_little(drift: int) -> None:
    assert verify(SECRET, sign(SECRET, BODY, NOW), BODY, NOW + drift)


@pytest.mark.parametrize("drift", [TOLERANCE + 1, -TOLERANCE - 1, 10**9])
def test_a_replayed_report_is_refused(drift: int) -> None:
    with pytest.raises(StaleReport):
        verify(SECRET, sign(SECRET, BODY, NOW), BODY, NOW + drift)


def test_a_wrong_signature_says_nothing_about_the_time() -> None:
    forged = sign("another secret", BODY, NOW)
    for now in (NOW, NOW + 10**6):
        with pytest.raises(BadSignature):
            verify(SECRET, forged, BODY, now)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=1,v1=",
        f"v1={'0' * 64}",
        f"t={NOW},v1={'0' * 63}",
        f"t={NOW},v1={'A' * 64}",
        f"t={NOW},v1={'0' * 64}",
        f"t=-1,v1={'0' * 64}",
        f"t=\uff11\uff12,v1={'0' * 64}",
        f"t={'9' * 13},v1={'0' * 64}",
        f"t={NOW},v1={'0' * 64}\n",
        f"t={NOW},v1={'0' * 64},v1={'0' * 64}",
    ],
)
def test_a_malformed_header_is_refused(header: str | None) -> None:
    with pytest.raises(BadSignature):
        verify(SECRET, header, BODY, NOW)


def test_no_secret_believes_nothing() -> None:
    with pytest.raises(BadSignature):
        verify("", sign("", BODY, NOW), BODY, NOW)


def test_a_body_too_long_is_refused_unread() -> None:
    body = b" " * (LONGEST_BODY + 1)
    with pytest.raises(BadSignature):
        verify(SECRET, sign(SECRET, body, NOW), body, NOW)


@given(st.integers(min_value=0, max_value=len(BODY) - 1), st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_noticed(place: int, change: int) -> None:
    body = bytearray(BODY)
    body[place] ^= change
    with pytest.raises(BadSignature):
        verify(SECRET, sign(SECRET, BODY, NOW), bytes(body), NOW)


@given(st.text(max_size=90), st.binary(max_size=90))
def test_anything_else_is_refused_and_never_crashes(header: str, body: bytes) -> None:
    with pytest.raises(ReportRefused):
        verify(SECRET, header, body, NOW)
    with pytest.raises(BadReport):
        verify(SECRET, sign(SECRET, body, NOW), body, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"session": ""},
        {"session": 4217},
        {"session": None},
        {"reason": "because"},
        {"reason": ["operator"]},
        {"outcome": "fine"},
        {"role": "driver"},
        {"role": {}},
    ],
)
def test_a_report_with_unknown_words_is_refused(change: dict[str, Any]) -> None:
    header, body = signed(REPORT | change)
    with pytest.raises(BadReport):
        verify(SECRET, header, body, NOW)


@pytest.mark.parametrize("report", [None, [], "x", 1, {}, {"version": 1}])
def test_what_is_no_report_is_refused(report: object) -> None:
    header, body = signed(report)
    with pytest.raises(BadReport) as caught:
        verify(SECRET, header, body, NOW)
    assert caught.value.exit_code is ExitCode.BAD_DATA


def test_later_versions_may_add_fields() -> None:
    header, body = signed(REPORT | {"more": 1})
    assert verify(SECRET, header, body, NOW)["more"] == 1
