"""Dial as the voice platform does: legs that ring together, the first to answer is connected."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from mask_cli.routing import parse_endpoint
from mask_cli.sandbox.plivo_scene import Behaviour, CallOver, Form, Leg, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mask_cli.models import PhoneNumber
    from mask_cli.sandbox.plivo_document import Element

RING_TIMEOUT = 120
"""Seconds that the platform lets a leg ring where nothing else is said."""
LONGEST_CALL, USUAL_LIMIT = 86_400, 14_400
_RINGS, _HANGS_UP, _ANNOUNCEMENT = 4.0, 2.0, 3.0
_GIVES_UP = {Behaviour.BUSY: 2.0, Behaviour.REJECTS: 3.0}
_STATUS = {
    Behaviour.BUSY: ("busy", "USER_BUSY", 3010),
    Behaviour.REJECTS: ("failed", "CALL_REJECTED", 3020),
    Behaviour.NO_ANSWER: ("no-answer", "NO_ANSWER", 3000),
}
_UNKNOWN_CALLER_ID, _INVALID, _LOOP = 3030, 2000, 2060


class Line(Protocol):
    """What dialling needs of the call it happens in."""

    scene: Scene
    uuid: str
    now: float
    legs: list[Leg]

    def advance(self, seconds: float) -> None:
        """Let time pass; raises CallOver when the call ends meanwhile."""
        ...

    def answer(self) -> None:
        """Answer the caller's leg."""
        ...

    def leg_answered(self) -> None:
        """Begin what waits for a dialled leg to answer."""
        ...

    def new_uuid(self) -> str:
        """Return the id of one more leg."""
        ...

    def fetch(self, url: str) -> Sequence[Element]:
        """Return the document at an address; raises DocumentRefused where there is none."""
        ...

    def notify(self, element: Element, extra: Form) -> None:
        """Call an element's callback address, if it has one."""
        ...

    def tell(self, who: str, what: str, text: str = "", leg: Leg | None = None) -> None:
        """Add to the transcript."""
        ...


@dataclass(slots=True)
class _Ringing:
    """A leg while it is dialled."""

    leg: Leg
    target: str = field(repr=False)
    position: int
    behaviour: Behaviour
    uuid: str


def dial(line: Line, element: Element) -> list[tuple[str, str]]:
    """Dial all children at once; return what the `action` address is told."""
    legs = [_leg(line, element, child.text, n) for n, child in enumerate(element.children, 1)]
    ringing = [one for one in legs if not one.leg.code]
    for one in legs:
        line.tell("platform", "dials" if one in ringing else "does not dial", leg=one.leg)
    try:
        winner = _ring(line, element, ringing)
        if winner is not None:
            _talk(line, element, winner)
    except CallOver:
        for one in ringing:
            if not one.leg.code:
                one.leg = replace(one.leg, status="cancel", cause="ORIGINATOR_CANCEL", code=9000)
        raise
    finally:
        line.legs += [one.leg for one in legs]
    return _result(line, winner or legs[-1], answered=winner is not None, rang=bool(ringing))


def _leg(line: Line, element: Element, target: str, position: int) -> _Ringing:
    """Check a leg before it rings; without `callerId` the caller's own number is shown."""
    shown = element.get("callerId") or line.scene.caller
    name = element.get("callerName") or line.scene.caller
    number, caller_id = parse_endpoint(target), parse_endpoint(shown)
    leg = Leg(number, caller_id, name)
    if number is None and not target.startswith(("sip:", "sips:")):
        leg = replace(leg, status="failed", cause="INVALID_DESTINATION", code=_INVALID)
    elif number is not None and number == parse_endpoint(line.scene.caller):
        leg = replace(leg, status="failed", cause="LOOP_DETECTED", code=_LOOP)
    elif element.get("callerId") and not _rented(line, caller_id):
        leg = replace(leg, status="failed", cause="UNKNOWN_CALLER_ID", code=_UNKNOWN_CALLER_ID)
    behaviour = line.scene.behaviours.get(number.digits if number else target, line.scene.behaviour)
    return _Ringing(leg, target, position, behaviour, line.new_uuid())


def _rented(line: Line, caller_id: PhoneNumber | None) -> bool:
    rented = {line.scene.called, *line.scene.rented}
    return caller_id is not None and caller_id in {parse_endpoint(text) for text in rented}


def _ring(line: Line, element: Element, ringing: list[_Ringing]) -> _Ringing | None:
    """Let all ring until one answers, all refuse or the time is over; return who answered."""
    if not ringing:
        return None
    timeout = float(min(element.number("timeout", RING_TIMEOUT), RING_TIMEOUT))
    willing = [o for o in ringing if o.behaviour in (Behaviour.ANSWERS, Behaviour.HANGS_UP)]
    if willing and timeout > _RINGS:
        line.advance(_RINGS)
        for one in ringing:
            if one is not willing[0]:
                one.leg = replace(one.leg, status="cancel", cause="LOSE_RACE", code=9000)
        return willing[0]
    line.advance(min(timeout, max(_GIVES_UP.get(one.behaviour, timeout) for one in ringing)))
    for one in ringing:
        status, cause, code = _STATUS.get(one.behaviour, _STATUS[Behaviour.NO_ANSWER])
        one.leg = replace(one.leg, status=status, cause=cause, code=code)
        line.tell("callee", status, leg=one.leg)
    return None


def _talk(line: Line, element: Element, winner: _Ringing) -> None:
    """Connect the two until somebody hangs up or the time limit is reached."""
    line.answer()
    began = line.now
    winner.leg = replace(winner.leg, status="completed", code=4000, connected=True)
    line.tell("callee", "answers", leg=winner.leg)
    line.leg_answered()
    line.notify(element, _event(line, winner, "answer"))
    _announce(line, element, winner)
    line.notify(element, _event(line, winner, "connected"))
    limit = min(element.number("timeLimit", USUAL_LIMIT), LONGEST_CALL)
    wanted = _HANGS_UP if winner.behaviour is Behaviour.HANGS_UP else line.scene.talk
    source = "Callee" if wanted <= limit else "Plivo"
    try:
        line.advance(min(wanted, limit))
    except CallOver as over:
        source = over.source
        raise
    finally:
        winner.leg = replace(winner.leg, cause="NORMAL_CLEARING", talked=line.now - began)
        line.tell("callee" if source == "Callee" else "platform", "ends the leg", leg=winner.leg)
        line.notify(element, _hangup_event(line, winner, source))


def _announce(line: Line, element: Element, winner: _Ringing) -> None:
    """Let the callee hear what it is to hear before it is connected; the caller waits."""
    if url := element.get("confirmSound"):
        for spoken in line.fetch(url):
            line.tell("callee", "hears", spoken.text, leg=winner.leg)
            line.advance(_ANNOUNCEMENT)


def _event(line: Line, one: _Ringing, action: str) -> list[tuple[str, str]]:
    shown = one.leg.caller_id
    return [
        ("DialAction", action),
        ("DialBLegStatus", action),
        ("DialALegUUID", line.uuid),
        ("DialBLegUUID", one.uuid),
        ("DialBLegFrom", shown.digits if shown else ""),
        ("DialBLegTo", one.leg.number.digits if one.leg.number else one.target),
        ("DialBLegPosition", str(one.position)),
    ]


def _hangup_event(line: Line, one: _Ringing, source: str) -> list[tuple[str, str]]:
    seconds = int(one.leg.talked)
    return [
        *_event(line, one, "hangup"),
        ("DialBLegDuration", str(seconds)),
        ("DialBLegBillDuration", str(-(-seconds // 60) * 60)),
        ("DialBLegHangupCause", one.leg.cause),
        ("DialBLegHangupCauseName", "Normal Hangup"),
        ("DialBLegHangupCauseCode", str(one.leg.code)),
        ("DialBLegHangupSource", source),
    ]


def _result(line: Line, one: _Ringing, *, answered: bool, rang: bool) -> list[tuple[str, str]]:
    return [
        ("DialStatus", one.leg.status),
        ("DialRingStatus", str(rang).lower()),
        ("DialHangupCause", one.leg.cause),
        ("DialALegUUID", line.uuid),
        ("DialBLegUUID", one.uuid if answered else ""),
    ]
