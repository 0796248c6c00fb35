"""What the Plivo tests share: raw requests, and the SDK as anybody would use it."""

from __future__ import annotations

import base64
import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import plivo
from requests.adapters import HTTPAdapter

from mask_cli.models import PhoneNumber

if TYPE_CHECKING:
    from mask_cli.sandbox.plivo_api import PlivoSandbox

NUMBER = PhoneNumber("+14155550100")
OTHER = PhoneNumber("+14155550101")
PENDING = PhoneNumber("+16045550100")
ANSWER = "https://mask.example/plivo/answer"


def ask(
    sandbox: PlivoSandbox,
    method: str,
    path: str,
    body: object = None,
    *,
    account: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any, dict[str, str]]:
    """Send one request without any SDK; the answer is status, JSON and headers."""
    login = base64.b64encode(f"{sandbox.auth_id}:{sandbox.auth_token}".encode()).decode()
    sent = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    connection = HTTPConnection("127.0.0.1", sandbox.server.port, timeout=5)
    try:
        where = f"/v1/Account/{account or sandbox.auth_id}/{path}"
        raw = body if isinstance(body, bytes | None) else json.dumps(body)
        connection.request(method, where, raw, {**sent, **(headers or {})})
        response = connection.getresponse()
        text = response.read()
        answer = (
            json.loads(text) if response.headers["Content-Type"] == "application/json" else text
        )
        return response.status, answer, dict(response.headers)
    finally:
        connection.close()


class Redirected(HTTPAdapter):
    """Leads the plain SDK to the sandbox and changes nothing else."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def send(self, request: Any, *rest: Any, **how: Any) -> Any:
        request.url = request.url.replace("https://api.plivo.com", self.url, 1)
        return super().send(request, *rest, **how)


def plain_sdk(sandbox: PlivoSandbox) -> Any:
    """Return Plivo's own client, as its documentation uses it."""
    client = plivo.RestClient(sandbox.auth_id, sandbox.auth_token)
    client.session.mount("https://api.plivo.com", Redirected(sandbox.url))
    return client
