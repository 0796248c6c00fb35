"""Calls through the webhook on a real socket, and every way to abuse it."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote
from xml.etree import ElementTree as ET

import pytest

from mask_cli.sandbox.plivo_scene import Behaviour, Verdict
from mask_cli.sandbox.plivo_webhook import Delivery
from mask_cli.web import request as request_module
from tests.webhook import (
    ALSO_OURS,
    NOON,
    OPERATOR,
    OURS,
    PAIRS,
    TOKEN,
    Answer,
    Running,
    dialled,
    fields,
    mapping,
    running,
    spoken,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COURIER, CLIENT = PAIRS[0][1:]
STRANGER = "14155550111"
SORRY = "I'm sorry, I can't look up orders just now. Please try again in a little while."
WAYS = [(a, b) for _, x, y in PAIRS for a, b in ((x, y), (y, x))]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "mask.db") as here:
        yield here


@pytest.fixture
def staffed(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "mask.db", operator=OPERATOR) as here:
        yield here


# The guide's own samples


@pytest.mark.parametrize(("caller", "callee"), WAYS)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_party_reaches_the_other_and_shows_our_number_only(
    web: Running, caller: str, callee: str, method: str
) -> None:
    outcome = web.call(caller, method=method)
    assert outcome.verdict is Verdict.CONNECTED
    (leg,) = outcome.legs
    assert leg.number is not None
    assert leg.caller_id is not None
    assert (leg.number.digits, leg.caller_id.digits, leg.caller_name) == (callee, OURS, OURS)


def test_the_document_holds_no_number_but_the_callee_and_ours(web: Running) -> None:
    _, text = web.ask("answer", fields(COURIER, CallerName=f"+{COURIER}"))
    assert COURIER not in text
    dial = ET.fromstring(text).find("Dial")  # noqa: S314 (our own document)
    assert dial is not None
    assert (dial.get("callerId"), dial.get("callerName")) == (OURS, OURS)
    assert (dial.get("timeout"), dial.get("timeLimit")) == ("30", "3600")
    assert all(dial.get(name, "").startswith(web.base) for name in ("action", "callbackUrl"))


def test_a_stranger_hears_a_message_and_reaches_nobody(web: Running) -> None:
    outcome = web.call(STRANGER)
    assert outcome.verdict is Verdict.MESSAGE
    assert "can't find an order" in outcome.heard()[0]


def test_a_courier_with_several_orders_is_asked_and_reaches_the_one_named(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER), mapping("00042", COURIER, "14155550112"))
    for order, callee in (("45678", STRANGER), ("00042", "14155550112"), ("12345", CLIENT)):
        outcome = web.call(COURIER, order)
        assert outcome.verdict is Verdict.CONNECTED
        assert [leg.number.digits for leg in outcome.legs if leg.number] == [callee]


def test_a_mapping_bound_to_another_number_is_not_reached_here(web: Running) -> None:
    web.put(mapping("12345", COURIER, CLIENT, virtual_number=None, expires_at=NOON - 1))
    bound = mapping("45678", STRANGER, "14155550112")
    web.put(bound.changed(NOON, virtual_number=type(bound.courier)(f"+{ALSO_OURS}")))
    assert web.call(STRANGER).verdict is Verdict.MESSAGE
    assert web.call(STRANGER, called=ALSO_OURS).verdict is Verdict.CONNECTED


# How a call can go


@pytest.mark.parametrize(
    ("callee", "words", "outcome"),
    [
        ("busy", "on another call", "busy"),
        ("no-answer", "Nobody answers", "no_answer"),
        ("rejects", "can't be reached", "failed"),
    ],
)
def test_the_caller_is_told_why_nobody_was_reached(
    web: Running, callee: str, words: str, outcome: str
) -> None:
    played = web.call(COURIER, callee=callee)
    assert played.verdict is Verdict.NOT_CONNECTED
    assert words in played.heard()[-1]
    (call,) = web.calls()
    assert (call.outcome, call.reason, call.talked) == (outcome, "courier_to_client", None)


def test_the_pound_key_reaches_the_operator_after_a_busy_callee(staffed: Running) -> None:
    played = staffed.call(COURIER, "#", callee="busy")
    assert [leg.number.digits for leg in played.legs if leg.number] == [CLIENT, OPERATOR]
    assert played.verdict is Verdict.NOT_CONNECTED
    (call,) = staffed.calls()
    assert (call.outcome, call.reason) == ("busy", "courier_to_client")


@pytest.mark.parametrize("operator", ["answers", "hangs-up"])
def test_an_operator_who_answers_after_a_busy_callee_is_what_came_of_the_call(
    staffed: Running, operator: str
) -> None:
    played = staffed.call(COURIER, "#", callee="busy", behaviours={OPERATOR: Behaviour(operator)})
    assert played.verdict is Verdict.CONNECTED
    (call,) = staffed.calls()
    assert (call.outcome, call.reason, call.order) == ("operator", "operator", "12345")


@pytest.mark.parametrize("callee", ["busy", "no-answer", "rejects"])
def test_an_operator_who_did_not_answer_is_not_told_as_one_who_did(
    staffed: Running, callee: str
) -> None:
    staffed.put(mapping("45678", COURIER, STRANGER))
    assert staffed.call(COURIER, "#", callee=callee).verdict is Verdict.NOT_CONNECTED
    assert staffed.call("14155550120", callee=callee).verdict is Verdict.NOT_CONNECTED
    kept = {(call.outcome, call.reason) for call in staffed.calls()}
    assert kept == {("message", "operator"), ("message", "unknown_caller")}


def test_a_stranger_who_spoke_with_the_operator_is_told_as_such(staffed: Running) -> None:
    assert staffed.call("14155550120").verdict is Verdict.CONNECTED
    (call,) = staffed.calls()
    assert (call.outcome, call.reason) == ("operator", "unknown_caller")


@pytest.mark.parametrize("keys", ["#", "12#", "1234#"])
def test_the_pound_key_is_not_eaten_by_the_prompt(staffed: Running, keys: str) -> None:
    staffed.put(mapping("45678", COURIER, STRANGER))
    played = staffed.call(COURIER, keys)
    assert [leg.number.digits for leg in played.legs if leg.number] == [OPERATOR]
    assert staffed.calls()[0].outcome == "operator"


def test_without_an_operator_the_pound_key_is_answered_in_words(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    played = web.call(COURIER, "#")
    assert (played.verdict, played.heard()[-1]) == (
        Verdict.MESSAGE,
        "There is no operator on this line.",
    )


def test_a_key_other_than_pound_after_a_busy_callee_dials_nobody(staffed: Running) -> None:
    played = staffed.call(COURIER, "5", callee="busy")
    assert len(played.legs) == 1
    assert played.heard()[-1] == "Goodbye."


def test_silence_is_asked_again_and_comes_to_an_end(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    played = web.call(COURIER)
    assert played.verdict is Verdict.MESSAGE
    assert len(played.heard()) == 4
    assert web.calls()[0].reason == "too_many_attempts"


def test_a_recording_is_announced_to_both_before_anybody_speaks(tmp_path: Path) -> None:
    with running(tmp_path / "mask.db", recording=True) as web:
        played = web.call(COURIER)
        (call,) = web.calls()
    told = [(e.who, e.what) for e in played.events if "recorded" in e.text or "records" in e.what]
    assert told[:3] == [("caller", "hears"), ("platform", "records the call"), ("callee", "hears")]
    assert played.verdict is Verdict.CONNECTED
    assert str(call.recording_url).startswith("https://media.plivo.com/")


def test_nothing_is_recorded_unless_it_is_set(web: Running) -> None:
    assert "<Record" not in web.ask("answer", fields(COURIER))[1]


def test_a_callee_who_hangs_up_at_once_was_reached(web: Running) -> None:
    web.call(COURIER, callee="hangs-up")
    (call,) = web.calls()
    assert (call.outcome, call.talked) == ("connected", 2)


def test_a_caller_who_gives_up_is_kept_as_such(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    web.call(COURIER, hang_up_at=3.0)
    web.call(CLIENT, hang_up_at=2.0)
    assert sorted(str(call.outcome) for call in web.calls()) == ["abandoned", "cancelled"]


def test_a_call_leaves_one_row_without_any_number(web: Running) -> None:
    web.call(COURIER)
    (call,) = web.calls()
    assert (call.order, call.role, call.outcome, call.reason) == (
        "12345",
        "courier",
        "connected",
        "courier_to_client",
    )
    assert (call.started_at, call.ended_at, call.talked) == (NOON, NOON, 20)
    kept = json.dumps(web.query("SELECT * FROM calls"))
    assert not any(number in kept for pair in PAIRS for number in (*pair[1:], OURS))


@pytest.mark.parametrize("delivery", [Delivery(duplicate=True), Delivery(lost=True)])
def test_requests_that_come_twice_count_once(web: Running, delivery: Delivery) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    played = web.call(COURIER, "99999", "12345", delivery=delivery)
    assert played.verdict is Verdict.CONNECTED
    assert len(web.calls()) == 1
    assert web.query("SELECT count(*) FROM caller_attempts") == [(1,)]
    assert web.metric("mask_repeated_total") > 0


def test_the_end_told_to_the_answer_address_dials_nobody(web: Running) -> None:
    """An application without a hangup address sends it there."""
    ended = fields(COURIER, CallStatus="completed", Event="Hangup", Duration="12")
    assert web.ask("answer", ended) == (200, "<Response/>")
    assert web.calls()[0].seconds == 12


def test_events_in_any_order_make_the_same_row(web: Running) -> None:
    told = [
        ("leg?to=party", {"DialAction": "hangup", "DialBLegDuration": "7"}),
        ("hangup", {"CallStatus": "completed", "Duration": "15", "HangupCause": "NORMAL_CLEARING"}),
        ("answer", {}),
        ("leg?to=party", {"DialAction": "connected"}),
    ]
    for hook, more in told:
        assert web.ask(hook, fields(COURIER, **more))[0] == 200
    (call,) = web.calls()
    assert (call.outcome, call.talked, call.seconds, call.order) == ("connected", 7, 15, "12345")


# Who may ask


def refused(web: Running, answer: tuple[int, str], status: int = 403) -> None:
    assert answer == (status, "")
    assert web.calls() == []
    assert web.metric("mask_routes_total") == 0


def test_an_unsigned_request_is_not_routed(web: Running) -> None:
    refused(web, web.send("POST", "/plivo/answer", {}, fields(COURIER)))
    refused(web, web.send("GET", f"/plivo/answer?From={COURIER}&To={OURS}", {}))


@pytest.mark.parametrize("header", ["X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3"])
def test_either_signature_is_enough_and_neither_is_not(web: Running, header: str) -> None:
    headers = web.signed("POST", "/plivo/answer", fields(COURIER), "1")
    nonce = {"X-Plivo-Signature-V3-Nonce": "1"}
    one = {header: headers[header], **nonce}
    assert web.send("POST", "/plivo/answer", nonce, fields(COURIER)) == (403, "")
    assert dialled(web.send("POST", "/plivo/answer", one, fields(COURIER))) == [CLIENT]


@pytest.mark.parametrize("spoil", ["", "A", "=", "ÿ", "," * 1000])
def test_a_wrong_signature_is_refused(web: Running, spoil: str) -> None:
    headers = web.signed("POST", "/plivo/answer", fields(COURIER), "1")
    wrong = {n: (v if "Nonce" in n else spoil) for n, v in headers.items()}
    refused(web, web.send("POST", "/plivo/answer", wrong, fields(COURIER)))


def test_a_request_signed_for_another_address_is_refused(web: Running) -> None:
    for path in ("/plivo/digits", "/plivo/answer?attempts=0", "/plivo/answer/"):
        headers = web.signed("POST", path, fields(COURIER), "1")
        refused(web, web.send("POST", "/plivo/answer", headers, fields(COURIER)))


def test_changed_digits_or_attempts_break_the_signature(web: Running) -> None:
    typed = fields(COURIER, Digits="12345")
    headers = web.signed("POST", "/plivo/digits?attempts=2", typed, "1")
    refused(web, web.send("POST", "/plivo/digits?attempts=0", headers, typed))
    other = fields(COURIER, Digits="12346")
    refused(web, web.send("POST", "/plivo/digits?attempts=2", headers, other))


def test_get_and_post_cannot_be_confused(web: Running) -> None:
    query = f"/plivo/answer?From={COURIER}&To={OURS}&CallStatus=ringing"
    headers = web.signed("GET", query, [], "1")
    refused(web, web.send("POST", "/plivo/answer", headers, fields(COURIER)))
    # The scheme signs both alike where there is no body; without one nothing is told.
    assert dialled(web.send("POST", query, headers, [])) == []
    web.query("DELETE FROM calls")
    posted = web.signed("POST", "/plivo/answer", fields(COURIER), "2")
    assert web.send("GET", query, posted) == (403, "")
    for method in ("PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"):
        assert web.send(method, "/plivo/answer", posted)[0] == 405


def test_parameters_in_the_query_of_a_post_are_not_believed(web: Running) -> None:
    """With POST the call is told by the body alone."""
    answer = web.ask(f"answer?From={COURIER}", fields(STRANGER))
    assert dialled(answer) == []


def test_forged_proxy_headers_move_no_address(web: Running) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Host": "evil"}
    assert dialled(web.ask("answer", fields(COURIER), headers=forged)) == [CLIENT]
    _, text = web.ask("answer", fields(CLIENT), headers=forged)
    assert "evil" not in text
    theirs = Running("https://evil.example", web.database)
    headers = theirs.signed("POST", "/plivo/answer", fields(COURIER), "1")
    answer = web.send("POST", "/plivo/answer", {**headers, **forged}, fields(COURIER))
    assert answer == (403, "")


# Replays


def test_the_platforms_own_repetition_gets_the_same_answer_without_effect(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    typed = fields(COURIER, Digits="99999")
    first = web.ask("digits?attempts=0", typed, nonce="77")
    web.now += 60
    assert web.ask("digits?attempts=0", typed, nonce="77") == first
    assert web.query("SELECT count(*) FROM caller_attempts") == [(1,)]


def test_a_repetition_is_answered_as_then_even_if_the_mapping_is_gone(web: Running) -> None:
    first = web.ask("answer", fields(COURIER), nonce="77")
    web.query("DELETE FROM mappings")
    assert web.ask("answer", fields(COURIER), nonce="77") == first


def test_a_copied_database_shows_nobody_who_was_dialled_and_another_worker_repeats_it(
    tmp_path: Path,
) -> None:
    public = {"public_url": "https://mask.example.com"}
    platform = Running("https://mask.example.com", tmp_path / "mask.db")
    headers = platform.signed("POST", "/plivo/answer", fields(COURIER), "77")
    with running(tmp_path / "mask.db", **public) as web:
        first = web.send("POST", "/plivo/answer", headers, fields(COURIER))
        assert dialled(first) == [CLIENT]
        web.query("DELETE FROM mappings")
        web.query("DELETE FROM virtual_numbers")
        (stored,) = web.query("SELECT * FROM nonces")
        web.query("VACUUM")
    for text in (*map(str, stored), b64decode(stored[2]).decode("latin-1")):
        assert CLIENT not in text
        assert OURS not in text
    held = (tmp_path / "mask.db").read_bytes()
    assert CLIENT.encode() not in held
    with running(tmp_path / "mask.db", **public) as web:
        web.query("DELETE FROM mappings")
        assert web.send("POST", "/plivo/answer", headers, fields(COURIER)) == first


@pytest.mark.parametrize("stored", ["<Response/>", "José", "", "AAAA", None])
def test_an_answer_that_cannot_be_opened_is_refused_and_no_fault(
    web: Running, stored: str | None
) -> None:
    """It was sealed with other tokens, or by nobody."""
    web.ask("answer", fields(COURIER), nonce="77")
    web.query("UPDATE nonces SET answer = ?", stored)
    assert web.ask("answer", fields(COURIER), nonce="77") == (403, "")
    assert web.metric("mask_faults_total") == 0


def test_a_late_replay_is_refused(web: Running) -> None:
    web.ask("answer", fields(COURIER), nonce="77")
    web.now += 61
    assert web.ask("answer", fields(COURIER), nonce="77") == (403, "")


def test_a_nonce_with_another_body_or_address_is_refused(web: Running) -> None:
    web.ask("answer", fields(COURIER), nonce="77")
    assert web.ask("answer", fields(CLIENT), nonce="77") == (403, "")
    assert web.ask("digits", fields(COURIER), nonce="77") == (403, "")
    assert web.metric('mask_refused_total{why="replayed"}') == 2


def test_a_refused_signature_does_not_burn_the_nonce_of_a_genuine_request(web: Running) -> None:
    genuine = web.signed("POST", "/plivo/answer", fields(COURIER), "77")
    assert web.send("POST", "/plivo/answer", genuine, fields(CLIENT)) == (403, "")
    assert dialled(web.send("POST", "/plivo/answer", genuine, fields(COURIER))) == [CLIENT]


@pytest.mark.parametrize("nonce", ["", " ", "x" * 65, "a\tb"])
def test_a_nonce_that_is_none_is_refused(web: Running, nonce: str) -> None:
    headers = web.signed("POST", "/plivo/answer", fields(COURIER), nonce)
    refused(web, web.send("POST", "/plivo/answer", headers, fields(COURIER)))


def test_twenty_repetitions_at_once_have_one_effect(web: Running) -> None:
    answers: list[tuple[int, str]] = []

    def ask() -> None:
        answers.append(web.ask("answer", fields(COURIER), nonce="77"))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert web.metric("mask_routes_total") == 1


# What is too much


def test_a_large_body_is_refused(web: Running) -> None:
    refused(web, web.ask("answer", fields(COURIER, CallerName="x" * 70_000)), 413)


def test_a_large_body_without_a_length_is_refused(web: Running) -> None:
    with closing(web.connection()) as connection:
        connection.putrequest("POST", "/plivo/answer")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
        connection.send(chunk * 20)
        with connection.getresponse() as answer:
            assert answer.status == 413


def test_a_slow_body_does_not_hold_a_connection(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_module, "BODY_SECONDS", 0.2)
    with closing(web.connection()) as connection:
        connection.putrequest("POST", "/plivo/answer")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"From=1415")
        with connection.getresponse() as answer:
            assert answer.status == 408


def test_ten_thousand_fields_are_not_read(web: Running) -> None:
    many = [(f"{n:x}", "") for n in range(10_000)]
    refused(web, web.ask("answer", fields(COURIER) + many), 413)
    query = "&".join(f"{n:x}=" for n in range(10_000))[:60_000]
    assert web.send("GET", f"/plivo/answer?{query}", {})[0] in (413, 400)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data", ""])
def test_a_body_that_is_no_form_is_refused(web: Running, kind: str) -> None:
    headers = {**web.signed("POST", "/plivo/answer", [], "1"), "Content-Type": kind}
    with closing(web.connection()) as connection:
        connection.request("POST", "/plivo/answer", b'{"From":"14156667777"}', headers)
        with connection.getresponse() as answer:
            assert answer.status == 415


@pytest.mark.parametrize(
    "text",
    ["", "a", "a=", "=", "=b", "a=b&&c=d&", "a=b=c", "a+b=c+d", "a%20b=%2B1", "a=%C3%A9", "a=%ff",
     "a=%zz%", "%", "a;b=c", "é=ü", "a=1&a=2"],
)  # fmt: skip
def test_a_form_is_read_as_the_signature_reads_it(text: str) -> None:
    wanted = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    assert request_module._pairs(text) == wanted


# What a caller may send


@pytest.mark.parametrize(
    "name", ["\x00", "a\x01\x1b[31mb", "José", "张伟", "<Hangup/>", "]]>", "'\"&", "\u202e", "💥"]
)
def test_a_callers_name_reaches_no_document_and_breaks_nothing(web: Running, name: str) -> None:
    posted = web.ask("answer", fields(COURIER, CallerName=name))
    got = web.get("answer", fields(CLIENT, CallerName=name))
    assert (dialled(posted), dialled(got)) == ([CLIENT], [COURIER])


def test_a_raw_non_ascii_query_is_verified_like_any_other(web: Running) -> None:
    path = f"/plivo/answer?From={COURIER}&To={OURS}&CallStatus=ringing&CallerName=" + quote("José")
    assert dialled(web.send("GET", path, web.signed("GET", path, [], "1"))) == [CLIENT]


@pytest.mark.parametrize(
    "digits",
    ["<Dial><Number>1</Number></Dial>", "*****", "1*345", "1" * 40, "١٢٣٤٥", "12345\x00", " 12345",
     "'; DROP TABLE mappings; --", "12345&Digits=45678", "%00"],
)  # fmt: skip
def test_digits_that_are_none_are_asked_again(web: Running, digits: str) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    answer = web.ask("digits?attempts=0", fields(COURIER, Digits=digits))
    assert dialled(answer) == []
    assert spoken(answer) == "An order number has exactly 5 digits. Please enter it once more."


@pytest.mark.parametrize(
    "caller",
    ["", None, "anonymous", "Restricted", "+", "sip:14156667777@evil.example", "sip:14156667777",
     "14156667777;ext=1", "14156667777x", "1" * 60, "00000000", "tel:", OURS, ALSO_OURS],
)  # fmt: skip
def test_a_caller_without_a_number_of_its_own_reaches_nobody(
    web: Running, caller: str | None
) -> None:
    answer = web.ask("answer", fields(caller))
    assert dialled(answer) == []
    assert "can't find an order" in spoken(answer)


@pytest.mark.parametrize("caller", [COURIER, f"+{COURIER}", f"tel:+{COURIER}", f" {COURIER}"])
def test_a_caller_is_known_however_its_number_is_written(web: Running, caller: str) -> None:
    assert dialled(web.ask("answer", fields(caller))) == [CLIENT]


def test_a_caller_named_twice_is_nobody(web: Running) -> None:
    assert dialled(web.ask("answer", [*fields(STRANGER), ("From", COURIER)])) == []


@pytest.mark.parametrize("called", ["14155550199", "", "sip:12222222222", COURIER, "x"])
def test_a_number_that_is_not_ours_teaches_nothing(staffed: Running, called: str) -> None:
    known = staffed.ask("answer", fields(COURIER, called))
    assert known == staffed.ask("answer", fields(STRANGER, called))
    assert (dialled(known), spoken(known)) == ([], "This line is not in use.")
    assert dialled(staffed.ask("digits", fields(COURIER, called, Digits="#"))) == []


def test_nobody_is_connected_with_themselves_or_with_our_own_number(web: Running) -> None:
    web.put(mapping("45678", STRANGER, STRANGER), mapping("45679", "14155550112", OURS))
    assert dialled(web.ask("answer", fields(STRANGER))) == []
    assert dialled(web.ask("answer", fields("14155550112"))) == []


def test_a_wrong_order_sounds_like_somebody_elses_and_takes_as_long(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER), mapping("55555", COURIER, CLIENT, expires_at=NOON))
    answers = {
        web.ask("digits?attempts=0", fields(COURIER, Digits=digits))
        for digits in ("99999", "23456", "55555")
    }
    assert len(answers) == 1
    (answer,) = answers
    assert "can't connect you for that order" in spoken(answer)


def test_guessing_over_many_calls_is_limited(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    for guess in range(4):
        web.call(COURIER, *(f"9{guess}{n}00" for n in range(3)))
    assert web.query("SELECT count(*) FROM caller_attempts") == [(9,)]
    blocked = web.call(COURIER, "12345")
    assert (blocked.verdict, blocked.legs) == (Verdict.MESSAGE, ())
    assert web.calls()[0].reason == "too_many_attempts"
    assert web.call(CLIENT).verdict is Verdict.CONNECTED
    web.now += 3_601
    web.put(mapping("45678", COURIER, STRANGER, expires_at=web.now + 60))
    web.put(mapping("12345", COURIER, CLIENT, expires_at=web.now + 60))
    assert web.call(COURIER, "12345").verdict is Verdict.CONNECTED


def test_guesses_at_the_same_moment_are_limited_over_all_workers(tmp_path: Path) -> None:
    database, address = tmp_path / "mask.db", "https://mask.example.com"
    platform = Running(address, database)
    with (
        running(database, public_url=address) as one,
        running(database, public_url=address) as other,
        closing(sqlite3.connect(database, isolation_level=None)) as writer,
    ):
        one.put(mapping("45678", COURIER, STRANGER))

        def guess(number: int, digits: str | None = None) -> Answer:
            typed = {"CallUUID": f"call-{number:06}", "Digits": digits or f"{90_000 + number}"}
            path, form = "/plivo/digits?attempts=0", fields(COURIER, **typed)
            headers = platform.signed("POST", path, form, f"{10**19 + number}")
            return (one, other)[number % 2].send("POST", path, headers, form)

        # Until one is stored, no worker knows what the other has taken.
        writer.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(40) as crowd:
            tried = crowd.map(guess, range(40))
            time.sleep(0.7)
            writer.execute("ROLLBACK")
            answers = list(tried)
        assert one.query("SELECT count(*) FROM caller_attempts") == [(9,)]
        assert sum("<GetInput" in text for _, text in answers) <= 9
        assert {status for status, _ in answers} == {200}
        assert dialled(guess(40, "12345")) == dialled(guess(41, "12345")) == []
        assert guess(3) == answers[3], "a repetition gets the same answer"


def test_a_call_without_an_id_cannot_guess_for_ever(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    for n in range(10):
        web.ask("digits?attempts=0", fields(COURIER, CallUUID="", Digits=f"9000{n}"))
    last = web.ask("digits?attempts=0", fields(COURIER, CallUUID="", Digits="12345"))
    assert dialled(last) == []


def test_attempts_are_counted_without_keeping_the_number(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    web.ask("digits?attempts=0", fields(COURIER, Digits="99999"))
    assert COURIER not in json.dumps(web.query("SELECT * FROM caller_attempts"))


@pytest.mark.parametrize("attempts", ["-1", "1e9", "9" * 30, "٣", "", "x"])
def test_a_count_that_is_none_ends_the_asking(web: Running, attempts: str) -> None:
    web.put(mapping("45678", COURIER, STRANGER))
    answer = web.ask(f"digits?attempts={quote(attempts)}", fields(COURIER, Digits="12345"))
    assert dialled(answer) == []


@pytest.mark.parametrize(
    "call_id", ["", "x", "a" * 65, "14156667777", "+14156667777", "a\x00b" * 9]
)
def test_an_id_that_is_none_is_not_kept_and_the_call_goes_on(web: Running, call_id: str) -> None:
    assert dialled(web.ask("answer", fields(COURIER, CallUUID=call_id))) == [CLIENT]
    assert web.calls() == []


@pytest.mark.parametrize(
    "more",
    [
        {"HangupCause": "14156667777", "Duration": "-5"},
        {"HangupCause": "x" * 999, "Duration": "9" * 40},
        {"HangupCause": "<b>", "Duration": "\u0661"},
    ],
)
def test_what_the_end_tells_is_checked_before_it_is_kept(
    web: Running, more: dict[str, str]
) -> None:
    assert web.ask("hangup", fields(COURIER, **more))[0] == 200
    (call,) = web.calls()
    assert (call.hangup_cause, call.seconds) == (None, None)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://x/", "https://x/\x00", "https://é"])
def test_a_recordings_address_is_checked_before_it_is_kept(web: Running, url: str) -> None:
    assert web.ask("recorded", fields(COURIER, RecordUrl=url)) == (200, "<Response/>")
    assert web.calls() == []


def test_a_mapping_that_expires_during_the_prompt_connects_nobody(web: Running) -> None:
    web.put(mapping("45678", COURIER, STRANGER, expires_at=NOON + 5))
    assert "order number" in spoken(web.ask("answer", fields(COURIER)))
    web.now += 5
    answer = web.ask("digits?attempts=0", fields(COURIER, Digits="45678"))
    assert dialled(answer) == []
    assert "can't connect you" in spoken(answer)


# When the store fails


def apologised(web: Running, answer: tuple[int, str]) -> None:
    assert (dialled(answer), spoken(answer)) == ([], SORRY)
    assert web.metric("mask_storage_failures_total") >= 1


def test_a_database_that_is_gone_is_apologised_for_and_its_return_noticed(
    web: Running, caplog: pytest.LogCaptureFixture
) -> None:
    assert dialled(web.ask("answer", fields(COURIER))) == [CLIENT]
    away = web.database.with_name("away.db")
    web.database.rename(away)
    time.sleep(0.25)
    apologised(web, web.ask("answer", fields(COURIER)))
    assert web.ask("hangup", fields(COURIER)) == (200, "<Response/>")
    assert not web.database.exists(), "an empty one would know nobody"
    assert web.send("GET", "/healthz", {})[0] == 503
    away.rename(web.database)
    assert dialled(web.ask("answer", fields(COURIER))) == [CLIENT]
    assert web.send("GET", "/healthz", {})[0] == 200
    assert any(record.msg == "storage_failed" for record in caplog.records)


def test_a_locked_database_is_apologised_for_and_waited_for(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mask_cli.web.app._PAUSES", (0.01, 0.01, 0.0))
    dialled(web.ask("answer", fields(COURIER)))
    with closing(sqlite3.connect(web.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answers: list[tuple[int, str]] = []
        threads = [
            threading.Thread(target=lambda: answers.append(web.ask("answer", fields(CLIENT))))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert answers == [], "they wait for the other writer"
        other.execute("ROLLBACK")
        for thread in threads:
            thread.join()
    assert [dialled(answer) for answer in answers] == [[COURIER]] * 3


def test_a_database_locked_for_too_long_is_apologised_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mask_cli.web.writer.LOCK_PATIENCE", 0.2)
    with running(tmp_path / "mask.db") as web:
        with closing(sqlite3.connect(web.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            apologised(web, web.ask("answer", fields(COURIER)))
        assert dialled(web.ask("answer", fields(COURIER))) == [CLIENT]


def test_a_damaged_database_is_apologised_for(web: Running) -> None:
    web.query("DROP TABLE virtual_numbers")
    apologised(web, web.ask("answer", fields(COURIER)))


def test_a_fault_of_our_own_is_apologised_for_and_alarms(
    web: Running, caplog: pytest.LogCaptureFixture
) -> None:
    web.query("ALTER TABLE mappings DROP COLUMN note")
    answer = web.ask("answer", fields(COURIER))
    assert (dialled(answer), spoken(answer)) == ([], SORRY)
    assert web.metric("mask_faults_total") == 1
    assert any(record.msg == "fault" for record in caplog.records)


def test_an_answer_that_could_not_be_stored_is_not_given(web: Running) -> None:
    """Or a captured request could be replayed for the number in it."""
    web.query("DROP TABLE nonces")
    assert CLIENT not in web.ask("answer", fields(COURIER))[1]


def test_answers_are_forgotten_after_a_minute_and_nonces_after_a_day(web: Running) -> None:
    from mask_cli.store.calls import SqliteCalls
    from tests.webhook import opened

    web.ask("answer", fields(COURIER), nonce="77")
    with opened(web.database) as store:
        calls = SqliteCalls(store)
        limits = {"nonces_before": NOON - 1, "attempts_before": NOON - 1}
        calls.tidy(answers_before=NOON + 1, **limits)
        assert web.query("SELECT nonce, answer FROM nonces") == [("77", None)]
        calls.tidy(answers_before=NOON + 1, **{**limits, "nonces_before": NOON + 1})
    assert web.query("SELECT nonce FROM nonces") == []


# The rest of the server


def test_no_token_answers_nobody_but_when_told_to(tmp_path: Path) -> None:
    with running(tmp_path / "mask.db", tokens=()) as web:
        assert dialled(web.send("POST", "/plivo/answer", {}, fields(COURIER))) == [CLIENT]


def test_a_public_address_with_a_path_is_answered_with_and_without_it(tmp_path: Path) -> None:
    with running(tmp_path / "mask.db", public_url="https://mask.example.com/voice") as web:
        public = Running("https://mask.example.com/voice", web.database)
        for path in ("/plivo/answer", "/voice/plivo/answer"):
            headers = public.signed("POST", "/plivo/answer", fields(COURIER), web.nonce())
            answer = web.send("POST", path, headers, fields(COURIER))
            assert dialled(answer) == [CLIENT]
            assert "https://mask.example.com/voice/plivo/dialled" in answer[1]


def test_a_public_address_below_plivo_drops_no_call(tmp_path: Path) -> None:
    with running(tmp_path / "mask.db", public_url="https://mask.example.com/plivo") as web:
        public = Running("https://mask.example.com/plivo", web.database)
        for path in ("/plivo/answer", "/plivo/plivo/answer"):
            headers = public.signed("POST", "/plivo/answer", fields(COURIER), web.nonce())
            assert dialled(web.send("POST", path, headers, fields(COURIER))) == [CLIENT]


def test_a_value_moved_into_the_nonce_is_no_new_request(web: Running) -> None:
    sent = [*fields(COURIER), ("X-PH-Route", "a.b")]
    headers = web.signed("POST", "/plivo/answer", sent, "77")
    assert dialled(web.send("POST", "/plivo/answer", headers, sent)) == [CLIENT]
    moved = {**headers, "X-Plivo-Signature-V3-Nonce": "b.77"}
    cut = [*fields(COURIER), ("X-PH-Route", "a")]
    assert web.send("POST", "/plivo/answer", moved, cut) == (403, "")


def test_metrics_and_logs_hold_no_number(web: Running, caplog: pytest.LogCaptureFixture) -> None:
    web.call(COURIER)
    web.call(STRANGER)
    web.send("POST", "/plivo/answer", {}, fields(COURIER))
    web.query("DROP TABLE calls")
    web.ask("answer", fields(COURIER))
    shown = web.send("GET", "/metrics", {})[1] + "".join(
        f"{record.getMessage()} {getattr(record, 'fields', '')}" for record in caplog.records
    )
    assert "courier_to_client" in shown
    assert not any(number in shown for number in (COURIER, CLIENT, STRANGER, OURS, TOKEN))


def test_nothing_else_is_served(web: Running) -> None:
    for path in ("/", "/plivo/", "/plivo/nothing", "/docs", "/plivo/answer/x"):
        assert web.send("GET", path, {})[0] == 404
