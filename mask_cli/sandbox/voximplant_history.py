"""The call history of the emulated Management API; like the platform's it holds whole numbers."""

from __future__ import annotations

import re

from mask_cli.sandbox.voximplant_account import date_time, listing
from mask_cli.sandbox.voximplant_methods import Account, ApiError, Methods, Parameters

HISTORY_METHODS = Methods()
MOST_SESSIONS = 1000
FARTHEST = 10_000
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@HISTORY_METHODS.add(
    "GetCallHistory",
    "from_date to_date min_duration max_duration is_async with_header"
    " call_session_history_id application_id application_name user_id rule_name remote_number"
    " remote_number_list local_number call_session_history_custom_data with_calls with_records"
    " with_other_resources child_account_id children_calls_only desc_order with_total_count"
    " count offset",
)
def _history(account: Account, parameters: Parameters) -> dict[str, object]:
    first, last = _time(parameters, "from_date"), _time(parameters, "to_date")
    ids = parameters.ids("call_session_history_id", error=496)
    application = account.application_if_named(parameters)
    parameters.in_range("count", 1, MOST_SESSIONS)
    parameters.in_range("offset", 0, FARTHEST)
    found = [
        _shown(session, parameters)
        for session in sorted(account.sessions, key=lambda one: one["start_date"])
        if first <= session["start_date"] <= last
        and (not ids or session["call_session_history_id"] in ids)
        and (application is None or session["application_id"] == application.application_id)
    ]
    if parameters.boolean("desc_order"):
        found.reverse()
    return {**listing(found, parameters), "timezone": "Etc/UTC"}


def _time(parameters: Parameters, name: str) -> str:
    text = parameters.required(name)
    if not _TIME.fullmatch(text):
        raise ApiError(111, "Invalid date format.")
    return text


def _shown(session: dict[str, object], parameters: Parameters) -> dict[str, object]:
    hidden = {
        name
        for name, flag in (("calls", "with_calls"), ("records", "with_records"))
        if not parameters.boolean(flag)
    }
    return {name: value for name, value in session.items() if name not in hidden}


def add_session(
    account: Account,
    *,
    application_id: int,
    started: int,
    custom_data: str | None,
    legs: list[dict[str, object]],
    duration: int = 40,
    session_id: int | None = None,
) -> int:
    """Put a finished call into the history; return its id.

    A leg has `local_number`, `remote_number`, `incoming`, `successful`, `duration`, `cost`,
    and `record_url` where one was recorded.
    """
    number = session_id or account.next_id()
    account.sessions.append(
        {
            "call_session_history_id": number,
            "account_id": account.account_id,
            "application_id": application_id,
            "application_name": account.applications[application_id].name,
            "rule_name": None,
            "start_date": date_time(started),
            "duration": duration,
            "initiator_address": "127.0.0.1",
            "media_server_address": "127.0.0.1",
            "log_file_url": "https://storage.example/log",
            "finish_reason": "Normal termination",
            "custom_data": custom_data,
            "calls": [
                {
                    "call_id": account.next_id(),
                    "start_time": date_time(started),
                    "remote_number_type": "pstn",
                    **leg,
                }
                for leg in legs
            ],
            "records": [],
        }
    )
    return number
