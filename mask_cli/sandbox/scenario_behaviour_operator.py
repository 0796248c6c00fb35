"""What a caller may rely on who wants the operator: checks for the defects around the `#` key."""

from __future__ import annotations

from mask_cli.sandbox.scenario_bench import (
    OPERATOR,
    ORDER,
    PHRASES,
    SETTINGS,
    Bench,
    Complaints,
    check,
    dialled,
    gone_at,
    normal,
    talked,
    unless,
)
from mask_cli.sandbox.simulate_voximplant import BEHAVIOURS, Act, typed


@check(2, 21)
def operator_key_works_during_any_prompt(bench: Bench) -> Complaints:
    """`#` during a prompt or between digits reaches the operator and is never a digit."""
    for act in (Act("connected", 1, keys="#"), Act("connected", 8, keys="#"), *typed("12#")):
        for call in bench.both(act):
            yield from talked(call, "operator")
            yield from unless(not call.of("looked_up"), "a key was looked up")
            yield from unless(dialled(call) == ["operator"], f"dialled {dialled(call)}")
            yield from unless(call.reasons[-1:] == ("operator",), f"reasons {call.reasons}")


@check(12)
def without_operator_the_key_says_so(bench: Bench) -> Complaints:
    """Where no operator is set, `#` says so, dials nobody, and the call goes on."""
    call = bench.call(*typed("#", ORDER), operator=None)
    yield from talked(call)
    said = [text for text in call.heard("caller") if PHRASES["no_operator"] in text]
    yield from unless(len(said) == 1, "the caller was not told that there is no operator")
    for music in (None, "https://mask.example/hold.mp3"):
        ringing = Act("ringing", 1, keys="#", gap=0.1)
        call = bench.call(*typed(ORDER), ringing, ringing, operator=None, music_url=music)
        yield from talked(call)
        told = PHRASES["no_operator"] in call.heard("caller")
        yield from unless(told, "the caller was not told while it rang")
    call = bench.call(Act("connected", 1, keys="#" * 99), operator=None)
    yield from normal(call)


@check(12)
def an_operator_who_calls_is_not_called(bench: Bench) -> Complaints:
    """The operator's own call is never connected to the operator, nor is that offered."""
    wrong = typed("99999", "99999", "99999")
    for acts, given in (
        (typed("#"), {}),
        (wrong, {}),
        (typed(ORDER), {"storage_fault": "reject"}),
        ((Act("connected", 30, hangup=True),), {}),
    ):
        call = bench.call(*acts, caller=f"+{OPERATOR}", **given)
        yield from normal(call)
        yield from unless(not dialled(call), f"dialled {dialled(call)}")
        offered = PHRASES["operator_hint"] in call.heard("caller")
        yield from unless(not offered, "an operator was offered the operator")
    said = bench.call(*typed("#"), caller=OPERATOR).heard("caller")
    yield from unless(PHRASES["no_operator"] in " ".join(said), "nothing was said")


@check(2, 19)
def who_hesitates_hears_of_the_operator(bench: Bench) -> Complaints:
    """The way to the operator is told who types nothing, and whom nobody answered."""
    hint = PHRASES["operator_hint"]
    for operator in (SETTINGS.operator, None):
        waits = bench.call(Act("connected", 14, hangup=True), operator=operator)
        yield from unless((hint in waits.heard("caller")) == (operator is not None), "no hint")
        busy = bench.call(*typed(ORDER), operator=operator, party=BEHAVIOURS["busy"])
        yield from unless((hint in busy.heard("caller")) == (operator is not None), "no offer")


@check(19)
def busy_operator_is_told_and_not_dialled_again(bench: Bench) -> Complaints:
    """When the operator cannot be reached the caller hears it whole, and nobody dials again."""
    for name in ("busy", "no-answer", "rejects"):
        again = (*typed("#"), *(Act("ringing", after, keys="#") for after in (1, 3, 33)))
        for call in bench.both(*again, operator_does=BEHAVIOURS[name]):
            yield from normal(call)
            yield from unless(dialled(call) == ["operator"], f"dialled {dialled(call)}")
            phrase = PHRASES["operator_unavailable"]
            told = [e["whole"] for e in call.of("heard", "caller") if e.get("text") == phrase]
            yield from unless(told == [True], f"{name}: the caller was not told")
            yield from unless(call.outcome == "operator_unavailable", f"outcome {call.outcome}")


@check(21)
def operator_key_works_until_bridged(bench: Bench) -> Complaints:
    """`#` during the look-up, ringing or announcement hangs the other leg up, then calls."""
    while_connecting = Act("connected", 8.5, keys="#")
    for call in bench.both(*typed(ORDER), while_connecting):
        yield from talked(call, "operator")
        yield from unless(call.reasons[-1] == "operator", f"reasons {call.reasons}")
    for act in (
        Act("ringing", 1, keys="#"),
        Act("answered", 2, keys="#"),
        Act("answered", 8, keys="#"),
    ):
        for call in bench.both(*typed(ORDER), act):
            yield from talked(call, "operator")
            yield from unless(dialled(call) == ["party", "operator"], f"dialled {dialled(call)}")
            dial = call.of("dialled", "operator")[0]["at"] if len(dialled(call)) > 1 else 0
            yield from unless(gone_at(call, "party") < dial, "the party still rang")
            yield from unless(call.reasons[-1] == "operator", f"reasons {call.reasons}")
    call = bench.call(*typed(f"{ORDER}#"))
    yield from unless(dialled(call) == ["operator"], "# during the look-up was lost")
    call = bench.call(*typed(ORDER), Act("connected", 14, keys="#"), party=BEHAVIOURS["busy"])
    yield from talked(call, "operator")
    call = bench.call(*typed(ORDER), Act("bridged", 2, keys="#"))
    yield from talked(call)
