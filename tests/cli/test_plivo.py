"""`mask plivo` as an operator and a CI script use it, against the emulated account."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shlex
import ssl
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from mask_cli.errors import ExitCode
from mask_cli.providers.plivo import ENDPOINT, PlivoClient
from mask_cli.sandbox.plivo_api import PlivoSandbox
from tests.cli.conftest import PARTIES, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Mask, Run

# Not among the numbers that `leaks` looks for: these are the operator's own and shown whole.
NUMBER, OTHER = "+14155550120", "+14155550121"
PENDING = "+16045550100"
ANSWER = "https://mask.example/plivo/answer"
UP = ("plivo", "up", "--app", "masking", "--public-url", "https://mask.example")
CREATE = ("plivo", "app", "create", "masking", "--answer-url", ANSWER)
FORMATS = ("json", "jsonl", "csv", "tsv", "table")


@pytest.fixture
def plivo(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlivoSandbox]:
    """The emulated account, new; the environment points at it, and we wait for it briefly."""
    hurried: dict[str, object] = {"endpoint": ENDPOINT, "ca_bundle": None}
    hurried |= {"timeout": 0.3, "deadline": 3.0, "pause": 0.01}
    monkeypatch.setattr(PlivoClient.__init__, "__kwdefaults__", hurried)
    with PlivoSandbox() as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        yield sandbox
        assert sandbox.server.log.failures == []


@pytest.fixture
def run(mask: Mask, plivo: PlivoSandbox) -> Callable[..., Run]:
    """Run `mask plivo …`; whatever happens, the token is told nobody."""

    def checked(*words: str, **more: Any) -> Run:
        done = mask(*words, **more)
        assert plivo.auth_token not in done.out + done.err
        return done

    return checked


def own(plivo: PlivoSandbox, number: str = NUMBER, app_id: str | None = None) -> None:
    plivo.numbers.own(number.removeprefix("+"), app_id)


def rented(plivo: PlivoSandbox, number: str = NUMBER) -> Any:
    return plivo.numbers.rented.get(number.removeprefix("+"))


def written(plivo: PlivoSandbox) -> list[str]:
    """Return the requests that change something."""
    return [f"{seen.method} {seen.path}" for seen in plivo.requests if seen.method != "GET"]


def broken_off(done: Run, code: ExitCode, *words: str) -> None:
    """Assert that it told its plan and then failed, with nothing on stdout."""
    assert (done.code, done.out) == (code, ""), done.err
    assert "create_application" in done.err or "assign_number" in done.err
    assert all(word in done.err for word in words), done.err


def parsed(text: str, form: str) -> list[dict[str, Any]]:
    if form == "json":
        found = json.loads(text)
        return found if isinstance(found, list) else [found]
    if form == "jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text), delimiter="," if form == "csv" else "\t"))


# Applications


def test_a_new_application_answers_with_its_whole_record(run: Callable[..., Run]) -> None:
    done = run(*CREATE, "--hangup-url", f"{ANSWER}/h", "--format", "json").done()
    app_id = done.json.pop("app_id")
    assert app_id.isdigit()
    assert done.json == {
        "app_id": app_id,
        "name": "masking",
        "answer_url": ANSWER,
        "answer_method": "POST",
        "hangup_url": f"{ANSWER}/h",
        "hangup_method": "POST",
        "fallback_url": None,
        "fallback_method": "POST",
        "message_url": None,
        "message_method": "POST",
        "default_number_app": False,
        "default_endpoint_app": False,
        "log_incoming_messages": True,
        "public_uri": False,
        "subaccount": None,
        "changed": True,
    }


def test_creating_twice_changes_nothing_and_says_so(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    first = run(*CREATE, "--format", "json").done()
    second = run(*CREATE, "--format", "json").done()
    assert second.json == {**first.json, "changed": False}
    assert "nothing was changed" in second.err
    assert len(written(plivo)) == 1


def test_another_value_is_a_conflict_that_tells_the_difference_and_changes_nothing(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    run(*CREATE).done()
    other = run("plivo", "app", "create", "masking", "--answer-url", f"{ANSWER}/2")
    other.failed(ExitCode.CONFLICT, f"answer_url: {ANSWER} -> {ANSWER}/2", "--update")
    assert len(written(plivo)) == 1


def test_an_update_does_not_reset_what_nobody_named(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    # The SDK alone sends POST, and takes the default flags away, with every update.
    run(*CREATE, "--answer-method", "GET", "--hangup-url", f"{ANSWER}/h").done()
    (record,) = plivo.applications.by_id.values()
    record.update(default_app=True, log_incoming_messages=False, message_url=f"{ANSWER}/sms")
    before = dict(record)
    moved = ("plivo", "app", "create", "masking", "--answer-url", f"{ANSWER}/2", "--update")
    assert run(*moved, "--format", "json").done().json["changed"] is True
    assert record == {**before, "answer_url": f"{ANSWER}/2"}


def test_a_name_with_a_blank_is_taken_but_warned_about(run: Callable[..., Run]) -> None:
    done = run("plivo", "app", "create", "Phone IVR", "--answer-url", ANSWER, "--quiet").done()
    assert "Warning: the name 'Phone IVR'" in done.err
    assert run("plivo", "app", "show", "Phone IVR", "--format", "json").done().json["name"]


def test_hangups_told_to_the_answer_url_do_not_go_unnoticed(run: Callable[..., Run]) -> None:
    assert "--hangup-url" in run(*CREATE).done().err


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--answer-url", "http://mask.example/a"), "address"),
        (("--answer-url", "https://"), "address"),
        (("--answer-url", "https://u:p@mask.example/"), "address"),
        (("--answer-url", "javascript:alert(1)"), "address"),
        (("--answer-url", ANSWER, "--hangup-url", "https://é.example"), "address"),
        (("--answer-url", ANSWER, "--answer-method", "PUT"), "GET or POST"),
    ],
)
def test_what_plivo_could_not_call_is_refused_before_anything_is_sent(
    run: Callable[..., Run], plivo: PlivoSandbox, more: tuple[str, ...], word: str
) -> None:
    run("plivo", "app", "create", "masking", *more).failed(ExitCode.BAD_DATA, word)
    assert not plivo.requests


@pytest.mark.parametrize("form", FORMATS)
def test_lists_go_on_after_the_first_page_in_every_format(
    run: Callable[..., Run], plivo: PlivoSandbox, form: str
) -> None:
    for last in range(23):
        own(plivo, f"+1415555{last + 200:04}")
    out = run("plivo", "number", "list", "--format", form).done().out
    if form == "table":
        assert len(out.splitlines()) == 24
        return
    rows = parsed(out, form)
    assert [row["number"] for row in rows] == [f"+1415555{n + 200:04}" for n in range(23)]
    assert set(rows[0]) == set(
        "number app_id alias monthly_price type voice_enabled application".split()
    )


@pytest.mark.parametrize("form", FORMATS)
def test_applications_are_listed_and_shown_in_every_format(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    created = run(*CREATE, "--format", "json").done().json
    for words in (("list",), ("show", "masking")):
        out = run("plivo", "app", *words, "--format", form).done().out
        assert "masking" in out
        # A cropped id would be of no use.
        assert created["app_id"] in out
        if form != "table":
            assert [row["answer_url"] for row in parsed(out, form)] == [ANSWER]


def test_an_application_is_found_by_its_id_too(run: Callable[..., Run]) -> None:
    created = run(*CREATE, "--format", "json").done().json
    shown = run("plivo", "app", "show", created["app_id"], "--format", "json").done().json
    assert shown == {name: created[name] for name in created if name != "changed"}


@pytest.mark.parametrize("which", ["nobody", "21000000000000001", "../Number/14155550120", "1/2"])
def test_an_unknown_application_is_67_and_never_a_path(
    run: Callable[..., Run], plivo: PlivoSandbox, which: str
) -> None:
    run("plivo", "app", "show", which).failed(ExitCode.NOT_FOUND, "mask plivo app list")
    assert all("/Application/" in seen.path for seen in plivo.requests)
    assert all(".." not in seen.path for seen in plivo.requests)


# Deleting, renting, giving back


def test_nothing_is_deleted_rented_or_given_back_without_consent(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    run(*CREATE).done()
    own(plivo)
    before = written(plivo)
    run("plivo", "app", "delete", "masking").failed(ExitCode.REFUSED, "cannot be undone", "--yes")
    run("plivo", "number", "unrent", NUMBER).failed(ExitCode.REFUSED, "--yes")
    rent = run("plivo", "number", "rent", OTHER)
    rent.failed(ExitCode.REFUSED, "0.80000 a month", "0.00000 once", "--yes")
    assert written(plivo) == before
    assert run("audit", "--format", "json").done().json == []


def test_deleting_an_application_leaves_no_number_pointing_at_it(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    app_id = run(*CREATE, "--format", "json").done().json["app_id"]
    own(plivo, NUMBER, app_id)
    own(plivo, OTHER)
    refused = run("plivo", "app", "delete", "masking")
    assert "1 rented number will lead nowhere" in refused.err
    gone = run("plivo", "app", "delete", "masking", "--yes", "--format", "json").done().json
    expected = {"app_id": app_id, "name": "masking", "unassigned": [NUMBER], "changed": True}
    assert gone == expected
    assert rented(plivo).app_id is None
    assert plivo.applications.by_id == {}


def test_deleting_what_is_gone_is_67_or_nothing(run: Callable[..., Run]) -> None:
    delete = ("plivo", "app", "delete", "masking", "--yes")
    run(*delete).failed(ExitCode.NOT_FOUND, "masking")
    assert run(*delete, "--missing-ok", "--format", "json").done().json["changed"] is False
    unrent = ("plivo", "number", "unrent", NUMBER, "--yes")
    run(*unrent).failed(ExitCode.NOT_FOUND, "not rented")
    again = run(*unrent, "--missing-ok", "--format", "json").done().json
    # A number that is not ours may be a person's.
    assert again == {"number": "+1•••••••0120", "bound": 0, "changed": False}


def test_a_number_is_not_paid_for_twice(run: Callable[..., Run], plivo: PlivoSandbox) -> None:
    rent = ("plivo", "number", "rent", NUMBER, "--yes", "--format", "json")
    first = run(*rent).done()
    assert first.json == {
        "number": NUMBER,
        "app_id": None,
        "monthly_price": "0.80000",
        "setup_price": "0.00000",
        "restriction": None,
        "pending": False,
        "changed": True,
    }
    assert "0.80000 a month" in first.err
    second = run(*rent).done()
    assert (second.json["changed"], second.json["number"]) == (False, NUMBER)
    assert "nothing was changed" in second.err
    # Neither needs consent nor costs anything.
    run(*rent[:4]).done()
    assert plivo.numbers.balance == Decimal(100) - Decimal("0.8")


def test_an_answer_that_got_lost_does_not_make_a_rented_number_unknown(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    plivo.faults.lost(on="POST /v1")
    done = run("plivo", "number", "rent", NUMBER, "--yes", "--format", "json").done()
    assert done.json["changed"] is True
    assert len(written(plivo)) == 1
    assert rented(plivo) is not None


def test_a_rented_number_can_lead_to_its_application_at_once(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    app_id = run(*CREATE, "--format", "json").done().json["app_id"]
    rent = ("plivo", "number", "rent", NUMBER, "--app", "masking", "--yes", "--format", "json")
    assert run(*rent).done().json["app_id"] == app_id
    assert rented(plivo).app_id == app_id
    assert run(*rent).done().json["changed"] is False
    run("plivo", "number", "unassign", NUMBER).done()
    run(*rent).failed(ExitCode.CONFLICT, "rented already", "mask plivo number assign")


def test_a_number_that_waits_for_a_verification_is_not_taken_for_ready(
    run: Callable[..., Run],
) -> None:
    # Plivo says "fulfilled" of it all the same.
    rent = ("plivo", "number", "rent", PENDING, "--yes", "--format", "json")
    done = run(*rent).done()
    assert (done.json["pending"], done.json["restriction"]) == (True, "country-address")
    assert "wants proof first: country-address" in done.err
    assert "takes no calls yet" in done.err


def test_a_number_nobody_offers_is_not_rented_blindly(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    rent = ("plivo", "number", "rent")
    run(*rent, "+14165550199", "--yes").failed(ExitCode.NOT_FOUND, "not offered", "--country")
    run(*rent, NUMBER, "--country", "CA", "--yes").failed(ExitCode.NOT_FOUND, "not offered in CA")
    run(*rent, NUMBER, "--country", "U.", "--yes").failed(ExitCode.BAD_DATA, "not a country")
    assert written(plivo) == []


def test_an_empty_account_is_a_refusal_for_good(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    plivo.numbers.balance = Decimal(0)
    rent = run("plivo", "number", "rent", NUMBER, "--yes", "--quiet")
    rent.failed(ExitCode.PROVIDER, "Insufficient funds")


def test_money_and_deletions_stand_in_the_audit(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    run("plivo", "number", "rent", NUMBER, "--yes").done()
    run(*CREATE).done()
    run("plivo", "app", "delete", "masking", "--yes").done()
    run("plivo", "number", "unrent", NUMBER, "--yes").done()
    rows = run("audit", "--format", "json").done().json
    assert [row["action"] for row in rows] == [
        "plivo number unrent",
        "plivo app delete",
        "plivo number rent",
    ]
    assert [NUMBER in row["detail"] for row in rows] == [True, False, True]
    assert "0.80000 a month" in rows[2]["detail"]
    assert rented(plivo) is None


def test_what_cannot_be_audited_is_not_paid_for(
    run: Callable[..., Run],
    plivo: PlivoSandbox,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (home / "broken.db").write_bytes(b"no database at all" * 100)
    monkeypatch.setenv("MASK_DATABASE", str(home / "broken.db"))
    run("plivo", "number", "rent", NUMBER, "--yes", "--quiet").failed(ExitCode.STORAGE)
    assert written(plivo) == []


@pytest.mark.parametrize(("answer", "code"), [("n", ExitCode.DECLINED), ("y", ExitCode.DONE)])
def test_a_person_at_a_terminal_is_asked_and_told_the_price(
    plivo: PlivoSandbox, answer: str, code: ExitCode
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mask_cli", "plivo", "number", "rent", NUMBER]
    command += ["--format", "json"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE
    ) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        out, _ = process.communicate(timeout=30)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert process.returncode == code, shown
    assert f"Renting {NUMBER} costs 0.80000 a month and 0.00000 once. Go on?" in shown
    assert (rented(plivo) is not None) == (code == ExitCode.DONE)
    # The question is no part of the answer.
    assert (out == b"") == (code == ExitCode.DECLINED)
    assert not out or json.loads(out)["changed"]
    assert not out.startswith(b" ")


# Searching and assigning


@pytest.mark.parametrize("form", FORMATS)
def test_offers_show_number_and_price_in_every_format(run: Callable[..., Run], form: str) -> None:
    search = ("plivo", "number", "search", "us", "--pattern", "415555012", "--limit", "3")
    out = run(*search, "--format", form).done().out
    assert NUMBER in out
    assert "0.80000" in out
    if form != "table":
        assert len(parsed(out, form)) == 3


def test_a_search_asks_for_no_more_pages_than_it_shows(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    run("plivo", "number", "search", "US", "--type", "tollfree", "--limit", "2").done()
    assert len(plivo.requests) == 1
    plivo.requests.clear()
    run("plivo", "number", "search", "US", "--pattern", "415555012", "--limit", "1")
    assert len(plivo.requests) == 1


def test_a_type_that_plivo_does_not_know_is_not_sent(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    run("plivo", "number", "search", "US", "--type", "zz").failed(ExitCode.BAD_DATA, "one of local")
    assert len(plivo.requests) == 0


def test_a_search_takes_the_country_from_the_settings_or_asks_for_it(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("plivo", "number", "search").failed(ExitCode.USAGE, "name a country")
    monkeypatch.setenv("MASK_REGION", "CA")
    found = run("plivo", "number", "search", "--format", "json").done().json
    assert {offer["restriction"] for offer in found} == {"country-address"}


def test_assigning_twice_changes_nothing_and_a_foreign_application_is_not_robbed(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    app_id = run(*CREATE, "--format", "json").done().json["app_id"]
    own(plivo)
    assign = ("plivo", "number", "assign", NUMBER, "--app", "masking", "--format", "json")
    expected = {"number": NUMBER, "app_id": app_id, "application": "masking"}
    assert run(*assign).done().json == {**expected, "changed": True}
    assert run(*assign).done().json == {**expected, "changed": False}
    run("plivo", "app", "create", "other", "--answer-url", ANSWER).done()
    move = ("plivo", "number", "assign", NUMBER, "--app", "other")
    run(*move).failed(ExitCode.CONFLICT, app_id, "--take-over")
    assert rented(plivo).app_id == app_id
    run(*move, "--take-over").done()
    assert rented(plivo).app_id != app_id


def test_unassigning_twice_changes_nothing(run: Callable[..., Run], plivo: PlivoSandbox) -> None:
    own(plivo, NUMBER, "21000000000000977")
    unassign = ("plivo", "number", "unassign", NUMBER, "--format", "json")
    changes = [run(*unassign).done().json["changed"] for _ in range(2)]
    assert changes == [True, False]
    assert rented(plivo).app_id is None


def test_a_number_list_names_the_application_it_leads_to(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    app_id = run(*CREATE, "--format", "json").done().json["app_id"]
    own(plivo, NUMBER, app_id)
    own(plivo, OTHER, "21000000000099999")
    rows = run("plivo", "number", "list", "--format", "json").done().json
    assert [(row["app_id"], row["application"]) for row in rows] == [
        (app_id, "masking"),
        ("21000000000099999", None),
    ]


@pytest.mark.parametrize("command", ["assign --app masking", "unassign", "unrent --yes"])
def test_a_number_that_is_not_rented_is_67_and_not_printed_whole(
    run: Callable[..., Run], command: str
) -> None:
    run(*CREATE).done()
    done = run("plivo", "number", *command.split(), NUMBER)
    done.failed(ExitCode.NOT_FOUND, "not rented here", "mask plivo number list")
    assert NUMBER not in done.err


def test_a_party_in_the_alias_of_a_number_is_hidden(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    own(plivo)
    rented(plivo).alias = "line of 1-415-666-7777"
    (row,) = run("plivo", "number", "list", "--format", "json").done().json
    assert row["alias"] == "line of •••••••"


# Everything in one plan


def test_up_brings_application_number_and_pool_and_then_changes_nothing(
    run: Callable[..., Run], plivo: PlivoSandbox, mask: Mask
) -> None:
    own(plivo)
    first = run(*UP, "--number", NUMBER, "--format", "json").done().json
    app_id = first["app_id"]
    assert {step["action"] for step in first["steps"]} == {
        "create_application",
        "assign_number",
        "add_to_pool",
    }
    assert first["changed"] is True
    record = plivo.applications.by_id[app_id]
    assert (record["answer_url"], record["hangup_url"], record["fallback_answer_url"]) == (
        ANSWER,
        "https://mask.example/plivo/hangup",
        ANSWER,
    )
    assert rented(plivo).app_id == app_id
    pool = mask.query("SELECT number, provider, application, state FROM virtual_numbers")
    assert pool == [(NUMBER, "plivo", app_id, "active")]
    audited = [("plivo up", f"masking, {NUMBER}")]
    assert mask.query("SELECT action, detail FROM audit") == audited
    before = written(plivo)
    second = run(*UP, "--number", NUMBER, "--format", "json").done()
    assert second.json == {
        "application": "masking",
        "app_id": app_id,
        "answer_url": ANSWER,
        "hangup_url": "https://mask.example/plivo/hangup",
        "number": NUMBER,
        "steps": [],
        "changed": False,
    }
    assert "nothing was changed" in second.err
    assert written(plivo) == before
    assert mask.query("SELECT action, detail FROM audit") == audited
    run(*UP[:-1], "https://other.example", "--number", NUMBER, "--take-over").done()
    audited.append(("plivo up", "masking"))
    assert mask.query("SELECT action, detail FROM audit") == audited, "where calls go has changed"


def test_up_shows_a_person_its_steps_in_a_table_and_none_when_there_are_none(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    own(plivo)
    first = run(*UP, "--number", NUMBER, "--format", "table").done()
    assert "create_application" in first.out
    assert "{" not in first.out
    assert f"add_to_pool +1•••••••{NUMBER[-4:]}: provider: none -> plivo" in first.err
    second = run(*UP, "--number", NUMBER, "--format", "table", "--quiet").done()
    assert "create_application" not in second.out
    assert second.err == ""


def test_up_follows_a_new_address_and_changes_only_that(
    run: Callable[..., Run], plivo: PlivoSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(plivo)
    run(*UP, "--number", NUMBER).done()
    monkeypatch.setenv("MASK_PUBLIC_URL", "https://other.example")
    moved = run("plivo", "up", "--app", "masking", "--number", NUMBER, "--format", "json").done()
    assert {step["action"] for step in moved.json["steps"]} == {"update_application"}
    assert {step["field"] for step in moved.json["steps"]} == {
        "answer_url",
        "hangup_url",
        "fallback_url",
    }


def test_up_goes_on_where_it_was_broken_off(run: Callable[..., Run], plivo: PlivoSandbox) -> None:
    own(plivo)
    plivo.faults.status(503, times=4, on="/Number/")
    run(*UP, "--number", NUMBER).failed(ExitCode.TRY_LATER, "503")
    plivo.faults.status(503, times=4, on="POST /v1/Account/MASANDBOX00000000001/Number/")
    broken_off(run(*UP, "--number", NUMBER), ExitCode.TRY_LATER, "503")
    last = run(*UP, "--number", NUMBER, "--format", "json").done().json
    assert {step["action"] for step in last["steps"]} == {"assign_number", "add_to_pool"}


def test_up_does_not_bring_back_a_number_under_quarantine(
    run: Callable[..., Run], plivo: PlivoSandbox, mask: Mask
) -> None:
    own(plivo)
    run(*UP, "--number", NUMBER).done()
    mask.query("UPDATE virtual_numbers SET state = 'quarantined'")
    run(*UP, "--number", NUMBER).done()
    run("plivo", "app", "delete", "masking", "--yes").done()
    run(*UP, "--number", NUMBER).done()
    assert mask.query("SELECT state FROM virtual_numbers") == [("quarantined",)]


def test_up_without_a_number_needs_no_database(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_DATABASE", "/nowhere/at/all/mask.db")
    assert run(*UP, "--format", "json").done().json["number"] is None


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize("role", ["--courier", "--client"])
def test_up_makes_no_partys_number_a_virtual_one(
    run: Callable[..., Run], plivo: PlivoSandbox, mask: Mask, role: str, more: tuple[str, ...]
) -> None:
    own(plivo)
    others = {"--courier": PARTIES[1], "--client": PARTIES[3]} | {role: NUMBER}
    mask("add", "12345", *(word for pair in others.items() for word in pair)).done()
    run(*UP, "--number", NUMBER, *more).failed(ExitCode.BAD_DATA, "is a party of an order")
    assert written(plivo) == []
    assert mask.query("SELECT * FROM virtual_numbers") == []


def test_up_robs_no_other_application_of_its_number(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    foreign = run("plivo", "app", "create", "shop", "--answer-url", ANSWER, "--format", "json")
    own(plivo, NUMBER, foreign.done().json["app_id"])
    before = written(plivo)
    run(*UP, "--number", NUMBER).failed(ExitCode.CONFLICT, "--take-over")
    assert written(plivo) == before
    run(*UP, "--number", NUMBER, "--take-over").done()
    assert rented(plivo).app_id != foreign.json["app_id"]


def test_up_creates_nothing_for_a_number_that_is_not_rented(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    run(*UP, "--number", NUMBER).failed(ExitCode.NOT_FOUND, "not rented")
    assert written(plivo) == []


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (None, ExitCode.USAGE),
        ("http://mask.example", ExitCode.BAD_DATA),
        ("https://mask.example/?a=b", ExitCode.BAD_DATA),
    ],
)
def test_up_refuses_an_address_that_plivo_cannot_call(
    run: Callable[..., Run], plivo: PlivoSandbox, url: str | None, code: ExitCode
) -> None:
    more = () if url is None else ("--public-url", url)
    run("plivo", "up", "--app", "masking", *more).failed(code)
    assert not plivo.requests


def test_a_number_given_back_is_no_longer_given_out(
    run: Callable[..., Run], plivo: PlivoSandbox, mask: Mask
) -> None:
    own(plivo)
    run(*UP, "--number", NUMBER).done()
    run("add", "12345", *PARTIES, "--virtual-number", NUMBER).done()
    warned = run("plivo", "number", "unrent", NUMBER)
    warned.failed(ExitCode.REFUSED, "1 mapping bound to it")
    gone = run("plivo", "number", "unrent", NUMBER, "--yes", "--format", "json").done().json
    assert gone == {"number": NUMBER, "bound": 1, "changed": True}
    assert mask.query("SELECT state FROM virtual_numbers") == [("released",)]


def test_a_number_that_went_while_we_did_not_look_is_not_given_out_for_ever(
    run: Callable[..., Run], plivo: PlivoSandbox, mask: Mask
) -> None:
    own(plivo)
    run(*UP, "--number", NUMBER).done()
    del plivo.numbers.rented[NUMBER.removeprefix("+")]
    unrent = ("plivo", "number", "unrent", NUMBER, "--missing-ok")
    run(*unrent, "--dry-run").done()
    assert mask.query("SELECT state FROM virtual_numbers") == [("active",)]
    run(*unrent).done()
    assert mask.query("SELECT state FROM virtual_numbers") == [("released",)]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("number", "rent", NUMBER, "--app", "", "--yes"), ExitCode.NOT_FOUND),
        (("number", "rent", "", "--yes"), ExitCode.BAD_DATA),
        (("number", "search", ""), ExitCode.BAD_DATA),
        (("up", "--app", "masking", "--public-url", ""), ExitCode.BAD_DATA),
        (("up", "--app", "", "--public-url", "https://mask.example"), ExitCode.BAD_DATA),
        ((*UP[1:], "--number", ""), ExitCode.BAD_DATA),
        (("app", "create", "", "--answer-url", ANSWER), ExitCode.BAD_DATA),
        (("app", "create", "a", "--answer-url", ANSWER, "--hangup-url", ""), ExitCode.BAD_DATA),
        (("app", "delete", "", "--yes"), ExitCode.NOT_FOUND),
    ],
)
def test_an_unset_variable_of_a_script_is_no_wish(
    run: Callable[..., Run],
    plivo: PlivoSandbox,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    code: ExitCode,
) -> None:
    monkeypatch.setenv("MASK_PUBLIC_URL", "https://mask.example")
    monkeypatch.setenv("MASK_REGION", "US")
    run("plivo", *command).failed(code)
    assert written(plivo) == []


def test_up_twice_in_one_script_inside_the_sandbox_changes_nothing_the_second_time(
    mask: Mask,
) -> None:
    program = f"{shlex.quote(sys.executable)} -m mask_cli"
    up = f"{program} {' '.join(UP)} --number {NUMBER} --format jsonl"
    script = f"{program} plivo number rent {NUMBER} --yes >/dev/null && {up} && {up}"
    done = mask.process("sandbox", "--", "sh", "-c", script).done()
    assert [row["changed"] for row in done.rows] == [True, False]
    assert not mask.database.exists()


# Dry runs


@pytest.mark.parametrize(
    "command",
    [
        "app create other --answer-url https://mask.example/x",
        "app create masking --answer-url https://mask.example/x --update",
        "app delete masking",
        f"number rent {OTHER}",
        f"number assign {NUMBER} --app masking",
        f"number unassign {NUMBER} --quiet",
        f"number unrent {NUMBER}",
        f"up --app masking --public-url https://other.example --number {NUMBER} --take-over",
        f"up --app new --public-url https://other.example --number {NUMBER} --take-over",
    ],
)
def test_a_dry_run_answers_and_changes_nothing(
    run: Callable[..., Run], plivo: PlivoSandbox, mask: Mask, command: str
) -> None:
    run(*CREATE).done()
    own(plivo, NUMBER, "21000000000000001" if "assign" not in command else None)
    before = written(plivo)
    done = run("plivo", *command.split(), "--dry-run", "--format", "json").done()
    assert done.json["changed"] is False
    assert written(plivo) == before
    assert run("audit", "--format", "json").done().json == []
    assert mask.query("SELECT * FROM virtual_numbers") == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (f"number assign {OTHER} --app masking", ExitCode.NOT_FOUND),
        (f"number assign {NUMBER} --app nobody", ExitCode.NOT_FOUND),
        ("app create masking --answer-url https://other.example", ExitCode.CONFLICT),
        ("number rent +14165550199", ExitCode.NOT_FOUND),
        ("number rent 12", ExitCode.BAD_DATA),
    ],
)
def test_a_dry_run_still_finds_what_is_wrong(
    run: Callable[..., Run], plivo: PlivoSandbox, command: str, code: ExitCode
) -> None:
    run(*CREATE).done()
    own(plivo)
    run("plivo", *command.split(), "--dry-run").failed(code)


# Failures


@pytest.mark.parametrize("command", ["app list", "number list", "number search US"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ExitCode.PROVIDER),
        (401, ExitCode.DENIED),
        (403, ExitCode.DENIED),
        (404, ExitCode.NOT_FOUND),
        (405, ExitCode.PROVIDER),
        (409, ExitCode.PROVIDER),
        (422, ExitCode.PROVIDER),
        (429, ExitCode.TRY_LATER),
        (500, ExitCode.TRY_LATER),
    ],
)
def test_a_failed_list_is_an_error_of_its_own_and_no_empty_list(
    run: Callable[..., Run], plivo: PlivoSandbox, command: str, status: int, code: ExitCode
) -> None:
    # The SDK answers most of these with a bare AttributeError.
    plivo.faults.status(status, "the words of the service", times=9)
    run("plivo", *command.split()).failed(code, str(status), "the words of the service")


def test_wrong_credentials_are_told_with_the_names_of_the_variables(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", "another-token-that-is-wrong")
    for words in (("app", "list"), ("number", "list"), ("app", "show", "masking")):
        done = run("plivo", *words)
        done.failed(ExitCode.DENIED, "401", "PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN")
        assert "another-token" not in done.err


@pytest.mark.parametrize("missing", ["PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN"])
@pytest.mark.parametrize("command", ["app list", "number list", "number rent 14155550120 --yes"])
def test_missing_credentials_are_named(
    run: Callable[..., Run],
    plivo: PlivoSandbox,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    command: str,
) -> None:
    monkeypatch.delenv(missing)
    run("plivo", *command.split()).failed(ExitCode.CONFIGURATION, f"{missing} is not set")
    assert not plivo.requests


def test_authorities_that_cannot_be_loaded_are_a_configuration_error(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, f"/nowhere/{name}.pem")
        done = run("plivo", "app", "list")
        done.failed(ExitCode.CONFIGURATION, f"/nowhere/{name}.pem")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_only_an_authority_that_was_named_is_trusted(
    mask: Mask, home: Path, plivo: PlivoSandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(home / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with PlivoSandbox(context=context) as sandbox:
        monkeypatch.setenv("MASK_PLIVO_ENDPOINT", sandbox.url)
        mask("plivo", "app", "list").failed(ExitCode.TRY_LATER, "no trusted TLS connection")
        assert not sandbox.requests
        monkeypatch.setenv(name, str(home / "ca.pem"))
        mask("plivo", "app", "list").done()
    assert not plivo.requests


def test_a_silent_provider_is_75_and_nothing_is_printed(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    plivo.faults.silent(times=0)
    run("plivo", "app", "list").failed(ExitCode.TRY_LATER, "did not answer in time")


def test_an_unreachable_provider_is_75(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, nowhere: str
) -> None:
    monkeypatch.setenv("MASK_PLIVO_ENDPOINT", f"http://{nowhere}")
    run("plivo", "number", "list").failed(ExitCode.TRY_LATER, "cannot be reached")


def test_a_proxy_in_the_environment_does_not_get_the_token(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, nowhere: str
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{nowhere}")
    run("plivo", "app", "list").done()


def test_a_server_error_does_not_create_an_application_twice_nor_spoil_stdout(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    # The SDK sends a POST three times after a 5xx, and prints a line to stdout each time.
    plivo.faults.status(502, applied=True, on="POST /v1")
    done = run(*CREATE, "--format", "json").done()
    assert done.json["changed"] is True
    assert len(plivo.applications.by_id) == 1
    plivo.faults.status(502, times=3, on="POST /v1")
    again = run("plivo", "app", "create", "other", "--answer-url", ANSWER)
    broken_off(again, ExitCode.TRY_LATER, "502")
    assert len(plivo.applications.by_id) == 1


def test_a_retried_update_spoils_no_answer(run: Callable[..., Run], plivo: PlivoSandbox) -> None:
    run(*CREATE).done()
    plivo.faults.status(503, times=2, on="POST /v1")
    update = ("plivo", "app", "create", "masking", "--answer-url", f"{ANSWER}/2", "--update")
    assert run(*update, "--format", "json").done().json["answer_url"] == f"{ANSWER}/2"


@pytest.mark.parametrize(
    "body", [b"<html>sign in</html>", b"[]", b'"text"', b"{}", b'{"objects": 3}', b"{", b""]
)
def test_an_undocumented_answer_is_no_empty_list(
    run: Callable[..., Run], plivo: PlivoSandbox, body: bytes
) -> None:
    plivo.faults.body(200, body, times=9)
    run("plivo", "app", "list").failed(ExitCode.TRY_LATER)


def test_a_token_that_the_service_echoes_is_not_printed(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    plivo.faults.status(400, f"bad login {plivo.auth_token}", times=9)
    run("plivo", "app", "list").failed(ExitCode.PROVIDER, "bad login")


def test_a_party_in_an_answer_of_the_service_is_hidden(
    run: Callable[..., Run], plivo: PlivoSandbox
) -> None:
    plivo.faults.status(400, "caller 14156667777 is barred", times=9)
    run("plivo", "app", "list").failed(ExitCode.PROVIDER, "is barred")


def test_debug_does_not_show_the_token(run: Callable[..., Run], plivo: PlivoSandbox) -> None:
    plivo.faults.status(500, times=9)
    run("plivo", "app", "list", "--debug").failed(ExitCode.TRY_LATER)
    shown = run("config", "show", "--format", "json").done().out
    assert plivo.auth_token not in shown


# Doctor


def findings(done: Run) -> list[tuple[str, str]]:
    rows = [row for row in done.done().json if row["check"] == "plivo"]
    return [(row["result"], row["detail"]) for row in rows]


def test_doctor_says_nothing_bad_of_an_account_that_nobody_set_up(mask: Mask) -> None:
    assert findings(mask("doctor", "--format", "json")) == [("skipped", "Plivo is not configured")]


def test_doctor_finds_wrong_and_missing_credentials(
    run: Callable[..., Run], plivo: PlivoSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", "wrong")
    ((result, detail),) = findings(run("doctor", "--format", "json"))
    assert (result, "401" in detail) == ("failed", True)
    assert run("doctor", "--exit-code").code == ExitCode.CONFIGURATION
    monkeypatch.delenv("PLIVO_AUTH_TOKEN")
    plivo.requests.clear()
    for more in ((), ("--offline",)):
        ((result, detail),) = findings(run("doctor", "--format", "json", *more))
        assert (result, detail) == ("failed", "PLIVO_AUTH_TOKEN is not set")
    assert not plivo.requests


def test_doctor_offline_asks_nobody(run: Callable[..., Run], plivo: PlivoSandbox) -> None:
    found = findings(run("doctor", "--offline", "--format", "json"))
    assert found == [("ok", "credentials are set")]
    assert not plivo.requests


def test_doctor_finds_calls_that_would_not_reach_us(
    run: Callable[..., Run], plivo: PlivoSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [result for result, _ in findings(run("doctor", "--format", "json"))] == [
        "ok",
        "skipped",
    ]
    monkeypatch.setenv("MASK_PUBLIC_URL", "https://mask.example")
    own(plivo)
    nobody = findings(run("doctor", "--format", "json"))
    assert ("warning", "no application asks https://mask.example") in nobody
    run(*UP).done()
    unled = findings(run("doctor", "--format", "json"))
    assert ("warning", "numbers that lead there: 0") in unled
    run(*UP, "--number", NUMBER).done()
    well = findings(run("doctor", "--format", "json"))
    assert [result for result, _ in well] == ["ok", "ok", "ok"]
    run("plivo", "number", "unassign", NUMBER).done()
    lost = findings(run("doctor", "--format", "json"))
    assert lost[-1] == ("failed", "+1•••••••0120 is given out, but calls to it do not reach us")
    run("plivo", "app", "create", "masking", "--answer-url", ANSWER).done()
    monkeypatch.setitem(
        next(iter(plivo.applications.by_id.values())), "hangup_url", "https://else.example"
    )
    silent = findings(run("doctor", "--format", "json"))
    assert ("warning", "hangups of masking are told elsewhere") in silent


def test_doctor_changes_nothing_at_plivo(run: Callable[..., Run], plivo: PlivoSandbox) -> None:
    run("doctor").done()
    assert written(plivo) == []
