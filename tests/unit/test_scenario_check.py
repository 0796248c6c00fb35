"""The suite passes on our scenario, covers every known defect, and has been seen to fail."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import BadData, ConfigurationError
from mask_cli.models import PhoneNumber
from mask_cli.sandbox.scenario_bench import CHECKS, COURIER, PHRASES, SETTINGS, Bench, Check
from mask_cli.sandbox.scenario_check import (
    EXEMPT,
    ROWS,
    CheckResult,
    check,
    configuration_of_file,
    covered,
    run_check,
    types,
)
from mask_cli.sandbox.scenario_mutations import MUTATIONS, Mutation, caught
from mask_cli.scenario.render import (
    LONGEST_TEXT,
    ScenarioSettings,
    configuration_of,
    render,
    template,
    template_of,
)

if TYPE_CHECKING:
    from pathlib import Path

BENCH = Bench(template())
TSC = shutil.which("tsc") or os.environ.get("TSC")


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.name)
def test_our_scenario_has_none_of_the_known_defects(one: Check) -> None:
    result = run_check(one, BENCH)
    assert result.passed, result.detail


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: f"{one.check}-{one.new[:24]!r}")
def test_a_fault_put_in_on_purpose_is_caught(mutation: Mutation) -> None:
    result = caught(mutation)
    assert result.passed is False, "the fault was not noticed"
    assert "Error" not in (result.detail or ""), "noticed by accident"


def test_every_defect_has_a_check_and_a_fault_that_it_caught() -> None:
    assert len(ROWS) == 25
    checked = {row for row, names in covered().items() if names}
    assert checked | EXEMPT.keys() == set(ROWS)
    assert {row for one in MUTATIONS for row in one.rows} | EXEMPT.keys() == set(ROWS)
    assert len({one.name for one in CHECKS}) == len(CHECKS)


def test_a_check_says_in_words_what_it_checks() -> None:
    assert all(one.meaning.endswith(".") for one in CHECKS)


def test_every_check_has_been_seen_to_fail() -> None:
    assert {one.check for one in MUTATIONS} == {one.name for one in CHECKS}


def test_a_check_that_cannot_be_evaluated_fails_and_says_why() -> None:
    result = run_check(Check("broken", (), lambda _: iter([str(int("x"))])), BENCH)
    assert result.passed is False
    assert "ValueError" in (result.detail or "")


def test_a_mutation_that_no_longer_applies_is_noticed() -> None:
    with pytest.raises(BadData):
        Mutation((), "the-guides-own-test", "not there", "x").apply(template())
    with pytest.raises(BadData):
        Mutation((), "the-guides-own-test", "const ", "x").apply(template())


def test_the_whole_check_is_data_and_passes_for_an_owners_own_settings() -> None:
    own = ScenarioSettings(SETTINGS.numbers, recording="announced", key_prefix="", order_digits=4)
    results = check(render(own))
    assert [one.name for one in results[:3]] == ["size", "syntax", "types"]
    assert not [one for one in results if one.passed is False]
    assert results[0].to_dict().keys() == {"name", "rows", "passed", "detail"}


def test_a_broken_text_is_refused_before_anything_is_played() -> None:
    results = check(render(SETTINGS).replace("function onTone(e) {", "function onTone(e) {{"))
    assert [(one.name, one.passed) for one in results] == [("size", True), ("syntax", False)]
    assert "SyntaxError" in (results[1].detail or "")


def test_a_text_too_large_for_the_platform_fails() -> None:
    text = render(SETTINGS) + "// " + "x" * LONGEST_TEXT
    assert check(text)[0] == CheckResult(
        "size", (), passed=False, detail=f"{len(text.encode())} of {LONGEST_TEXT} bytes"
    )


def test_an_edited_text_is_checked_as_it_stands() -> None:
    edited = render(SETTINGS).replace("Logger.hideTones(true);", "")
    failed = [one.name for one in check(edited) if one.passed is False]
    assert failed == ["log-lines-hold-no-digits"]


WRONG: list[tuple[str, object, str]] = [
    ("attempts", 99, "attempts is 99"),
    ("attempts", "3", "wrong kind"),
    ("order_digits", 1, "order_digits is 1"),
    ("operator", SETTINGS.numbers[0].digits, "one of our rented numbers"),
    ("operator", "12", "not a"),
    ("numbers", [], "at least one"),
    ("numbers", [14156667777], "numbers"),
    ("ring_timeout", 3600, "ring_timeout is 3600"),
    ("report_url", "http://voximplant.com/", "report_url"),
    ("recording", True, "recording"),
    ("key_prefix", "a b", "key_prefix"),
    ("voice", "no voice", "is not a voice"),
    ("phrases", {}, "phrases"),
    ("phrases", PHRASES | {"order_announcement": "You are connected."}, "{order}"),
    ("phrases", PHRASES | {"goodbye": "Call +1 415 555 0100."}, "phone number"),
    ("added", 1, "added"),
]


def reconfigured(**changes: object) -> str:
    text = render(SETTINGS)
    after = configuration_of(text) | changes
    return template_of(text).replace("MASK_CONFIG", json.dumps(after))


@pytest.mark.parametrize(("name", "value", "says"), WRONG, ids=lambda one: str(one)[:20])
def test_a_configuration_that_render_refuses_does_not_pass(
    name: str, value: object, says: str
) -> None:
    (result,) = configuration_of_file(reconfigured(**{name: value}))
    assert (result.name, result.passed) == ("configuration", False)
    assert says in (result.detail or "")
    assert "4156667777" not in (result.detail or "")


@pytest.mark.parametrize("voice", ["Yandex.Neural.en_US_alyss", "Nobody.en_US_x", "Amazon.Joanna"])
def test_a_voice_that_the_platform_does_not_have_does_not_pass(voice: str) -> None:
    ruled, played = configuration_of_file(reconfigured(voice=voice))
    assert (ruled.passed, played.passed) == (True, False)
    assert played.detail == f"the platform has no voice {voice}"


@pytest.mark.parametrize(
    "voice",
    [
        *(
            "Google.en_GB_Wavenet_A",
            "Google.sr_RS_Standard_A",
            "Microsoft.Neural.zh_CN_YunxiNeural",
        ),
        *("Default.de_DE_Female", "ElevenLabs.Alice", "Amazon.Neural.en_US_Joanna"),
    ],
)
def test_a_real_voice_passes(voice: str) -> None:
    assert all(one.passed for one in configuration_of_file(reconfigured(voice=voice)))


def test_what_callers_meet_is_played_as_the_file_says() -> None:
    text = render(SETTINGS)
    deaf = text.replace("if (hasOperator()) {\n    decide", "if (false) {\n    decide")
    assert deaf != text
    assert configuration_of_file(deaf)[-1].passed is False
    unreported = ScenarioSettings(SETTINGS.numbers, order_digits=10, key_prefix="", attempts=1)
    busy = replace(unreported, operator=PhoneNumber(f"+{COURIER}"), ring_timeout=5)
    for settings in (unreported, busy, replace(unreported, call_time_limit=10)):
        assert all(one.passed for one in configuration_of_file(render(settings)))


def test_a_foreign_text_is_refused_with_the_way_to_one_of_ours() -> None:
    with pytest.raises(BadData) as error:
        check("const CONFIG = [1];")
    assert "scenario render" in (error.value.hint or "")


def test_types_are_skipped_in_words_where_there_is_no_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = types(render(SETTINGS))
    assert result.passed is None
    assert "skipped" in (result.detail or "")
    assert types(render(SETTINGS), str(tmp_path / "tsc")).passed is None


@pytest.mark.skipif(TSC is None, reason="tsc is not on PATH, nor named by TSC")
def test_the_strict_types_hold() -> None:
    result = types(render(SETTINGS), TSC)
    assert result.passed, result.detail


@pytest.mark.skipif(TSC is None, reason="tsc is not on PATH, nor named by TSC")
def test_a_wrong_type_is_found() -> None:
    wrong = render(SETTINGS).replace("leg.say(text, voice());", "leg.say(text, 7);")
    result = types(wrong, TSC)
    assert result.passed is False
    assert "scenario.js" in (result.detail or "")


def test_without_the_engine_the_hint_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "quickjs", None)
    with pytest.raises(ConfigurationError) as error:
        check(render(SETTINGS))
    assert "mask-cli[simulate]" in (error.value.hint or "")
