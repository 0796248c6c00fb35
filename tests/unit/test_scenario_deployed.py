"""The mark on a deployed scenario, and what the settings put into it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.config import load_settings
from mask_cli.errors import ConfigurationError
from mask_cli.models import PhoneNumber
from mask_cli.sandbox.scenario_bench import SETTINGS
from mask_cli.scenario.configured import scenario_settings
from mask_cli.scenario.deployed import is_untouched, marked, same
from mask_cli.scenario.render import configuration_of, render

if TYPE_CHECKING:
    from pathlib import Path

TEXT = render(SETTINGS)
NUMBER = PhoneNumber("+14155550100")


def settings(**environment: str) -> Any:
    return load_settings(environment={"HOME": "/nowhere", **environment})


def test_a_text_as_it_was_uploaded_is_known() -> None:
    assert is_untouched(marked(TEXT))
    assert configuration_of(marked(TEXT)) == configuration_of(TEXT)


@pytest.mark.parametrize(
    "changed",
    [
        marked(TEXT).replace("\n", "\r\n"),
        marked(TEXT).rstrip(),
        marked(TEXT) + "\n\n",
        marked(TEXT).replace("\n", "  \n"),
    ],
)
def test_what_an_editor_does_by_opening_a_text_is_no_change(changed: str) -> None:
    assert is_untouched(changed)
    assert same(changed, marked(TEXT))


@pytest.mark.parametrize(
    "changed",
    [
        "",
        TEXT,
        marked(TEXT) + "// hotfix",
        marked(TEXT).replace("const CONFIG", "const  CONFIG"),
        "// note\n" + marked(TEXT),
        marked(TEXT).replace("sha256 ", "sha256 0"),
    ],
)
def test_somebody_elses_change_is_noticed(changed: str) -> None:
    assert not is_untouched(changed)


def test_the_settings_reach_the_scenario() -> None:
    found = scenario_settings(
        settings(
            MASK_OPERATOR="+14155550109",
            MASK_PUBLIC_URL="https://mask.example",
            MASK_RING_TIMEOUT="90s",
            MASK_ORDER_DIGITS="6",
            MASK_RECORDING="announced",
        ),
        [NUMBER, NUMBER],
    )
    assert found.numbers == (NUMBER,)
    assert found.operator == PhoneNumber("+14155550109")
    assert found.report_url == "https://mask.example/voximplant/calls"
    assert (found.ring_timeout, found.order_digits, found.recording) == (60, 6, "announced")


def test_a_flag_is_stronger_than_a_setting() -> None:
    found = scenario_settings(
        settings(MASK_OPERATOR="+14155550109", MASK_PUBLIC_URL="https://mask.example"),
        [NUMBER],
        operator=PhoneNumber("+14155550108"),
        report_url="https://other.example/calls",
    )
    assert found.operator == PhoneNumber("+14155550108")
    assert found.report_url == "https://other.example/calls"


def test_phrases_come_from_the_section_of_this_provider(tmp_path: Path) -> None:
    file = tmp_path / "phrases.json"
    own = {"phrases": {"goodbye": "Bye."}, "voice": "Amazon.en_GB_Amy"}
    file.write_text(json.dumps({"voximplant": own, "plivo": {"language": "x"}}))
    found = scenario_settings(settings(MASK_PHRASES=str(file)), [NUMBER])
    read = configuration_of(render(found))
    assert (read["phrases"]["goodbye"], read["voice"]) == ("Bye.", "Amazon.en_GB_Amy")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"voximplant": []}',
        '{"voximplant": {"tone": "x"}}',
        '{"voximplant": {"voice": 1}}',
    ],
)
def test_a_phrases_file_that_says_nothing_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "phrases.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match="phrases"):
        scenario_settings(settings(MASK_PHRASES=str(file)), [NUMBER])
