"""Play a call through the webhook: our own, on a socket of its own, or one at an address."""

from __future__ import annotations

import secrets
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from mask_cli.errors import ProviderUnavailable
from mask_cli.sandbox.plivo_caller import place_call
from mask_cli.sandbox.plivo_scene import Application, Leg, Verdict
from mask_cli.sandbox.plivo_webhook import Form, Reply, Webhook
from mask_cli.web.server import Factory, in_background, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mask_cli.models import PhoneNumber
    from mask_cli.records import Record
    from mask_cli.sandbox.plivo_scene import Event, Outcome, Scene
    from mask_cli.web.site import Site

EVENT_FIELDS = ("at", "who", "what", "text", "number", "caller_id")
CONNECTED, OPERATOR = str(Verdict.CONNECTED), "operator"
VERDICTS = (CONNECTED, OPERATOR, *(str(v) for v in Verdict if v is not Verdict.CONNECTED))
"""The parties spoke; the operator did; nobody who was dialled did; nobody was dialled; the
webhook's answer was refused."""
_TIMEOUT = 15.0


def play(scene: Scene, base: str, token: str, operator: PhoneNumber | None) -> Record:
    """Play a scene on the webhook at `base`; return what came of it, the transcript included."""
    application = Application(f"{base}/plivo/answer", hangup_url=f"{base}/plivo/hangup")
    # Another call each time: its id and its nonces must not be those of an earlier one.
    seed = secrets.randbits(64)
    answers = 0

    def send(method: str, url: str, headers: dict[str, str], form: Form) -> Reply:
        nonlocal answers
        reply = _send(method, url, headers, form)
        answers += 1
        return reply

    outcome = place_call(
        replace(scene, seed=seed), application, Webhook(send, token, seed=seed ^ 1)
    )
    if not answers:
        # That is no verdict: nobody refused anything.
        raise ProviderUnavailable("nobody answers at the webhook's address", unsure=False)
    return _record(outcome, operator)


@contextmanager
def own_webhook(site: Site, now: Callable[[], int]) -> Iterator[tuple[str, str]]:
    """Serve the site on loopback, storing nothing; yield its address and its token."""
    token = secrets.token_hex(16)
    with listening("127.0.0.1", 0) as opened:
        base = f"http://127.0.0.1:{opened.getsockname()[1]}"
        own = replace(site, public_url=base, tokens=(token,), keep=False)
        with in_background(Factory(own, now, alone=False), opened):
            yield base, token


def _record(outcome: Outcome, operator: PhoneNumber | None) -> Record:
    spoke = [leg for leg in outcome.legs if leg.connected]
    verdict = str(outcome.verdict)
    if spoke and all(leg.number == operator for leg in spoke):
        verdict = OPERATOR
    return {
        "verdict": verdict,
        "call_id": outcome.call_uuid,
        "seconds": outcome.seconds,
        "hangup_code": outcome.code,
        "hangup_source": outcome.source,
        "problem": outcome.problem,
        "heard": outcome.heard(),
        "legs": [_leg(leg) for leg in outcome.legs],
        "events": [_event(event) for event in outcome.events],
    }


def _leg(leg: Leg) -> Record:
    return {
        "number": leg.number,
        "caller_id": leg.caller_id,
        "status": leg.status,
        "code": leg.code,
        "connected": leg.connected,
        "talked": leg.talked,
    }


def _event(event: Event) -> Record:
    return {name: getattr(event, name) for name in EVENT_FIELDS}


def _send(method: str, url: str, headers: dict[str, str], form: Form) -> Reply:
    """Send a request as it is; raise OSError where nobody answers."""
    data = urlencode(list(form)).encode() if method == "POST" else None
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 (the address was checked with the settings)
    try:
        with _opener(url).open(request, timeout=_TIMEOUT) as answer:
            return answer.status, answer.headers.get("content-type", ""), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("content-type", ""), error.read()
    except HTTPException as error:
        raise OSError(str(error)) from error


def _opener(url: str) -> Any:  # noqa: ANN401 (the standard library's opener)
    """Return what opens an address; what is on this computer is never asked through a proxy."""
    local = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    proxies = urllib.request.ProxyHandler({}) if local else urllib.request.ProxyHandler()
    return urllib.request.build_opener(proxies)
