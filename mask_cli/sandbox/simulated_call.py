"""One simulated Voximplant call as `mask simulate` shows it: verdict, reason, who heard what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mask_cli.errors import BadData, UsageError
from mask_cli.models import PhoneNumber
from mask_cli.sandbox.simulate_voximplant import (
    BEHAVIOURS,
    CallPlan,
    Transcript,
    play,
    reason_of,
    story,
    typed,
)
from mask_cli.scenario.render import configuration_of

if TYPE_CHECKING:
    from mask_cli.records import Record
    from mask_cli.sandbox.simulate_voximplant import Storage

EVENT_FIELDS = ("at", "who", "what", "text", "number", "caller_id")
VERDICTS = ("connected", "operator", "not_connected", "message")
"""The parties spoke; the operator did; nobody who was dialled did; nobody was dialled."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Who calls which rented number, types what, and how the person called behaves."""

    caller: str = field(repr=False)
    called: PhoneNumber
    press: tuple[str, ...] = ()
    callee: str = "answers"


def simulate_voximplant_call(
    text: str, storage: Storage, situation: Situation, now: int, operator: PhoneNumber | None = None
) -> Record:
    """Play the call with a scenario's text; `operator` is for texts that mask did not render."""
    if situation.callee not in BEHAVIOURS:
        raise UsageError(f"--callee takes {', '.join(BEHAVIOURS)}")
    plan = CallPlan(
        situation.caller,
        situation.called.digits,
        typed(*situation.press),
        party=BEHAVIOURS[situation.callee],
        now=now,
    )
    numbers = None if _is_ours(text) else (situation.called.digits,)
    played = play(
        text, plan, storage, numbers=numbers, operator=operator.digits if operator else None
    )
    return {
        "verdict": _verdict(played),
        "reason": reason_of(played),
        "reasons": list(played.reasons),
        "outcome": played.outcome,
        "seconds": played.seconds,
        "bridged_seconds": played.bridged_seconds,
        "problem": _problem(played),
        "report": played.reports[-1] if played.reports else None,
        "events": _events(played),
    }


def order_key(text: str) -> str:
    """Return what stands before the order number in the keys that a text looks up."""
    return str(configuration_of(text)["key_prefix"]) if _is_ours(text) else ""


def _is_ours(text: str) -> bool:
    try:
        configuration_of(text)
    except BadData:
        return False
    return True


def _verdict(played: Transcript) -> str:
    if played.outcome in ("connected", "operator"):
        return str(played.outcome)
    bridged = {who for event in played.of("bridged") for who in event["who"]}
    if "party" in bridged:
        return "connected"
    return "not_connected" if played.of("dialled") else "message"


def _problem(played: Transcript) -> str | None:
    """Return what the platform would have objected to."""
    if played.finish != "Normal termination":
        return f"the session ended with: {played.finish}"
    return f"the platform was misused: {played.misuse[0]}" if played.misuse else None


def _events(played: Transcript) -> list[Record]:
    told = story(played)
    return [
        {
            "at": at,
            "who": who,
            "what": _what(what, event),
            "text": event.get("text"),
            "number": _number(event.get("number")),
            "caller_id": _number(event.get("caller_id")),
        }
        for (at, who, what), event in zip(told, played.events, strict=True)
    ]


def _what(told: str, event: dict[str, Any]) -> str:
    """Return what the story tells, without what has a column of its own."""
    if "text" in event:
        return "hears" if event.get("whole") else "hears, cut short"
    return "is called" if "number" in event and "caller_id" in event else told


def _number(value: Any) -> PhoneNumber | None:  # noqa: ANN401 (an event's field)
    digits = "".join(c for c in str(value or "") if c.isdigit())
    return PhoneNumber("+" + digits) if digits else None
