"""What the played caller makes of documents: prompts and keys, and what the platform refuses."""

from __future__ import annotations

from itertools import count

import pytest

from mask_cli.sandbox.plivo_document import LARGEST
from mask_cli.sandbox.plivo_scene import Press, Scene, Verdict
from tests.unit.plivo_hooks import CALLED, CALLER, DIAL, HOST, Hooks, call

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
