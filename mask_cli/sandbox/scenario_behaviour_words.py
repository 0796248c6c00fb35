"""What is said, logged, recorded and reported: the rest of the checks; see `behaviour`."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from mask_cli.errors import BadData
from mask_cli.sandbox.scenario_bench import (
    CLIENT,
    COURIER,
    MUSIC_URL,
    OPERATOR,
    ORDER,
    PHRASES,
    REPORT_URL,
    STRANGER,
    Bench,
    Complaints,
    check,
    dialled,
    normal,
    talked,
    unless,
)
from mask_cli.sandbox.simulate_voximplant import (
    BEHAVIOURS,
    NOW,
    SECRET,
    Act,
    HttpAnswer,
    Transcript,
    typed,
)
from mask_cli.scenario.report import FIELDS, HEADER, verify

_LOG_LINE = re.compile(
    r"mask (reason [a-z_]+|end [a-z_]+ [a-z_]+ (courier|client|-)|fault"
    r"|report (accepted|failed|refused -?\d{1,3}))"
)
_DEFINED = re.compile(r"(?:function|const|let) (\w+)")
_AFTER_THE_END = re.compile(r"await post\(|await Net\.|return await Promise\.race")
_DOWN = HttpAnswer(code=503)


@check(9, 23)
def log_lines_hold_no_digits(bench: Bench) -> Complaints:
    """Log lines and custom data are fixed words, and the platform logs no keys."""
    calls = [
        bench.call(*typed(ORDER)),
        bench.call(*typed("99999", "#"), caller=f"+{CLIENT}"),
        bench.call(*typed(ORDER), storage_fault="reject", http=(_DOWN,)),
        bench.call(*typed("12"), party=BEHAVIOURS["busy"], recording="announced"),
    ]
    for call in calls:
        yield from unless(call.hides_tones, "the platform logs the keys")
        for line in call.log:
            yield from unless(_LOG_LINE.fullmatch(line), f"log line {line[:12]!r}...")
        told = f"{call.custom_data}{call.log}"
        numbers = (COURIER, CLIENT, OPERATOR, ORDER)
        yield from unless(not any(n in told for n in numbers), "a number was logged")
        yield from unless(len(call.custom_data or "") in range(1, 201), "no custom data")


@check(10)
def recording_is_announced_to_both_and_starts_with_the_bridge(bench: Bench) -> Complaints:
    """Nothing is recorded unless both heard so to the end, and then from the bridge on."""
    notice = PHRASES["recording_notice"]
    for call in (bench.call(*typed(ORDER)), bench.call(*typed("#"))):
        yield from unless(not call.of("recording"), "recorded although it is off")
    for keys, who in ((ORDER, "party"), ("#", "operator")):
        for call in bench.both(*typed(keys), recording="announced"):
            yield from talked(call, who)
            both = [e["who"] for e in call.of("heard") if e.get("text") == notice and e["whole"]]
            yield from unless(sorted(both) == sorted(["caller", who]), f"told: {both}")
            starts = [e["at"] for e in call.of("recording")]
            bridges = [e["at"] for e in call.of("bridged")]
            yield from unless(starts == bridges, f"recorded from {starts}, bridged {bridges}")
            urls = [r["recording_url"] for r in call.reports]
            yield from unless(urls[0], "the recording is not reported")
    for number in range(1, 7):
        call = bench.call(*typed(ORDER), recording="announced", speech_errors=(number,))
        told = [e for e in call.of("heard") if e.get("text") == notice and e["whole"]]
        fine = len(told) == 2 or not call.of("recording")
        yield from unless(fine, "recorded although somebody was not told")


@check(11)
def report_is_signed_complete_and_sent_once(bench: Bench) -> Complaints:
    """One report goes to the configured URL, signed, with every field filled as it should be."""
    for caller, role in ((COURIER, "courier"), (CLIENT, "client")):
        # Slower than the wait for the last leg, faster than the time-out.
        call = bench.call(*typed(ORDER), caller=caller, http=(HttpAnswer(delay=4),))
        yield from unless(len(call.requests) == 1, f"{len(call.requests)} requests")
        yield from _signed(call)
        for report in call.reports:
            yield from unless(report.keys() == FIELDS, "fields differ")
            due = {"session": "4217", "order": ORDER, "role": role, "outcome": "connected"}
            yield from unless(report.items() >= due.items(), f"not {due}")
            times = [report[f"{name}_at"] for name in _TIMES]
            yield from unless(times == sorted(times) and times[0] == NOW, f"times {times}")
            talk = abs(report["talk_seconds"] - call.bridged_seconds)
            yield from unless(talk <= 1, "talk_seconds")
            parts = [leg["cost"] for leg in report["legs"]]
            yield from unless(len(parts) == 2 and sum(parts) == report["cost"] > 0, "cost")
    busy = bench.call(*typed(ORDER), party=BEHAVIOURS["busy"]).reports[0]
    codes = [leg["code"] for leg in busy["legs"]]
    yield from unless(codes == [None, 486], f"codes {codes}")
    stranger = bench.call(*typed(ORDER), caller=STRANGER).reports[0]
    yield from unless(stranger["order"] is None, "a stranger's guess is reported as an order")
    without = bench.call(*typed(ORDER), secrets={})
    yield from normal(without)
    yield from unless(not without.requests, "an unsigned report was sent")
    yield from normal(bench.call(*typed(ORDER), report_url=None))


_TIMES = ("started", "answered", "dialled", "bridged", "ended")


def _signed(call: Transcript) -> Complaints:
    for request in call.requests:
        yield from unless(request["url"] == REPORT_URL, "sent somewhere else")
        yield from unless(request["method"] == "POST", "not a POST")
        kind = request["headers"].get("Content-Type")
        yield from unless(kind == "application/json", f"content type {kind}")
        now = NOW + int(request["at"])
        try:
            verify(SECRET, request["headers"].get(HEADER), request["body"].encode(), now)
        except BadData as error:
            yield error.message
        numbers = (COURIER, CLIENT, OPERATOR, STRANGER)
        yield from unless(not any(n in request["body"] for n in numbers), "a number was reported")


@check(11)
def report_survives_a_failing_receiver(bench: Bench) -> Complaints:
    """A failure is tried once more, then once in Terminating; a slow receiver is not waited for."""
    for bad in (_DOWN, HttpAnswer(code=-4), HttpAnswer(delay=80)):
        call = bench.call(*typed(ORDER), http=(bad, HttpAnswer()))
        yield from normal(call)
        yield from unless([r["code"] for r in call.requests][1:] == [200], "no retry")
        last = bench.call(*typed(ORDER), http=(bad, bad, HttpAnswer()))
        yield from normal(last)
        yield from unless([r["terminating"] for r in last.requests] == [False, False, True], "last")
        for tried in (call, last):
            yield from _signed(tried)
            bodies = {request["body"] for request in tried.requests}
            yield from unless(len(bodies) == 1, "a retry says something else")
            ends = tried.of("gone", "caller")[0]["at"]
            took = tried.requests[-1]["at"] - ends
            yield from unless(took < 15, f"the last try came after {took} s")


@check(11)
def report_is_sent_when_the_platform_ends_the_session(bench: Bench) -> Complaints:
    """A session that the platform terminates reports in its last moment."""
    for moment in (2, 12, 30):
        call = bench.call(*typed(ORDER), terminated_at=moment)
        yield from unless([r["terminating"] for r in call.requests] == [True], "not reported")
        yield from _signed(call)
        yield from unless(not call.misuse, f"{call.misuse}")
        yield from unless(call.reports and call.reports[0]["ended_at"], "no end in it")
        yield from unless(call.outcome == call.reports[0]["outcome"], "no mark in the history")


@check(13)
def no_phrase_is_waited_for_for_ever(bench: Bench) -> Complaints:
    """A phrase that never ends, or cannot be spoken, delays the call and does not stop it."""
    for number in range(1, 5):
        for fault in ("speech_endless", "speech_errors"):
            given: dict[str, Any] = {fault: (number,)}
            call = bench.call(*typed(ORDER), **given)
            yield from talked(call)
            yield from unless(call.seconds < 120, f"{fault} {number}: {call.seconds} s")


@check(14)
def no_phrase_is_cut_by_the_next(bench: Bench) -> Complaints:
    """A phrase's end is not taken for another's: what has to be heard is heard whole."""
    prompts = (PHRASES["connecting_operator"], PHRASES["operator_unavailable"])
    acts = Act("connected", 1, keys="#")
    for call in bench.both(acts, operator_does=BEHAVIOURS["busy"]):
        for phrase in prompts:
            told = [e["whole"] for e in call.of("heard", "caller") if e.get("text") == phrase]
            yield from unless(told == [True], f"cut: {phrase[:20]}")
    for call in bench.both(*typed("99999"), Act("connected", 1, keys="#"), operator=None):
        heard = [e for e in call.of("heard", "caller") if PHRASES["no_operator"] in e["text"]]
        yield from unless([e["whole"] for e in heard] == [True], "cut: no operator")


@check(15)
def a_phrase_that_fails_at_once_is_noticed(bench: Bench) -> Complaints:
    """The listener stands before the phrase begins: an immediate error costs no time."""
    plain = bench.call(*typed(ORDER))
    call = bench.call(*typed(ORDER), speech_errors=(2,), errors_at_once=True)
    yield from talked(call)
    yield from unless(call.seconds <= plain.seconds, "an immediate error was waited out")


@check(16)
def the_voice_exists(bench: Bench) -> Complaints:
    """Phrases name a voice that the platform has, in the form it wants; a wrong one is no harm."""
    yield from talked(bench.call(*typed(ORDER)))
    yield from talked(bench.call(*typed(ORDER), voice="Default.en_US_Male"))
    for voice in ("Amazon.no_such_voice", "Nobody.Neural.en_US_x"):
        call = bench.call(*typed(ORDER), voice=voice)
        yield from unless(call.outcome == "connected", f"{voice}: {call.outcome}")


@check(17)
def music_is_looped_until_the_bridge(bench: Bench) -> Complaints:
    """While the other leg rings the caller hears looped music over https, or a word at times."""
    no_answer = BEHAVIOURS["no-answer"]
    for keys in (ORDER, "#"):
        call = bench.call(*typed(keys), party=no_answer, operator_does=no_answer)
        music = [e for e in call.of("heard", "caller") if "url" in e]
        yield from unless(len(music) == 1 and music[0]["loop"], "music is not looped")
        yield from unless({e["url"] for e in music} == {MUSIC_URL}, "other music")
        dial = call.of("dialled")[0]["at"]
        yield from unless(music and music[0]["at"] <= dial, "music starts late")
    call = bench.call(*typed(ORDER), music_url=None, party=no_answer)
    held = call.heard("caller").count(PHRASES["please_hold"])
    yield from unless(held >= 2, f"{held} words in half a minute")
    yield from talked(bench.call(*typed(ORDER), music_url=None))


@check(11, 12, 17)
def the_text_holds_no_address_of_anybody(bench: Bench) -> Complaints:
    """No URL, no number and no secret stands in the scenario itself."""
    yield from unless("://" not in bench.code, "there is a URL in the text")
    yield from unless(not re.search(r"\d{7}", bench.code), "there is a number in the text")
    yield from unless(bench.code.count("getSecretValue") == 1, "the secret is not a secret")


@check(21)
def listeners_are_removed_by_name(bench: Bench) -> Complaints:
    """No listener is removed wholesale: that would take other parts' listeners along."""
    removals = re.findall(r"removeEventListener\(([^()]*)\)", bench.code)
    yield from unless(removals, "nothing is ever removed")
    yield from unless(all("," in removal for removal in removals), "removed without a function")


@check(1, 13)
def every_continuation_looks_first(bench: Bench) -> Complaints:
    """After each wait the scenario looks whether the call still is where it was."""
    lines = [line.strip() for line in bench.code.splitlines() if line.strip()]
    for line, after in pairwise(lines):
        if re.search(r"await (say|pause|Promise\.all)\(", line):
            yield from unless(after.startswith("if (!still("), f"unseeing after: {line[:50]}")
        elif "await " in line and not _AFTER_THE_END.search(line):
            yield from unless(after in ("}", "return;"), f"goes on after: {line[:50]}")


@check(24)
def nothing_is_left_unused(bench: Bench) -> Complaints:
    """Every phrase is spoken somewhere and everything defined is used."""
    for name in PHRASES:
        yield from unless(re.search(rf"\b{name}\b", bench.code), f"phrase {name} is unused")
    for name in _DEFINED.findall(bench.code):
        used = len(re.findall(rf"\b{name}\b", bench.code)) > 1
        yield from unless(used, f"{name} is unused")


@check()
def the_report_is_plain_json(bench: Bench) -> Complaints:
    """A call that reached nobody reports nulls, not missing fields."""
    call = bench.call(Act("connected", 1, hangup=True))
    yield from unless(not dialled(call), "somebody was dialled")
    report = json.loads(call.requests[0]["body"])
    nothing = {name for name, value in report.items() if value is None}
    due = {"order", "role", "dialled_at", "bridged_at", "recording_url"}
    yield from unless(nothing == due, f"null: {sorted(nothing)}")
    yield from unless(report["outcome"] == "abandoned", f"outcome {report['outcome']}")
