"""The account and application methods of the emulated Management API."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mask_cli.sandbox.voximplant_methods import (
    Account,
    ApiError,
    Application,
    Methods,
    Parameters,
)

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
        "balance": 100.0,
        "currency": "USD",
        "active": True,
        "frozen": False,
        "api_address": "api.voximplant.com",
    }
    if parameters.boolean("return_live_balance"):
        result["live_balance"] = 100.0
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
    found = [
        _shown(application) | ({"rules": []} if details else {})
        for application in account.applications.values()
        if number in (None, application.application_id) and part in application.name
    ]
    return listing(found, parameters)


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
