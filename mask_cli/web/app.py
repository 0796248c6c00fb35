"""The web application: what a provider's request goes through, and what never reaches it.

Plivo never gets a 5xx: whatever fails here, the caller hears an apology and somebody an alarm.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from mask_cli.errors import MaskError, TryLater
from mask_cli.scenario.report import HEADER
from mask_cli.store.calls_base import OVERTAKEN, CallWrite
from mask_cli.web import log
from mask_cli.web.database import Database
from mask_cli.web.guard import Guard
from mask_cli.web.metrics import CONTENT_TYPE, Metrics
from mask_cli.web.plivo import Desk, PlivoHooks, Reaction
from mask_cli.web.plivo_xml import EMPTY
from mask_cli.web.request import Request, Unreadable, bounded_body, read_request
from mask_cli.web.voximplant import PATH, Refused, received
from mask_cli.web.writer import GroupWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.requests import Request as HttpRequest

    from mask_cli.web.site import Site

_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.0)
"""Seconds between attempts to read a locked database; other calls go on meanwhile."""
_XML = b"application/xml; charset=utf-8"
_REFUSED = 403
_PROOF = HEADER.lower().encode()


class Webhook:
    """One site's hooks with all that stands before and behind them."""

    def __init__(self, site: Site, now: Callable[[], int]) -> None:
        self.metrics = Metrics()
        self.hooks = PlivoHooks(site, now)
        self._public_url = site.public_url
        self._report_secret = site.report_secret
        self._now = now
        self._guard = Guard(site, now)
        # No patience here: the event loop would wait, and with it every call.
        self._reader = Database(site.database, timeout=0)
        self._writer = GroupWriter(site.database, now, self._alarm, keep=site.keep)

    def start(self) -> None:
        """Begin; inside the event loop."""
        self._writer.start()

    async def stop(self) -> None:
        """Store what waits and let go of the database."""
        await asyncio.to_thread(self._writer.stop)
        self._reader.close()

    def ready(self) -> bool:
        """Tell whether the database can be read."""
        try:
            self._reader.calls().ours([])
        except Exception as error:  # noqa: BLE001 (whatever it is, we are not ready)
            self._alarm(error)
            return False
        return True

    async def respond(self, hook: str, scope: Any, receive: Any) -> tuple[int, str]:  # noqa: ANN401 (ASGI's)
        """Return status and body; never raises, whatever was sent and whatever fails."""
        try:
            request = await read_request(scope, receive, self._public_url)
            refusal = self._guard.refusal(request)
        except Unreadable as unreadable:
            return self._refused(hook, unreadable.why, unreadable.status)
        except Exception as error:  # noqa: BLE001 (nothing was verified: refuse)
            self._fault(error)
            return self._refused(hook, "fault", _REFUSED)
        if refusal is not None:
            return self._refused(hook, refusal, _REFUSED)
        try:
            return await self._answered(hook, request)
        except MaskError as error:
            self._alarm(error)
        except Exception as error:  # noqa: BLE001 (the caller hears an apology instead)
            self._fault(error)
        return 200, self.hooks.documents.apology() if hook in self.hooks.spoken else EMPTY

    async def report(self, scope: Any, receive: Any) -> int:  # noqa: ANN401 (ASGI's)
        """Take a call report of Voximplant's; return the status. It may be sent again."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await bounded_body(headers, receive)
            update = received(self._report_secret, headers.get(_PROOF), body, self._now())
        except (Unreadable, Refused) as refused:
            self._refused("reports", refused.why, 0)
            return refused.status
        except Exception as error:  # noqa: BLE001 (sent again, it would fail again)
            self._fault(error)
            self._refused("reports", "fault", 0)
            return 400
        try:
            await self._writer.write(CallWrite(update=update))
        except Exception as error:  # noqa: BLE001 (the scenario is told, and tries again)
            self._alarm(error)
            return 503
        self._tell("reports", Reaction("", update=update))
        return 200

    async def _answered(self, hook: str, request: Request) -> tuple[int, str]:
        """Decide, store, and only then answer: an answer that is not stored can be replayed."""
        reaction = await self._read(hook, request)
        documents = self.hooks.documents
        use = self._guard.use(request, documents.kept(reaction.route, reaction.document))
        write = CallWrite(use, reaction.update, reaction.wrong_order, reaction.guess)
        seen = await self._writer.write(write)
        if seen is OVERTAKEN:
            # Now that the others are stored it is one too many.
            return await self._answered(hook, request)
        if seen is None:
            self._tell(hook, reaction)
            return 200, reaction.document
        kept = self._guard.repeated(request, seen)
        if kept is None:
            return self._refused(hook, "replayed", _REFUSED)
        self.metrics.repeated()
        return 200, documents.again(kept)

    async def _read(self, hook: str, request: Request) -> Reaction:
        """Run a hook; while somebody locks the database, again after a pause."""
        for pause in _PAUSES:
            try:
                calls = self._reader.calls()
                desk = Desk(calls, self._reader.key, self._writer.under_way)
                return self.hooks.by_name[hook](request, desk)
            except TryLater:
                if not pause:
                    raise
                await asyncio.sleep(pause)
            except MaskError:
                self._reader.close()
                raise
        raise AssertionError("the last pause is none")

    def _tell(self, hook: str, reaction: Reaction) -> None:
        route, update = reaction.route, reaction.update
        if route is not None:
            self.metrics.routed(route)
        if update is None:
            return
        known: dict[str, object] = {
            "hook": hook,
            "call": update.call_id,
            "outcome": update.outcome,
            "reason": update.reason,
            "order": update.order,
            "role": update.role,
            "cause": update.hangup_cause,
        }
        log.event("call", **{name: value for name, value in known.items() if value is not None})

    def _refused(self, hook: str, why: str, status: int) -> tuple[int, str]:
        self.metrics.refused(why)
        log.event("refused", hook=hook, why=why)
        return status, ""

    def _alarm(self, error: Exception) -> None:
        self.metrics.storage_failed()
        log.alarm("storage_failed", error)

    def _fault(self, error: Exception) -> None:
        self.metrics.fault()
        log.alarm("fault", error)


class Hook:
    """One hook as an ASGI application; every method is ours to refuse."""

    def __init__(self, name: str, webhook: Webhook) -> None:
        self._name = name
        self._webhook = webhook

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI's)
        """Answer one request."""
        started = time.perf_counter()
        status, text = await self._webhook.respond(self._name, scope, receive)
        body = text.encode()
        headers = [(b"content-type", _XML), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._webhook.metrics.answered(self._name, status, time.perf_counter() - started)


class Front:
    """Finds a hook by its exact path; all else is Starlette's.

    Its router and middleware would be a tenth of a request.
    """

    def __init__(self, hooks: Mapping[str, Hook], rest: Starlette) -> None:
        self._hooks = hooks
        self._rest = rest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI's)
        """Hand a request on."""
        hook = self._hooks.get(scope["path"]) if scope["type"] == "http" else None
        await (hook or self._rest)(scope, receive, send)


class Reports:
    """Where Voximplant's scenario reports its calls, as an ASGI application."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI's)
        """Answer one request, without a body."""
        started = time.perf_counter()
        status = await self._webhook.report(scope, receive) if scope["method"] == "POST" else 405
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        self._webhook.metrics.answered("reports", status, time.perf_counter() - started)


def application(site: Site, now: Callable[[], int]) -> Front:
    """Return the application of a site; `now` is the clock, in UTC seconds."""
    webhook = Webhook(site, now)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        webhook.start()
        try:
            yield
        finally:
            await webhook.stop()

    async def healthz(_: HttpRequest) -> Response:
        ready = webhook.ready()
        text = '{"status":"ok"}' if ready else '{"status":"database"}'
        return Response(text, 200 if ready else 503, media_type="application/json")

    async def metrics(_: HttpRequest) -> Response:
        return Response(webhook.metrics.text(), headers={"content-type": CONTENT_TYPE})

    hooks = {
        # A proxy may cut the public address's own path off, or leave it.
        f"{prefix}/plivo/{name}": Hook(name, webhook)
        for prefix in {"", urlsplit(site.public_url).path}
        for name in webhook.hooks.by_name
    }
    routes = [
        Route(f"{prefix}{PATH}", Reports(webhook), methods=None)
        for prefix in {"", urlsplit(site.public_url).path}
    ]
    routes += [Route("/healthz", healthz), Route("/metrics", metrics)]
    return Front(hooks, Starlette(routes=routes, lifespan=lifespan))
