"""The documents that Plivo is given, made from a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mask_cli.models import PhoneNumber
from mask_cli.providers import plivo_markup as markup
from mask_cli.routing import OPERATOR_KEY, Action, Reason, Route, unavailable

if TYPE_CHECKING:
    from mask_cli.providers.plivo_markup import Element
    from mask_cli.web.site import Site

PATIENCE, BETWEEN_KEYS = 10, 3
"""Seconds for the first key after the prompt, and from key to key."""
ENDS = {"busy": "busy", "timeout": "no_answer", "no-answer": "no_answer"}
"""What a caller hears, by how dialling ended; `failed` for all else."""
OVER = "completed"
EMPTY = "<Response/>"
"""What a notification is answered with."""


_NOBODY = PhoneNumber("+0000000")
_PLACE = ">0000000<"
_MOST_TEMPLATES = 1_000


class Documents:
    """Writes a site's documents; every address in them is absolute."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._templates: dict[PhoneNumber, str] = {}
        self._apology = self.of(unavailable())

    def of(self, route: Route) -> str:
        """Return the document that carries out a route."""
        match route.action:
            case Action.DIAL:
                return self._call(*_ends(route))
            case Action.OPERATOR:
                return markup.document(*self._operator(route))
            case Action.ASK:
                return markup.document(*self._ask(route))
            case _:
                return markup.document(*self._pause(route), *self._said(route), markup.hang_up())

    def kept(self, route: Route | None, document: str) -> str:
        """Return a route's document in short, for `again`; what is not short already stays."""
        if route is None or route.action is not Action.DIAL:
            return document
        callee, caller_id = _ends(route)
        return f"{callee.digits} {caller_id.digits}"

    def again(self, kept: str) -> str:
        """Return the document that was `kept`."""
        if kept.startswith("<"):
            return kept
        callee, _, caller_id = kept.partition(" ")
        return self._call(PhoneNumber(f"+{callee}"), PhoneNumber(f"+{caller_id}"))

    def apology(self) -> str:
        """Return what is said when the store cannot be used; made beforehand."""
        return self._apology

    def notice(self) -> str:
        """Return what the callee hears before a recorded conversation."""
        return markup.document(self._speak("recording_notice"))

    def goodbye(self) -> str:
        """Return a last word and the end."""
        return markup.document(self._speak("goodbye"), markup.hang_up())

    def dialled(self, status: str, *, operator: bool) -> str:
        """Return what the caller hears after dialling: nothing after a conversation."""
        if status == OVER:
            return markup.document(markup.hang_up())
        key = "operator_unavailable" if operator else ENDS.get(status, "failed")
        if operator or self._site.rules.operator is None:
            return markup.document(self._speak(key), markup.hang_up())
        asking = markup.ask_digits(
            self._speak(key, "operator_hint"),
            action=self._site.url(f"digits?after={key}"),
            most=len(OPERATOR_KEY),
            patience=PATIENCE,
            between=BETWEEN_KEYS,
        )
        return markup.document(asking, self._speak("goodbye"), markup.hang_up())

    def _call(self, callee: PhoneNumber, caller_id: PhoneNumber) -> str:
        """Return the commonest document; but for the callee it is the same for a called number."""
        template = self._templates.get(caller_id)
        if template is None:
            if len(self._templates) > _MOST_TEMPLATES:
                self._templates.clear()
            template = markup.document(*self._party(_NOBODY, caller_id))
            assert template.count(_PLACE) == 1, "one number is dialled"  # noqa: S101 (an invariant)
            self._templates[caller_id] = template
        return template.replace(_PLACE, f">{callee.digits}<")

    def _party(self, callee: PhoneNumber, caller_id: PhoneNumber) -> list[Element]:
        """Dial the other party; what is recorded is announced to both first."""
        dialling = self._dial(callee, caller_id, to="party")
        if not self._site.recording:
            return [dialling]
        limit = self._site.call_time_limit
        recording = markup.record(callback=self._site.url("recorded"), longest=limit)
        return [self._speak("recording_notice"), recording, dialling]

    def _operator(self, route: Route) -> list[Element]:
        why = [] if route.reason is Reason.OPERATOR else self._said(route)
        connecting = self._speak("operator")
        to = f"operator&reason={route.reason}"
        return [*self._pause(route), *why, connecting, self._dial(*_ends(route), to=to)]

    def _dial(self, callee: PhoneNumber, caller_id: PhoneNumber, *, to: str) -> Element:
        site = self._site
        return markup.dial(
            callee,
            caller_id=caller_id,
            ring_timeout=site.ring_timeout,
            time_limit=site.call_time_limit,
            action=site.url(f"dialled?to={to}"),
            callback=site.url(f"leg?to={to}"),
            notice=site.url("notice") if site.recording and to == "party" else None,
        )

    def _ask(self, route: Route) -> list[Element]:
        """Ask for the order number; silence leads to the same address as keys do."""
        hint = () if self._site.rules.operator is None else ("operator_hint",)
        action = self._site.url(f"digits?attempts={route.attempts}")
        asking = markup.ask_digits(
            self._speak(route.phrase or route.reason, *hint),
            action=action,
            most=self._site.rules.order_digits,
            patience=PATIENCE,
            between=BETWEEN_KEYS,
        )
        return [*self._pause(route), asking, markup.go_to(action)]

    def _pause(self, route: Route) -> list[Element]:
        return [markup.wait(route.pause)] if route.pause else []

    def _said(self, route: Route) -> list[Element]:
        return [self._speak(route.phrase)] if route.phrase else []

    def _speak(self, *keys: str) -> Element:
        phrases = self._site.phrases
        text = " ".join(phrases[key] for key in keys)
        return markup.speak(text, voice=phrases.voice, language=phrases.language)


def _ends(route: Route) -> tuple[PhoneNumber, PhoneNumber]:
    """Return whom a route dials, and what is shown there."""
    assert route.callee is not None, "a route that dials names whom"  # noqa: S101 (an invariant)
    assert route.caller_id is not None, "and what is shown"  # noqa: S101 (an invariant)
    return route.callee, route.caller_id
