"""The suite passes on our scenario, covers every known defect, and has been seen to fail."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import BadData, ConfigurationError
from mask_cli.sandbox.scenario_bench import CHECKS, SETTINGS, Bench, Check
from mask_cli.sandbox.scenario_check import (
    EXEMPT,
    ROWS,
    CheckResult,
    check,
    covered,
    run_check,
    types,
)
from mask_cli.sandbox.scenario_mutations import MUTATIONS, Mutation, caught
from mask_cli.scenario.render import LONGEST_TEXT, ScenarioSettings, render, template

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
