"""Plans for a Voximplant account: from every state it may be in, also when broken off."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import SafetyStop
from mask_cli.models import PhoneNumber
from mask_cli.providers.voximplant_account import VoximplantAccount
from mask_cli.provision_voximplant import (
    Desired,
    apply,
    observe,
    plan_voximplant,
    scenario_name,
)
from mask_cli.scenario.deployed import marked
from mask_cli.scenario.render import ScenarioSettings, configuration_of, render

if TYPE_CHECKING:
    from mask_cli.providers.voximplant import Voximplant
    from mask_cli.sandbox.voximplant import VoximplantSandbox

NUMBER = PhoneNumber("+12065550100")
SETTINGS = ScenarioSettings(numbers=(NUMBER,))
WANTED = Desired("masking", SETTINGS, "mask-masking", "the secret")
SCENARIOS = ("absent", "outdated", "current")
RULES = ("absent", "empty", "foreign", "right")
NUMBERS = ("free", "elsewhere", "wrong rule", "right")
SECRETS = (None, "another", "the secret")
STATES = [
    state
    for state in itertools.product(SCENARIOS, RULES, NUMBERS, SECRETS)
    # Without scenario or rule nothing can lead to them.
    if not (state[0] == "absent" and state[1] == "right")
    and not (state[1] == "absent" and state[2] == "right")
]
SOME_STATES = [
    # Each third one always, the others with the slow tests.
    pytest.param(state, id="-".join(map(str, state)), marks=[pytest.mark.slow] if n % 3 else [])
    for n, state in enumerate(STATES)
]


@pytest.fixture
def vox(account: Voximplant) -> VoximplantAccount:
    return VoximplantAccount(account)


def bring_to(
    sandbox: VoximplantSandbox, vox: VoximplantAccount, state: tuple[Any, ...]
) -> VoximplantAccount:
    """Make the account what the state says."""
    sandbox.reset()
    text, rule, number, secret = state
    for phone in sandbox.account.phones.values():
        if phone.number == NUMBER.digits:
            phone.purchased = sandbox.clock.now()
    made = None
    if text != "absent":
        settings = SETTINGS if text == "current" else replace(SETTINGS, attempts=7)
        made = vox.add_scenario("mask-masking", marked(render(settings)), "1")
    foreign = vox.add_scenario("somebody-elses", "// theirs", "1")
    rules = {"wrong rule": vox.add_rule("1", "catch-all", ".*", foreign)}
    if rule != "absent":
        runs = made if rule == "right" and made else foreign
        rules["right"] = vox.add_rule("1", "for-it", NUMBER.digits, runs)
        if rule == "empty":
            sandbox.account.rules[int(rules["right"])].scenarios.clear()
    if number == "elsewhere":
        other = str(sandbox.add_application("other"))
        theirs = vox.add_scenario("others", "// theirs", other)
        vox.assign(vox.number(NUMBER), other, vox.add_rule(other, "catch-all", ".*", theirs))
    elif number != "free":
        vox.assign(vox.number(NUMBER), "1", rules[number])
    if secret:
        vox.add_secret("1", "MASK_REPORT_SECRET", secret)
    return vox


def is_as_wanted(sandbox: VoximplantSandbox) -> bool:
    account = sandbox.account
    (scenario,) = (one for one in account.scenarios.values() if one.name == "mask-masking")
    (phone,) = (one for one in account.phones.values() if one.number == NUMBER.digits)
    (secret,) = account.applications[1].secrets.values()
    rule = account.rules[phone.rule_id or 0]
    return (
        scenario.text == marked(render(SETTINGS))
        and scenario.scenario_id in rule.scenarios
        and (rule.pattern, rule.application_id, phone.application_id) == (NUMBER.digits, 1, 1)
        and secret.value == "the secret"
    )


def plan_again(vox: VoximplantAccount) -> list[Any]:
    return list(plan_voximplant(WANTED, observe(vox, WANTED), take_over=True).steps)


@pytest.mark.parametrize("state", SOME_STATES)
def test_from_every_state_one_run_is_enough_and_a_second_does_nothing(
    sandbox: VoximplantSandbox, vox: VoximplantAccount, state: tuple[Any, ...]
) -> None:
    bring_to(sandbox, vox, state)
    plan = plan_voximplant(WANTED, observe(vox, WANTED), take_over=True)
    shown = plan.rows()
    apply(plan, vox)
    assert is_as_wanted(sandbox)
    assert plan_again(vox) == []
    assert bool(shown) == bool(plan.steps)
    # What others put there stays, and runs where it ran.
    foreign = {one.name for one in sandbox.account.scenarios.values()} - {"mask-masking"}
    assert "somebody-elses" in foreign
    if state[1] == "foreign":
        (rule,) = (one for one in sandbox.account.rules.values() if one.name == "for-it")
        assert len(rule.scenarios) == 2
        assert any("share one script" in warning for warning in plan.warnings)


@pytest.mark.parametrize("state", SOME_STATES[::7])
def test_broken_off_after_any_step_the_next_run_finishes(
    sandbox: VoximplantSandbox, vox: VoximplantAccount, state: tuple[Any, ...]
) -> None:
    bring_to(sandbox, vox, state)
    steps = len(plan_again(vox))
    for done in range(steps):
        bring_to(sandbox, vox, state)
        plan = plan_voximplant(WANTED, observe(vox, WANTED), take_over=True)
        for step in plan.steps[:done]:
            step.carry_out(vox, plan.place)
        apply(plan_voximplant(WANTED, observe(vox, WANTED), take_over=True), vox)
        assert is_as_wanted(sandbox)
        assert plan_again(vox) == []


def test_a_text_that_is_not_ours_stops_everything_before_any_step(
    sandbox: VoximplantSandbox, vox: VoximplantAccount
) -> None:
    bring_to(sandbox, vox, ("absent", "absent", "free", None))
    vox.add_scenario("mask-masking", "// somebody's own", "1")
    before = len(sandbox.requests.entries())
    with pytest.raises(SafetyStop):
        plan_voximplant(WANTED, observe(vox, WANTED))
    later = sandbox.requests.entries()[before:]
    assert all((entry.command or "").startswith("Get") for entry in later)
    forced = plan_voximplant(WANTED, observe(vox, WANTED), force=True)
    assert any(row.action == "update_scenario" for row in forced.rows())


def test_the_plan_never_shows_the_secret(vox: VoximplantAccount) -> None:
    assert "the secret" not in repr(WANTED)
    assert vox.find_application("masking") is not None


def test_no_secret_configured_leaves_the_one_there_alone(
    sandbox: VoximplantSandbox, vox: VoximplantAccount
) -> None:
    bring_to(sandbox, vox, ("current", "right", "right", "another"))
    wanted = replace(WANTED, secret=None)
    assert plan_voximplant(wanted, observe(vox, wanted)).empty


def test_the_text_serves_all_numbers_that_lead_to_it(
    sandbox: VoximplantSandbox, vox: VoximplantAccount
) -> None:
    bring_to(sandbox, vox, ("current", "right", "right", "the secret"))
    second = PhoneNumber("+12065550101")
    for phone in sandbox.account.phones.values():
        if phone.number == second.digits:
            phone.purchased = sandbox.clock.now()
    wanted = replace(WANTED, settings=replace(SETTINGS, numbers=(second,)))
    plan = plan_voximplant(wanted, observe(vox, wanted))
    assert configuration_of(plan.text)["numbers"] == [NUMBER.digits, second.digits]


@pytest.mark.parametrize(
    "name", ["a", "masking", "x" * 24, "x" * 25, "x" * 65, "masking.account.voximplant.com"]
)
def test_a_scenarios_name_fits_and_differs_for_each_application(name: str) -> None:
    assert len(scenario_name(name)) < 30
    assert scenario_name("x" * 40) != scenario_name("x" * 41)


def test_deploying_without_numbers_leaves_rules_of_others_alone(
    sandbox: VoximplantSandbox, vox: VoximplantAccount
) -> None:
    bring_to(sandbox, vox, ("current", "foreign", "right", None))
    other = PhoneNumber("+12065550101")
    for phone in sandbox.account.phones.values():
        if phone.number == other.digits:
            phone.purchased = sandbox.clock.now()
    ours = next(s for s in sandbox.account.scenarios.values() if s.name == "mask-masking")
    rule = vox.add_rule("1", "ours", other.digits, str(ours.scenario_id))
    vox.assign(vox.number(other), "1", rule)
    (theirs,) = (r for r in sandbox.account.rules.values() if r.name == "for-it")
    before = list(theirs.scenarios)

    settings = ScenarioSettings(numbers=())
    wanted = Desired("masking", settings, "mask-masking", None, everything=False)
    plan = plan_voximplant(wanted, observe(vox, wanted))
    apply(plan, vox)
    assert plan.numbers == (other,)
    assert list(theirs.scenarios) == before
