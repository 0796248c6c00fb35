"""Who may ask: only what the provider signed for our address, and each signature once."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import secrets
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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
_SALT_BYTES = 12


class Guard:
    """Checks signatures against the configured public address, and remembers nonces."""

    def __init__(self, site: Site, now: Callable[[], int]) -> None:
        self._tokens = site.tokens
        self._now = now
        self._worker = secrets.token_hex(8)
        # All workers have the tokens, and the database does not.
        self._seal = AESGCM(hashlib.sha256("\n".join(site.tokens).encode()).digest())
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
        sealed = self._sealed(request, answer)
        return NonceUse(request.nonce, request.digest, sealed, token, self._now())

    def repeated(self, request: Request, seen: SeenNonce) -> str | None:
        """Return the answer that a repetition gets once more; None refuses it as a replay."""
        fresh = self._now() - seen.at <= REPEAT_SECONDS
        if not fresh or seen.digest != request.digest or seen.answer is None:
            return None
        return self._opened(request, seen.answer)

    def _sealed(self, request: Request, answer: str) -> str:
        """Return the answer as it is stored: nobody finds a callee in a copied database."""
        salt = os.urandom(_SALT_BYTES)
        sealed = self._seal.encrypt(salt, answer.encode(), request.digest.encode())
        return b2a_base64(salt + sealed, newline=False).decode()

    def _opened(self, request: Request, sealed: str) -> str | None:
        """Return the answer again; None when it was sealed with other tokens."""
        try:
            kept = a2b_base64(sealed)
            salt, rest = kept[:_SALT_BYTES], kept[_SALT_BYTES:]
            return self._seal.decrypt(salt, rest, request.digest.encode()).decode()
        except (InvalidTag, ValueError):
            return None
