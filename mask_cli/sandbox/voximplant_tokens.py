"""The check of the service account's tokens, with the platform's error codes."""

from __future__ import annotations

import threading

import jwt

from mask_cli.sandbox.voximplant_methods import ApiError

LONGEST_TOKEN_LIFE = 3600
_REMEMBERED = 1000


class Tokens:
    """Verifies RS256 tokens against one key.

    The signature of a token seen before is not computed again; its times are always checked.
    """

    def __init__(self, public_key: str, key_id: str, account_id: int) -> None:
        self._public_key = public_key
        self._key_id = key_id
        self._account_id = account_id
        self._seen: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def check(self, authorization: str | None, now: int) -> None:
        """Raise ApiError unless the header carries a good token at this moment."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ApiError(100)
        issued, expires = self._times(token.strip())
        if expires - issued > LONGEST_TOKEN_LIFE:
            raise ApiError(454)
        if issued > now:
            raise ApiError(455)
        if expires <= now:
            raise ApiError(456)

    def _times(self, token: str) -> tuple[int, int]:
        with self._lock:
            times = self._seen.get(token)
        if times is None:
            times = self._verified(token)
            with self._lock:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen[token] = times
        return times

    def _verified(self, token: str) -> tuple[int, int]:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise ApiError(447) from error
        if header.get("alg") != "RS256":
            raise ApiError(447)
        if header.get("kid") != self._key_id:
            raise ApiError(433)
        return self._claimed(token)

    def _claimed(self, token: str) -> tuple[int, int]:
        try:
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=["RS256"],
                # The times are checked against the sandbox's clock; clients send `iss`
                # as text or as a number, and PyJWT wants text.
                options={"verify_exp": False, "verify_iat": False, "verify_iss": False},
            )
        except jwt.InvalidSignatureError as error:
            raise ApiError(100) from error
        except jwt.InvalidTokenError as error:
            raise ApiError(447) from error
        issuer, issued, expires = (claims.get(name) for name in ("iss", "iat", "exp"))
        if isinstance(issuer, bool) or str(issuer) != str(self._account_id):
            raise ApiError(100)
        if not isinstance(issued, int | float) or not isinstance(expires, int | float):
            raise ApiError(447)
        return int(issued), int(expires)
