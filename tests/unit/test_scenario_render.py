"""What is rendered is one safe constant; settings that cannot work are refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from mask_cli.errors import BadData, ConfigurationError, ExitCode
from mask_cli.models import PhoneNumber
from mask_cli.sandbox.scenario_bench import CLIENT, COURIER, ORDER, OURS, item
from mask_cli.sandbox.simulate_voximplant import NOW, CallPlan, play, syntax_error, typed
from mask_cli.scenario.render import (
    LONGEST_TEXT,
    REPORT_SECRET,
    ScenarioSettings,
    configuration,
    configuration_of,
    digest,
    packaged_phrases,
    render,
    template,
    template_of,
)

NUMBER = PhoneNumber(f"+{OURS}")
PLAIN = ScenarioSettings(numbers=(NUMBER,))
NASTY = "</script> \u2028\u2029 \"'`\\ $1 $& <!-- & é 😀 {length}"


def with_(**changes: Any) -> ScenarioSettings:
    return replace(PLAIN, **changes)


def test_the_same_settings_give_the_same_text() -> None:
    assert render(PLAIN) == render(ScenarioSettings(numbers=(NUMBER,)))
    assert digest(render(PLAIN)) == digest(render(PLAIN))
    assert digest(render(PLAIN)) != digest(render(with_(attempts=4)))
    assert re.fullmatch(r"[0-9a-f]{64}", digest(render(PLAIN)))


def test_a_rendered_text_is_whole_and_small_enough() -> None:
    text = render(PLAIN)
    assert "MASK_CONFIG" not in text
    assert syntax_error(text) is None
    assert len(text.encode()) < LONGEST_TEXT / 2


def test_the_configuration_can_be_read_back() -> None:
    settings = with_(operator=PhoneNumber("+14156667780"), phrases={"goodbye": NASTY})
    assert configuration_of(render(settings)) == configuration(settings)
    assert template_of(render(settings)) == template()
    edited = render(settings) + "\n// edited in the panel\n"
    assert configuration_of(edited) == configuration(settings)


@pytest.mark.parametrize("text", ["", "VoxEngine.terminate();", "const CONFIG = {broken"])
def test_a_foreign_text_is_not_taken_for_a_rendered_one(text: str) -> None:
    with pytest.raises(BadData):
        configuration_of(text)


def test_a_nasty_phrase_breaks_neither_the_script_nor_a_page_that_shows_it() -> None:
    text = render(with_(phrases={"greeting": NASTY}))
    assert "</script" not in text
    assert "\u2028" not in text
    assert syntax_error(text) is None
    stored = {f"order:{ORDER}": item(f"order:{ORDER}", COURIER, CLIENT)}
    call = play(text, CallPlan(COURIER, OURS, typed(ORDER)), stored)
    assert call.heard("caller")[0] == NASTY.replace("{length}", "5")
    assert call.outcome == "connected"


def test_the_secret_is_named_and_never_rendered() -> None:
    text = render(with_(report_url="https://mask.example/voximplant/calls"))
    assert text.count(REPORT_SECRET) == 1
    assert f"getSecretValue('{REPORT_SECRET}')" in text


def test_numbers_are_rendered_as_digits() -> None:
    rendered = configuration(with_(operator=PhoneNumber("+14156667780")))
    assert rendered["numbers"] == [OURS]
    assert rendered["operator"] == "14156667780"


def test_missing_phrases_are_filled_in_and_the_length_is_spoken() -> None:
    phrases = configuration(with_(order_digits=7, phrases={"goodbye": "Bye."}))["phrases"]
    assert phrases["goodbye"] == "Bye."
    assert "7 digits" in phrases["greeting"]
    assert phrases.keys() == packaged_phrases()["en"]["phrases"].keys()
    assert not any("{length}" in text for text in phrases.values())


def test_another_language_needs_a_voice_and_every_phrase() -> None:
    phrases = dict.fromkeys(packaged_phrases()["en"]["phrases"], "Ja.")
    phrases["order_announcement"] = "Nummer {order}."
    german = with_(language="de", voice="Amazon.de_DE_Marlene", phrases=phrases)
    assert configuration(german)["voice"] == "Amazon.de_DE_Marlene"
    with pytest.raises(ConfigurationError, match="no voice is known"):
        configuration(replace(german, voice=None))
    del phrases["goodbye"]
    with pytest.raises(ConfigurationError, match="lacks phrases: goodbye"):
        configuration(replace(german, phrases=phrases))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"numbers": ()}, "at least one"),
        ({"operator": NUMBER}, "one of our rented numbers"),
        ({"order_digits": 3}, "order_digits is 3"),
        ({"order_digits": 11}, "order_digits is 11"),
        ({"ring_timeout": 61}, "ring_timeout is 61"),
        ({"ring_timeout": 0}, "ring_timeout is 0"),
        ({"call_time_limit": 0}, "call_time_limit is 0"),
        ({"attempts": 0}, "attempts is 0"),
        ({"recording": "always"}, "recording is"),
        ({"key_prefix": "order/"}, "key_prefix"),
        ({"key_prefix": "заказ*"}, "key_prefix"),
        ({"report_url": "http://mask.example/calls"}, "report_url"),
        ({"report_url": "https://name:word@mask.example/"}, "report_url"),
        ({"report_url": "javascript:alert(1)"}, "report_url"),
        ({"music_url": "ftp://mask.example/hold.mp3"}, "music_url"),
        ({"voice": "constructor"}, "not a voice"),
        ({"voice": "A.b;alert(1)"}, "not a voice"),
        ({"phrases": {"greetings": "Hello."}}, "there is no phrase"),
        ({"phrases": {"greeting": " "}}, "phrase greeting"),
        ({"phrases": {"greeting": 7}}, "phrase greeting"),
        ({"phrases": {"greeting": "x" * 501}}, "phrase greeting"),
        ({"phrases": {"greeting": "Order {order}?"}}, "cannot name order"),
        ({"phrases": {"goodbye": "{caller}"}}, "cannot name caller"),
        ({"phrases": {"goodbye": "Call 415 555 0100."}}, "looks like a phone number"),
        ({"phrases": {"order_announcement": "Your order."}}, "has to name"),
        ({"phrases": {"order_announcement": "{order}, {order}"}}, "has to name"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        render(with_(**changes))
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert OURS not in str(caught.value)


def test_plain_http_is_for_loopback_only() -> None:
    url = "http://127.0.0.1:8000/voximplant/calls"
    assert configuration(with_(report_url=url))["report_url"] == url


def test_an_edited_scenario_is_played_as_it_stands() -> None:
    edited = render(PLAIN).replace("Thank you.", "Much obliged.")
    stored = {f"order:{ORDER}": item(f"order:{ORDER}", COURIER, CLIENT, expires_at=NOW + 9)}
    call = play(edited, CallPlan(COURIER, OURS, typed(ORDER)), stored)
    assert any("Much obliged." in text for text in call.heard("caller"))


def test_phrases_are_json_without_anything_else() -> None:
    for language in packaged_phrases().values():
        assert language.keys() == {"voice", "phrases"}
        assert json.dumps(language, ensure_ascii=True) == json.dumps(language, ensure_ascii=False)
