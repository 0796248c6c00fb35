"""Call reports of the Voximplant scenario: believed only when signed, kept once a session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mask_cli.models import LONGEST_ORDER, SHORTEST_ORDER
from mask_cli.scenario.report import (
    LONGEST_BODY,
    BadReport,
    BadSignature,
    StaleReport,
    verify,
)
from mask_cli.store.calls_base import CallOutcome, CallUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping

PROVIDER = "voximplant"
PATH = "/voximplant/calls"
_ORDER = re.compile(rf"[0-9]{{{SHORTEST_ORDER},{LONGEST_ORDER}}}", re.ASCII)
_SESSION = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_LONGEST_URL = 1000

OUTCOMES = {
    "abandoned": CallOutcome.ABANDONED,
    "busy": CallOutcome.BUSY,
    "connected": CallOutcome.CONNECTED,
    "no_answer": CallOutcome.NO_ANSWER,
    # Answered, and nobody pressed 1: a mailbox, or somebody who would not talk.
    "not_accepted": CallOutcome.NO_ANSWER,
    "operator": CallOutcome.OPERATOR,
    "operator_unavailable": CallOutcome.MESSAGE,
    "refused": CallOutcome.MESSAGE,
    "rejected": CallOutcome.FAILED,
    "unavailable": CallOutcome.MESSAGE,
    "unreachable": CallOutcome.FAILED,
}
"""What the scenario's words are among those kept of calls."""


class Refused(Exception):
    """The report is not taken; `status` is what the sender gets, `why` is for the log."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def received(secret: str | None, proof: str | None, body: bytes, now: int) -> CallUpdate:
    """Return what a request tells of a call, or raise Refused; `proof` is its signature header.

    The signature is compared in constant time, before anything of the body is read.
    """
    if len(body) > LONGEST_BODY:
        raise Refused(413, "too_large")
    try:
        report = verify(secret or "", proof, body, now)
    except BadSignature:
        raise Refused(403, "bad_signature") from None
    except StaleReport:
        raise Refused(403, "stale") from None
    except BadReport:
        raise Refused(400, "bad_report") from None
    return update_of(report, now)


def update_of(report: Mapping[str, Any], now: int) -> CallUpdate:
    """Return the row of a report that was believed; Refused when a field is of a wrong kind."""
    session = str(report["session"])
    if not _SESSION.fullmatch(session):
        raise Refused(400, "bad_report")
    times = {name: _whole(report[name]) for name in report if name.endswith("_at")}
    started, ended = times["started_at"], times["ended_at"]
    begun = started if started is not None else ended or now
    return CallUpdate(
        PROVIDER,
        session,
        begun,
        order=_order(report["order"]),
        role=report["role"],
        outcome=OUTCOMES[report["outcome"]],
        reason=report["reason"],
        answered_at=times["answered_at"],
        bridged_at=times["bridged_at"],
        ended_at=ended,
        seconds=max(0, ended - begun) if ended is not None else None,
        talked=_whole(report["talk_seconds"]),
        hangup_cause=_cause(report),
        recording_url=_url(report["recording_url"]),
    )


def _order(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and _ORDER.fullmatch(value):
        return value
    raise Refused(400, "bad_report")


def _whole(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**40:
        return int(value)
    raise Refused(400, "bad_report")


def _url(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and value.startswith("https://") and len(value) <= _LONGEST_URL:
        return value
    raise Refused(400, "bad_report")


def _cause(report: Mapping[str, Any]) -> str:
    """Return why the call went as it did: the platform's code of a leg that never answered."""
    legs = report["legs"]
    if not isinstance(legs, list) or not all(isinstance(leg, dict) for leg in legs):
        raise Refused(400, "bad_report")
    codes = [leg.get("code") for leg in legs if isinstance(leg.get("code"), int)]
    word = str(report["outcome"])
    return f"{word} ({codes[-1]})" if codes else word
