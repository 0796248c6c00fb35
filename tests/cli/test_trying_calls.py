"""`route` and `simulate`: a call without a phone, with exit codes to assert on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode
from mask_cli.models import PhoneNumber
from mask_cli.store.pool import SqlitePool
from tests.webhook import ALSO_OURS, NOON, OPERATOR, OURS, PAIRS, Running, opened, running

if TYPE_CHECKING:
    from tests.cli.conftest import Mask

COURIER, CLIENT = PAIRS[0][1:]
STRANGER = "14155550111"
JSON = ("--format", "json")
CALL = ("--caller", COURIER, "--called", OURS)


@pytest.fixture
def stocked(mask: Mask) -> Mask:
    """A store with our number and the guide's first pair."""
    with opened(mask.database) as store, store.writing():
        SqlitePool(store).put(PhoneNumber(f"+{OURS}"), None, None, NOON)
    order, courier, client = PAIRS[0]
    put = ("--courier", courier, "--client", client, "--virtual-number", "none")
    mask("add", order, *put).done()
    return mask


def test_route_tells_who_would_be_dialled_and_why(stocked: Mask) -> None:
    assert stocked("route", *CALL, *JSON).done().json == {
        "action": "dial",
        "reason": "courier_to_client",
        "order": "12345",
        "role": "courier",
        "callee": "+1•••••••7778",
        "caller_id": "+1•••••••2222",
        "phrase": None,
        "pause": 0,
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--caller", STRANGER, "--called", OURS), "unknown_caller"),
        (("--caller", "anonymous", "--called", OURS), "unknown_caller"),
        (("--caller", COURIER, "--called", ALSO_OURS), "unknown_number"),
        (("--caller", f"sip:{COURIER}", "--called", OURS), "unknown_caller"),
        ((*CALL, "--digits", "12345"), "courier_to_client"),
        ((*CALL, "--digits", "99999"), "unknown_order"),
        ((*CALL, "--digits", "<x>"), "bad_digits"),
        ((*CALL, "--digits", "#"), "operator"),
    ],
)
def test_a_pipeline_can_assert_on_the_reason(
    stocked: Mask, words: tuple[str, ...], reason: str
) -> None:
    stocked("route", *words, "--expect", reason).done()
    other = "client_to_courier"
    wrong = stocked("route", *words, "--expect", other)
    wrong.answered(ExitCode.DECLINED, f"Expected {other}, but it is {reason}")


def test_an_unknown_reason_is_a_mistake_of_the_script(stocked: Mask) -> None:
    stocked("route", *CALL, "--expect", "whatever").failed(ExitCode.USAGE)


def test_route_changes_nothing(stocked: Mask) -> None:
    before = stocked.everything()
    stocked("route", *CALL, "--digits", "99999").done()
    assert stocked.everything() == before
    assert stocked.query("SELECT count(*) FROM caller_attempts") == [(0,)]


def test_the_document_hides_numbers_until_they_are_revealed(stocked: Mask) -> None:
    hidden = stocked("route", *CALL, "--xml").done().out
    assert "<Number>+1•••••••7778</Number>" in hidden
    assert CLIENT not in hidden
    shown = stocked("route", *CALL, "--xml", "--reveal").done().out
    assert f"<Number>{CLIENT}</Number>" in shown
    row = stocked("audit", *JSON).done().json[0]
    assert (row["action"], row["order"]) == ("reveal", "12345")


def test_an_expired_order_is_not_routed(stocked: Mask) -> None:
    stocked("expire", "12345").done()
    stocked("route", *CALL, "--expect", "unknown_caller").done()


# simulate


def test_a_simulated_call_goes_through_the_real_webhook(stocked: Mask) -> None:
    outcome = stocked("simulate", *CALL, *JSON).done().json
    assert outcome["verdict"] == "connected"
    (leg,) = outcome["legs"]
    assert (leg["number"], leg["caller_id"], leg["connected"]) == (
        "+1•••••••7778",
        "+1•••••••2222",
        True,
    )
    assert any("/plivo/answer: 200" in event["text"] for event in outcome["events"])


def test_the_transcript_tells_who_heard_what_when(stocked: Mask) -> None:
    run = stocked("simulate", *CALL, "--callee", "busy", "--format", "tsv")
    run.answered(ExitCode.DECLINED, "Verdict: not_connected")
    lines = [line.split("\t") for line in run.out.splitlines()]
    assert lines[0] == ["at", "who", "what", "text", "number", "caller_id"]
    assert ["caller", "hears"] in [line[1:3] for line in lines]
    assert ["platform", "dials", "", "+1•••••••7778", "+1•••••••2222"] in [x[1:] for x in lines]


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ((), "connected"),
        (("--callee", "hangs-up"), "connected"),
        (("--callee", "no-answer"), "not_connected"),
        (("--callee", "rejects"), "not_connected"),
        (("--caller", STRANGER), "message"),
        (("--called", ALSO_OURS), "message"),
    ],
)
def test_a_pipeline_can_assert_on_the_verdict(
    stocked: Mask, more: tuple[str, ...], verdict: str
) -> None:
    code = stocked("simulate", *CALL, *more).code
    assert code == (ExitCode.DONE if verdict == "connected" else ExitCode.DECLINED)
    stocked("simulate", *CALL, *more, "--expect", verdict).done()


def test_a_quiet_job_that_fails_still_says_why(stocked: Mask) -> None:
    run = stocked("simulate", *CALL, "--callee", "busy", "--quiet")
    run.answered(ExitCode.DECLINED, "Expected connected, but it is not_connected.")
    run = stocked("route", *CALL, "--expect", "operator", "--quiet")
    run.answered(ExitCode.DECLINED, "Expected operator, but it is courier_to_client.")


def test_only_the_operator_reached_is_not_the_parties_connected(
    stocked: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_OPERATOR", OPERATOR)
    call = ("--caller", STRANGER, "--called", OURS)
    stocked("simulate", *call).answered(ExitCode.DECLINED, "Verdict: operator")
    stocked("simulate", *call, "--expect", "operator").done()


def test_keys_are_pressed_at_one_prompt_after_the_other(stocked: Mask) -> None:
    put = ("--courier", COURIER, "--client", STRANGER, "--virtual-number", "none")
    stocked("add", "45678", *put).done()
    presses = ("--press", "99999", "--press", "45678")
    outcome = stocked("simulate", *CALL, *presses, *JSON).done().json
    assert [leg["number"] for leg in outcome["legs"]] == ["+1•••••••0111"]


def test_a_simulation_stores_nothing(stocked: Mask) -> None:
    stocked("simulate", *CALL).done()
    for table in ("calls", "nonces", "caller_attempts"):
        assert stocked.query(f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize(
    "words",
    [("--press", "12a"), ("--press", ""), ("--callee", "sleeps"), ("--expect", "fine"),
     ("--via", "carrier-pigeon"), ("--scenario", "s.js")],
)  # fmt: skip
def test_wrong_words_are_a_mistake_of_the_script(stocked: Mask, words: tuple[str, ...]) -> None:
    stocked("simulate", *CALL, *words).failed(ExitCode.USAGE)


def test_a_called_number_that_is_none_is_refused_via_both(stocked: Mask) -> None:
    for via in ("plivo", "voximplant"):
        run = stocked("simulate", "--via", via, "--caller", COURIER, "--called", "abc")
        run.failed(ExitCode.BAD_DATA, "not a phone number")


def test_a_running_webhook_can_be_tried_and_keeps_the_call(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", "the token")
    with running(mask.database, tokens=("the token",)) as web:
        mask("simulate", *CALL, "--url", web.base).done()
        mask("simulate", *CALL, "--url", f"{web.base}/").done()
        assert [call.outcome for call in web.calls()] == ["connected", "connected"]


def test_a_webhook_that_refuses_is_told_apart(mask: Mask, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(mask.database) as web:
        mask("simulate", *CALL, "--url", web.base).failed(
            ExitCode.CONFIGURATION, "PLIVO_AUTH_TOKEN"
        )
        monkeypatch.setenv("PLIVO_AUTH_TOKEN", "a wrong one")
        run = mask("simulate", *CALL, "--url", web.base)
        run.answered(ExitCode.DECLINED, "Verdict: refused: the webhook gave 403")
    gone = mask("simulate", *CALL, "--url", web.base, "--expect", "refused")
    gone.failed(ExitCode.TRY_LATER, "nobody answers")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://192.0.2.1/", "ftp://x", "x"])
def test_only_web_addresses_are_called(
    stocked: Mask, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", "the token")
    stocked("simulate", *CALL, "--url", url).failed(ExitCode.CONFIGURATION, "public_url")


# calls


@pytest.fixture
def told(mask: Mask) -> Mask:
    """A store that has seen three calls."""
    with running(mask.database) as web:
        web.call(COURIER)
        web.call(COURIER, callee="busy")
        web.now += 86_400
        web.call(STRANGER)
    assert isinstance(web, Running)
    return mask


def test_a_list_of_calls_has_every_field_and_no_number(told: Mask) -> None:
    rows = told("calls", "list", *JSON).done().json
    assert [row["started_at"][:10] for row in rows] == ["2026-12-02", "2026-12-01", "2026-12-01"]
    first = next(row for row in rows if row["outcome"] == "connected")
    assert {**first, "call": "x"} == {
        "call": "x",
        "provider": "plivo",
        "order": "12345",
        "role": "courier",
        "outcome": "connected",
        "reason": "courier_to_client",
        "started_at": "2026-12-01T12:00:00Z",
        "answered_at": "2026-12-01T12:00:00Z",
        "bridged_at": "2026-12-01T12:00:00Z",
        "ended_at": "2026-12-01T12:00:00Z",
        "seconds": 20,
        "talked": 20,
        "hangup_cause": "NORMAL_CLEARING",
        "recording_url": None,
    }


def test_calls_are_selected(told: Mask) -> None:
    def count(*words: str) -> int:
        return len(told("calls", "list", *words, *JSON).done().json)

    assert count("--outcome", "busy") == 1
    assert count("--order", "12345") == 2
    assert count("--reason", "unknown_caller") == 1
    assert count("--since", "2026-12-02T00:00:00Z") == 1
    assert count("--until", "2026-12-02T00:00:00Z", "--limit", "1") == 1


def test_one_call_is_shown_and_an_unknown_one_is_not_found(told: Mask) -> None:
    call_id = told("calls", "list", *JSON).done().json[0]["call"]
    assert told("calls", "show", call_id, *JSON).done().json["reason"] == "unknown_caller"
    told("calls", "show", "nothing").failed(ExitCode.NOT_FOUND, "no call 'nothing'")


def test_statistics_add_up(told: Mask) -> None:
    rows = told("calls", "stats", *JSON).done().json
    assert rows[0] == {"by": "all", "value": "", "calls": 3, "connected": 1, "talked": 20}
    for by in ("day", "outcome", "reason"):
        assert sum(row["calls"] for row in rows if row["by"] == by) == 3
    assert "bar" not in rows[0]


def test_a_person_sees_bars(told: Mask) -> None:
    assert "█" * 20 in told("calls", "stats", "--format", "table").done().out


def test_no_calls_are_no_error(mask: Mask) -> None:
    assert mask("calls", "list", *JSON).done().json == []
    assert mask("calls", "stats", *JSON).done().json == []


@pytest.mark.parametrize("name", ["calls.csv", "calls.jsonl"])
def test_calls_are_exported_to_a_private_file(told: Mask, name: str) -> None:
    file = told.home / name
    assert told("calls", "export", str(file), *JSON).done().json["exported"] == 3
    assert file.stat().st_mode & 0o077 == 0
    lines = file.read_text().splitlines()
    assert len(lines) == (4 if name.endswith("csv") else 3)
    kind = "csv" if name.endswith("csv") else "jsonl"
    assert told("calls", "export", "-", "--to", kind).done().out == file.read_text()


def test_an_unknown_form_is_a_mistake(mask: Mask) -> None:
    mask("calls", "export", "-", "--to", "xml").failed(ExitCode.USAGE, "csv, jsonl")


def test_old_calls_are_pruned_and_counted(told: Mask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASK_RETENTION_CALLS", "1s")
    told.query("UPDATE calls SET started_at = ? WHERE order_number = '12345'", NOON - 60)
    assert told("prune", "--dry-run", *JSON).done().json["calls"] == 2
    assert told("prune", *JSON).done().json["calls"] == 2
    assert len(told("calls", "list", *JSON).done().json) == 1
