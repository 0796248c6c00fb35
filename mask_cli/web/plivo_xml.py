"""The documents that Plivo is given, made from a decision."""

from __future__ import annotations

from dataclasses import replace
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
        self._templates: dict[PhoneNumber | None, str] = {}
        self._apology = self.of(unavailable())

    def of(self, route: Route) -> str:
        """Return the document that carries out a route."""
        match route.action:
            case Action.DIAL:
                return self._call(route)
            case Action.OPERATOR:
                return markup.document(*self._operator(route))
            case Action.ASK:
                return markup.document(*self._ask(route))
            case _:
                return markup.document(*self._pause(route), *self._said(route), markup.hang_up())

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

    def _call(self, route: Route) -> str:
        """Return the commonest document; but for the callee it is the same for a called number."""
        assert route.callee is not None, "a route that dials names whom"  # noqa: S101 (an invariant)
        template = self._templates.get(route.caller_id)
        if template is None:
            if len(self._templates) > _MOST_TEMPLATES:
                self._templates.clear()
            template = markup.document(*self._party(replace(route, callee=_NOBODY)))
            assert template.count(_PLACE) == 1, "one number is dialled"  # noqa: S101 (an invariant)
            self._templates[route.caller_id] = template
        return template.replace(_PLACE, f">{route.callee.digits}<")

    def _party(self, route: Route) -> list[Element]:
        """Dial the other party; what is recorded is announced to both first."""
        if not self._site.recording:
            return [self._dial(route, to="party")]
        limit = self._site.call_time_limit
        recording = markup.record(callback=self._site.url("recorded"), longest=limit)
        return [self._speak("recording_notice"), recording, self._dial(route, to="party")]

    def _operator(self, route: Route) -> list[Element]:
        why = [] if route.reason is Reason.OPERATOR else self._said(route)
        connecting = self._speak("operator")
        return [*self._pause(route), *why, connecting, self._dial(route, to="operator")]

    def _dial(self, route: Route, *, to: str) -> Element:
        assert route.callee is not None, "a route that dials names whom"  # noqa: S101 (an invariant)
        assert route.caller_id is not None, "and what is shown"  # noqa: S101 (an invariant)
        site = self._site
        return markup.dial(
            route.callee,
            caller_id=route.caller_id,
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
