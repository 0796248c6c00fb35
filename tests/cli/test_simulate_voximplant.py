"""`mask simulate --via voximplant`: the deployed text, with the mappings as they stand."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode
from mask_cli.sandbox.simulate_voximplant import BEHAVIOURS
from mask_cli.sandbox.voximplant_history import add_session
from tests.cli.leaks import CLIENT, COURIER

if TYPE_CHECKING:
    from mask_cli.sandbox.voximplant import VoximplantSandbox
    from tests.cli.conftest import Mask, Run

NUMBER = "12065550100"
CALL = ("simulate", "--via", "voximplant", "--called", NUMBER, "--caller")
JSON = ("--format", "json")


def add(mask: Mask) -> None:
    mask("add", "12345", "--courier", COURIER, "--client", CLIENT).done()


def rent(provider: VoximplantSandbox) -> None:
    for phone in provider.account.phones.values():
        if phone.number == NUMBER:
            phone.purchased = provider.clock.now()


def called(run: Run) -> list[str]:
    return [event["number"] for event in run.json["events"] if event["what"] == "is called"]


@pytest.mark.parametrize(
    ("caller", "shown", "reason"),
    [
        (COURIER, "+1•••••••3333", "courier_to_client"),
        (CLIENT, "+1•••••••2222", "client_to_courier"),
    ],
)
def test_the_guides_call_reaches_the_other_party(
    mask: Mask, caller: str, shown: str, reason: str
) -> None:
    add(mask)
    run = mask(*CALL, caller, "--press", "12345", *JSON).done()
    assert (run.json["verdict"], run.json["reason"]) == ("connected", reason)
    assert called(run) == [shown]
    assert run.json["bridged_seconds"] == pytest.approx(30, abs=1)
    heard = [e["text"] for e in run.json["events"] if e["who"] == "party" and e["text"]]
    assert any("1, 2, 3, 4, 5" in text for text in heard)


def test_the_deployed_text_is_played_not_ours(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider)
    mask("voximplant", "up", "--app", "masking", "--number", NUMBER).done()
    add(mask)
    (scenario,) = provider.account.scenarios.values()
    scenario.text = scenario.text.replace("Goodbye.", "So long.").replace("Welcome.", "Hi there.")
    run = mask(*CALL, COURIER, "--press", "12345", *JSON).done()
    assert run.json["events"][2]["text"].startswith("Hi there.")
    assert provider.requests.entries("GetKeyValueItem")


def test_without_a_deployed_scenario_it_is_said_what_is_played(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    add(mask)
    run = mask(*CALL, COURIER, "--press", "12345", *JSON).done()
    assert "no scenario is deployed" in run.err
    assert provider.requests.entries("GetKeyValueItem")


def test_an_order_that_expired_cannot_be_reached(mask: Mask) -> None:
    add(mask)
    mask("expire", "12345").done()
    run = mask(*CALL, COURIER, "--press", "12345", "--expect", "message", *JSON).done()
    assert called(run) == []


@pytest.mark.parametrize("callee", sorted(set(BEHAVIOURS) - {"answers"}))
def test_whoever_is_not_reached_is_not_taken_for_connected(mask: Mask, callee: str) -> None:
    add(mask)
    run = mask(*CALL, COURIER, "--press", "12345", "--callee", callee, *JSON)
    run.answered(ExitCode.DECLINED)
    assert run.json["verdict"] == "not_connected"


def test_a_script_can_assert_on_reason_or_verdict(mask: Mask) -> None:
    add(mask)
    busy = (*CALL, COURIER, "--press", "12345", "--callee", "busy")
    assert mask(*busy, "--expect", "courier_to_client").code == ExitCode.DONE
    assert mask(*busy, "--expect", "not_connected").code == ExitCode.DONE
    assert mask(*busy, "--expect", "unknown_order").code == ExitCode.DECLINED
    mask(*busy, "--expect", "nonsense").failed(ExitCode.USAGE)


@pytest.mark.parametrize(
    ("press", "reason"),
    [
        (("12345",), "ask_order"),
        ((), "no_digits"),
        (("123",), "bad_digits"),
        (("99999",), "unknown_order"),
        (("99999", "99999", "99999"), "too_many_attempts"),
        (("99999", "12345"), "unknown_order"),
    ],
)
def test_every_reason_that_can_be_expected_can_come_true(
    mask: Mask, press: tuple[str, ...], reason: str
) -> None:
    add(mask)
    keys = [word for one in press for word in ("--press", one)]
    run = mask(*CALL, COURIER, *keys, "--expect", reason, *JSON).done()
    assert reason in run.json["reasons"]
    run = mask(*CALL, COURIER, *keys, "--expect", "unknown_number")
    run.answered(ExitCode.DECLINED, "by way of ask_order", reason)


def test_a_person_sees_the_report_too(mask: Mask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASK_PUBLIC_URL", "https://mask.example")
    add(mask)
    run = mask(*CALL, COURIER, "--press", "12345", "--format", "table").done()
    (report,) = (line for line in run.err.splitlines() if line.startswith("Report: "))
    for told in (
        *("session 4217", "order 12345", "role courier", "outcome connected", "talk_seconds 30"),
        *("reason courier_to_client", "legs: who caller, seconds", "; who party, seconds"),
    ):
        assert told in report
    assert "•" not in report, "a time was taken for a number"
    monkeypatch.delenv("MASK_PUBLIC_URL")
    run = mask(*CALL, COURIER, "--press", "12345").done()
    assert "Report:" not in run.err


def test_the_operator_is_called_with_the_pound_key(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_OPERATOR", "+14155550109")
    run = mask(*CALL, COURIER, "--press", "#", "--expect", "operator", *JSON).done()
    assert called(run) == ["+1•••••••0109"]


@pytest.mark.parametrize(
    "wrong", [("--press", "12a"), ("--callee", "nobody"), ("--url", "https://mask.example")]
)
def test_a_call_that_cannot_be_played_is_refused(mask: Mask, wrong: tuple[str, str]) -> None:
    mask(*CALL, COURIER, *wrong).failed(ExitCode.USAGE)


def test_phrases_can_be_heard_before_they_are_deployed(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rent(provider)
    mask("voximplant", "up", "--app", "masking", "--number", NUMBER).done()
    add(mask)
    phrases = '{"voximplant": {"phrases": {"greeting": "Type {length} digits."}}}'
    monkeypatch.setenv("MASK_PHRASES", mask.write("phrases.json", phrases))
    text = mask("voximplant", "scenario", "render").done().out
    ways = (mask.write("scenario.js", text), "")
    for way, stdin in (ways, ("-", text)):
        run = mask(*CALL, COURIER, "--press", "12345", "--scenario", way, *JSON, stdin=stdin)
        assert run.done().json["events"][2]["text"] == "Type 5 digits."
    run = mask(*CALL, COURIER, "--press", "12345", *JSON).done()
    assert run.json["events"][2]["text"].startswith("Welcome.")
    mask(*CALL, COURIER, "--scenario", "/nowhere.js").failed(ExitCode.UNREADABLE)


def test_a_foreign_scenario_can_be_played_too(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider)
    mask("voximplant", "scenario", "deploy", "--number", NUMBER).done()
    (scenario,) = provider.account.scenarios.values()
    scenario.text = "VoxEngine.addEventListener(AppEvents.CallAlerting, (e) => e.call.reject(603));"
    run = mask(*CALL, COURIER, "--expect", "message", *JSON).done()
    assert run.json["reason"] is None


@pytest.mark.slow
def test_sandbox_up_add_and_simulate_work_as_one_script(mask: Mask) -> None:
    program = f"{shlex.quote(sys.executable)} -m mask_cli"
    script = mask.write(
        "script.sh",
        f"""set -e
{program} voximplant number rent {NUMBER} --yes
{program} voximplant up --app masking --number {NUMBER}
{program} add 12345 --courier {COURIER} --client {CLIENT}
{program} simulate --via voximplant --caller {COURIER} --called {NUMBER} --press 12345
""",
    )
    run = mask.process("sandbox", "--", "bash", shlex.quote(script))
    assert run.code == ExitCode.DONE, run.err
    assert "hear each other for 30 s" in run.out


def test_calls_that_were_not_reported_come_from_the_history_without_numbers(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    leg: dict[str, object] = {"local_number": NUMBER, "remote_number": COURIER, "duration": 40}
    add_session(
        provider.account,
        application_id=1,
        started=provider.clock.now() - 600,
        custom_data="mask connected courier_to_client courier",
        legs=[leg | {"incoming": True, "successful": True}, leg | {"successful": True}],
    )
    fill = ("calls", "import", "--from", "voximplant", "--since", "1d")
    assert mask(*fill, "--dry-run", *JSON).done().json["imported"] == 1
    assert mask(*fill, *JSON).done().json == {"imported": 1, "known": 0, "foreign": 0}
    assert mask(*fill, *JSON).done().json["known"] == 1
    (call,) = mask("calls", "list", *JSON).done().json
    assert (call["provider"], call["outcome"], call["talked"]) == ("voximplant", "connected", 40)
    assert COURIER not in mask.database.read_bytes().decode("latin-1")
    mask("calls", "import", "--from", "plivo").failed(ExitCode.USAGE)
