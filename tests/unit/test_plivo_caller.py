from __future__ import annotations

from itertools import count

import pytest

from mask_cli.sandbox.plivo_caller import MOST_DOCUMENTS, place_call
from mask_cli.sandbox.plivo_scene import Application, Behaviour, Press, Scene, Verdict
from mask_cli.sandbox.plivo_webhook import Delivery, Webhook
from tests.unit.plivo_hooks import CALLED, CALLEE, CALLER, DIAL, HOST, TOKEN, Hooks, call


def test_the_callee_does_not_see_the_callers_number() -> None:
    hooks = Hooks(answer=DIAL)
    outcome = call(hooks)
    (leg,) = outcome.legs
    assert outcome.verdict is Verdict.CONNECTED
    assert leg.number is not None
    assert leg.number.digits == CALLEE
    assert leg.caller_id is not None
    assert (leg.caller_id.digits, leg.caller_name) == (CALLED, CALLED)
    assert (leg.status, leg.talked) == ("completed", 20)


def test_a_forgotten_caller_id_shows_up_as_the_leak_that_it_is() -> None:
    (leg,) = call(Hooks(answer=f"<Dial><Number>{CALLEE}</Number></Dial>")).legs
    assert leg.caller_id is not None
    assert (leg.caller_id.digits, leg.caller_name) == (CALLER, CALLER)


def test_a_transcript_holds_no_whole_number() -> None:
    hooks = Hooks(answer=f"<Speak>call {CALLEE}</Speak>{DIAL}")
    shown = repr(call(hooks, Scene(CALLER, CALLED, presses=(Press("12345"),))))
    assert not any(number in shown for number in (CALLER, CALLED, CALLEE))
    assert not any(number in repr(Scene(CALLER, CALLED)) for number in (CALLER, CALLED))


def test_the_first_request_is_as_the_platform_sends_it() -> None:
    hooks = Hooks()
    outcome = call(hooks)
    method, _, asked = hooks.asked[0]
    assert method == "POST"
    assert asked == {
        "CallUUID": outcome.call_uuid,
        "From": CALLER,
        "To": CALLED,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "Event": "StartApp",
        "CallerName": f"+{CALLER}",
        "BillRate": "0.0085",
    }


def test_get_puts_the_parameters_into_the_query_and_keeps_ours() -> None:
    hooks = Hooks(answer=f'<Redirect method="GET">{HOST}/next?order=7</Redirect>')
    call(hooks, answer_method="GET")
    assert [(method, name) for method, name, _ in hooks.asked[:2]] == [
        ("GET", "answer"),
        ("GET", "next"),
    ]
    assert hooks.told("next")[0]["order"] == "7"
    assert hooks.told("next")[0]["From"] == CALLER


def test_hangup_is_told_once_with_what_was_billed() -> None:
    hooks = Hooks(answer=DIAL)
    outcome = call(hooks)
    (told,) = hooks.told("hangup")
    assert (outcome.code, outcome.source) == (4010, "Answer XML")
    assert told["Event"] == "Hangup"
    assert told["CallStatus"] == "completed"
    assert (told["Duration"], told["BillDuration"]) == ("20", "60")
    assert (told["StartTime"], told["AnswerTime"]) == ("1970-01-01 00:00:00", "1970-01-01 00:00:04")
    assert told["EndTime"] == "1970-01-01 00:00:24"


def test_without_a_hangup_address_the_answer_address_is_told() -> None:
    hooks = Hooks()
    place_call(Scene(CALLER, CALLED), Application(f"{HOST}/answer"), Webhook(hooks.send, TOKEN))
    assert [asked["Event"] for asked in hooks.told("answer")] == ["StartApp", "Hangup"]


@pytest.mark.parametrize(
    ("behaviour", "status", "seconds"),
    [
        (Behaviour.BUSY, "busy", 2),
        (Behaviour.NO_ANSWER, "no-answer", 30),
        (Behaviour.REJECTS, "failed", 3),
    ],
)
def test_a_callee_who_is_not_there_is_reported_and_the_caller_hears_why(
    behaviour: Behaviour, status: str, seconds: int
) -> None:
    dial = DIAL.replace("<Dial", f'<Dial timeout="30" action="{HOST}/dialled"')
    hooks = Hooks(answer=dial + "<Speak>never</Speak>", dialled="<Speak>not now</Speak>")
    outcome = call(hooks, Scene(CALLER, CALLED, behaviour=behaviour))
    (told,) = hooks.told("dialled")
    assert outcome.verdict is Verdict.NOT_CONNECTED
    assert outcome.heard() == ["not now"]
    assert (told["DialStatus"], told["DialRingStatus"], told["DialBLegUUID"]) == (
        status,
        "true",
        "",
    )
    assert outcome.events[-1].at == pytest.approx(seconds + 0.8)


def test_without_redirect_the_old_document_goes_on_and_the_answer_is_ignored() -> None:
    dial = DIAL.replace("<Dial", f'<Dial redirect="false" action="{HOST}/dialled"')
    hooks = Hooks(answer=dial + "<Speak>bye</Speak>", dialled=b"not XML")
    outcome = call(hooks)
    assert outcome.heard() == ["bye"]
    assert len(hooks.told("dialled")) == 1


def test_callbacks_tell_answer_and_end_of_the_leg() -> None:
    dial = DIAL.replace("<Dial", f'<Dial callbackUrl="{HOST}/leg" timeLimit="10"')
    hooks = Hooks(answer=dial)
    call(hooks)
    told = hooks.told("leg")
    assert [parameters["DialAction"] for parameters in told] == ["answer", "connected", "hangup"]
    assert (told[-1]["DialBLegDuration"], told[-1]["DialBLegHangupSource"]) == ("10", "Plivo")
    assert (told[0]["DialBLegFrom"], told[0]["DialBLegTo"]) == (CALLED, CALLEE)


@pytest.mark.parametrize(("at", "status"), [(2, "cancel"), (10, "completed")])
def test_a_caller_who_hangs_up_leaves_no_leg_behind(at: float, status: str) -> None:
    dial = DIAL.replace("<Dial", f'<Dial action="{HOST}/dialled" callbackUrl="{HOST}/leg"')
    hooks = Hooks(answer=dial)
    outcome = call(hooks, Scene(CALLER, CALLED, hang_up_at=at))
    assert [leg.status for leg in outcome.legs] == [status]
    assert (outcome.code, outcome.source, outcome.seconds) == (4000, "Caller", at)
    assert hooks.told("dialled") == []
    assert len(hooks.told("hangup")) == 1
    ends = [told["DialBLegHangupSource"] for told in hooks.told("leg")[2:]]
    assert ends == (["Caller"] if status == "completed" else [])


def test_without_redirect_the_action_is_told_though_the_caller_left() -> None:
    dial = DIAL.replace("<Dial", f'<Dial redirect="false" action="{HOST}/dialled"')
    hooks = Hooks(answer=dial)
    call(hooks, Scene(CALLER, CALLED, hang_up_at=2))
    assert [told["DialStatus"] for told in hooks.told("dialled")] == ["cancel"]


def test_a_callee_who_hangs_up_does_not_end_the_caller_unheard() -> None:
    hooks = Hooks(answer=DIAL + "<Speak>ended</Speak>")
    outcome = call(hooks, Scene(CALLER, CALLED, behaviour=Behaviour.HANGS_UP))
    assert outcome.legs[0].talked == 2
    assert outcome.heard() == ["ended"]


@pytest.mark.parametrize(
    ("dial", "code"),
    [
        (DIAL.replace(f'callerId="{CALLED}"', 'callerId="14155550150"'), 3030),
        (DIAL.replace(CALLEE, CALLER), 2060),
        (DIAL.replace(CALLEE, "None"), 2000),
    ],
    ids=["a caller ID that is not rented", "the caller himself", "no number"],
)
def test_a_leg_that_the_platform_would_not_dial_does_not_ring(dial: str, code: int) -> None:
    outcome = call(Hooks(answer=dial))
    assert [(leg.code, leg.connected) for leg in outcome.legs] == [(code, False)]
    assert outcome.verdict is Verdict.NOT_CONNECTED


def test_of_several_numbers_one_answers_and_the_others_stop() -> None:
    dial = DIAL.replace("</Dial>", "<Number>14156667779</Number></Dial>")
    scene = Scene(CALLER, CALLED, behaviours={CALLEE: Behaviour.BUSY})
    assert [leg.status for leg in call(Hooks(answer=dial), scene).legs] == ["cancel", "completed"]


@pytest.mark.parametrize(
    ("fragment", "answer", "times"),
    [
        ("", TimeoutError(), 2),
        ("#rc=0", TimeoutError(), 1),
        ("#rc=9", TimeoutError(), 6),
        ("#rc=x", TimeoutError(), 2),
        ("", 503, 1),
        ("#rc=2&rp=5xx", 503, 3),
        ("#rc=2&rp=5xx", 403, 1),
        ("#rc=2&rp=5xx", TimeoutError(), 1),
        ("#rc=2&rp=all", 403, 3),
    ],
    ids=count(),
)
def test_requests_are_repeated_as_the_address_says_and_signed_alike(
    fragment: str, answer: int | Exception, times: int
) -> None:
    hooks = Hooks(answer=answer)
    application = Application(f"{HOST}/answer{fragment}", hangup_url=f"{HOST}/hangup")
    place_call(Scene(CALLER, CALLED), application, Webhook(hooks.send, TOKEN))
    assert len(hooks.told("answer")) == times
    assert len(set(hooks.nonces)) == 2


@pytest.mark.parametrize("delivery", [Delivery(duplicate=True), Delivery(lost=True)])
def test_double_delivery_changes_nothing_for_a_webhook_without_memory(delivery: Delivery) -> None:
    hooks = Hooks(answer=DIAL)
    outcome = call(hooks, delivery=delivery)
    assert outcome.verdict is Verdict.CONNECTED
    assert [name for _, name, _ in hooks.asked] == ["answer", "answer", "hangup", "hangup"]
    assert hooks.asked[0] == hooks.asked[1]
    assert hooks.nonces[0] == hooks.nonces[1] != hooks.nonces[2]


def test_documents_that_lead_in_a_circle_end() -> None:
    hooks = Hooks(answer=f"<Redirect>{HOST}/answer</Redirect>")
    outcome = call(hooks)
    assert outcome.code == 5000
    assert len(hooks.told("answer")) == MOST_DOCUMENTS + 1


@pytest.mark.parametrize(
    ("document", "code", "status"),
    [
        ("<Hangup/>", 4000, "cancel"),
        ('<Hangup reason="busy"/>', 3010, "busy"),
        ('<Hangup reason="rejected"/>', 3020, "failed"),
        ('<Hangup schedule="2"/><Wait length="9"/>', 6000, "failed"),
        ("", 4010, "failed"),
    ],
    ids=count(),
)
def test_the_way_a_call_ends_is_not_lost(document: str, code: int, status: str) -> None:
    hooks = Hooks(answer=document)
    outcome = call(hooks)
    assert (outcome.code, outcome.source) == (code, "Answer XML")
    assert hooks.told("hangup")[0]["CallStatus"] == status


def test_time_passes_as_it_is_heard() -> None:
    document = (
        '<PreAnswer><Speak>one two</Speak></PreAnswer><Wait length="3"/>'
        f'<Play loop="2">{HOST}/a.mp3</Play><DTMF>12</DTMF><Speak loop="2">one two</Speak>'
    )
    hooks = Hooks(answer=document)
    outcome = call(hooks)
    assert outcome.seconds == pytest.approx(0.8 + 3 + 10 + 1.6)
    assert hooks.told("hangup")[0]["Duration"] == "11"


def test_endless_music_ends_when_the_caller_leaves() -> None:
    hooks = Hooks(answer=f'<Play loop="0">{HOST}/a.mp3</Play>')
    assert call(hooks, Scene(CALLER, CALLED, hang_up_at=50)).seconds == 50


def test_a_recorded_message_is_told_to_callback_and_action() -> None:
    record = f'<Record action="{HOST}/recorded" callbackUrl="{HOST}/stored" maxLength="7"/>'
    hooks = Hooks(answer=record)
    call(hooks)
    assert hooks.told("recorded")[0]["RecordingDuration"] == "7"
    assert hooks.told("stored")[0]["RecordUrl"] == hooks.told("recorded")[0]["RecordUrl"]


def test_a_recorded_call_goes_on() -> None:
    hooks = Hooks(answer=f'<Record recordSession="true" callbackUrl="{HOST}/stored"/>{DIAL}')
    outcome = call(hooks)
    assert outcome.verdict is Verdict.CONNECTED
    assert "records the call" in [event.what for event in outcome.events]
    (told,) = hooks.told("stored")
    assert told["RecordUrl"].startswith("https://")


RECORD = f'<Record startOnDialAnswer="true" redirect="false" callbackUrl="{HOST}/stored"/>'


@pytest.mark.parametrize("behaviour", [Behaviour.BUSY, Behaviour.REJECTS, Behaviour.NO_ANSWER])
def test_where_nobody_answered_nothing_is_recorded(behaviour: Behaviour) -> None:
    later = DIAL.replace("<Dial", f'<Dial action="{HOST}/operator"', 1)
    hooks = Hooks(answer=RECORD + later, operator=DIAL.replace(CALLEE, "14155550100"))
    scene = Scene(CALLER, CALLED, behaviours={CALLEE: behaviour})
    outcome = call(hooks, scene)
    assert outcome.verdict is Verdict.CONNECTED, "with the operator"
    assert "records the call" not in [event.what for event in outcome.events]
    assert hooks.told("stored") == []


def test_a_recording_begins_when_the_callee_answers() -> None:
    hooks = Hooks(answer=RECORD + DIAL)
    outcome = call(hooks, Scene(CALLER, CALLED, talk=20))
    at = {event.what: event.at for event in outcome.events}
    assert at["records the call"] == at["answers"] > at["dials"]
    assert [told["RecordingDuration"] for told in hooks.told("stored")] == ["20"]


@pytest.mark.parametrize(
    "caller", ["", "anonymous", "sip:alice@example.com", f"+{CALLER}"], ids=count()
)
def test_odd_callers_are_sent_as_they_are(caller: str) -> None:
    hooks = Hooks()
    call(hooks, Scene(caller, CALLED))
    assert hooks.asked[0][2]["From"] == caller


def test_the_same_scene_plays_the_same() -> None:
    scene = Scene(CALLER, CALLED, presses=(Press("12345"),), seed=7)
    assert call(Hooks(answer=DIAL), scene) == call(Hooks(answer=DIAL), scene)
