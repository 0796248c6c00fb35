from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from mask_cli.plivo_signature import verified
from mask_cli.sandbox.plivo_caller import MOST_DOCUMENTS, place_call
from mask_cli.sandbox.plivo_document import LARGEST
from mask_cli.sandbox.plivo_scene import Application, Behaviour, Outcome, Press, Scene, Verdict
from mask_cli.sandbox.plivo_webhook import Delivery, Webhook

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "https://hooks.example.com"
TOKEN = "MDAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMGMwZDBl"
CALLER, CALLED, CALLEE = "14156667777", "12222222222", "14156667778"
DIAL = f'<Dial callerId="{CALLED}" callerName="{CALLED}"><Number>{CALLEE}</Number></Dial>'


class Hooks:
    """A webhook that knows a document by path, and keeps what it was asked."""

    def __init__(self, **documents: str | bytes | int | Exception) -> None:
        self.documents = documents
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.nonces: list[str] = []
        self.content_type = "application/xml; charset=utf-8"

    def send(
        self, method: str, url: str, headers: dict[str, str], form: Sequence[tuple[str, str]]
    ) -> tuple[int, str, bytes]:
        parts = urlsplit(url)
        nonce = headers["X-Plivo-Signature-V3-Nonce"]
        made = [headers["X-Plivo-Signature-V3"]]
        assert verified(method, url, form, nonce=nonce, signatures=made, tokens=[TOKEN])
        assert "#" not in url
        name = parts.path.strip("/")
        self.asked.append((method, name, dict([*parse_qsl(parts.query), *form])))
        self.nonces.append(nonce)
        answer = self.documents.get(name, "")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return answer, "text/html", b""
        body = answer if isinstance(answer, bytes) else f"<Response>{answer}</Response>".encode()
        return 200, self.content_type, body

    def told(self, name: str) -> list[dict[str, str]]:
        return [parameters for _, path, parameters in self.asked if path == name]


def call(
    hooks: Hooks, scene: Scene | None = None, delivery: Delivery | None = None, **plan: str
) -> Outcome:
    application = Application(f"{HOST}/answer", hangup_url=f"{HOST}/hangup", **plan)
    webhook = Webhook(hooks.send, TOKEN, delivery=delivery or Delivery())
    return place_call(scene or Scene(CALLER, CALLED), application, webhook)


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


ASK = (
    f'<GetInput action="{HOST}/digits" inputType="dtmf" numDigits="5" finishOnKey="{{}}">'
    "<Speak>your order number please</Speak></GetInput><Speak>nothing came</Speak>"
)


@pytest.mark.parametrize(
    ("keys", "finish", "digits"),
    [
        ("12345", "none", "12345"),
        ("#", "none", "#"),
        ("12#", "none", "12#"),
        ("123", "none", "123"),
        ("1234567", "none", "12345"),
        ("12#", "#", "12"),
        ("12*", "#", "12*"),
    ],
)
@pytest.mark.parametrize("at", [None, 0.1, 4.0])
def test_keys_reach_the_action_as_typed(
    keys: str, finish: str, digits: str, at: float | None
) -> None:
    hooks = Hooks(answer=ASK.format(finish), digits="<Speak>thanks</Speak>")
    outcome = call(hooks, Scene(CALLER, CALLED, presses=(Press(keys, at),)))
    (told,) = hooks.told("digits")
    assert (told["Digits"], told["InputType"]) == (digits, "dtmf")
    assert told["CallStatus"] == "in-progress"
    assert outcome.heard() == ["your order number please", "thanks"]


def test_silence_goes_on_with_the_next_element_and_asks_nobody() -> None:
    hooks = Hooks(answer=ASK.format("none"))
    outcome = call(hooks)
    assert hooks.told("digits") == []
    assert outcome.heard() == ["your order number please", "nothing came"]
    assert outcome.seconds == pytest.approx(1.6 + 15 + 0.8)


def test_a_press_for_each_prompt_is_not_used_twice() -> None:
    hooks = Hooks(answer=ASK.format("none"), digits=ASK.format("none"))
    call(hooks, Scene(CALLER, CALLED, presses=(Press("11111"), Press("22222"))))
    assert [told["Digits"] for told in hooks.told("digits")] == ["11111", "22222"]


def test_get_digits_repeats_its_prompt_and_refuses_invalid_keys() -> None:
    ask = f'<GetDigits action="{HOST}/digits" retries="2" validDigits="12" numDigits="2">'
    hooks = Hooks(answer=ask + "<Speak>choose</Speak></GetDigits>")
    outcome = call(hooks, Scene(CALLER, CALLED, presses=(Press("19"), Press("12"))))
    assert [told["Digits"] for told in hooks.told("digits")] == ["12"]
    assert outcome.heard() == ["choose", "choose"]


REFUSED = [
    ("<Say>hello</Say>", 8011),
    ("<Reject/>", 8011),
    ("<Dial></Dial>", 8011),
    ("<Dial><Number></Number></Dial>", 8011),
    ("<Dial><Speak>x</Speak></Dial>", 8011),
    ("<Number>1</Number>", 8011),
    ("<Conference>x</Conference>", 8011),
    ('<Dial timeout="soon"><Number>1</Number></Dial>', 8011),
    ('<Dial redirect="False"><Number>1</Number></Dial>', 8011),
    (f'<Dial callerName="{"x" * 51}"><Number>1</Number></Dial>', 8011),
    ('<Dial confirmKey="1"><Number>1</Number></Dial>', 8011),
    ("<GetInput inputType='dtmf'/>", 8011),
    (f"<GetInput action='{HOST}'/>", 8011),
    (f"<GetInput action='{HOST}' inputType='keys'/>", 8011),
    (f"<GetInput action='{HOST}' inputType='dtmf' numDigits='0'/>", 8011),
    (f"<GetInput action='{HOST}' inputType='dtmf' executionTimeout='4'/>", 8011),
    (f"<GetInput action='{HOST}' inputType='dtmf' digitEndTimeout='1'/>", 8011),
    ("<Hangup reason='bored'/>", 8011),
    ("<Play>music.mp3</Play>", 8011),
    ("<Speak>" * 30 + "</Speak>" * 30, 8011),
    ("<Speak>" + "<s>" * 30 + "</s>" * 30 + "</Speak>", 8011),
    ("<Redirect>/next</Redirect>", 7024),
    ("<Redirect></Redirect>", 8011),
    (f"<Redirect method='PATCH'>{HOST}</Redirect>", 7034),
    ("<GetInput action='/digits' inputType='dtmf'/>", 7022),
    (f"<GetInput action='{HOST}' method='PUT' inputType='dtmf'/>", 7032),
]


@pytest.mark.parametrize(("document", "code"), REFUSED, ids=count())
def test_a_document_that_the_platform_refuses_does_not_pass_here(document: str, code: int) -> None:
    hooks = Hooks(answer="<Speak>never said</Speak>" + document)
    outcome = call(hooks)
    assert (outcome.code, outcome.verdict, outcome.source) == (code, Verdict.REFUSED, "Error")
    assert outcome.problem
    assert outcome.heard() == []
    assert hooks.told("hangup")[0]["HangupCauseCode"] == str(code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b'{"speak": "x"}',
        b"<Response>",
        b"<response/>",
        b"<Response>\xff</Response>",
        b'<!DOCTYPE r [<!ENTITY a "b">]><Response>&a;</Response>',
        "<!DOCTYPE r><Response/>".encode("utf-16"),
        b"<Response><Speak>" + b"x" * LARGEST + b"</Speak></Response>",
    ],
    ids=count(),
)
def test_what_is_no_document_is_refused(body: bytes) -> None:
    assert call(Hooks(answer=body)).code == 8011


def test_xml_that_is_called_something_else_is_refused() -> None:
    hooks = Hooks(answer=DIAL)
    hooks.content_type = "text/html"
    assert call(hooks).code == 8011
    hooks.content_type = "text/xml"
    assert call(hooks).verdict is Verdict.CONNECTED


def test_a_bad_action_or_redirect_is_told_apart_from_a_bad_answer() -> None:
    dial = DIAL.replace("<Dial", f'<Dial action="{HOST}/next"')
    redirect = f"<Redirect>{HOST}/next</Redirect>"
    assert call(Hooks(answer=dial, next=b"OK")).code == 8012
    assert call(Hooks(answer=dial, next=500)).code == 7012
    assert call(Hooks(answer=redirect, next=b"OK")).code == 8014
    assert call(Hooks(answer=redirect, next=404)).code == 7014


@pytest.mark.parametrize("broken", [403, 500, b"OK", ConnectionRefusedError(), TimeoutError()])
def test_a_broken_answer_is_replaced_by_the_fallback_if_there_is_one(
    broken: int | bytes | Exception,
) -> None:
    alone = call(Hooks(answer=broken))
    assert alone.code == (8011 if isinstance(broken, bytes) else 7011)
    hooks = Hooks(answer=broken, fallback="<Speak>sorry</Speak>")
    outcome = call(hooks, fallback_url=f"{HOST}/fallback")
    assert (outcome.verdict, outcome.heard()) == (Verdict.MESSAGE, ["sorry"])


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
