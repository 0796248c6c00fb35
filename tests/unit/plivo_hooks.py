"""A webhook of documents by path, and a call of it: shared by the tests of the played caller."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from mask_cli.plivo_signature import verified
from mask_cli.sandbox.plivo_caller import place_call
from mask_cli.sandbox.plivo_scene import Application, Outcome, Scene
from mask_cli.sandbox.plivo_webhook import Delivery, Webhook

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "https://hooks.example.com"
TOKEN = "MDAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMGMwZDBl"
CALLER, CALLED, CALLEE = "14156667777", "12222222222", "14156667778"
DIAL = f'<Dial callerId="{CALLED}" callerName="{CALLED}"><Number>{CALLEE}</Number></Dial>'


class Hooks:
    """A webhook that knows a document by path, and keeps what it was asked."""

    def __init__(self, **documents: str | bytes | int | Exception) -> None:
        self.documents = documents
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.nonces: list[str] = []
        self.content_type = "application/xml; charset=utf-8"

    def send(
        self, method: str, url: str, headers: dict[str, str], form: Sequence[tuple[str, str]]
    ) -> tuple[int, str, bytes]:
        parts = urlsplit(url)
        nonce = headers["X-Plivo-Signature-V3-Nonce"]
        made = [headers["X-Plivo-Signature-V3"]]
        assert verified(method, url, form, nonce=nonce, signatures=made, tokens=[TOKEN])
        assert "#" not in url
        name = parts.path.strip("/")
        self.asked.append((method, name, dict([*parse_qsl(parts.query), *form])))
        self.nonces.append(nonce)
        answer = self.documents.get(name, "")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return answer, "text/html", b""
        body = answer if isinstance(answer, bytes) else f"<Response>{answer}</Response>".encode()
        return 200, self.content_type, body

    def told(self, name: str) -> list[dict[str, str]]:
        return [parameters for _, path, parameters in self.asked if path == name]


def call(
    hooks: Hooks, scene: Scene | None = None, delivery: Delivery | None = None, **plan: str
) -> Outcome:
    application = Application(f"{HOST}/answer", hangup_url=f"{HOST}/hangup", **plan)
    webhook = Webhook(hooks.send, TOKEN, delivery=delivery or Delivery())
    return place_call(scene or Scene(CALLER, CALLED), application, webhook)
