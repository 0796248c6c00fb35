"""Calls of the emulated Management API without an SDK: shared by its tests."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import jwt

if TYPE_CHECKING:
    import httpx

    from mask_cli.sandbox.voximplant import VoximplantSandbox


def token(sandbox: VoximplantSandbox, kid: str | None = None, **claims: object) -> str:
    fields = json.loads(sandbox.credentials_file.read_text())
    now = int(time.time())
    payload = {"iss": str(fields["account_id"]), "iat": now - 5, "exp": now + 60} | claims
    # Signed as bytes: PyJWT itself makes no token whose `iss` is a number, other clients do.
    return jwt.PyJWS().encode(
        json.dumps(payload).encode(),
        fields["private_key"],
        algorithm="RS256",
        headers={"kid": kid or fields["key_id"]},
    )


def code(http: httpx.Client, cmd: str | None, **parameters: object) -> int:
    """Return the error code of a call, 0 when it went well."""
    data = {"cmd": cmd, **parameters} if cmd else parameters
    reply = http.post("/platform_api", data=data).json()
    return int(reply["error"]["code"]) if "error" in reply else 0


def call_of(cmd: str, **parameters: object) -> dict[str, object]:
    return {"cmd": cmd, "application_id": 1, **parameters}
