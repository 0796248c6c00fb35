"""Plivo's hooks: what each request means, what is answered, what is kept of it.

Hooks are told apart by their address alone. They read the store and change nothing: what is to
be written is returned with the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mask_cli.routing import OPERATOR_KEY, Action, Call, Reason, Route, parse_endpoint
from mask_cli.store.calls_base import CallOutcome, CallUpdate, Guess, WrongOrder
from mask_cli.web.decision import ATTEMPTS_WINDOW, caller_key, decide
from mask_cli.web.plivo_xml import EMPTY, OVER, Documents

if TYPE_CHECKING:
    from collections.abc import Callable

    from mask_cli.store.calls_base import Calls
    from mask_cli.web.request import Request
    from mask_cli.web.site import Site

PROVIDER = "plivo"
MOST_ATTEMPTS = 99
# With a letter in it: an id that could be a phone number is not the platform's.
_CALL_ID = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_-]{8,64}", re.ASCII)
_CAUSE = re.compile(r"[A-Z][A-Z_]{0,48}", re.ASCII)
_RECORDING = re.compile(r"https://[!-~]{1,400}", re.ASCII)
_LIVE = frozenset({"ringing", "in-progress"})
_DIALLED = {
    OVER: CallOutcome.CONNECTED,
    "busy": CallOutcome.BUSY,
    "timeout": CallOutcome.NO_ANSWER,
    "no-answer": CallOutcome.NO_ANSWER,
    "cancel": CallOutcome.CANCELLED,
}
_ROUTED = {
    Action.DIAL: CallOutcome.DIALLED,
    Action.ASK: CallOutcome.ASKED,
    # That somebody spoke with the operator is known once the operator has answered.
    Action.OPERATOR: CallOutcome.MESSAGE,
    Action.SAY: CallOutcome.MESSAGE,
}
_OPERATOR = "operator"
_REASONS = frozenset(Reason)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a request leads to; nothing of it has happened yet."""

    document: str
    update: CallUpdate | None = None
    wrong_order: WrongOrder | None = None
    route: Route | None = None
    guess: Guess | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What a hook may look up: the calls, the key for hashes, attempts not stored yet."""

    calls: Calls
    key: bytes
    under_way: Callable[[str], int]


class PlivoHooks:
    """The hooks of one site, by the last part of their address."""

    def __init__(self, site: Site, now: Callable[[], int]) -> None:
        self._site = site
        self._now = now
        self.documents = Documents(site)
        self.by_name: dict[str, Callable[[Request, Desk], Reaction]] = {
            "answer": self.answer,
            "digits": self.digits,
            "dialled": self.dialled,
            "leg": self.leg,
            "notice": self.notice,
            "recorded": self.recorded,
            "hangup": self.hangup,
        }
        self.spoken = frozenset({"answer", "digits", "dialled", "notice"})
        """Those whose document the caller hears; the others are notifications."""

    def answer(self, request: Request, desk: Desk) -> Reaction:
        """Decide a call that comes in.

        Where an application has no hangup address, this one is told of the end, too: a call
        that is over is never routed.
        """
        if (request.get("CallStatus") or "ringing") not in _LIVE:
            return self.hangup(request, desk)
        return self._routed(request, desk, digits=None, attempts=0)

    def digits(self, request: Request, desk: Desk) -> Reaction:
        """Decide on what was typed, or on silence."""
        digits = request.get("Digits") or ""
        if "after" in request.state and OPERATOR_KEY not in digits:
            return Reaction(self.documents.goodbye(), self._update(request))
        attempts = _whole(request.state.get("attempts", "0"), MOST_ATTEMPTS)
        return self._routed(
            request, desk, digits=digits, attempts=MOST_ATTEMPTS if attempts is None else attempts
        )

    def dialled(self, request: Request, _: Desk) -> Reaction:
        """Say why nobody could be reached; end the call after a conversation."""
        status = request.get("DialStatus") or ""
        operator = request.state.get("to") == _OPERATOR
        outcome = _DIALLED.get(status, CallOutcome.FAILED)
        if operator:
            # Less telling than why the party was not reached: that stays, and so does its reason.
            outcome = CallOutcome.OPERATOR if status == OVER else CallOutcome.MESSAGE
        cause = _matching(_CAUSE, request.get("DialHangupCause"))
        return Reaction(
            self.documents.dialled(status, operator=operator),
            self._update(request, outcome=outcome, reason=_reason(request), hangup_cause=cause),
        )

    def leg(self, request: Request, _: Desk) -> Reaction:
        """Keep when the dialled party answered, and how long they talked."""
        operator = request.state.get("to") == _OPERATOR
        talking = CallOutcome.OPERATOR if operator else CallOutcome.CONNECTED
        now, why = self._now(), _reason(request)
        match request.get("DialAction"):
            case "answer":
                update = self._update(request, answered_at=now)
            case "connected":
                update = self._update(
                    request, outcome=talking, reason=why, answered_at=now, bridged_at=now
                )
            case "hangup":
                talked = _whole(request.get("DialBLegDuration"))
                outcome = talking if talked else None
                cause = _matching(_CAUSE, request.get("DialBLegHangupCause"))
                update = self._update(
                    request, outcome=outcome, reason=why, talked=talked, hangup_cause=cause
                )
            case _:
                update = None
        return Reaction(EMPTY, update)

    def notice(self, _request: Request, _: Desk) -> Reaction:
        """Tell the callee that the conversation is recorded."""
        return Reaction(self.documents.notice())

    def recorded(self, request: Request, _: Desk) -> Reaction:
        """Keep where the recording is."""
        url = _matching(_RECORDING, request.get("RecordUrl"))
        return Reaction(EMPTY, self._update(request, recording_url=url) if url else None)

    def hangup(self, request: Request, _: Desk) -> Reaction:
        """Keep that the call is over, how long it took, and why it ended."""
        update = self._update(
            request,
            ended_at=self._now(),
            seconds=_whole(request.get("Duration")),
            hangup_cause=_matching(_CAUSE, request.get("HangupCause")),
        )
        return Reaction(EMPTY, update)

    def _routed(
        self, request: Request, desk: Desk, *, digits: str | None, attempts: int
    ) -> Reaction:
        call = Call(request.get("From"), request.get("To"), digits, attempts)
        caller = None if digits is None else parse_endpoint(call.caller)
        hashed = caller_key(desk.key, caller) if caller else None
        route = decide(
            desk.calls,
            call,
            self._now(),
            self._site.rules,
            key=desk.key,
            under_way=desk.under_way(hashed) if hashed else 0,
        )
        update = self._update(
            request,
            outcome=_ROUTED[route.action],
            reason=str(route.reason),
            mapping_id=route.mapping.mapping_id if route.mapping else None,
            order=route.order,
            role=str(route.role) if route.role else None,
            answered_at=None if digits is None else self._now(),
        )
        wrong = guess = None
        if hashed and (route.wrong_order or route.action is Action.DIAL):
            rules = self._site.rules
            guess = Guess(hashed, self._now() - ATTEMPTS_WINDOW, rules.caller_attempts)
        if route.wrong_order and hashed:
            call_id = update.call_id if update else request.digest
            wrong = WrongOrder(hashed, call_id, route.attempts, self._now())
        return Reaction(self.documents.of(route), update, wrong, route, guess)

    def _update(self, request: Request, **values: Any) -> CallUpdate | None:  # noqa: ANN401 (its fields)
        """Return what is kept of a call; nothing when its id is none."""
        call_id = _matching(_CALL_ID, request.get("CallUUID"))
        if call_id is None:
            return None
        return CallUpdate(PROVIDER, call_id, self._now(), **values)


def _reason(request: Request) -> str | None:
    """Return why the operator is dialled; a party is for the reason that is kept already."""
    reason = request.state.get("reason")
    return reason if reason in _REASONS else None


def _matching(pattern: re.Pattern[str], text: str | None) -> str | None:
    return text if text is not None and pattern.fullmatch(text) else None


def _whole(text: str | None, most: int = 999_999) -> int | None:
    """Return a count that somebody else wrote, None when it is not a sensible one."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 (digits)
        return None
    return int(text) if int(text) <= most else None
