"""What stands between Plivo's SDK and the network: our endpoint, our deadline, our errors.

The SDK prints to stdout and sends a POST again when it sees a 5xx, crashes on a list's error,
and drops the text of others. So it never sees any: what is not the documented answer is raised
here, below it. Nothing of the SDK or of requests is patched.
"""

from __future__ import annotations

import io
import json
import logging
import time
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, Any, Never
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError, SSLError

from mask_cli.errors import (
    NotFound,
    ProviderDenied,
    ProviderRefused,
    ProviderUnavailable,
)
from mask_cli.redaction import redacted_text

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_LARGEST_ANSWER = 4 * 1024 * 1024
_LONGEST_TEXT = 200
_LISTS = ("/Application/", "/Number/", "/PhoneNumber/")
_ERROR, _SERVER_ERROR = 400, 500
# The SDK takes no others for a success.
_DONE, _DELETED = (200, 201, 202, 206, 207), (200, 202, 204)


class PlivoUnavailable(ProviderUnavailable):
    """Plivo did not answer as documented; `retry_after` is its wish, in seconds."""

    def __init__(
        self, message: str, *, unsure: bool, hint: str | None = None, retry_after: float = 0.0
    ) -> None:
        super().__init__(message, unsure=unsure, hint=hint)
        self.retry_after = retry_after


class _HideNumbers(logging.Filter):
    """The addresses that urllib3 logs hold phone numbers."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted_text(record.getMessage()), None
        return True


_HIDE_NUMBERS = _HideNumbers()


class Transport(HTTPAdapter):
    """Sends the SDK's requests to `endpoint`; every answer it hands up is a documented success.

    `deadline` is in monotonic seconds, set anew before each call; it covers the whole answer.
    """

    def __init__(self, endpoint: str, secret: str) -> None:
        super().__init__(max_retries=0)
        self._endpoint = urlsplit(endpoint)
        self._secret = secret
        self.deadline = 0.0
        for name in ("urllib3.connectionpool", "urllib3.connection"):
            logging.getLogger(name).addFilter(_HIDE_NUMBERS)

    def send(  # type: ignore[override]
        self,
        request: PreparedRequest,
        timeout: float = 5.0,
        **how: Any,  # noqa: ANN401
    ) -> Response:
        """Send one request, raise unless the answer is a documented success."""
        request.url = self._redirected(request.url or "")
        writes = request.method != "GET"
        try:
            response = self._exchanged(request, timeout, how)
        except requests.RequestException as error:
            self._raise_unreachable(error, writes=writes)
        except HTTPError:
            self._raise_cut_off(writes=writes)
        self._check(request, response, writes=writes)
        return response

    def _redirected(self, url: str) -> str:
        _, _, path, query, _ = urlsplit(url)
        path = self._endpoint.path.rstrip("/") + path
        return urlunsplit((self._endpoint.scheme, self._endpoint.netloc, path, query, ""))

    def _exchanged(self, request: PreparedRequest, timeout: float, how: dict[str, Any]) -> Response:
        left = self._left(writes=False)
        response = super().send(request, **{**how, "timeout": min(timeout, left)})
        body = bytearray()
        # read1() returns what has come, so that an answer in drops meets the deadline, too.
        while piece := response.raw.read1(65_536, decode_content=True):
            body += piece
            if len(body) > _LARGEST_ANSWER:
                response.close()
                self._raise_cut_off(writes=request.method != "GET")
            self._left(writes=request.method != "GET", of=response)
        response.raw = io.BytesIO(bytes(body))
        return response

    def _left(self, *, writes: bool, of: Response | None = None) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            if of is not None:
                of.close()
            raise PlivoUnavailable("Plivo did not answer in time", unsure=writes)
        return left

    def _raise_unreachable(self, error: requests.RequestException, *, writes: bool) -> Never:
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        # Other TLS errors can also come after the request has been sent.
        if isinstance(reason, SSLError) and isinstance(reason.args[0], SSLCertVerificationError):
            raise PlivoUnavailable(
                f"no trusted TLS connection to {self._endpoint.hostname}",
                unsure=False,
                hint="REQUESTS_CA_BUNDLE or SSL_CERT_FILE name further authorities",
            ) from None
        if isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError):
            raise PlivoUnavailable(
                f"{self._endpoint.hostname} cannot be reached", unsure=False
            ) from None
        if isinstance(error, requests.Timeout):
            raise PlivoUnavailable("Plivo did not answer in time", unsure=writes) from None
        self._raise_cut_off(writes=writes)

    def _raise_cut_off(self, *, writes: bool) -> Never:
        raise PlivoUnavailable("Plivo ended the connection", unsure=writes) from None

    def _check(self, request: PreparedRequest, response: Response, *, writes: bool) -> None:
        answer = _json(response)
        deletes = request.method == "DELETE"
        if response.status_code not in (_DELETED if deletes else _DONE):
            self._raise_refusal(response, answer, writes=writes)
        if deletes and not response.raw.getvalue():
            return
        is_list = not writes and urlsplit(request.url or "").path.endswith(_LISTS)
        if not isinstance(answer, dict) or (is_list and not _is_page(answer)):
            raise PlivoUnavailable(
                f"Plivo answered {response.status_code} with something else than documented",
                unsure=writes,
                hint="is there a proxy or a sign-in page in between?",
            )

    def _raise_refusal(self, response: Response, answer: object, *, writes: bool) -> Never:
        status = response.status_code
        text = self._shown(_error_text(answer))
        message = f"Plivo answered {status}{text and ': '}{text}"
        if status in (401, 403):
            raise ProviderDenied(message, code=status, hint=_CREDENTIALS_HINT)
        if status == 404 and not _is_html(response):  # noqa: PLR2004 (HTTP)
            raise NotFound(message)
        if status in (404, 408, 429) or not _ERROR <= status < _SERVER_ERROR:
            unsure = writes and status not in (404, 429)
            raise PlivoUnavailable(message, unsure=unsure, retry_after=_retry_after(response))
        raise ProviderRefused(message, code=status)

    def _shown(self, text: str) -> str:
        text = "".join(c if c.isprintable() else " " for c in text[: _LONGEST_TEXT * 2])
        return redacted_text(text.replace(self._secret, "•••"))[:_LONGEST_TEXT]


_CREDENTIALS_HINT = "check PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN, and what the account may do"


def _json(response: Response) -> object:
    # The SDK reads the answer once more; this one only sees whether it can.
    body = response.raw.getvalue()
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _is_page(answer: dict[str, Any]) -> bool:
    # Without `meta` nobody knows whether there is more.
    objects, meta = answer.get("objects"), answer.get("meta")
    return (
        isinstance(meta, dict)
        and isinstance(objects, list)
        and all(isinstance(item, dict) for item in objects)
    )


def _is_html(response: Response) -> bool:
    return "html" in str(response.headers.get("Content-Type", "")).lower()


def _error_text(answer: object) -> str:
    """Find the reason in the shapes that Plivo's services have been seen to use."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, dict):
        for name in ("error", "message", "global_error", "errors", "data", "Error"):
            text = _error_text(answer.get(name))
            if text:
                return text
    return ""


def _retry_after(response: Response) -> float:
    text = str(response.headers.get("Retry-After", ""))
    # A date is possible too; nobody has seen Plivo send one, and our own back-off will do.
    return float(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0.0  # noqa: PLR2004
