"""Plivo's webhook signature V3: build the string, sign it, verify it; pure.

Written anew because the SDK's own validator raises on non-ASCII queries and missing headers,
and does not compare in constant time. The published vectors are its tests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

SIGNATURE = "X-Plivo-Signature-V3"
MAIN_SIGNATURE = "X-Plivo-Signature-Ma-V3"
NONCE = "X-Plivo-Signature-V3-Nonce"

Form = Sequence[tuple[str, str]]
"""Parameters in any order, repeated names repeated."""


def signed_text(method: str, url: str, form: Form, nonce: str) -> str:
    """Return the text that is signed.

    `url` is the public one, as Plivo called it, with its query; `form` are the parameters of
    the body. With GET they count as part of the query.
    """
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}{parts.path}"
    query = parse_qsl(parts.query, keep_blank_values=True) if parts.query else []
    if method.upper() == "GET":
        named = {name for name, _ in query}
        query += [pair for pair in form if pair[0] not in named]
        form = ()
    text = "&".join(f"{name}={value}" for name, value in sorted(query))
    body = "".join(name + value for name, value in sorted(form))
    if text and body:
        text += "."
    # A body without a query still follows a question mark: the vectors prove it.
    return f"{base}{'?' if text or body else ''}{text}{body}.{nonce}"


def signature(token: str, method: str, url: str, form: Form, nonce: str) -> str:
    """Return the signature made with one token."""
    # Bytes that are no text arrive as lone surrogates; they must be signed, not raise.
    text = signed_text(method, url, form, nonce).encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(token.encode(), text, hashlib.sha256)).decode()


def verified(
    method: str,
    url: str,
    form: Form,
    *,
    nonce: str | None,
    signatures: Iterable[str | None],
    tokens: Iterable[str],
) -> bool:
    """Tell whether any of our tokens made any of the signatures; never raises on odd input.

    `signatures` are the values of both signature headers, each possibly several with commas.
    Every pair is compared, so that time does not tell which one was near.
    """
    if not nonce or method.upper() not in ("GET", "POST"):
        return False
    given = [part.strip() for value in signatures if value for part in value.split(",")]
    try:
        wanted = [signature(token, method, url, form, nonce) for token in tokens if token]
    except ValueError:  # the URL is none: bad brackets or port
        return False
    matches = [
        hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogatepass"))
        for ours in wanted
        for theirs in given
    ]
    return any(matches)


def signature_headers(
    method: str,
    url: str,
    form: Form,
    nonce: str,
    *,
    token: str,
    main_token: str | None = None,
) -> dict[str, str]:
    """Return the headers of a signed request; `main_token` where `token` is a subaccount's."""
    return {
        SIGNATURE: signature(token, method, url, form, nonce),
        MAIN_SIGNATURE: signature(main_token or token, method, url, form, nonce),
        NONCE: nonce,
    }
