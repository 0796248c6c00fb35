"""Who may ask: only what the provider signed for our address, and each signature once."""

from __future__ import annotations

import itertools
import re
import secrets
from typing import TYPE_CHECKING

from mask_cli.plivo_signature import verified
from mask_cli.store.calls_base import NonceUse, SeenNonce

if TYPE_CHECKING:
    from collections.abc import Callable

    from mask_cli.web.request import Request
    from mask_cli.web.site import Site

REPEAT_SECONDS = 60
"""The platform repeats a request whose answer it did not get within this time."""
NONCE_SECONDS = 24 * 3_600
# No full stop: it ends what is signed before the nonce, and could be moved into a value.
_NONCE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class Guard:
    """Checks signatures against the configured public address, and remembers nonces."""

    def __init__(self, site: Site, now: Callable[[], int]) -> None:
        self._tokens = site.tokens
        self._now = now
        self._worker = secrets.token_hex(8)
        self._uses = itertools.count()

    def refusal(self, request: Request) -> str | None:
        """Tell why a request is refused; None when it is the provider's."""
        if not self._tokens:
            return None
        if request.nonce is None or not any(request.signatures):
            return "unsigned"
        genuine = _NONCE.fullmatch(request.nonce) and verified(
            request.method,
            request.url,
            request.form,
            nonce=request.nonce,
            signatures=request.signatures,
            tokens=self._tokens,
        )
        return None if genuine else "bad_signature"

    def use(self, request: Request, answer: str) -> NonceUse | None:
        """Return the row that makes a repetition known; None where nothing is signed."""
        if not self._tokens or request.nonce is None:
            return None
        token = f"{self._worker}{next(self._uses):x}"
        return NonceUse(request.nonce, request.digest, answer, token, self._now())

    def repeated(self, request: Request, seen: SeenNonce) -> str | None:
        """Return the answer that a repetition gets once more; None refuses it as a replay."""
        fresh = self._now() - seen.at <= REPEAT_SECONDS
        return seen.answer if fresh and seen.digest == request.digest else None
