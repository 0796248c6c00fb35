"""One request as it came: bounded in size, fields and time, nothing of it trusted."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from mask_cli.plivo_signature import MAIN_SIGNATURE, NONCE, SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[Any]]

LARGEST_BODY = 64 * 1024
"""Bytes; the platform sends about one kilobyte."""
BODY_SECONDS = 5.0
"""A body that takes longer is not the platform's."""
MOST_FIELDS = 500
_FORM = "application/x-www-form-urlencoded"


class Unreadable(Exception):
    """The request is not one that the platform makes; `status` is what it gets."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: `url` is the public address, as the platform must have called it.

    `form` are the parameters of the body, `fields` those that tell about the call: of the body
    with POST, of the query with GET. A field that came twice tells nothing. `state` are ours,
    from the query of the address, which the signature covers.
    """

    method: str
    url: str = field(repr=False)
    form: list[tuple[str, str]] = field(repr=False)
    fields: dict[str, str] = field(repr=False)
    state: dict[str, str] = field(repr=False)
    nonce: str | None
    signatures: tuple[str | None, str | None] = field(repr=False)
    digest: str

    def get(self, name: str) -> str | None:
        """Return a field."""
        return self.fields.get(name)


async def read_request(scope: Any, receive: Receive, public_url: str) -> Request:  # noqa: ANN401 (ASGI's)
    """Read a request, or raise Unreadable."""
    method: str = scope["method"]
    if method not in ("GET", "POST"):
        raise Unreadable(405, "method")
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    body = await bounded_body(headers, receive)
    query = scope["query_string"].decode("utf-8", "surrogateescape")
    in_query = _pairs(query)
    form = _form(method, headers, body)
    url = _url(scope, public_url, query)
    state = _once(in_query)
    return Request(
        method,
        url,
        form,
        _once(form) if method == "POST" else state,
        state,
        headers.get(_HEADERS[0]),
        (headers.get(_HEADERS[1]), headers.get(_HEADERS[2])),
        # No separator can be forged: an address holds no line end.
        hashlib.sha256(f"{method} {url}\n".encode("utf-8", "surrogatepass") + body).hexdigest(),
    )


_HEADERS = [name.lower().encode() for name in (NONCE, SIGNATURE, MAIN_SIGNATURE)]
_TYPE, _LENGTH = b"content-type", b"content-length"


def _url(scope: Any, public_url: str, query: str) -> str:  # noqa: ANN401 (ASGI's)
    """Return the public address; `Host` and whatever a proxy added are not looked at."""
    path = scope["raw_path"].decode("utf-8", "surrogateescape")
    below = path[path.rindex("/plivo/") :] if "/plivo/" in path else path
    return f"{public_url}{below}?{query}" if query else public_url + below


async def bounded_body(headers: dict[bytes, str], receive: Receive) -> bytes:
    """Read a body, or raise Unreadable when it is too large or too slow."""
    length = headers.get(_LENGTH, "0")
    if len(length) > 9 or not length.isdigit() or int(length) > LARGEST_BODY:  # noqa: PLR2004 (digits)
        raise Unreadable(413, "too_large")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _whole(receive)
    except TimeoutError:
        raise Unreadable(408, "too_slow") from None


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Unreadable(400, "cut_off")
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Unreadable(413, "too_large")
        if not message.get("more_body", False):
            return body


def _form(method: str, headers: dict[bytes, str], body: bytes) -> list[tuple[str, str]]:
    if not body:
        return []
    if method == "GET" or headers.get(_TYPE, "").partition(";")[0].strip().lower() != _FORM:
        raise Unreadable(415, "no_form")
    return _pairs(body.decode("utf-8", "surrogateescape"))


def _pairs(text: str) -> list[tuple[str, str]]:
    """Read what `urllib.parse.parse_qsl` reads, in half the time: few fields are encoded."""
    if text.count("&") >= MOST_FIELDS:
        raise Unreadable(413, "too_many_fields")
    parts = (part.partition("=") for part in text.split("&") if part)
    return [(_decoded(name), _decoded(value)) for name, _, value in parts]


def _decoded(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    return unquote_plus(text, errors="surrogateescape")


def _once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return what came once; of two contradicting values neither is believed."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        found = {name: value for name, value in found.items() if names.count(name) == 1}
    return found
