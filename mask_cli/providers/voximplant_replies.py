"""What a reply of the Management API means: the documented envelope, or which failure.

A reply that is not the documented envelope is never a success, whatever its status says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from http import HTTPStatus

from mask_cli.errors import MaskError, ProviderDenied, ProviderRefused, ProviderUnavailable
from mask_cli.redaction import redacted_text

THROTTLING = frozenset({162, 314, 340, 484, 515})
"""Rate limit, concurrent limit, try later, probable resend, performed recently."""
BROKEN = frozenset({1, 2, 4, 5})
"""Fatal, internal, database and billing errors: the platform's fault."""
DENIED = frozenset({100, 104, 433, 447, 454, 455, 456})
_CLOCK = frozenset({455, 456})
WRONG_APPLICATION = frozenset({115, 116, 546, 558})
NOT_ABOUT_A_KEY = (
    THROTTLING | BROKEN | DENIED | WRONG_APPLICATION | {102, 103, 127, 131, 281, 282, 458, 485}
)
"""Codes that never mean that a key is missing: an unknown command or application, an account
without money, not active or not verified, wrong arguments. As the documentation names no code
for a missing key, any other one may mean it."""

_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt: what to tell, whether another attempt may help, and how soon.

    `unsure` is True when the platform may have carried the request out all the same.
    """

    what: str
    unsure: bool = False
    retry: bool = False
    retry_after: float | None = None
    code: int | None = None
    refusal: bool = False
    hint: str | None = None

    def errors(self, *, unsure: bool) -> tuple[MaskError, ProviderRefused | None]:
        """Return the exception that tells it and, when that is another one, the refusal.

        `unsure` may come from an earlier attempt: a refusal that follows one whose end nobody
        knows leaves that end unknown.
        """
        unavailable = ProviderUnavailable(self.what, unsure=unsure, hint=self.hint)
        if not self.refusal:
            return unavailable, None
        kind = ProviderDenied if self.code is None or self.code in DENIED else ProviderRefused
        refused = kind(self.what, code=self.code, hint=self.hint)
        return (unavailable, refused) if unsure else (refused, None)


def read_reply(
    status: int, content_type: str, body: bytes, retry_after: float | None = None
) -> dict[str, object] | Failure:
    """Return the envelope of a success, or the failure."""
    value, is_json = _decoded(content_type, body)
    error = _error(value)
    if error is not None:
        return _weighed(_told(*error, retry_after), status, retry_after)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _bad_status(status, retry_after)
    if not is_json:
        return Failure("Voximplant's answer is not JSON", unsure=True, retry=True)
    if not isinstance(value, dict) or "result" not in value or "error" in value:
        return Failure("Voximplant's answer is not the documented one", unsure=True)
    return value


def _weighed(told: Failure, status: int, retry_after: float | None) -> Failure:
    """Return the failure that an error object and its HTTP status mean together.

    The platform refuses with status 200. With another one it was something in between, and
    its `code` may be any number: that is no refusal, let alone a missing key.
    """
    success = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
    if not told.refusal or success or told.code in DENIED:
        return told
    by_status = _bad_status(status, retry_after)
    return replace(by_status, what=f"{told.what}, HTTP {status}")


def _bad_status(status: int, retry_after: float | None) -> Failure:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failure("Voximplant: too many requests", retry=True, retry_after=retry_after)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Failure(f"Voximplant denied access (HTTP {status})", refusal=True)
    if status < HTTPStatus.BAD_REQUEST:
        return Failure(
            f"Voximplant's endpoint redirects (HTTP {status}); redirects are not followed",
            unsure=True,
            hint="check the setting voximplant.endpoint",
        )
    server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return Failure(
        f"Voximplant answered HTTP {status}", unsure=True, retry=server, retry_after=retry_after
    )


def _decoded(content_type: str, body: bytes) -> tuple[object, bool]:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return None, False
    try:
        return json.loads(body), True
    except (ValueError, RecursionError):
        return None, False


def _error(value: object) -> tuple[int, str] | None:
    """Return code and message of `{"error": {...}}` or of the first of `{"errors": [...]}`."""
    if not isinstance(value, dict):
        return None
    errors = value.get("errors")
    error = value.get("error", errors[0] if isinstance(errors, list) and errors else None)
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        return None
    return error["code"], str(error.get("msg", ""))


def _told(code: int, message: str, retry_after: float | None) -> Failure:
    printable = "".join(c if c.isprintable() else "?" for c in message[:_LONGEST_MESSAGE])
    what = f"Voximplant: {redacted_text(printable)} (code {code})"
    if code in THROTTLING:
        return Failure(what, retry=True, retry_after=retry_after, code=code)
    if code in BROKEN:
        return Failure(what, unsure=True, code=code)
    return Failure(what, code=code, refusal=True, hint=_hint(code))


def _hint(code: int) -> str | None:
    if code in _CLOCK:
        return "the clock of this computer is wrong; set it"
    if code in (100, 104):
        return "the service account needs the role Owner, Admin or Developer"
    if code in DENIED:
        return "the service account's key is not valid; download a new credentials file"
    if code in WRONG_APPLICATION:
        return "check the setting voximplant.application"
    return _HINTS.get(code)


_HINTS = {
    127: "put money on the account in the Voximplant panel",
    130: "a scenario may have 128 KB",
    133: "scenario names are unique in the whole account, also across applications",
    281: "this number needs a verified account: Voximplant panel, Settings / Verification",
    282: "the verification of the account is not over yet",
    331: "the number is taken meanwhile; mask voximplant number search shows others",
}
