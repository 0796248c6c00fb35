"""Play a call as Plivo's voice platform would: ask the webhook, obey its XML, tell what happened.

Time is virtual: a call of an hour is over at once. Numbers stay `PhoneNumber`s, so that a
transcript prints them redacted.
"""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from mask_cli.redaction import redacted_text
from mask_cli.routing import parse_endpoint
from mask_cli.sandbox.plivo_dial import dial
from mask_cli.sandbox.plivo_document import DocumentRefused, Element, Origin, read_document
from mask_cli.sandbox.plivo_recording import recorded
from mask_cli.sandbox.plivo_scene import (
    Application,
    CallOver,
    Event,
    Form,
    Leg,
    Outcome,
    Scene,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mask_cli.sandbox.plivo_webhook import Reply, Webhook

MOST_DOCUMENTS = 100
"""A call that asks for more goes round in a circle; the platform allows some thousands."""
KEY_GAP = 0.3
"""Seconds between two keys of one press."""
THINKING = 1.0
"""Seconds from the end of a prompt to the first key of a press without a time."""
_WORDS_PER_SECOND = 2.5
_AUDIO_SECONDS = 5.0
_ENDLESS = 3_600.0
_AUTO_DIGIT_END = 2

NORMAL, END_OF_DOCUMENT, SYSTEM_ERROR = 4000, 4010, 5000
_REASONS = {"rejected": 3020, "busy": 3010}
_CAUSES = {3020: ("failed", "CALL_REJECTED"), 3010: ("busy", "USER_BUSY")}


def place_call(scene: Scene, application: Application, webhook: Webhook) -> Outcome:
    """Play one call to its end and return what happened; the hangup address is told last."""
    return _Call(scene, application, webhook).run()


class _Call:
    def __init__(self, scene: Scene, application: Application, webhook: Webhook) -> None:
        self.scene = scene
        self.application = application
        self.webhook = webhook
        self.random = random.Random(scene.seed)  # noqa: S311 (ids only have to differ)
        self.uuid = self.new_uuid()
        self.now = 0.0
        self.answered_at: float | None = None
        self.hang_up_scheduled: float | None = None
        self.events: list[Event] = []
        self.legs: list[Leg] = []
        self.recordings: list[tuple[Element, float]] = []
        self.awaiting: list[Element] = []
        self.presses = [p for p in scene.presses if p.at is None]
        self.keys = sorted(
            (press.at + place * KEY_GAP, key)
            for press in scene.presses
            if press.at is not None
            for place, key in enumerate(press.keys)
        )

    def run(self) -> Outcome:
        problem = None
        try:
            self._play()
        except CallOver as over:
            code, source = over.code, over.source
        except DocumentRefused as refused:
            code, source, problem = refused.code, "Error", refused.problem
        self.tell("platform", "ends the call", f"{code} {source}")
        for element, began in self.recordings:
            self.notify(element, recorded(element, self.new_uuid(), self.now - began))
        self._hung_up(code, source)
        return Outcome(
            self.uuid, self._verdict(problem), code, source, self.now,
            tuple(self.events), tuple(self.legs), problem,
        )  # fmt: skip

    def _verdict(self, problem: str | None) -> Verdict:
        if any(leg.connected for leg in self.legs):
            return Verdict.CONNECTED
        if problem:
            return Verdict.REFUSED
        return Verdict.NOT_CONNECTED if self.legs else Verdict.MESSAGE

    # Documents

    def _play(self) -> NoReturn:
        document: Sequence[Element] | None = self._first_document()
        for _ in range(MOST_DOCUMENTS):
            if document is None:
                raise CallOver(END_OF_DOCUMENT, "Answer XML")
            document = self._run(document)
        raise CallOver(SYSTEM_ERROR, "Error")

    def _run(self, document: Iterable[Element]) -> Sequence[Element] | None:
        """Run the elements in turn; return the document that takes over, if one does."""
        for element in document:
            following: Sequence[Element] | None = getattr(self, f"_do_{element.tag.lower()}")(
                element
            )
            if following is not None:
                return following
        return None

    def _first_document(self) -> Sequence[Element]:
        plan = self.application
        extra = [("Event", "StartApp"), ("CallerName", self._caller_name()), ("BillRate", "0.0085")]
        try:
            reply = self._ask(plan.answer_method, plan.answer_url, extra)
            return self._read(reply, Origin.ANSWER)
        except DocumentRefused as refused:
            if plan.fallback_url is None:
                raise
            self.tell("platform", "falls back", str(refused.code))
        reply = self._ask(plan.fallback_method, plan.fallback_url, extra)
        return self._read(reply, Origin.ANSWER)

    def _read(self, reply: Reply | None, origin: Origin) -> Sequence[Element]:
        if reply is None or not 200 <= reply[0] < 300:  # noqa: PLR2004 (2xx)
            status = reply[0] if reply else "no answer"
            raise DocumentRefused(origin.unreachable, f"the webhook gave {status}")
        return read_document(reply[2], reply[1], origin)

    def _ask(self, method: str, url: str, extra: Form) -> Reply | None:
        status = "in-progress" if self.answered_at is not None else "ringing"
        common = [
            ("CallUUID", self.uuid),
            ("From", self.scene.caller),
            ("To", self.scene.called),
            ("CallStatus", status),
            ("Direction", "inbound"),
        ]
        named = {name for name, _ in extra}
        reply = self.webhook.ask(
            method, url, [pair for pair in common if pair[0] not in named] + list(extra)
        )
        self.tell(
            "platform", "asks", f"{method} {redacted_text(url)}: {reply[0] if reply else '-'}"
        )
        return reply

    def fetch(self, url: str) -> Sequence[Element]:
        """Return the document at an address that the callee's leg hears."""
        return self._read(self._ask("POST", url, []), Origin.ACTION)

    def _act(self, element: Element, extra: Form) -> Sequence[Element] | None:
        """Ask an element's action; its document takes over unless `redirect` is false."""
        url = element.get("action")
        if not url:
            return None
        reply = self._ask(element.method, url, extra)
        if not element.true("redirect", default=True):
            return None
        return self._read(reply, Origin.ACTION)

    # Time

    def advance(self, seconds: float) -> None:
        """Let time pass, up to where somebody ends the call."""
        ends = [
            (at, code, source)
            for at, code, source in (
                (self.scene.hang_up_at, NORMAL, "Caller"),
                (self.hang_up_scheduled, 6000, "Answer XML"),
            )
            if at is not None and at <= self.now + seconds
        ]
        if ends:
            at, code, source = min(ends)
            self.now = max(self.now, at)
            if source == "Caller":
                self.tell("caller", "hangs up")
            raise CallOver(code, source)
        self.now += seconds

    def tell(self, who: str, what: str, text: str = "", leg: Leg | None = None) -> None:
        """Add to the transcript."""
        number, caller_id = (leg.number, leg.caller_id) if leg else (None, None)
        self.events.append(
            Event(round(self.now, 3), who, what, redacted_text(text), number, caller_id)
        )

    def new_uuid(self) -> str:
        """Return an id that the seed decides."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def answer(self) -> None:
        """Answer the caller's leg."""
        if self.answered_at is None:
            self.answered_at = self.now

    # Elements without input

    def _do_speak(self, element: Element) -> None:
        self.answer()
        self._prompt(element)

    _do_play = _do_speak

    def _do_wait(self, element: Element) -> None:
        self._prompt(element)

    def _do_preanswer(self, element: Element) -> None:
        for child in element.children:
            self._prompt(child)

    def _do_dtmf(self, element: Element) -> None:
        self.tell("caller", "hears keys", element.text)

    def _do_redirect(self, element: Element) -> Sequence[Element]:
        return self._read(self._ask(element.method, element.text, []), Origin.REDIRECT)

    def _do_hangup(self, element: Element) -> None:
        delay = element.number("schedule", 0)
        if delay:
            self.hang_up_scheduled = self.now + delay
            return
        raise CallOver(_REASONS.get(element.get("reason"), NORMAL), "Answer XML")

    def _do_record(self, element: Element) -> Sequence[Element] | None:
        """Record the rest of the call unheard, or a message until the caller has been silent."""
        self.answer()
        if element.true("startOnDialAnswer", default=False):
            self.awaiting.append(element)
            return None
        if element.true("recordSession", default=False):
            self._record_from_now(element)
            return None
        length = min(element.number("timeout", 15), element.number("maxLength", 60))
        self.tell("platform", "records a message")
        self.advance(length)
        took = recorded(element, self.new_uuid(), length)
        self.notify(element, took)
        return self._act(element, took)

    def _record_from_now(self, element: Element) -> None:
        self.tell("platform", "records the call")
        self.recordings.append((element, self.now))

    def leg_answered(self) -> None:
        """Begin the recordings that wait for a dialled leg to answer."""
        for element in self.awaiting:
            self._record_from_now(element)
        self.awaiting.clear()

    def notify(self, element: Element, extra: Form) -> None:
        """Call an element's callback address, if it has one."""
        if url := element.get("callbackUrl"):
            self._ask(element.get("callbackMethod", "POST").upper(), url, extra)

    def _prompt(self, element: Element, *, until: float | None = None) -> None:
        """Let the caller hear an element, until a key cuts it short."""
        loop = element.number("loop", 1)
        if element.tag == "Wait":
            seconds = float(element.number("length", 1))
        else:
            self.tell("caller", "hears" if element.tag == "Speak" else "hears audio", element.text)
            once = len(element.text.split()) / _WORDS_PER_SECOND
            seconds = (once if element.tag == "Speak" else _AUDIO_SECONDS) * loop
            seconds = seconds if loop else _ENDLESS
        if until is not None:
            seconds = min(seconds, max(0.0, until - self.now))
        self.advance(seconds)

    # Input

    def _do_getinput(self, element: Element) -> Sequence[Element] | None:
        self.answer()
        if "dtmf" not in element.get("inputType"):
            for child in element.children:
                self._prompt(child)
            self.advance(element.number("executionTimeout", 15))
            return None
        gap = element.get("digitEndTimeout", "auto")
        digits = self._collect(
            element,
            most=element.number("numDigits", 32),
            first=element.number("executionTimeout", 15),
            gap=_AUTO_DIGIT_END if gap == "auto" else int(gap),
        )
        if digits is None:
            return None
        extra = [("InputType", "dtmf"), ("Digits", digits), ("Speech", "")]
        return self._act(element, [*extra, ("SpeechConfidenceScore", ""), ("BilledAmount", "0")])

    def _do_getdigits(self, element: Element) -> Sequence[Element] | None:
        self.answer()
        valid = set(element.get("validDigits", "1234567890*#"))
        for _ in range(element.number("retries", 1)):
            digits = self._collect(
                element,
                most=element.number("numDigits", 99),
                first=element.number("timeout", 5),
                gap=element.number("digitTimeout", 2),
            )
            if digits is not None and set(digits) <= valid:
                return self._act(element, [("Digits", digits)])
            if digits is not None and element.get("invalidDigitsSound"):
                self.tell("caller", "hears audio", element.get("invalidDigitsSound"))
                self.advance(_AUDIO_SECONDS)
        return None

    def _collect(self, element: Element, *, most: int, first: float, gap: float) -> str | None:
        """Return the keys pressed, without the finish key; None when there was no key at all."""
        self.keys = [(at, key) for at, key in self.keys if at >= self.now]
        waiting = self.keys[0][0] if self.keys else None
        for child in element.children:
            if waiting is None or waiting > self.now:
                self._prompt(child, until=waiting)
        self._type_now()
        finish = element.get("finishOnKey", "#")
        digits, limit = "", self.now + first
        while self.keys and self.keys[0][0] <= limit:
            at, key = self.keys.pop(0)
            self.advance(max(0.0, at - self.now))
            self.tell("caller", "presses", key)
            if key == finish:
                return digits
            digits += key
            if len(digits) == most:
                return digits
            limit = self.now + gap
        self.advance(max(0.0, limit - self.now))
        return digits or None

    def _type_now(self) -> None:
        """Turn the next press without a time into keys with one."""
        if self.presses and not self.keys:
            start = self.now + THINKING
            keys = self.presses.pop(0).keys
            self.keys = [(start + place * KEY_GAP, key) for place, key in enumerate(keys)]

    # Dialling and the end

    def _do_dial(self, element: Element) -> Sequence[Element] | None:
        try:
            result = dial(self, element)
        except CallOver:
            # The caller left: the platform tells `action` only where no document is wanted.
            if not element.true("redirect", default=True):
                self._act(element, [("DialStatus", "cancel"), ("DialALegUUID", self.uuid)])
            raise
        # What was to be recorded was this dial, not the next.
        self.awaiting.clear()
        return self._act(element, result)

    def _caller_name(self) -> str:
        number = parse_endpoint(self.scene.caller)
        return number.e164 if number else self.scene.caller

    def _hung_up(self, code: int, source: str) -> None:
        plan = self.application
        answered = self.now if self.answered_at is None else self.answered_at
        seconds = int(self.now - answered)
        status, cause = self._end(code)
        self._ask(
            plan.hangup_method,
            plan.hangup_url or plan.answer_url,
            [
                ("Event", "Hangup"),
                ("CallStatus", status),
                ("Duration", str(seconds)),
                ("BillDuration", str(-(-seconds // 60) * 60)),
                ("HangupCause", cause),
                ("HangupCauseCode", str(code)),
                ("HangupSource", source),
                ("StartTime", self._clock(0)),
                ("AnswerTime", self._clock(answered) if self.answered_at is not None else ""),
                ("EndTime", self._clock(self.now)),
            ],
        )

    def _end(self, code: int) -> tuple[str, str]:
        """Return the status and the cause that the hangup address is told."""
        if code in _CAUSES:
            return _CAUSES[code]
        if self.answered_at is not None:
            return "completed", "NORMAL_CLEARING"
        return ("cancel", "ORIGINATOR_CANCEL") if code == NORMAL else ("failed", "CALL_REJECTED")

    def _clock(self, second: float) -> str:
        moment = datetime.fromtimestamp(self.scene.started_at + second, UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S")
