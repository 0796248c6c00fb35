"""What a caller and a callee may rely on: a named check for each defect of the guide's script.

The rows are those of the project's list of defects in the guide's scenario; `COVERED` and
`EXEMPT` together name all of them.
"""

from __future__ import annotations

from mask_cli.providers.base import KeyValueItem
from mask_cli.sandbox.scenario_bench import (
    CLIENT,
    COURIER,
    ORDER,
    OURS,
    PHRASES,
    STRANGER,
    Bench,
    Complaints,
    check,
    dialled,
    gone_at,
    item,
    normal,
    talked,
    unless,
)
from mask_cli.sandbox.simulate_voximplant import (
    BEHAVIOURS,
    NOW,
    Act,
    Behaviour,
    HttpAnswer,
    Transcript,
    typed,
)

_EARLY = Act("connected", 1, keys=ORDER)
_SLOW = 9.0
"""No caller waits longer than this without hearing anything."""
_PATIENCE = 35.0
"""Nor longer for somebody who has answered and does not press 1."""


@check(1)
def typing_during_the_greeting_routes_once(bench: Bench) -> Complaints:
    """Digits typed during a prompt are looked up and dialled once, and nothing is left over."""
    for call in bench.both(_EARLY):
        yield from talked(call)
        yield from unless(len(call.of("looked_up")) == 1, "looked up more than once")
        yield from unless(dialled(call) == ["party"], f"dialled {dialled(call)}")
        yield from unless(len(call.heard("caller")) == 2, "the caller heard more than was due")


@check(3)
def both_legs_end_together(bench: Bench) -> Complaints:
    """When either leg ends, the other does at once, however slow the report's receiver is."""
    slow = (HttpAnswer(delay=80),)
    for act in (Act("ringing", 1, hangup=True), Act("answered", 2, hangup=True)):
        call = bench.call(*typed(ORDER), act, http=slow)
        yield from normal(call)
        yield from unless(not call.of("bridged"), "bridged after the caller had left")
        late = gone_at(call, "party") - gone_at(call, "caller")
        yield from unless(late < 1, f"the callee stayed {late} s after the caller")
    for leaves, stays in (("caller", "party"), ("party", "caller")):
        hangs_up = Act("bridged", 5, hangup=True)
        acts = (*typed(ORDER), hangs_up) if leaves == "caller" else typed(ORDER)
        answers = (*typed("1"), hangs_up) if leaves == "party" else typed("1")
        call = bench.call(*acts, party=Behaviour(acts=answers), http=slow)
        late = gone_at(call, stays) - gone_at(call, leaves)
        yield from normal(call)
        yield from unless(late < 1, f"{stays} stayed {late} s after {leaves}")


@check(3)
def an_answer_that_comes_too_late_is_not_connected(bench: Bench) -> Complaints:
    """A callee who answers in the moment the ring time-out strikes is hung up, not spoken to."""
    late = Behaviour(after=29.99, acts=(*typed("1"), Act("bridged", 30, hangup=True)))
    call = bench.call(*typed(ORDER), party=late)
    yield from normal(call)
    yield from unless(not call.of("heard", "party"), "a callee was spoken to after giving up")


@check(3)
def nobody_is_spoken_to_who_has_hung_up(bench: Bench) -> Complaints:
    """A leg that ended before the event of its answer arrived gets no phrase."""
    call = bench.call(Act("alerting", 0.03, hangup=True))
    yield from normal(call)
    yield from unless(not call.heard("caller"), "a phrase for a caller who had left")
    yield from unless(call.outcome == "abandoned", f"outcome {call.outcome}")


@check(4)
def storage_failure_is_spoken_and_reported(bench: Bench) -> Complaints:
    """A storage that refuses, hangs or holds nonsense ends in an apology and a report."""
    broken = [
        bench.call(*typed(ORDER), storage_fault="reject"),
        bench.call(*typed(ORDER), storage_fault="hang"),
        *(
            bench.call(*typed(ORDER), storage={f"order:{ORDER}": KeyValueItem("k", text, NOW + 9)})
            for text in ("", "{", "null", '{"courier"')
        ),
    ]
    for call in broken:
        yield from normal(call)
        yield from unless(PHRASES["unavailable"] in call.heard("caller"), "no apology")
        yield from unless(call.outcome == "unavailable", f"outcome {call.outcome}")
        yield from unless(len(call.reports) == 1, "no report")
        yield from unless(_longest_wait(call) < _SLOW, "the caller heard nothing for long")


def _longest_wait(call: Transcript) -> float:
    # From the last key to the next phrase.
    pressed = max(event["at"] for event in call.of("pressed"))
    phrases = [event["at"] for event in call.of("heard") if event["at"] > pressed]
    return float(min(phrases, default=float("inf")) - pressed)


@check(5)
def caller_id_is_compared_by_digits(bench: Bench) -> Complaints:
    """A party is recognised however the carrier writes its number; nobody else ever is."""
    for written in (f"+{COURIER}", COURIER, "+1 (222) 222-2222", f" {COURIER} "):
        yield from talked(bench.call(*typed(ORDER), caller=written))
    for caller in ("", None, "anonymous", "+", "2222222", STRANGER, f"sip:{COURIER}@host"):
        for order in (ORDER, "33333"):
            call = bench.call(*typed(order), caller=caller, operator=None)
            yield from normal(call)
            yield from unless(not dialled(call), "somebody was called for a stranger")
    for hidden in ("", None, "anonymous", "123456"):
        call = bench.call(*typed(ORDER), caller=hidden)
        yield from unless(call.reasons[0] == "unknown_caller", f"reasons {call.reasons}")
        yield from talked(call, "operator")


@check(5)
def a_mapping_to_oneself_or_to_us_is_not_dialled(bench: Bench) -> Complaints:
    """A mapping whose parties are one number, or whose other party is ours, connects nobody."""
    for order in ("22222", "33333", "44444"):
        call = bench.call(*typed(order), operator=None)
        yield from unless(not dialled(call), f"order {order} was dialled")
        yield from unless("unknown_order" in call.reasons, f"order {order}: {call.reasons}")


@check(6)
def callee_hears_the_order_number_digit_by_digit(bench: Bench) -> Complaints:
    """The callee hears who calls and, once it has agreed, the order number, digit by digit."""
    for caller, phrase in ((COURIER, "call_from_courier"), (CLIENT, "call_from_client")):
        call = bench.call(*typed("00123"), caller=caller)
        yield from talked(call)
        due = [PHRASES[phrase], PHRASES["order_announcement"].replace("{order}", "0, 0, 1, 2, 3")]
        yield from unless(call.heard("party") == due, f"the callee heard {call.heard('party')}")


@check(7)
def refusals_cannot_be_told_apart(bench: Bench) -> Complaints:
    """No order, an expired one and somebody else's: same words, same moment, same reason."""
    heard = set()
    for order in ("99999", "54321", "11111"):
        call = bench.call(*typed(order), Act("connected", 20, hangup=True))
        yield from unless(not dialled(call), f"order {order} was dialled")
        told = [(e["at"], e.get("text")) for e in call.of("heard", "caller")]
        heard.add((tuple(told), call.reasons, tuple(r["order"] for r in call.reports)))
    yield from unless(len(heard) == 1, "the caller can tell why the order was refused")
    yield from unless("unknown_order" in str(heard), "unknown_order was not the reason")


@check(7)
def attempts_are_limited(bench: Bench) -> Complaints:
    """After the last attempt no further order number is looked up."""
    wrong = typed(*(f"9000{digit}" for digit in range(9)))
    for limit in (1, 3):
        call = bench.call(*wrong, *typed(ORDER), attempts=limit, operator=None)
        yield from normal(call)
        yield from unless(len(call.of("looked_up")) == limit, f"not {limit} look-ups")
        yield from unless(call.reasons[-1] == "too_many_attempts", f"reasons {call.reasons}")
    helped = bench.call(*wrong, attempts=2)
    yield from unless(dialled(helped) == ["operator"], "no operator after the last attempt")


@check(8)
def only_whole_order_numbers_are_looked_up(bench: Bench) -> Complaints:
    """Too few digits, or a star among them, are refused without touching the storage."""
    for keys in ("123", "1234", "12*45", "*", "*****"):
        call = bench.call(*typed(keys), Act("connected", 16, hangup=True))
        yield from normal(call)
        yield from unless(not call.of("looked_up"), f"{keys} was looked up")
        yield from unless("bad_digits" in call.reasons, f"{keys}: {call.reasons}")
    call = bench.call(Act("connected", 50, hangup=True), operator=None)
    yield from unless(call.reasons[:2] == ("ask_order", "no_digits"), f"silence: {call.reasons}")
    yield from talked(bench.call(*typed("00123")))


@check(12)
def caller_id_is_the_called_number(bench: Bench) -> Complaints:
    """Whoever is called sees the rented number that was called."""
    for called in (OURS, "14156667778", f"+{OURS}"):
        for keys in (ORDER, "#"):
            call = bench.call(*typed(keys), called=called)
            shown = {event["caller_id"] for event in call.of("dialled")}
            yield from unless(shown == {called.removeprefix("+")}, "another caller ID was shown")
            yield from unless(call.outcome in ("connected", "operator"), f"{call.outcome}")


@check(12, 22)
def a_number_that_is_not_ours_teaches_nothing(bench: Bench) -> Complaints:
    """A call to another number hears one message: no question, no operator, no look-up."""
    call = bench.call(*typed(ORDER), Act("connected", 1, keys="#"), called="14156667779")
    yield from normal(call)
    yield from unless(call.reasons == ("unknown_number",), f"reasons {call.reasons}")
    yield from unless(not call.of("looked_up") and not dialled(call), "something was learned")


@check(18)
def voicemail_is_never_connected(bench: Bench) -> Complaints:
    """A callee that does not press 1 is neither connected nor told the order number."""
    other_key = Behaviour(acts=(Act("quiet", keys="2"), Act("connected", 60, hangup=True)))
    for party in (BEHAVIOURS["voicemail"], BEHAVIOURS["presses-nothing"], other_key):
        for call in bench.both(*typed(ORDER), party=party):
            yield from normal(call)
            yield from unless(not call.of("bridged"), "a machine was connected")
            yield from unless("1, 2, 3" not in str(call.heard("party")), "it heard the order")
            yield from unless(call.outcome == "not_accepted", f"outcome {call.outcome}")
            told = PHRASES["client_unavailable"] in call.heard("caller")
            yield from unless(told, "the caller was not told")
    for call in bench.both(*typed(ORDER), party=Behaviour()):
        (answered,) = call.of("answered", "party")
        waited = gone_at(call, "party") - answered["at"]
        yield from unless(waited < _PATIENCE, f"the caller waited {waited} s with a mailbox")


@check(18, 13)
def callee_who_hangs_up_early_is_told_to_the_caller(bench: Bench) -> Complaints:
    """Busy, no answer, rejected, hung up during a phrase: the caller hears it, and is asked."""
    outcomes = {
        "busy": "busy",
        "no-answer": "no_answer",
        "rejects": "rejected",
        "hangs-up": "not_accepted",
        "unreachable": "no_answer",
    }
    agrees_and_leaves = Behaviour(acts=(*typed("1"), Act("connected", 8, hangup=True)))
    plans = [(BEHAVIOURS[name], outcome) for name, outcome in outcomes.items()]
    for party, outcome in (*plans, (agrees_and_leaves, "not_accepted")):
        for call in bench.both(*typed(ORDER), caller=CLIENT, party=party):
            yield from normal(call)
            yield from unless(call.outcome == outcome, f"{call.outcome}, not {outcome}")
            told = [e for e in call.of("heard") if e.get("text") == PHRASES["courier_unavailable"]]
            yield from unless(told and told[0]["whole"], f"{outcome}: the caller was not told")
            late = gone_at(call, "caller") - gone_at(call, "party")
            yield from unless(late < 25, f"{outcome}: the caller waited {late} s")


@check(20)
def no_timer_is_left_in_a_conversation(bench: Bench) -> Complaints:
    """While people speak one timer runs, the time limit; after a hang-up none acts."""
    for keys, who in ((ORDER, "party"), ("#", "operator")):
        for call in bench.both(*typed(keys)):
            yield from talked(call, who)
            left = [bridge["timers"] for bridge in call.of("bridged")]
            yield from unless(left == [1], f"{left} timers are left")
    call = bench.call(*typed("12"), Act("connected", 6, hangup=True))
    yield from normal(call)
    yield from unless(call.reasons == ("ask_order",), f"acted on after its end: {call.reasons}")


@check(22)
def a_second_call_is_refused(bench: Bench) -> Complaints:
    """Another call in the same session does not disturb the first."""
    for when in (0.5, 15, 30):
        call = bench.call(*typed(ORDER), second_call=when)
        yield from talked(call)
        yield from unless(not call.of("answered", "second"), "a second call was answered")
        yield from unless(dialled(call) == ["party"], f"dialled {dialled(call)}")


@check(25)
def order_numbers_have_their_prefix_and_zeros(bench: Bench) -> Complaints:
    """What is looked up is the prefix and the digits as typed, leading zeros too."""
    for prefix in ("order:", "", "eu:order:"):
        stored = {f"{prefix}00123": item(f"{prefix}00123", COURIER, CLIENT)}
        call = bench.call(*typed("00123"), key_prefix=prefix, storage=stored)
        yield from talked(call)
        keys = [event["key"] for event in call.of("looked_up")]
        yield from unless(keys == [f"{prefix}00123"], f"looked up {keys}")


@check()
def the_guides_own_test(bench: Bench) -> Complaints:
    """A call from either party reaches the other, with the rented number as caller ID."""
    for caller, other in ((COURIER, CLIENT), (CLIENT, COURIER)):
        for call in bench.both(*typed(ORDER), caller=caller):
            yield from talked(call)
            calls = [(e["number"], e["caller_id"]) for e in call.of("dialled")]
            yield from unless(calls == [(other, OURS)], "not the other party, or not our number")
            role = "courier_to_client" if caller == COURIER else "client_to_courier"
            yield from unless(call.reasons[-1] == role, f"reasons {call.reasons}")
            yield from unless(call.outcome == "connected", f"outcome {call.outcome}")


@check()
def a_conversation_ends_at_its_time_limit(bench: Bench) -> Complaints:
    """Two people who never hang up are parted, both at once, when the time is up."""
    stays = Behaviour(acts=typed("1"))
    call = bench.call(*typed(ORDER), party=stays, call_time_limit=90)
    yield from normal(call)
    yield from unless(abs(call.bridged_seconds - 90) < 1, f"{call.bridged_seconds} s")
    call = bench.call(*typed(ORDER), party=BEHAVIOURS["no-answer"], ring_timeout=10)
    rang = gone_at(call, "party") - call.of("dialled")[0]["at"]
    yield from unless(abs(rang - 10) < 1, f"it rang for {rang} s")


@check()
def no_party_is_spoken_or_shown(bench: Bench) -> Complaints:
    """A party's number is dialled, and appears nowhere else."""
    call = bench.call(*typed(ORDER))
    told = str([e for e in call.events if e["kind"] != "dialled"]) + str(call.reports)
    shown = str([e["caller_id"] for e in call.of("dialled")])
    yield from unless(COURIER not in told + shown and CLIENT not in told + shown, "it leaked")
