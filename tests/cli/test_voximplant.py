"""`mask voximplant` as an operator, a CI script and cron run it, on the emulated platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import ExitCode
from mask_cli.scenario.render import configuration_of
from tests.cli.leaks import COURIER

if TYPE_CHECKING:
    from mask_cli.sandbox.voximplant import VoximplantSandbox
    from tests.cli.conftest import Mask, Run

NUMBER, SECOND = "12065550100", "12065550101"
TEST_NUMBER = "15005550100"
REPORT = ("--report-url", "https://mask.example/voximplant/calls")
UP = ("voximplant", "up", "--app", "masking", "--number", NUMBER, *REPORT)
JSON = ("--format", "json")


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASK_VOXIMPLANT_REPORT_SECRET", "the report secret")


def rent(provider: VoximplantSandbox, *numbers: str) -> None:
    for phone in provider.account.phones.values():
        if phone.number in numbers:
            phone.purchased = provider.clock.now()


def changes(provider: VoximplantSandbox) -> list[str]:
    commands = [entry.command or "" for entry in provider.requests.entries()]
    return [name for name in commands if not name.startswith("Get")]


def standing(provider: VoximplantSandbox) -> dict[str, Any]:
    """Return all that was provisioned, without ids and times."""
    account = provider.account
    names = {number: one.name for number, one in account.scenarios.items()}
    return {
        "applications": sorted(one.name for one in account.applications.values()),
        "scenarios": {one.name: one.text for one in account.scenarios.values()},
        "rules": {
            one.name: (one.pattern, [names[number] for number in one.scenarios])
            for one in account.rules.values()
        },
        "numbers": {
            phone.number: account.rules[phone.rule_id].name
            for phone in account.phones.values()
            if phone.rule_id is not None
        },
        "secrets": [
            (secret.name, secret.value)
            for one in account.applications.values()
            for secret in one.secrets.values()
        ],
    }


def steps(run: Run) -> list[str]:
    return [step["action"] for step in run.json["steps"]]


# up


def test_up_brings_everything_and_a_second_run_changes_nothing(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    first = mask(*UP, "--operator", "+14155550109", *JSON).done()
    assert steps(first) == [
        *("store_secret", "create_scenario", "create_rule", "assign_number", "add_to_pool")
    ]
    stands = standing(provider)
    assert stands["rules"] == {"mask-0100": (NUMBER, ["mask-masking"])}
    assert stands["numbers"] == {NUMBER: "mask-0100"}
    assert stands["secrets"] == [("MASK_REPORT_SECRET", "the report secret")]
    read = configuration_of(stands["scenarios"]["mask-masking"])
    assert (read["numbers"], read["operator"]) == ([NUMBER], "14155550109")
    provider.requests.clear()
    second = mask(*UP, "--operator", "+14155550109", *JSON).done()
    assert (second.json["changed"], second.json["steps"]) == (False, [])
    assert changes(provider) == []
    assert len(provider.requests.entries()) == 6
    assert standing(provider) == stands


def test_a_dry_run_shows_the_plan_and_sends_no_change(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    run = mask("voximplant", "up", "--app", "fresh", "--number", NUMBER, "--dry-run", *JSON).done()
    assert steps(run)[0] == "create_application"
    assert run.json["changed"] is False
    assert changes(provider) == []
    assert "the report secret" not in run.out + run.err


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_up_makes_no_partys_number_a_virtual_one(
    mask: Mask, provider: VoximplantSandbox, more: tuple[str, ...]
) -> None:
    rent(provider, NUMBER, SECOND)
    mask("add", "12345", "--courier", COURIER, "--client", f"+{SECOND}", "--no-push").done()
    run = mask(*UP, "--number", SECOND, *more)
    run.failed(ExitCode.BAD_DATA, "is a party of an order")
    assert changes(provider) == []
    assert mask.query("SELECT * FROM virtual_numbers") == []


def test_up_creates_the_application_too(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider, NUMBER)
    mask("voximplant", "up", "--app", "fresh", "--number", NUMBER, *REPORT).done()
    assert "fresh.sandbox.voximplant.com" in standing(provider)["applications"]
    assert standing(provider)["rules"] == {"mask-0100": (NUMBER, ["mask-fresh"])}


def test_a_second_number_does_not_cut_off_the_first(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER, SECOND)
    mask(*UP).done()
    mask("voximplant", "up", "--app", "masking", "--number", SECOND, *REPORT).done()
    (text,) = standing(provider)["scenarios"].values()
    assert configuration_of(text)["numbers"] == [NUMBER, SECOND]
    assert set(standing(provider)["numbers"]) == {NUMBER, SECOND}


def test_two_numbers_with_the_same_last_digits_get_two_rules(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER, "18005550100")
    mask(*UP, "--number", "18005550100").done()
    assert set(standing(provider)["rules"]) == {"mask-0100", "mask-0100-2"}


def test_a_number_that_is_not_rented_is_not_found(mask: Mask, provider: VoximplantSandbox) -> None:
    mask(*UP).failed(ExitCode.NOT_FOUND, "not rented here")
    assert changes(provider) == []


def test_a_test_number_is_refused_as_caller_id(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider, TEST_NUMBER)
    run = mask("voximplant", "up", "--app", "masking", "--number", TEST_NUMBER)
    run.failed(ExitCode.BAD_DATA, "test number")
    assert changes(provider) == []


def test_a_number_of_another_application_is_not_taken_silently(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    provider.add_application("other")
    other = ("voximplant", "up", "--app", "other", "--number", NUMBER, *REPORT)
    mask(*other).done()
    mask(*UP).failed(ExitCode.CONFLICT, "--take-over")
    mask(*UP, "--take-over").done()
    assert standing(provider)["scenarios"].keys() == {"mask-other", "mask-masking"}


def test_a_new_secret_replaces_the_old_one(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rent(provider, NUMBER)
    mask(*UP).done()
    monkeypatch.setenv("MASK_VOXIMPLANT_REPORT_SECRET", "another one")
    run = mask(*UP, *JSON).done()
    assert steps(run) == ["store_secret"]
    assert standing(provider)["secrets"] == [("MASK_REPORT_SECRET", "another one")]
    assert "another one" not in run.out + run.err


def test_a_role_that_may_only_buy_cannot_provision(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider, NUMBER)
    provider.switches.change({"role": "Accountant"})
    mask(*UP).failed(ExitCode.DENIED, "Owner, Admin or Developer")


def test_without_credentials_it_is_said_which(mask: Mask) -> None:
    mask(*UP).failed(ExitCode.CONFIGURATION, "VOXIMPLANT_CREDENTIALS")


# scenario


def test_deploy_uploads_only_what_differs(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider, NUMBER)
    mask(*UP).done()
    provider.requests.clear()
    run = mask("voximplant", "scenario", "deploy", *REPORT, *JSON).done()
    assert (run.json["changed"], changes(provider)) == (False, [])
    run = mask("voximplant", "scenario", "deploy", "--operator", "+14155550109", *REPORT, *JSON)
    assert set(steps(run)) == {"update_scenario"}
    told = {step["field"]: (step["before"], step["after"]) for step in run.json["steps"]}
    assert told["operator"] == (None, "+1•••••••0109")
    assert told.keys() == {"sha256", "operator"}
    assert changes(provider) == ["SetScenarioInfo"]


OPERATOR = ("--operator", "+14155550109")
BARE_UP, DEPLOY = UP[:-2], ("voximplant", "scenario", "deploy")


def live(provider: VoximplantSandbox) -> tuple[str | None, str | None]:
    """Return operator and report URL of the one deployed scenario."""
    (text,) = standing(provider)["scenarios"].values()
    read = configuration_of(text)
    return read["operator"], read["report_url"]


@pytest.mark.parametrize("again", [DEPLOY, BARE_UP])
def test_leaving_out_a_flag_takes_nothing_away_that_is_live(
    mask: Mask, provider: VoximplantSandbox, again: tuple[str, ...]
) -> None:
    rent(provider, NUMBER)
    mask(*UP, *OPERATOR).done()
    run = mask(*again, *JSON).done()
    assert (run.json["changed"], run.json["kept"]) == (False, ["operator", "report_url"])
    assert live(provider) == ("14155550109", REPORT[1])
    assert "operator: +1•••••••0109 is kept as it is deployed; --operator none" in run.err
    assert "not reported" not in run.err


def test_flags_given_one_after_the_other_add_up(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider, NUMBER)
    mask(*BARE_UP, *OPERATOR).done()
    mask(*UP).done()
    mask(*DEPLOY, "--number", NUMBER).done()
    assert live(provider) == ("14155550109", REPORT[1])


def test_operator_and_reports_are_taken_away_in_so_many_words(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rent(provider, NUMBER)
    mask(*UP, *OPERATOR).done()
    run = mask(*DEPLOY, "--report-url", "none").done()
    assert "report_url: https://mask.example/voximplant/calls -> none" in run.err
    assert live(provider) == ("14155550109", None)
    monkeypatch.setenv("MASK_OPERATOR", "+14155550108")
    mask(*BARE_UP, "--operator", "none").done()
    assert live(provider) == (None, None)
    assert not mask(*BARE_UP, "--operator", "none", *JSON).done().json["changed"]


def test_a_setting_is_a_wish_that_replaces_what_is_deployed(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rent(provider, NUMBER)
    mask(*UP, *OPERATOR).done()
    monkeypatch.setenv("MASK_OPERATOR", "+14155550108")
    monkeypatch.setenv("MASK_PUBLIC_URL", "https://other.example")
    mask(*DEPLOY).done()
    assert live(provider) == ("14155550108", "https://other.example/voximplant/calls")


def test_what_somebody_edited_is_refused_before_it_is_kept(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    mask(*UP, *OPERATOR).done()
    (scenario,) = provider.account.scenarios.values()
    scenario.text = scenario.text.replace("https://mask.example", "http://mask.example")
    mask(*DEPLOY).failed(ExitCode.REFUSED, "changed by somebody else")
    mask(*DEPLOY, "--force").failed(ExitCode.CONFIGURATION, "report_url")
    mask(*DEPLOY, "--force", *REPORT).done()
    assert live(provider) == ("14155550109", REPORT[1])


def test_an_application_given_by_its_id_is_the_same_application(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    mask(*UP).done()
    by_id = ("voximplant", "up", "--app", "1", "--number", NUMBER, *REPORT)
    assert not mask(*by_id, *JSON).done().json["changed"]
    mask("voximplant", "up", "--app", "99", "--number", NUMBER).failed(ExitCode.NOT_FOUND)


@pytest.mark.parametrize("name", ["Masking", "1st", "a", "with space", COURIER, "all"])
def test_a_name_that_no_application_can_have_is_refused(
    mask: Mask, provider: VoximplantSandbox, name: str
) -> None:
    rent(provider, NUMBER)
    run = mask("voximplant", "up", "--app", name, "--number", NUMBER, "--dry-run")
    assert run.code in (ExitCode.BAD_DATA, ExitCode.NOT_FOUND)
    run = mask("voximplant", "app", "create", name, "--dry-run")
    assert run.code == ExitCode.BAD_DATA
    assert changes(provider) == []


def test_a_persons_number_in_a_wrong_place_is_not_printed(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    # Every run is searched for whole numbers.
    for words in (
        ("app", "delete", COURIER, "--missing-ok", "--yes"),
        ("app", "create", COURIER),
        ("rule", "delete", COURIER),
        ("rule", "create", COURIER),
        ("number", "rent", COURIER, "--yes"),
        ("number", "unrent", COURIER, "--missing-ok", "--yes"),
        ("number", "assign", COURIER),
        ("number", "unassign", COURIER),
        ("up", "--app", "masking", "--number", COURIER),
        ("up", "--app", COURIER, "--number", NUMBER),
        ("scenario", "deploy", "--app", COURIER, "--number", NUMBER),
    ):
        mask("voximplant", *words, *JSON)
    assert changes(provider) == []


def test_a_number_that_is_not_ours_is_not_deployed(mask: Mask, provider: VoximplantSandbox) -> None:
    deploy = ("voximplant", "scenario", "deploy", "--number", COURIER)
    mask(*deploy).failed(ExitCode.NOT_FOUND, "not rented here")
    assert changes(provider) == []


def test_deploy_does_not_overwrite_what_somebody_else_changed(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    mask(*UP).done()
    (scenario,) = provider.account.scenarios.values()
    scenario.text += "\n// a hotfix in the panel\n"
    before = scenario.text
    deploy = ("voximplant", "scenario", "deploy", *REPORT)
    mask(*deploy).failed(ExitCode.REFUSED, "--force")
    mask(*UP).failed(ExitCode.REFUSED, "--force")
    assert scenario.text == before
    mask(*deploy, "--force").done()
    assert "hotfix" not in scenario.text


def test_deploy_binds_what_is_absent_and_never_unbinds(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    mask(*UP).done()
    (rule,) = provider.account.rules.values()
    rule.scenarios.clear()
    provider.requests.clear()
    run = mask("voximplant", "scenario", "deploy", *REPORT, *JSON).done()
    assert steps(run) == ["bind_scenario"]
    assert changes(provider) == ["BindScenario"]
    assert len(rule.scenarios) == 1


def test_a_scenario_name_taken_in_another_scope_is_explained(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    mask(*UP).done()
    provider.add_application("other")
    other = ("voximplant", "scenario", "deploy", "--app", "other", "--number", NUMBER)
    run = mask(*other, "--scenario", "mask-masking")
    assert run.code == ExitCode.CONFLICT
    assert "unique in the whole account" in run.err


def test_render_prints_what_is_deployed_and_check_approves_it(mask: Mask) -> None:
    text = mask("voximplant", "scenario", "render", "--number", NUMBER).done().out
    assert configuration_of(text)["numbers"] == [NUMBER]
    file = mask.write("scenario.js", text)
    run = mask("voximplant", "scenario", "check", file, *JSON).done()
    assert {row["passed"] for row in run.json} <= {True, None}
    assert len(run.json) > 40


def test_render_takes_the_numbers_of_the_pool_that_are_still_ours(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER, SECOND)
    mask(*UP, "--number", SECOND).done()
    mask("voximplant", "number", "unrent", SECOND, "--yes").done()
    text = mask("voximplant", "scenario", "render").done().out
    assert configuration_of(text)["numbers"] == [NUMBER]


def test_render_writes_a_file_or_says_why_not(mask: Mask) -> None:
    render = ("voximplant", "scenario", "render", "--number", NUMBER)
    mask(*render, "-o", str(mask.home / "s.js")).done()
    assert configuration_of((mask.home / "s.js").read_text())["numbers"] == [NUMBER]
    # It holds numbers whole.
    assert (mask.home / "s.js").stat().st_mode & 0o777 == 0o600
    assert configuration_of(mask(*render, "-o", "-").done().out)["numbers"] == [NUMBER]
    mask(*render, "-o", str(mask.home)).failed(ExitCode.UNREADABLE)


@pytest.mark.slow
def test_check_finds_a_broken_scenario(mask: Mask) -> None:
    text = mask("voximplant", "scenario", "render", "--number", NUMBER).out
    broken = mask.write("broken.js", text.replace("Logger.hideTones(true)", "0"))
    run = mask("voximplant", "scenario", "check", broken, *JSON)
    run.answered(ExitCode.PARTLY, "failed")
    assert [row for row in run.json if row["passed"] is False]
    run = mask("voximplant", "scenario", "check", "-", *JSON, stdin=text)
    assert len(run.done().json) > 40
    gone = str(mask.home / "gone.js")
    mask("voximplant", "scenario", "check", gone).failed(ExitCode.UNREADABLE, "gone.js")
    mask("voximplant", "scenario", "check").done()
    wrong = mask.write("wrong.js", "let x = ;")
    run = mask("voximplant", "scenario", "check", wrong, *JSON)
    run.answered(ExitCode.PARTLY)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param(
            '"ring_timeout": 30',
            '"ring_timeout": 3600',
            "ring_timeout is 3600",
            marks=pytest.mark.slow,
        ),
        ("Amazon.en_US_Joanna", "Yandex.Neural.en_US_alyss", "has no voice"),
    ],
)
def test_an_edit_of_the_files_configuration_is_found(
    mask: Mask, old: str, new: str, says: str
) -> None:
    text = mask("voximplant", "scenario", "render", "--number", NUMBER).out
    assert old in text
    run = mask("voximplant", "scenario", "check", "-", *JSON, stdin=text.replace(old, new))
    run.answered(ExitCode.PARTLY)
    (wrong,) = (row for row in run.json if row["passed"] is False)
    assert says in wrong["detail"]


def test_a_foreign_script_is_told_the_way_to_ours(mask: Mask) -> None:
    run = mask("voximplant", "scenario", "check", "-", stdin="VoxEngine.terminate();")
    run.failed(ExitCode.BAD_DATA, "mask voximplant scenario render")


def test_render_without_a_number_says_so(mask: Mask) -> None:
    mask("voximplant", "scenario", "render").failed(ExitCode.CONFIGURATION, "rented number")


# Single steps


def test_an_application_is_created_once_and_deleted_with_consent(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    assert mask("voximplant", "app", "create", "fresh", *JSON).done().json["changed"]
    assert not mask("voximplant", "app", "create", "fresh", *JSON).done().json["changed"]
    names = [row["name"] for row in mask("voximplant", "app", "list", *JSON).done().json]
    assert names == ["masking", "fresh"]
    delete = ("voximplant", "app", "delete", "fresh")
    mask(*delete).failed(ExitCode.REFUSED, "--yes")
    assert mask(*delete, "--yes", *JSON).done().json["changed"]
    mask(*delete, "--yes").failed(ExitCode.NOT_FOUND)
    assert not mask(*delete, "--yes", "--missing-ok", *JSON).done().json["changed"]
    mask("voximplant", "app", "delete", "all", "--yes").failed(ExitCode.BAD_DATA)
    assert len(provider.account.applications) == 1


def test_rules_are_created_once_listed_and_deleted(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider, NUMBER)
    create = ("voximplant", "rule", "create", NUMBER)
    mask(*create).failed(ExitCode.NOT_FOUND, "scenario deploy")
    mask("voximplant", "scenario", "deploy", "--number", NUMBER).done()
    assert mask(*create, *JSON).done().json["changed"]
    assert not mask(*create, *JSON).done().json["changed"]
    (rule,) = mask("voximplant", "rule", "list", *JSON).done().json
    assert (rule["pattern"], rule["scenarios"]) == (NUMBER, ["mask-masking"])
    delete = ("voximplant", "rule", "delete", "mask-0100")
    mask(*delete).failed(ExitCode.REFUSED, "--yes")
    mask(*delete, "--yes").done()
    mask(*delete, "--yes").failed(ExitCode.NOT_FOUND)
    assert provider.account.rules == {}


def test_a_rule_in_use_is_not_deleted_unasked(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider, NUMBER)
    mask(*UP).done()
    delete = ("voximplant", "rule", "delete", "mask-0100")
    dry = mask(*delete, "--dry-run", *JSON).done()
    assert "calls to +1•••••••0100 run no scenario then" in dry.err
    assert not dry.json["changed"]
    mask(*delete).failed(ExitCode.REFUSED, "+1•••••••0100", "--yes goes on")
    assert provider.account.rules
    mask(*delete, "--yes").done()
    assert not provider.account.rules


def test_a_rules_dry_run_shows_what_would_be_made(mask: Mask, provider: VoximplantSandbox) -> None:
    rent(provider, NUMBER)
    create = ("voximplant", "rule", "create")
    mask(*create, NUMBER, "--dry-run").failed(ExitCode.NOT_FOUND, "no such scenario")
    mask("voximplant", "scenario", "deploy", "--number", NUMBER).done()
    run = mask(*create, NUMBER, "--dry-run", *JSON).done()
    assert run.json == {
        "rule_id": None,
        "name": "mask-0100",
        "pattern": NUMBER,
        "scenarios": ["mask-masking"],
        "changed": False,
    }
    assert "create_rule mask-0100: pattern: none -> +1•••••••0100" in run.err
    assert provider.account.rules == {}
    mask(*create, SECOND).failed(ExitCode.NOT_FOUND, "not rented here")


def test_a_bad_name_is_told_before_a_number_that_is_elsewhere(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    mask(*UP).done()
    run = mask("voximplant", "up", "--app", "Bad Name", "--number", NUMBER)
    run.failed(ExitCode.BAD_DATA, "not a name for an application")


def test_renting_shows_the_price_and_needs_consent(mask: Mask, provider: VoximplantSandbox) -> None:
    search = ("voximplant", "number", "search", "US", "--category", "TOLLFREE")
    (found,) = mask(*search, *JSON).done().json
    assert (found["number"], found["monthly_price"]) == ("+18005550100", "3.0")
    rent_ = ("voximplant", "number", "rent", NUMBER)
    mask(*rent_).failed(ExitCode.REFUSED, "2.0 now and 1.5 a month", "--yes")
    assert not mask(*rent_, "--dry-run", *JSON).done().json["changed"]
    assert provider.account.balance == 10_000
    assert mask(*rent_, "--yes", *JSON).done().json["changed"]
    assert not mask(*rent_, "--yes", *JSON).done().json["changed"]
    assert provider.account.balance == 9_650


def test_an_operator_chooses_the_state_to_search(mask: Mask, provider: VoximplantSandbox) -> None:
    run = mask("voximplant", "number", "search", "US", "--state", "wa", *JSON).done()
    assert {(offer["region"], offer["state"]) for offer in run.json} == {("Seattle", "WA")}
    run = mask("voximplant", "number", "search", "US", "--state", "zz")
    run.failed(ExitCode.BAD_DATA, "--state takes CA, WA")
    elsewhere = ("voximplant", "number", "rent", NUMBER, "--yes", "--state", "ca")
    mask(*elsewhere).failed(ExitCode.NOT_FOUND)
    mask(*elsewhere[:-1], "WA").done()
    assert changes(provider) == ["AttachPhoneNumber"]


def test_the_audit_of_money_names_the_number(mask: Mask, provider: VoximplantSandbox) -> None:
    rented = provider.account.balance
    mask("voximplant", "number", "rent", NUMBER, "--yes").done()
    mask("voximplant", "number", "unrent", NUMBER, "--yes").done()
    details = [row["detail"] for row in mask("audit", *JSON).done().json]
    assert sorted(details) == ["+" + NUMBER, f"+{NUMBER}, 2.0 now and 1.5 a month"]
    assert provider.account.balance < rented


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("number", "search", ""), ExitCode.BAD_DATA),
        (("number", "rent", "", "--yes"), ExitCode.BAD_DATA),
        (("number", "assign", SECOND, "--app", ""), ExitCode.USAGE),
        (("number", "assign", SECOND, "--rule", ""), ExitCode.NOT_FOUND),
        (("rule", "create", SECOND, "--app", ""), ExitCode.USAGE),
        (("rule", "create", SECOND, "--scenario", ""), ExitCode.NOT_FOUND),
        (("rule", "delete", "mask-0100", "--app", "", "--yes"), ExitCode.USAGE),
        (("rule", "delete", "", "--yes"), ExitCode.NOT_FOUND),
        (("scenario", "deploy", "--number", NUMBER, "--app", ""), ExitCode.USAGE),
        (("scenario", "deploy", "--number", NUMBER, "--scenario", ""), ExitCode.BAD_DATA),
        (("up", "--app", "", "--number", SECOND), ExitCode.BAD_DATA),
        (("up", "--app", "masking", "--number", ""), ExitCode.BAD_DATA),
        (("app", "create", ""), ExitCode.BAD_DATA),
        (("app", "delete", "", "--yes"), ExitCode.NOT_FOUND),
    ],
)
def test_an_unset_variable_of_a_script_is_no_wish(
    mask: Mask,
    provider: VoximplantSandbox,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    code: ExitCode,
) -> None:
    monkeypatch.setenv("MASK_REGION", "US")
    rent(provider, NUMBER, SECOND)
    mask(*UP).done()
    provider.requests.clear()
    mask("voximplant", *command).failed(code)
    assert changes(provider) == []


def test_a_role_that_may_not_buy_is_explained(mask: Mask, provider: VoximplantSandbox) -> None:
    provider.switches.change({"role": "Developer"})
    run = mask("voximplant", "number", "rent", NUMBER, "--yes")
    run.failed(ExitCode.DENIED, "Owner, Admin or Accountant")
    assert provider.account.balance == 10_000


def test_without_money_the_hint_says_where_to_put_some(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    provider.account.balance = 0
    mask("voximplant", "number", "rent", NUMBER, "--yes", "--quiet").failed(
        ExitCode.PROVIDER, "money"
    )


def test_a_number_is_assigned_unassigned_and_given_back(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    rent(provider, NUMBER)
    mask(*UP).done()
    number = ("voximplant", "number")
    assert mask(*number, "unassign", NUMBER, *JSON).done().json["application"] is None
    assert not mask(*number, "unassign", NUMBER, *JSON).done().json["changed"]
    assert mask(*number, "assign", NUMBER, *JSON).done().json["rule"] == "mask-0100"
    assert not mask(*number, "assign", NUMBER, *JSON).done().json["changed"]
    (row,) = mask(*number, "list", *JSON).done().json
    assert (row["number"], row["test"]) == ("+" + NUMBER, False)
    mask(*number, "unrent", NUMBER).failed(ExitCode.REFUSED, "cannot be undone")
    assert mask(*number, "unrent", NUMBER, "--yes", *JSON).done().json["changed"]
    mask(*number, "unrent", NUMBER, "--yes").failed(ExitCode.NOT_FOUND)
    assert not mask(*number, "unrent", NUMBER, "--yes", "--missing-ok", *JSON).json["changed"]
