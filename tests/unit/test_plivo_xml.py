from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from mask_cli.errors import ConfigurationError
from mask_cli.models import PhoneNumber
from mask_cli.routing import Action, Reason, Route, Rules
from mask_cli.sandbox.plivo_document import Origin, read_document
from mask_cli.web.phrases import load_phrases
from mask_cli.web.plivo_xml import Documents
from mask_cli.web.site import Site
from tests.unit.routing_vectors import load

if TYPE_CHECKING:
    from mask_cli.sandbox.plivo_document import Element

BASE = "https://mask.example.com"
OURS, CALLEE, OPERATOR = (
    PhoneNumber(f"+{n}") for n in ("12222222222", "14156667778", "14155550100")
)
PHRASES = load_phrases(None, 5)


def site(**more: Any) -> Site:
    values = {"rules": Rules(frozenset()), "phrases": PHRASES, **more}
    return Site(Path("unused"), BASE, **values)


def read(text: str) -> tuple[Element, ...]:
    """Return the document as the platform reads it; it refuses what is not sound."""
    return read_document(text.encode(), "application/xml", Origin.ANSWER)


def dial_route(callee: PhoneNumber = CALLEE, shown: PhoneNumber = OURS) -> Route:
    return Route(Action.DIAL, Reason.COURIER_TO_CLIENT, callee=callee, caller_id=shown)


def texts(text: str) -> list[str]:
    return [str(node.text) for node in ET.fromstring(text).iter("Speak")]  # noqa: S314 (ours)


@pytest.mark.parametrize("vector", load(), ids=lambda v: v.name)
def test_every_decision_becomes_a_document_that_the_platform_takes(vector: Any) -> None:
    route = vector.route()
    text = Documents(site(rules=vector.rules)).of(route)
    elements = read(text)
    numbers = [node.text for node in ET.fromstring(text).iter("Number")]  # noqa: S314 (ours)
    assert numbers == ([route.callee.digits] if route.callee else [])
    assert elements[-1].tag in ("Dial", "Redirect", "Hangup")


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize("vector", load(), ids=lambda v: v.name)
def test_a_repetition_gets_the_same_document_from_what_was_kept(
    vector: Any, *, recording: bool
) -> None:
    route, here = vector.route(), site(rules=vector.rules, recording=recording)
    documents = Documents(here)
    text = documents.of(route)
    # Another worker has made no document yet.
    assert Documents(here).again(documents.kept(route, text)) == text
    assert documents.again(documents.kept(None, text)) == text


def test_the_callers_own_number_is_never_shown_as_id_or_name() -> None:
    (dial,) = read(Documents(site()).of(dial_route()))
    assert (dial.get("callerId"), dial.get("callerName")) == (OURS.digits, OURS.digits)


def test_a_callee_is_never_taken_from_an_earlier_document() -> None:
    documents = Documents(site())
    for n in range(30):
        callee, shown = PhoneNumber(f"+141555501{n:02d}"), PhoneNumber(f"+141555502{n % 7:02d}")
        (dial,) = read(documents.of(dial_route(callee, shown)))
        assert (dial.children[0].text, dial.get("callerId")) == (callee.digits, shown.digits)


def test_thousands_of_called_numbers_do_not_fill_the_memory() -> None:
    documents = Documents(site())
    for n in range(2_500):
        documents.of(dial_route(shown=PhoneNumber(f"+1415{n:07d}")))
    assert len(documents._templates) <= 1_001


def test_a_phone_does_not_ring_nor_a_call_last_for_ever() -> None:
    (dial,) = read(Documents(site(ring_timeout=20, call_time_limit=600)).of(dial_route()))
    assert (dial.number("timeout", 0), dial.number("timeLimit", 0)) == (20, 600)


def test_every_address_is_absolute() -> None:
    documents = Documents(site(recording=True, rules=Rules(frozenset(), operator=OPERATOR)))
    routes = [dial_route(), Route(Action.ASK, Reason.ASK_ORDER, "ask_order", attempts=2)]
    for text in (*(documents.of(r) for r in routes), documents.dialled("busy", operator=False)):
        for node in ET.fromstring(text).iter():  # noqa: S314 (ours)
            for name in ("action", "callbackUrl", "confirmSound"):
                assert node.get(name, BASE).startswith(BASE)


def test_no_key_ends_the_input_so_the_pound_key_arrives() -> None:
    asking, again = read(Documents(site()).of(Route(Action.ASK, Reason.BAD_DIGITS, "bad_digits")))
    assert (asking.get("finishOnKey"), asking.get("numDigits")) == ("none", "5")
    assert asking.get("log") == "false"
    assert again.text == asking.get("action") == f"{BASE}/plivo/digits?attempts=0"


def test_the_caller_has_time_to_type() -> None:
    """Left out, both times are the platform's own; `auto`, its default, the SDK refuses."""
    asking, _ = read(Documents(site()).of(Route(Action.ASK, Reason.ASK_ORDER, "ask_order")))
    assert (asking.get("executionTimeout"), asking.get("digitEndTimeout")) == ("10", "3")


@pytest.mark.parametrize("action", [Action.DIAL, Action.OPERATOR])
def test_a_number_that_is_none_is_not_dialled_as_a_word(action: Action) -> None:
    """The SDK would write <Number>None</Number>, or leave the caller's own number to be shown."""
    whole = replace(dial_route(), action=action)
    for route in (replace(whole, callee=None), replace(whole, caller_id=None)):
        with pytest.raises(AssertionError, match=r"dials names whom|what is shown"):
            Documents(site()).of(route)


def test_the_count_of_attempts_travels_with_the_address() -> None:
    asking, _ = read(Documents(site()).of(Route(Action.ASK, Reason.ASK_ORDER, attempts=2)))
    assert asking.get("action").endswith("?attempts=2")


def test_a_pause_comes_before_the_words_and_is_the_same_for_all() -> None:
    route = Route(Action.ASK, Reason.UNKNOWN_ORDER, "unknown_order", pause=1)
    assert [e.tag for e in read(Documents(site()).of(route))] == ["Wait", "GetInput", "Redirect"]


def test_the_operator_is_offered_only_where_there_is_one() -> None:
    route = Route(Action.ASK, Reason.ASK_ORDER, "ask_order")
    with_one = Documents(site(rules=Rules(frozenset(), operator=OPERATOR)))
    assert "pound key" in texts(with_one.of(route))[0]
    assert "pound key" not in texts(Documents(site()).of(route))[0]


def test_who_is_put_through_to_the_operator_hears_why() -> None:
    route = Route(Action.OPERATOR, Reason.UNKNOWN_CALLER, "unknown_caller", OPERATOR, OURS)
    heard = texts(Documents(site()).of(route))
    assert heard == [PHRASES["unknown_caller"], PHRASES["operator"]]
    pressed = Route(Action.OPERATOR, Reason.OPERATOR, "operator", OPERATOR, OURS)
    assert texts(Documents(site()).of(pressed)) == [PHRASES["operator"]]


def test_a_recording_begins_after_the_notice_and_the_operator_is_not_recorded() -> None:
    documents = Documents(site(recording=True))
    notice, record, dial = read(documents.of(dial_route()))
    assert (notice.text, record.tag) == (PHRASES["recording_notice"], "Record")
    assert record.get("startOnDialAnswer") == "true"
    # What the SDK makes of a text: "false" would be true, and the dialling never reached.
    assert (record.get("redirect"), record.get("playBeep")) == ("false", "false")
    assert dial.get("confirmSound") == f"{BASE}/plivo/notice"
    assert texts(documents.notice()) == [PHRASES["recording_notice"]]
    route = Route(Action.OPERATOR, Reason.OPERATOR, "operator", OPERATOR, OURS)
    assert "Record" not in documents.of(route)


@pytest.mark.parametrize(
    ("status", "phrase"),
    [("busy", "busy"), ("timeout", "no_answer"), ("no-answer", "no_answer"), ("failed", "failed"),
     ("cancel", "failed"), ("", "failed"), ("<x>", "failed")],
)  # fmt: skip
def test_however_dialling_ends_the_caller_hears_of_it(status: str, phrase: str) -> None:
    text = Documents(site()).dialled(status, operator=False)
    assert texts(text) == [PHRASES[phrase]]
    assert read(text)[-1].tag == "Hangup"


def test_after_a_conversation_nothing_is_said() -> None:
    assert [e.tag for e in read(Documents(site()).dialled("completed", operator=False))] == [
        "Hangup"
    ]


def test_a_busy_operator_is_not_offered_again() -> None:
    documents = Documents(site(rules=Rules(frozenset(), operator=OPERATOR)))
    assert texts(documents.dialled("busy", operator=True)) == [PHRASES["operator_unavailable"]]


def test_every_reason_has_its_words() -> None:
    spoken = set(Reason) - {Reason.COURIER_TO_CLIENT, Reason.CLIENT_TO_COURIER}
    assert [reason for reason in spoken if not PHRASES[reason]] == []


# The operator's own phrases


def own(tmp_path: Path, text: str) -> str:
    file = tmp_path / "phrases.json"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_own_phrases_language_and_voice_are_spoken(tmp_path: Path) -> None:
    text = """{"plivo": {"language": "de-DE", "voice": "Polly.Vicki",
        "phrases": {"ask_order": "Bitte die {length} Ziffern & die Nummer <hier>."}},
        "voximplant": {"phrases": {"greeting": "not ours"}}}"""
    documents = Documents(site(phrases=load_phrases(own(tmp_path, text), 7)))
    made = documents.of(Route(Action.ASK, Reason.ASK_ORDER, "ask_order"))
    assert texts(made) == ["Bitte die 7 Ziffern & die Nummer <hier>."]
    assert 'voice="Polly.Vicki" language="de-DE"' in made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "object of objects"),
        ('{"plivo": []}', "object of objects"),
        ('{"plivo": {"phrase": {}}}', "unknown 'phrase'"),
        ('{"plivo": {"phrases": []}}', "not an object"),
        ('{"plivo": {"phrases": {"hello": "x"}}}', "no phrase 'hello'"),
        ('{"plivo": {"phrases": {"goodbye": ""}}}', "not a text"),
        ('{"plivo": {"phrases": {"goodbye": 5}}}', "not a text"),
        ('{"plivo": {"phrases": {"goodbye": "call 1415 555 0100"}}}', "phone number"),
        ('{"plivo": {"phrases": {"goodbye": "a\\u0000b"}}}', "control"),
        ('{"plivo": {"phrases": {"goodbye": "{order}"}}}', "can only name"),
        ('{"plivo": {"language": "klingon"}}', "language"),
        ('{"plivo": {"voice": "<x>"}}', "voice"),
    ],
)
def test_phrases_that_would_break_calls_are_refused_at_the_start(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load_phrases(own(tmp_path, text), 5)


def test_a_missing_phrases_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*nothing\.json"):
        load_phrases(str(tmp_path / "nothing.json"), 5)
