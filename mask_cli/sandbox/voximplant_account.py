"""The account and application methods of the emulated Management API."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mask_cli.sandbox.voximplant_methods import (
    Account,
    ApiError,
    Application,
    Methods,
    Parameters,
)

if TYPE_CHECKING:
    from mask_cli.sandbox.voximplant_things import Rule

ACCOUNT_METHODS = Methods()
MOST_APPLICATIONS = 1000
DEFAULT_COUNT = 20
_NAME = re.compile(r"[a-z][a-z0-9-]{1,64}")


def add_application(
    account: Account, name: str, *, secure: bool = False, node: str | None = None
) -> Application:
    """Create an application from its short or full name; 107 and 129 as the platform says."""
    full = full_name(account, name)
    if node:
        label, _, domain = full.partition(".")
        full = f"{label}.{domain.replace('.', f'.{node}.', 1)}"
    if any(application.name == full for application in account.applications.values()):
        raise ApiError(129)
    application = Application(account.next_id(), full, account.clock.now(), secure)
    account.applications[application.application_id] = application
    return application


def full_name(account: Account, name: str) -> str:
    """Return `<application>.<account>.voximplant.com`, or fail with 107."""
    label, _, domain = name.partition(".")
    if not _NAME.fullmatch(label):
        raise ApiError(107)
    if domain not in ("", f"{account.name}.voximplant.com"):
        raise ApiError(107)
    return f"{label}.{account.name}.voximplant.com"


@ACCOUNT_METHODS.add("GetAccountInfo", "return_live_balance")
def _account_info(account: Account, parameters: Parameters) -> dict[str, object]:
    result: dict[str, object] = {
        "account_id": account.account_id,
        "account_name": account.name,
        "account_email": account.email,
        "created": date_time(account.created),
        "balance": account.balance / 100,
        "currency": "USD",
        "active": True,
        "frozen": False,
        "api_address": "api.voximplant.com",
    }
    if parameters.boolean("return_live_balance"):
        result["live_balance"] = account.balance / 100
    return {"result": result}


@ACCOUNT_METHODS.add("AddApplication", "application_name secure_record_storage")
def _add_application(account: Account, parameters: Parameters) -> dict[str, object]:
    name = parameters.required("application_name")
    application = add_application(account, name, secure=parameters.boolean("secure_record_storage"))
    return {
        "result": 1,
        "application_id": application.application_id,
        "application_name": application.name,
        "secure_record_storage": application.secure_record_storage,
    }


@ACCOUNT_METHODS.add(
    "GetApplications", "application_id application_name with_rules with_scenarios count offset"
)
def _get_applications(account: Account, parameters: Parameters) -> dict[str, object]:
    number = parameters.integer("application_id", error=116)
    part = parameters.text("application_name") or ""
    details = parameters.boolean("with_rules") or parameters.boolean("with_scenarios")
    with_scenarios = parameters.boolean("with_scenarios")
    found = [
        _shown(application) | (_rules_of(account, application, with_scenarios) if details else {})
        for application in account.applications.values()
        if number in (None, application.application_id) and part in application.name
    ]
    return listing(found, parameters)


@ACCOUNT_METHODS.add(
    "SetApplicationInfo",
    "application_id required_application_name application_name secure_record_storage",
)
def _set_application_info(account: Account, parameters: Parameters) -> dict[str, object]:
    application = _required_application(account, parameters)
    name = parameters.text("application_name")
    if name is not None:
        full = full_name(account, name)
        if any(a.name == full for a in account.applications.values() if a is not application):
            raise ApiError(129)
        application.name = full
    if parameters.text("secure_record_storage") is not None:
        application.secure_record_storage = parameters.boolean("secure_record_storage")
    application.modified = account.clock.now()
    return {"result": 1}


@ACCOUNT_METHODS.add("DelApplication", "application_id application_name")
def _del_application(account: Account, parameters: Parameters) -> dict[str, object]:
    if "all" in (parameters.text("application_id"), parameters.text("application_name")):
        for application in list(account.applications.values()):
            delete_application(account, application)
    else:
        delete_application(account, account.application(parameters))
    return {"result": 1}


def delete_application(account: Account, application: Application) -> None:
    """Remove an application with its rules and scenarios; its numbers lead nowhere then."""
    number = application.application_id
    del account.applications[number]
    for rule in [rule for rule in account.rules.values() if rule.application_id == number]:
        del account.rules[rule.rule_id]
    for one in [s for s in account.scenarios.values() if s.application_id == number]:
        del account.scenarios[one.scenario_id]
        for rule in account.rules.values():
            rule.scenarios = [s for s in rule.scenarios if s != one.scenario_id]
    for phone in account.phones.values():
        if phone.application_id == number:
            phone.application_id = phone.rule_id = None


def _required_application(account: Account, parameters: Parameters) -> Application:
    name = parameters.text("required_application_name")
    named = {"application_name": name} if name else {}
    # The new name is no name of it yet.
    number = {} if name else {"application_id": parameters.required("application_id")}
    return account.application(Parameters(named | number))


def _rules_of(account: Account, application: Application, scenarios: bool) -> dict[str, object]:
    rules = [r for r in account.rules.values() if r.application_id == application.application_id]
    return {"rules": [shown_rule(account, rule, scenarios=scenarios) for rule in rules]}


def shown_rule(account: Account, rule: Rule, *, scenarios: bool) -> dict[str, object]:
    """Return a rule as listings show it."""
    shown: dict[str, object] = {
        "rule_id": rule.rule_id,
        "rule_name": rule.name,
        "rule_pattern": rule.pattern,
        "rule_pattern_exclude": rule.pattern_exclude,
        "application_id": rule.application_id,
        "modified": date_time(rule.modified),
        "video_conference": False,
    }
    if scenarios:
        shown["scenarios"] = [
            {"scenario_id": number, "scenario_name": account.scenarios[number].name}
            for number in rule.scenarios
        ]
    return shown


def listing(found: list[dict[str, object]], parameters: Parameters) -> dict[str, object]:
    """Return one page of a list with its counts."""
    count = parameters.in_range("count", 1, MOST_APPLICATIONS) or DEFAULT_COUNT
    offset = parameters.in_range("offset", 0, 10**12) or 0
    page = found[offset : offset + count]
    return {"result": page, "total_count": len(found), "count": len(page)}


def date_time(seconds: int) -> str:
    """Return a time as the platform writes it, `YYYY-MM-DD HH:MM:SS` in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _shown(application: Application) -> dict[str, object]:
    return {
        "application_id": application.application_id,
        "application_name": application.name,
        "modified": date_time(application.modified),
        "secure_record_storage": application.secure_record_storage,
    }
