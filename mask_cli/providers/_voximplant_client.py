"""The SDK's client with what it lacks. Imported only when a call is made: it costs 150 ms."""

from __future__ import annotations

import random
import ssl
import threading
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx
import jwt
from voximplant.apiclient import VoximplantAPI

from mask_cli import __version__
from mask_cli.errors import ConfigurationError
from mask_cli.providers._bounded import BoundedSocket, Share
from mask_cli.providers.voximplant_credentials import check_private_key
from mask_cli.providers.voximplant_replies import Failure, read_reply

if TYPE_CHECKING:
    from mask_cli.providers.voximplant_credentials import Credentials

ATTEMPTS = 4
CONNECT_TIMEOUT = 5.0
CLOCK_SLACK = 1.0
"""Seconds that the clock may be set forward by during a call without ending it."""
TOKEN_LIFE = 600
TOKEN_AGE = 30
"""Tokens are dated back: a clock this many seconds fast still works."""
_LARGEST_REPLY = 16 * 1024 * 1024

_ONCE = frozenset({"AddApplication", "AddRule", "AddScenario", "AddSecret", "AttachPhoneNumber"})
"""Doing it twice is not the same as once, so not repeated when its end is unknown."""

# Nothing of the request had reached the platform.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class Client(VoximplantAPI):  # type: ignore[misc]  # the SDK ships no types
    """Calls over pooled connections, each call bounded in time; safe to share between threads.

    An attempt is repeated, up to four times within the deadline, after a random pause that
    doubles, or after what Retry-After says:
    - connection refused, reset or cut, name not found, time-out;
    - HTTP 429 and 5xx, a body that is not JSON;
    - the throttling codes 162, 314, 340, 484, 515.
    Never after a refusal, a redirect, a certificate that is not trusted, or a JSON answer that
    is not the documented one. A method that is not idempotent is repeated only when the
    attempt surely had no effect.
    """

    def __init__(
        self,
        credentials: Credentials,
        endpoint: str,
        *,
        deadline: float,
        connections: int,
        pause: float,
    ) -> None:
        check_private_key(credentials)
        super().__init__(credentials_file_path=str(credentials.path), endpoint=endpoint)
        self.clock_difference: int | None = None
        self._deadline = deadline
        self._longest_pause = pause
        self._token = ("", 0)
        self._token_lock = threading.Lock()
        self._last_change = threading.local()
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        try:
            trust = httpx.create_ssl_context(verify=self._ca_verify())
            trust.sslsocket_class = BoundedSocket
            self._http = httpx.Client(
                verify=trust,
                limits=limits,
                follow_redirects=False,
                headers={"User-Agent": f"mask/{__version__}"},
            )
        except (OSError, ValueError, httpx.InvalidURL) as error:
            raise ConfigurationError(
                f"the TLS authorities or the proxy cannot be used: {error}",
                hint="check REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, HTTPS_PROXY",
            ) from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def may_come_late(self) -> bool:
        """Whether an attempt of this thread's last change went unanswered."""
        return bool(getattr(self._last_change, "unsure", False))

    def build_auth_header(self) -> str:
        """Return the header with a token that is signed once and renewed at half its life."""
        with self._token_lock:
            now = int(time.time())
            header, issued = self._token
            if not 0 <= now - issued < TOKEN_LIFE // 2:
                header = "Bearer " + self._signed(now)
                self._token = (header, now)
            return header

    def _signed(self, now: int) -> str:
        claims = {
            "iss": str(self.account_id),
            "iat": now - TOKEN_AGE,
            "exp": now - TOKEN_AGE + TOKEN_LIFE,
        }
        key, key_id = self.credentials["private_key"], self.credentials["key_id"]
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": key_id})

    def _perform_request(self, cmd: str, args: dict[str, object]) -> dict[str, object]:
        """Make one call; the name and the signature are the SDK's."""
        end = _End.after(self._deadline)
        changes = not cmd.startswith("Get")
        unsure = False
        attempt = 0
        while True:
            attempt += 1
            outcome = self._attempt(cmd, args, end)
            if isinstance(outcome, Failure):
                unsure = unsure or (changes and outcome.unsure)
            if changes:
                self._last_change.unsure = unsure
            if not isinstance(outcome, Failure):
                return outcome
            last = attempt == ATTEMPTS or not outcome.retry or (unsure and cmd in _ONCE)
            if last or not _waited(self._pause(outcome, attempt), end):
                error, refusal = self._with_clock(outcome).errors(unsure=unsure)
                raise error from refusal

    def _attempt(self, cmd: str, args: dict[str, object], end: _End) -> dict[str, object] | Failure:
        try:
            return self._exchange(cmd, args, end)
        except httpx.InvalidURL as error:
            raise ConfigurationError(
                f"voximplant.endpoint '{self.endpoint}' is not host or host:port"
            ) from error
        except httpx.RequestError as error:
            return _broken_transport(error)

    def _exchange(
        self, cmd: str, args: dict[str, object], end: _End
    ) -> dict[str, object] | Failure:
        # An attempt gets a part of the time only, so that a lost answer leaves some for another.
        until = end.sooner(self._deadline * 0.4)
        with self._http.stream(
            "POST",
            f"https://{self.endpoint}/platform_api",
            data={**self._form_params(args), "cmd": cmd},
            headers={"Authorization": self.build_auth_header()},
            extensions={"timeout": _Until(until)},
        ) as response:
            self._compare_clocks(response)
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if until.left() <= 0 or len(body) > _LARGEST_REPLY:
                    return Failure("Voximplant's answer does not end", unsure=True, retry=True)
            return read_reply(
                response.status_code,
                response.headers.get("content-type", ""),
                bytes(body),
                _retry_after(response),
            )

    def _pause(self, failure: Failure, attempt: int) -> float:
        if failure.retry_after is not None:
            return failure.retry_after
        # Jitter, so that many at once do not come back at once; nothing secret about it.
        return random.uniform(0.5, 1.0) * self._longest_pause * 2.0 ** (attempt - 1)  # noqa: S311

    def _compare_clocks(self, response: httpx.Response) -> None:
        try:
            theirs = parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError):
            return
        self.clock_difference = round(theirs - time.time())

    def _with_clock(self, failure: Failure) -> Failure:
        ours = self.clock_difference
        if failure.code not in (455, 456) or not ours:
            return failure
        way = "behind" if ours > 0 else "ahead of"
        return replace(
            failure, hint=f"this computer's clock is {abs(ours)} s {way} Voximplant's; set it"
        )


@dataclass(frozen=True, slots=True)
class _End:
    """A moment by both clocks.

    The one that runs stands still while the computer is suspended; the other may be set. Leases
    are counted by the one that is set: what a call would write after a jump may be outdated.
    """

    runs: float
    shows: float

    @classmethod
    def after(cls, seconds: float) -> _End:
        return cls(time.monotonic() + seconds, time.time() + seconds + CLOCK_SLACK)

    def left(self) -> float:
        return min(self.runs - time.monotonic(), self.shows - time.time())

    def sooner(self, seconds: float) -> _End:
        return replace(self, runs=min(self.runs, time.monotonic() + seconds))


def _waited(pause: float, end: _End) -> bool:
    """Wait before another attempt; False when no time is left for one, or is not any more."""
    if end.left() <= pause:
        return False
    time.sleep(pause)
    return end.left() > 0


class _Until(dict[str, float]):
    """httpx's time-outs, counted to one moment whichever step asks for its share."""

    def __init__(self, until: _End) -> None:
        super().__init__()
        self._until = until

    def get(self, step: str, default: float | None = None) -> float:  # type: ignore[override]
        """Return the seconds that are left for this step of the exchange."""
        del default
        # The handshake is given what its connection was: both may take so long, and before
        # anything is sent the deadline may so be passed by a fifth.
        return Share(self._until.left, CONNECT_TIMEOUT if step == "connect" else float("inf"))


def _broken_transport(error: httpx.RequestError) -> Failure:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Failure(
                f"Voximplant's certificate is not trusted: {cause.verify_message}",
                hint="REQUESTS_CA_BUNDLE or SSL_CERT_FILE name other authorities",
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, _NOT_SENT):
        return Failure(f"Voximplant cannot be reached: {_words(error)}", retry=True)
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return Failure(f"Voximplant cannot be asked: {_words(error)}")
    what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "broke off"
    return Failure(f"Voximplant {what}: {_words(error)}", unsure=True, retry=True)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
