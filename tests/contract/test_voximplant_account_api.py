"""Applications, scenarios, rules, numbers, secrets and history of the emulated platform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from voximplant.apiclient import VoximplantAPI, VoximplantException

from mask_cli.sandbox.voximplant_history import add_session
from mask_cli.sandbox.voximplant_methods import ApiError
from mask_cli.sandbox.voximplant_roles import check_role

if TYPE_CHECKING:
    from collections.abc import Callable

    from mask_cli.sandbox.voximplant import VoximplantSandbox

RENTED = "14155550120"
PLACE = {
    "country_code": "US",
    "phone_category_name": "GEOGRAPHIC",
    "phone_region_id": 2001,
    "country_state": "CA",
}


@pytest.fixture
def plain(sandbox: VoximplantSandbox) -> VoximplantAPI:
    return VoximplantAPI(str(sandbox.credentials_file), endpoint=sandbox.endpoint)


def code_of(call: Callable[..., Any], **arguments: Any) -> int:
    """Return the platform's code for a call that has to fail."""
    with pytest.raises(VoximplantException) as raised:
        call(**arguments)
    return int(raised.value.code)


def scenario(plain: VoximplantAPI, name: str = "mask", text: str = "text", **more: Any) -> int:
    reply = plain.add_scenario(scenario_name=name, scenario_script=text, **more)
    return int(reply["scenario_id"])


def rule(plain: VoximplantAPI, name: str = "mask", **more: Any) -> int:
    reply = plain.add_rule(rule_name=name, rule_pattern=RENTED, application_id=1, **more)
    return int(reply["rule_id"])


# Scenarios


def test_a_scenario_name_is_taken_in_the_whole_account(plain: VoximplantAPI) -> None:
    scenario(plain)
    assert code_of(plain.add_scenario, scenario_name="mask", application_id=1) == 133
    more = {"scenario_name": "mask", "application_id": 1, "rewrite": True}
    assert code_of(plain.add_scenario, **more) == 133


def test_a_scenario_is_rewritten_only_in_its_own_scope(plain: VoximplantAPI) -> None:
    first = scenario(plain, application_id=1)
    assert scenario(plain, text="new", rewrite=True, application_id=1) == first
    (shown,) = plain.get_scenarios(scenario_id=first, with_script=True)["result"]
    assert shown["scenario_script"] == "new"


def test_a_text_of_128_kilobytes_is_too_long(plain: VoximplantAPI) -> None:
    fits, over = "x" * (128 * 1024 - 1), "é" * (64 * 1024)
    number = scenario(plain, text=fits)
    assert code_of(plain.set_scenario_info, scenario_id=number, scenario_script=over) == 130
    assert code_of(plain.add_scenario, scenario_name="b", scenario_script=over) == 130


def test_a_listing_shows_a_text_only_for_one_id(plain: VoximplantAPI) -> None:
    scenario(plain)
    (shown,) = plain.get_scenarios(scenario_name="MAS", with_script=True)["result"]
    assert "scenario_script" not in shown
    assert code_of(plain.get_scenarios, scenario_id=99) == 132


def test_the_name_filter_of_scenarios_may_be_exact(
    plain: VoximplantAPI, sandbox: VoximplantSandbox
) -> None:
    scenario(plain)
    sandbox.switches.change({"scenario_filter": "exact"})
    assert plain.get_scenarios(scenario_name="mas")["result"] == []
    assert len(plain.get_scenarios(scenario_name="mask")["result"]) == 1


def test_renaming_keeps_id_and_bindings_and_refuses_a_taken_name(plain: VoximplantAPI) -> None:
    first, other = scenario(plain), scenario(plain, name="other")
    rule(plain, scenario_id=first)
    assert code_of(plain.set_scenario_info, scenario_id=first, scenario_name="other") == 133
    plain.set_scenario_info(required_scenario_name="mask", scenario_name="renamed")
    (shown,) = plain.get_rules(application_id=1, with_scenarios=True)["result"]
    assert shown["scenarios"] == [{"scenario_id": first, "scenario_name": "renamed"}]
    assert other != first


def test_a_name_of_thirty_letters_is_refused(plain: VoximplantAPI) -> None:
    assert code_of(plain.add_scenario, scenario_name="x" * 30) == 168


# Rules and bindings


def test_a_rule_needs_a_free_name_a_pattern_and_known_scenarios(plain: VoximplantAPI) -> None:
    rule(plain)
    wrong = {"application_id": 1, "rule_name": "mask", "rule_pattern": ".*"}
    assert code_of(plain.add_rule, **wrong) == 175
    assert code_of(plain.add_rule, **wrong | {"rule_name": "b", "rule_pattern": "("}) == 148
    assert code_of(plain.add_rule, **wrong | {"rule_name": "b", "scenario_id": 99}) == 132
    assert code_of(plain.add_rule, **wrong | {"rule_name": "x" * 100}) == 156
    assert code_of(plain.add_rule, **wrong | {"application_id": 99}) == 116


def test_binding_twice_binds_once_and_unbinding_leaves_the_rule_empty(
    plain: VoximplantAPI,
) -> None:
    bound, to = scenario(plain), rule(plain)
    for _ in range(2):
        plain.bind_scenario(scenario_id=bound, rule_id=to, bind=True)
    (shown,) = plain.get_rules(application_id=1, with_scenarios=True)["result"]
    assert [one["scenario_id"] for one in shown["scenarios"]] == [bound]
    plain.bind_scenario(scenario_id=bound, rule_id=to, bind=False)
    (shown,) = plain.get_rules(application_id=1, with_scenarios=True)["result"]
    assert shown["scenarios"] == []


def test_binding_to_no_rule_or_no_scenario_is_an_error_of_its_own(plain: VoximplantAPI) -> None:
    bound, to = scenario(plain), rule(plain)
    assert code_of(plain.bind_scenario, scenario_id=bound, rule_id=99) == 147
    assert code_of(plain.bind_scenario, scenario_id=99, rule_id=to) == 132


def test_a_scenario_of_one_application_cannot_be_bound_in_another(
    plain: VoximplantAPI, sandbox: VoximplantSandbox
) -> None:
    other = sandbox.add_application("other")
    bound, to = scenario(plain, application_id=other), rule(plain)
    assert code_of(plain.bind_scenario, scenario_id=bound, rule_id=to) == 132


def test_scenarios_and_rules_can_be_reordered(plain: VoximplantAPI) -> None:
    first, second = scenario(plain), scenario(plain, name="second")
    one = rule(plain, scenario_id=[first, second])
    other = rule(plain, name="other")
    plain.reorder_scenarios(scenario_id=[second, first], rule_id=one)
    plain.reorder_rules(rule_id=[other, one])
    rules = plain.get_rules(application_id=1, with_scenarios=True)["result"]
    assert [r["rule_id"] for r in rules] == [other, one]
    assert [s["scenario_id"] for s in rules[1]["scenarios"]] == [second, first]
    assert code_of(plain.reorder_scenarios, scenario_id=[first], rule_id=one) == 132


def test_a_deleted_scenario_leaves_its_rules(plain: VoximplantAPI) -> None:
    gone = scenario(plain)
    rule(plain, scenario_id=gone)
    plain.del_scenario(scenario_id=gone)
    (shown,) = plain.get_rules(application_id=1, with_scenarios=True)["result"]
    assert shown["scenarios"] == []
    assert code_of(plain.del_scenario, scenario_id=gone) == 132


def test_a_rule_changes_its_pattern_and_goes(plain: VoximplantAPI) -> None:
    number = rule(plain)
    plain.set_rule_info(rule_id=number, rule_pattern="14155550121", rule_name="other")
    (shown,) = plain.get_rules(application_id=1)["result"]
    assert (shown["rule_name"], shown["rule_pattern"]) == ("other", "14155550121")
    plain.del_rule(rule_id=number)
    assert code_of(plain.del_rule, rule_id=number) == 147
    assert code_of(plain.set_rule_info, rule_id=number) == 147


# Applications


def test_a_deleted_application_takes_rules_scenarios_and_bindings_along(
    plain: VoximplantAPI, sandbox: VoximplantSandbox
) -> None:
    scenario(plain, application_id=1)
    rule(plain)
    plain.attach_phone_number(phone_number=RENTED)
    plain.bind_phone_number_to_application(phone_number=RENTED, application_id=1)
    plain.del_application(application_id=1)
    assert (sandbox.account.scenarios, sandbox.account.rules) == ({}, {})
    (number,) = plain.get_phone_numbers()["result"]
    assert "application_id" not in number


def test_the_word_all_deletes_everything_as_on_the_platform(plain: VoximplantAPI) -> None:
    plain.add_application(application_name="second")
    plain.del_application(application_id="all")
    assert plain.get_applications()["result"] == []


def test_an_application_is_renamed_to_a_free_name_only(plain: VoximplantAPI) -> None:
    plain.add_application(application_name="second")
    assert code_of(plain.set_application_info, application_id=1, application_name="second") == 129
    plain.set_application_info(required_application_name="second", application_name="third")
    names = [one["application_name"] for one in plain.get_applications()["result"]]
    assert names == ["masking.sandbox.voximplant.com", "third.sandbox.voximplant.com"]


def test_a_listing_of_applications_shows_rules_when_asked(plain: VoximplantAPI) -> None:
    rule(plain, scenario_id=scenario(plain))
    (shown,) = plain.get_applications(with_scenarios=True)["result"]
    assert shown["rules"][0]["scenarios"][0]["scenario_name"] == "mask"


# Numbers


def test_the_walk_to_a_number_is_that_of_the_documentation(plain: VoximplantAPI) -> None:
    (country,) = plain.get_phone_number_categories(country_code="US")["result"]
    names = [one["phone_category_name"] for one in country["phone_categories"]]
    assert names == ["GEOGRAPHIC", "TOLLFREE"]
    have = [one["country_has_states"] for one in country["phone_categories"]]
    assert have == [True, False]
    place = {"country_code": "US", "phone_category_name": "GEOGRAPHIC"}
    states = plain.get_phone_number_country_states(**place)["result"]
    assert states[0] == {"country_state": "CA", "country_state_name": "California"}
    regions = plain.get_phone_number_regions(**place, country_state="CA")
    assert set(regions) == {"result"}
    assert regions["result"][0]["phone_price"] == 1.0
    offers = plain.get_new_phone_numbers(**PLACE, count=2)
    assert (offers["count"], offers["total_count"]) == (2, 5)
    assert offers["result"][0]["phone_number"] == RENTED


def test_renting_costs_the_balance_and_the_number_is_then_ours(
    plain: VoximplantAPI, sandbox: VoximplantSandbox
) -> None:
    reply = plain.attach_phone_number(phone_number=RENTED, **PLACE)
    assert [one["phone_number"] for one in reply["phone_numbers"]] == [RENTED]
    assert sandbox.account.balance == 9_900
    assert plain.get_account_info(return_live_balance=True)["result"]["live_balance"] == 99.0
    (shown,) = plain.get_phone_numbers(phone_number=RENTED)["result"]
    assert shown["category_name"] == "GEOGRAPHIC"
    assert plain.is_account_phone_number(phone_number=RENTED)["result"] is True
    assert code_of(plain.attach_phone_number, phone_number=RENTED) == 395


def test_without_money_nothing_is_rented(plain: VoximplantAPI, sandbox: VoximplantSandbox) -> None:
    sandbox.account.balance = 99
    assert code_of(plain.attach_phone_number, phone_number=RENTED) == 127
    assert plain.get_phone_numbers()["result"] == []
    assert sandbox.account.balance == 99


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"country_code": "ZZ"}, 239),
        ({"phone_category_name": "MOBILE"}, 240),
        ({"country_state": None}, 242),
        ({"country_state": "ZZ"}, 242),
        ({"phone_region_id": 9}, 241),
        ({"phone_count": 0}, 243),
        ({"phone_count": 6}, 332),
    ],
)
def test_each_wrong_place_has_its_own_code(
    plain: VoximplantAPI, wrong: dict[str, Any], code: int
) -> None:
    assert code_of(plain.attach_phone_number, **{"phone_count": 1} | PLACE | wrong) == code


def test_numbers_out_of_stock_or_in_need_of_verification_are_refused(
    plain: VoximplantAPI,
) -> None:
    assert code_of(plain.attach_phone_number, phone_number="14155550199") == 331
    assert code_of(plain.attach_phone_number, phone_number="442071234567") == 281


def test_a_number_is_bound_to_application_and_rule_and_let_go(plain: VoximplantAPI) -> None:
    plain.attach_phone_number(phone_count=1, **PLACE)
    bind = plain.bind_phone_number_to_application
    to = rule(plain)
    bind(phone_number=RENTED, application_id=1, rule_id=to)
    (shown,) = plain.get_phone_numbers(application_id=1)["result"]
    assert (shown["application_id"], shown["rule_id"]) == (1, to)
    assert code_of(bind, phone_number=RENTED, application_id=1, rule_id=99) == 147
    assert code_of(bind, phone_id=99, application_id=1) == 181
    assert code_of(bind, phone_number="14155550199", application_id=1) == 121
    bind(phone_number=RENTED, application_id=1, bind=False)
    assert plain.get_phone_numbers(application_id=1)["result"] == []


def test_a_number_given_up_is_gone(plain: VoximplantAPI) -> None:
    plain.attach_phone_number(phone_number=RENTED)
    plain.deactivate_phone_number(phone_number=RENTED)
    assert plain.get_phone_numbers()["result"] == []
    assert code_of(plain.deactivate_phone_number, phone_number=RENTED) == 121


def test_test_numbers_are_listed_only_when_asked_for(plain: VoximplantAPI) -> None:
    plain.attach_phone_number(phone_number="15005550100")
    assert plain.get_phone_numbers()["result"] == []
    assert len(plain.get_phone_numbers(sandbox="true")["result"]) == 1
    assert len(plain.get_phone_numbers(sandbox="all")["result"]) == 1


# Secrets


@pytest.mark.parametrize("shape", ["object", "list"])
def test_a_secret_is_set_changed_and_forgotten(
    plain: VoximplantAPI, sandbox: VoximplantSandbox, shape: str
) -> None:
    sandbox.switches.change({"added": shape})
    one = {"application_id": 1, "secret_name": "MASK_REPORT_SECRET"}
    plain.add_secret(**one, secret_value="first")
    assert code_of(plain.add_secret, **one, secret_value="first") == 493
    plain.set_secret_info(**one, secret_value="second")
    assert plain.get_secret_value(**one)["result"]["secret_value"] == "second"
    listed = plain.get_secrets(application_id=1)
    assert listed["total_count"] == 1
    assert "secret_value" not in listed["result"][0]
    assert "second" not in repr(sandbox.account.applications[1])
    plain.del_secret(**one)
    assert code_of(plain.get_secret_value, **one) == 496


def test_a_secrets_name_and_size_are_limited(plain: VoximplantAPI) -> None:
    wrong: dict[str, object] = {"application_id": 1, "secret_value": "x"}
    assert code_of(plain.add_secret, secret_name="1st", **wrong) == 496
    assert (
        code_of(plain.add_secret, secret_name="S", application_id=1, secret_value="x" * 8193) == 477
    )


# History


def test_the_history_is_filtered_by_time_and_holds_legs_only_when_asked(
    plain: VoximplantAPI, sandbox: VoximplantSandbox
) -> None:
    leg = {"local_number": RENTED, "remote_number": "12222222222", "incoming": True}
    now = sandbox.clock.now()
    for age in (7200, 60):
        add_session(
            sandbox.account, application_id=1, started=now - age, custom_data=None, legs=[leg]
        )
    until = datetime.now(UTC) + timedelta(hours=1)
    since = until - timedelta(hours=2)
    asked = {"from_date": since, "to_date": until, "application_id": 1}
    (short,) = plain.get_call_history(**asked)["result"]
    (whole,) = plain.get_call_history(**asked, with_calls=True)["result"]
    assert "calls" not in short
    assert whole["calls"][0]["remote_number"] == "12222222222"
    assert code_of(plain.get_call_history, **asked, count=1001) == 497


# Roles


@pytest.mark.parametrize(
    ("role", "command", "may"),
    [
        ("Developer", "AddScenario", True),
        ("Developer", "AttachPhoneNumber", False),
        ("Accountant", "AttachPhoneNumber", True),
        ("Accountant", "BindScenario", False),
        ("Payer", "GetPhoneNumberRegions", True),
        ("Support", "GetCallHistory", True),
        ("none", "GetApplications", False),
        ("none", "GetAccountInfo", True),
    ],
)
def test_a_role_decides_what_may_be_called(
    sandbox: VoximplantSandbox, role: str, command: str, may: bool
) -> None:
    sandbox.switches.change({"role": role})
    if may:
        check_role(command, sandbox.switches)
    else:
        with pytest.raises(ApiError, match="104"):
            check_role(command, sandbox.switches)


@pytest.mark.parametrize("code", [104, 100])
def test_a_developer_cannot_spend_money(
    plain: VoximplantAPI, sandbox: VoximplantSandbox, code: int
) -> None:
    sandbox.switches.change({"role": "Developer", "role_code": code})
    assert code_of(plain.attach_phone_number, phone_number=RENTED) == code
    assert sandbox.account.balance == 10_000


@pytest.mark.parametrize(
    "command", ["AddScenario", "AddRule", "AttachPhoneNumber", "AddSecret", "GetCallHistory"]
)
def test_a_parameter_that_does_not_exist_is_refused(plain: VoximplantAPI, command: str) -> None:
    reply = plain._perform_request(command, {"nonsense": "1"})
    assert reply["error"]["code"] == 101
