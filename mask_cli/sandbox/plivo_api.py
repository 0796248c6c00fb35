"""The emulated Plivo REST API: applications and numbers, strict where Plivo's pages are clear.

What is not emulated is refused, never ignored: asynchronous answers (`callback_url`), own-carrier
numbers, and filters on renewal, compliance and messaging registration.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from mask_cli.sandbox.plivo_applications import Applications
from mask_cli.sandbox.plivo_control import PlivoControl
from mask_cli.sandbox.plivo_envelope import ApiError, json_reply, not_found
from mask_cli.sandbox.plivo_faults import Faults
from mask_cli.sandbox.plivo_numbers import Numbers
from mask_cli.sandbox.plivo_switches import Switches
from mask_cli.sandbox.server import CONTROL, Cut, HttpsServer, Reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from mask_cli.sandbox.server import Request

AUTH_ID = "MASANDBOX00000000001"
AUTH_TOKEN = "sandbox-token-0000000000000000000000000"  # noqa: S105 (of the sandbox alone)
RATE_LIMIT, RATE_SECONDS = 300, 5.0

_PATH = re.compile(r"/v1/Account/([^/]+)/(Application|PhoneNumber|Number)/(?:([^/]+)/)?")
_KEPT_REQUESTS = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One request of the log; the path and body hold numbers, so they are kept out of `repr`."""

    method: str
    path: str
    query: str
    body: bytes

    def __repr__(self) -> str:
        return f"Seen({self.method})"


class PlivoApi:
    """One account; `answer` is pure but for the account's own state, the clock and the faults."""

    def __init__(
        self,
        auth_id: str = AUTH_ID,
        auth_token: str = AUTH_TOKEN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.auth_id = auth_id
        self.auth_token = auth_token
        self.switches = Switches()
        root = f"/v1/Account/{auth_id}/"
        self.applications = Applications(root, self.switches)
        self.numbers = Numbers(root, self.switches, self.applications)
        self.faults = Faults()
        self.requests: deque[Seen] = deque(maxlen=_KEPT_REQUESTS)
        self.rate_limit = RATE_LIMIT
        self._clock = clock
        self._recent: deque[float] = deque()
        self._lock = threading.RLock()

    def answer(self, request: Request) -> Reply | Cut:
        """Answer one request as the service would, or as a waiting fault says."""
        self.requests.append(Seen(request.method, request.path, request.query, request.body))
        fault = self.faults.take(f"{request.method} {request.path}")
        if fault is not None:
            return fault.act(lambda: self._carried_out(request), request)
        return self._carried_out(request)

    def _carried_out(self, request: Request) -> Reply:
        with self._lock:
            try:
                self._limit_rate()
                self._authenticate(request)
                return self._routed(request)
            except ApiError as error:
                if error.status == 401 and self.switches.unauthorized_text:  # noqa: PLR2004
                    return Reply(401, error.error.encode(), (("Content-Type", "text/plain"),))
                return json_reply(error.status, {"error": error.error}, *error.headers)

    def _limit_rate(self) -> None:
        now = self._clock()
        while self._recent and self._recent[0] <= now - RATE_SECONDS:
            self._recent.popleft()
        if len(self._recent) >= self.rate_limit:
            raise ApiError(429, "too many requests", ("Retry-After", "1"))
        self._recent.append(now)

    def _authenticate(self, request: Request) -> None:
        scheme, _, coded = (request.headers.get("authorization") or "").partition(" ")
        try:
            given = base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError):
            given = b""
        right = hmac.compare_digest(given, f"{self.auth_id}:{self.auth_token}".encode())
        match = _PATH.fullmatch(request.path)
        if scheme.lower() != "basic" or not right or (match and match[1] != self.auth_id):
            raise ApiError(
                401, "authentication credentials were not provided",
                ("WWW-Authenticate", 'Basic realm="plivo"'),
            )  # fmt: skip

    def _routed(self, request: Request) -> Reply:
        match = _PATH.fullmatch(request.path)
        if match is None:
            raise not_found()
        _, kind, which = match.groups()
        verbs = self._collection(kind) if which is None else self._member(kind, which)
        verb = verbs.get(request.method)
        if verb is None:
            raise ApiError(405, "method not allowed", ("Allow", ", ".join(verbs)))
        return verb(request)

    def _collection(self, kind: str) -> dict[str, Callable[[Request], Reply]]:
        if kind == "Application":
            return {"GET": self.applications.listing, "POST": self.applications.create}
        return {"GET": self.numbers.listing if kind == "Number" else self.numbers.search}

    def _member(self, kind: str, which: str) -> dict[str, Callable[[Request], Reply]]:
        applications, numbers = self.applications, self.numbers
        if kind == "Application":
            return {
                "GET": lambda request: applications.get(which, request),
                "POST": lambda request: applications.update(which, request),
                "DELETE": lambda request: applications.delete(
                    which, request, numbers.rented.values()
                ),
            }
        if kind == "PhoneNumber":
            return {"POST": lambda request: numbers.rent(which, request)}
        return {
            "GET": lambda request: numbers.get(which, request),
            "POST": lambda request: numbers.update(which, request),
            "DELETE": lambda request: numbers.unrent(which, request),
        }


class PlivoSandbox(PlivoApi):
    """The emulated API on a loopback port, for as long as the `with` block lasts.

    Plain HTTP, HTTPS with a `context`.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        auth_id: str = AUTH_ID,
        auth_token: str = AUTH_TOKEN,
        clock: Callable[[], float] = time.monotonic,
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(auth_id, auth_token, clock)
        self._scheme = "https" if context else "http"
        self.server = HttpsServer(self._told_or_asked, context, port=port)
        self._control = PlivoControl(self.faults, self.switches, self.numbers, self.server.log)

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    @property
    def url(self) -> str:
        """The address that stands for https://api.plivo.com."""
        return f"{self._scheme}://127.0.0.1:{self.server.port}"

    def _told_or_asked(self, request: Request) -> Reply | Cut:
        """Answer a control call, or a request as the service would."""
        if request.path.startswith(CONTROL):
            return self._control.answer(request)
        return self.answer(request)

    def environment(self) -> dict[str, str]:
        """Return the settings that point `mask` at this account."""
        return {
            "PLIVO_AUTH_ID": self.auth_id,
            "PLIVO_AUTH_TOKEN": self.auth_token,
            "MASK_PLIVO_ENDPOINT": self.url,
        }
