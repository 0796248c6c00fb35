"""Scenarios, rules and what binds them, of the emulated Management API."""

from __future__ import annotations

import re

from mask_cli.sandbox.voximplant_account import date_time, listing, shown_rule
from mask_cli.sandbox.voximplant_methods import (
    Account,
    ApiError,
    Application,
    Methods,
    Parameters,
)
from mask_cli.sandbox.voximplant_things import Rule, Scenario

SCENARIO_METHODS = Methods()
LONGEST_SCRIPT = 128 * 1024
_LONGEST_SCENARIO_NAME = 29
_LONGEST_RULE_NAME = 99
_LONGEST_PATTERN = 64 * 1024
_APPLICATION = "application_id application_name"
_RULE = f"rule_id rule_name {_APPLICATION}"


@SCENARIO_METHODS.add(
    "AddScenario", f"scenario_name scenario_script rule_id rule_name rewrite {_APPLICATION}"
)
def _add_scenario(account: Account, parameters: Parameters) -> dict[str, object]:
    name = _scenario_name(parameters.required("scenario_name"))
    text = _script(parameters.text("scenario_script") or "")
    application = account.application_if_named(parameters)
    scope = None if application is None else application.application_id
    rule = _named_rule(account, parameters) if _names_a_rule(parameters) else None
    taken = _scenario_called(account, name)
    if taken is not None:
        # Names are unique in the whole account: another scope cannot be rewritten.
        if not parameters.boolean("rewrite") or taken.application_id != scope:
            raise ApiError(133)
        taken.text, taken.modified = text, account.clock.now()
        return {"result": 1, "scenario_id": taken.scenario_id}
    made = Scenario(account.next_id(), name, text, account.clock.now(), scope)
    account.scenarios[made.scenario_id] = made
    if rule is not None:
        rule.scenarios.append(made.scenario_id)
    return {"result": 1, "scenario_id": made.scenario_id}


@SCENARIO_METHODS.add(
    "SetScenarioInfo", "scenario_id required_scenario_name scenario_name scenario_script"
)
def _set_scenario(account: Account, parameters: Parameters) -> dict[str, object]:
    wanted = parameters.text("required_scenario_name")
    found = (
        _scenario(account, parameters.integer("scenario_id", error=132))
        if wanted is None
        else _scenario_called(account, wanted)
    )
    if found is None:
        raise ApiError(132)
    name, text = parameters.text("scenario_name"), parameters.text("scenario_script")
    if name is not None:
        _scenario_name(name)
        if _scenario_called(account, name) not in (None, found):
            raise ApiError(133)
        found.name = name
    if text is not None:
        found.text = _script(text)
    found.modified = account.clock.now()
    return {"result": 1}


@SCENARIO_METHODS.add(
    "GetScenarios", f"scenario_id scenario_name with_script count offset {_APPLICATION}"
)
def _get_scenarios(account: Account, parameters: Parameters) -> dict[str, object]:
    number = parameters.integer("scenario_id", error=132)
    part = (parameters.text("scenario_name") or "").lower()
    application = account.application_if_named(parameters)
    with_script = parameters.boolean("with_script") and number is not None
    exact = account.switches.scenario_filter == "exact"
    found = [
        _shown(one, with_script=with_script)
        for one in account.scenarios.values()
        if number in (None, one.scenario_id)
        and (one.name.lower() == part if exact and part else part in one.name.lower())
        and (application is None or one.application_id == application.application_id)
    ]
    if number is not None and not found:
        raise ApiError(132)
    return listing(found, parameters)


@SCENARIO_METHODS.add("DelScenario", "scenario_id scenario_name")
def _del_scenario(account: Account, parameters: Parameters) -> dict[str, object]:
    for one in _named_scenarios(account, parameters):
        del account.scenarios[one.scenario_id]
        for rule in account.rules.values():
            rule.scenarios = [s for s in rule.scenarios if s != one.scenario_id]
    return {"result": 1}


@SCENARIO_METHODS.add("BindScenario", f"scenario_id scenario_name bind {_RULE}")
def _bind(account: Account, parameters: Parameters) -> dict[str, object]:
    rule = _named_rule(account, parameters)
    for one in _named_scenarios(account, parameters):
        bound = one.scenario_id in rule.scenarios
        if parameters.boolean("bind", default=True):
            if one.application_id not in (None, rule.application_id):
                raise ApiError(132)
            if not bound:
                rule.scenarios.append(one.scenario_id)
        elif bound:
            rule.scenarios.remove(one.scenario_id)
    return {"result": 1}


@SCENARIO_METHODS.add("ReorderScenarios", "scenario_id rule_id rule_name")
def _reorder_scenarios(account: Account, parameters: Parameters) -> dict[str, object]:
    rule = _named_rule(account, parameters)
    order = parameters.ids("scenario_id", error=132)
    if not order or sorted(order) != sorted(rule.scenarios):
        raise ApiError(132)
    rule.scenarios = order
    return {"result": 1}


@SCENARIO_METHODS.add(
    "AddRule",
    f"{_APPLICATION} rule_name rule_pattern rule_pattern_exclude video_conference bind_key_id"
    " scenario_id scenario_name",
)
def _add_rule(account: Account, parameters: Parameters) -> dict[str, object]:
    application = account.application(parameters)
    name = _free_rule_name(account, application, parameters.required("rule_name"))
    rule = Rule(
        account.next_id(),
        application.application_id,
        name,
        _pattern(parameters.required("rule_pattern")),
        account.clock.now(),
        _pattern(parameters.text("rule_pattern_exclude") or "", code=149),
    )
    if parameters.names("scenario_id") or parameters.names("scenario_name"):
        rule.scenarios = [one.scenario_id for one in _named_scenarios(account, parameters)]
    account.rules[rule.rule_id] = rule
    return {"result": 1, "rule_id": rule.rule_id}


@SCENARIO_METHODS.add(
    "SetRuleInfo",
    "rule_id rule_name rule_pattern rule_pattern_exclude video_conference bind_key_id",
)
def _set_rule(account: Account, parameters: Parameters) -> dict[str, object]:
    rule = account.rules.get(parameters.integer("rule_id", error=147) or 0)
    if rule is None:
        raise ApiError(147)
    application = account.applications[rule.application_id]
    name, pattern = parameters.text("rule_name"), parameters.text("rule_pattern")
    exclude = parameters.text("rule_pattern_exclude")
    if name is not None and name != rule.name:
        rule.name = _free_rule_name(account, application, name)
    if pattern is not None:
        rule.pattern = _pattern(pattern)
    if exclude is not None:
        rule.pattern_exclude = _pattern(exclude, code=149)
    rule.modified = account.clock.now()
    return {"result": 1}


@SCENARIO_METHODS.add(
    "GetRules", f"{_RULE} video_conference attached_key_id template with_scenarios count offset"
)
def _get_rules(account: Account, parameters: Parameters) -> dict[str, object]:
    application = account.application(parameters)
    number = parameters.integer("rule_id", error=147)
    part = parameters.text("rule_name") or ""
    found = [
        shown_rule(account, rule, scenarios=parameters.boolean("with_scenarios"))
        for rule in account.rules.values()
        if rule.application_id == application.application_id
        and number in (None, rule.rule_id)
        and part in rule.name
    ]
    return listing(found, parameters)


@SCENARIO_METHODS.add("DelRule", _RULE)
def _del_rule(account: Account, parameters: Parameters) -> dict[str, object]:
    everything = "all" in (parameters.text("rule_id"), parameters.text("rule_name"))
    application = account.application_if_named(parameters)
    rules = list(account.rules.values()) if everything else [_named_rule(account, parameters)]
    for rule in rules:
        if application is None or rule.application_id == application.application_id:
            del account.rules[rule.rule_id]
            for phone in account.phones.values():
                if phone.rule_id == rule.rule_id:
                    phone.rule_id = None
    return {"result": 1}


@SCENARIO_METHODS.add("ReorderRules", "rule_id")
def _reorder_rules(account: Account, parameters: Parameters) -> dict[str, object]:
    order = parameters.ids("rule_id", error=147)
    if not order or not set(order) <= account.rules.keys():
        raise ApiError(147)
    moved = {number: account.rules.pop(number) for number in order}
    account.rules.update(moved)
    return {"result": 1}


def _script(text: str) -> str:
    if len(text.encode()) >= LONGEST_SCRIPT:
        raise ApiError(130)
    return text


def _scenario_name(name: str) -> str:
    if len(name) > _LONGEST_SCENARIO_NAME:
        raise ApiError(168)
    return name


def _pattern(text: str, *, code: int = 148) -> str:
    try:
        re.compile(text)
    except re.error:
        raise ApiError(code, "The 'rule_pattern' parameter is invalid.") from None
    if len(text) > _LONGEST_PATTERN:
        raise ApiError(code)
    return text


def _free_rule_name(account: Account, application: Application, name: str) -> str:
    if len(name) > _LONGEST_RULE_NAME:
        raise ApiError(156)
    for rule in account.rules.values():
        if (rule.application_id, rule.name) == (application.application_id, name):
            raise ApiError(175)
    return name


def _scenario(account: Account, number: int | None) -> Scenario | None:
    return account.scenarios.get(number or 0)


def _scenario_called(account: Account, name: str) -> Scenario | None:
    return next((one for one in account.scenarios.values() if one.name == name), None)


def _named_scenarios(account: Account, parameters: Parameters) -> list[Scenario]:
    """Return the scenarios that ids or names give, all of them for `all`; 132 for a wrong one."""
    if "all" in (parameters.text("scenario_id"), parameters.text("scenario_name")):
        return list(account.scenarios.values())
    ids = parameters.ids("scenario_id", error=132)
    found = [account.scenarios.get(number) for number in ids]
    found += [_scenario_called(account, name) for name in parameters.names("scenario_name")]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        raise ApiError(132)
    return known


def _names_a_rule(parameters: Parameters) -> bool:
    return bool(parameters.text("rule_id") or parameters.text("rule_name"))


def _named_rule(account: Account, parameters: Parameters) -> Rule:
    """Return the rule with this id, or this name in the application; 147 when there is none."""
    number = parameters.integer("rule_id", error=147)
    name = parameters.text("rule_name")
    if number is None and name is None:
        raise ApiError(134, "Required parameter is empty: 'rule_id'.")
    application = account.application_if_named(parameters)
    for rule in account.rules.values():
        if application is not None and rule.application_id != application.application_id:
            continue
        if number in (None, rule.rule_id) and name in (None, rule.name):
            return rule
    raise ApiError(147)


def _shown(one: Scenario, *, with_script: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "scenario_id": one.scenario_id,
        "scenario_name": one.name,
        "modified": date_time(one.modified),
        "parent": None,
    }
    if one.application_id is not None:
        shown["application_id"] = one.application_id
    return shown | ({"scenario_script": one.text} if with_script else {})
