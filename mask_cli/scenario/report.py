"""Check the call reports that the scenario sends.

A report is a POST with a JSON body and one header of proof::

    X-Mask-Signature: t=<unix seconds>,v1=<64 lower-case hex digits>

where `v1` is HMAC-SHA256, with the secret MASK_REPORT_SECRET as UTF-8, of the bytes
`<t>.<body>`: the digits of `t` as sent, a full stop, the body as received. `t` is the moment of
sending. One call is reported once; a retry carries the same body under a new `t`, so a receiver
keeps the first report of each `session` and answers 2xx to the next.

The body (version 1; times are UTC seconds, null when it never came to that):

    version, session, order (null unless the caller is one of its parties), role (courier|client,
    the caller's, or null), outcome, reason (a routing word), attempts, started_at, answered_at,
    dialled_at, bridged_at, ended_at, talk_seconds, cost, recording_url, and legs: a list of
    {who: caller|party|operator, seconds, cost, code}, in the order they were called.

`code` is the platform's when the leg never answered. There is no phone number in it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

from mask_cli.errors import BadData

HEADER = "X-Mask-Signature"
TOLERANCE = 300
"""How far, in seconds, the sender's clock may be from ours."""
LONGEST_BODY = 16 * 1024

REASONS = frozenset(
    "ask_order courier_to_client client_to_courier no_digits bad_digits unknown_order"
    " unknown_caller unknown_number too_many_attempts operator unavailable".split()
)
OUTCOMES = frozenset(
    "abandoned busy connected no_answer not_accepted operator operator_unavailable refused"
    " rejected unavailable unreachable".split()
)
ROLES = ("courier", "client")
FIELDS = frozenset(
    "version session order role outcome reason attempts started_at answered_at dialled_at"
    " bridged_at ended_at talk_seconds cost recording_url legs".split()
)

_PROOF = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)


class ReportRefused(BadData):
    """A report that is not believed; nothing of it may be stored."""


class BadSignature(ReportRefused):
    """The header is missing or malformed, or somebody else signed."""


class StaleReport(ReportRefused):
    """The signature is right but too far from now: a replay, or a wrong clock."""


class BadReport(ReportRefused):
    """Signed by us, yet not a report."""


def sign(secret: str, body: bytes, now: int) -> str:
    """Return the header's value for a body, as the scenario makes it."""
    proof = hmac.new(secret.encode(), str(now).encode() + b"." + body, hashlib.sha256)
    return f"t={now},v1={proof.hexdigest()}"


def verify(secret: str, header: str | None, body: bytes, now: int) -> dict[str, Any]:
    """Return the report, or raise BadSignature, StaleReport or BadReport.

    The signature is compared in constant time; the time stamp counts only once it is right.
    """
    found = _PROOF.fullmatch(header or "")
    if not secret or found is None or len(body) > LONGEST_BODY:
        raise BadSignature("the report is not signed")
    stamp = found[1].encode()
    expected = hmac.new(secret.encode(), stamp + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, found[2]):
        raise BadSignature("the report's signature is wrong")
    if abs(now - int(stamp)) > TOLERANCE:
        raise StaleReport(f"the report's time is more than {TOLERANCE} s from ours")
    return _report(body)


def _report(body: bytes) -> dict[str, Any]:
    try:
        report = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadReport("the report is not JSON") from error
    if not isinstance(report, dict) or not report.keys() >= FIELDS:
        raise BadReport("the report lacks fields")
    words = [report[name] for name in ("session", "reason", "outcome")]
    if not all(isinstance(word, str) and word for word in words):
        raise BadReport("the report's words are not words")
    known = (
        report["version"] == 1
        and report["reason"] in REASONS
        and report["outcome"] in OUTCOMES
        and report["role"] in (*ROLES, None)
    )
    if not known:
        raise BadReport("the report holds words that are not known here")
    return report
