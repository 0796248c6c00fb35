"""A webhook on a real socket, and what calls it: the emulated platform, or a raw client."""

from __future__ import annotations

import http.client
import itertools
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET

from mask_cli.models import Mapping, PhoneNumber
from mask_cli.plivo_signature import signature_headers
from mask_cli.routing import Rules
from mask_cli.sandbox.plivo_caller import place_call
from mask_cli.sandbox.plivo_scene import Application, Behaviour, Outcome, Press, Scene
from mask_cli.sandbox.plivo_webhook import Delivery, Webhook
from mask_cli.store.calls import SqliteCalls
from mask_cli.store.calls_base import CallRecord, CallSelection
from mask_cli.store.pool import SqlitePool
from mask_cli.store.sqlite import SqliteStore
from mask_cli.web.phrases import load_phrases
from mask_cli.web.server import Factory, in_background, listening
from mask_cli.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NOON = 1_796_126_400
TOKEN = "MDAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMGMwZDBl"
OURS, ALSO_OURS = "12222222222", "13333333333"
OPERATOR = "14155550100"
PAIRS = (
    ("12345", "14156667777", "14156667778"),
    ("23456", "14156667779", "14156667780"),
    ("34567", "14156667781", "14156667782"),
)
"""The guides' three: order, courier, client."""
Pairs = list[tuple[str, str]]
Answer = tuple[int, str]


@dataclass
class Running:
    """A webhook that runs; `now` is its clock."""

    base: str
    database: Path
    now: int = NOON
    _nonces: Iterator[int] = field(default_factory=lambda: itertools.count(10**19))

    def clock(self) -> int:
        return self.now

    def nonce(self) -> str:
        return str(next(self._nonces))

    def signed(self, method: str, path: str, form: Pairs, nonce: str) -> dict[str, str]:
        return signature_headers(method, self.base + path, form, nonce, token=TOKEN)

    def ask(self, hook: str, fields: Pairs, *, nonce: str | None = None, **more: Any) -> Answer:
        """Post a signed request to a hook."""
        path = f"/plivo/{hook}"
        headers = self.signed("POST", path, fields, nonce or self.nonce())
        return self.send("POST", path, {**headers, **more.pop("headers", {})}, fields)

    def get(self, hook: str, fields: Pairs) -> Answer:
        """Get a hook, signed, its parameters in the query."""
        path = f"/plivo/{hook}{'&' if '?' in hook else '?'}{urlencode(fields)}"
        return self.send("GET", path, self.signed("GET", path, [], self.nonce()))

    def send(
        self, method: str, path: str, headers: dict[str, str], form: Pairs | None = None
    ) -> Answer:
        """Send it as it is."""
        body = None if form is None else urlencode(form)
        kind = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
        with closing(self.connection()) as connection:
            connection.request(method, path, body, {**kind, **headers})
            with connection.getresponse() as answer:
                return answer.status, answer.read().decode()

    def connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.base)
        return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)

    def call(
        self,
        caller: str,
        *presses: str,
        called: str = OURS,
        callee: str = "answers",
        delivery: Delivery | None = None,
        method: str = "POST",
        **more: Any,
    ) -> Outcome:
        """Play a call."""
        seed = next(self._nonces)
        scene = Scene(
            caller,
            called,
            tuple(Press(keys) for keys in presses),
            behaviour=Behaviour(callee),
            started_at=self.now,
            seed=seed,
            **more,
        )
        application = Application(
            f"{self.base}/plivo/answer", method, f"{self.base}/plivo/hangup", method
        )
        webhook = Webhook(self._transport, TOKEN, delivery=delivery or Delivery(), seed=seed + 1)
        return place_call(scene, application, webhook)

    def _transport(
        self, method: str, url: str, headers: dict[str, str], form: Sequence[tuple[str, str]]
    ) -> tuple[int, str, bytes]:
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        body = urlencode(list(form)) if method == "POST" else None
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        with closing(self.connection()) as connection:
            connection.request(method, path, body, {**kind, **headers})
            with connection.getresponse() as answer:
                return answer.status, answer.headers["content-type"], answer.read()

    def calls(self) -> list[CallRecord]:
        with opened(self.database) as store:
            return list(SqliteCalls(store).listed(CallSelection()))

    def put(self, *mappings: Mapping) -> None:
        with opened(self.database) as store, store.writing():
            for mapping in mappings:
                store.put(mapping)

    def query(self, sql: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute(sql, values).fetchall()
            connection.commit()
        return rows

    def metric(self, name: str) -> float:
        _, text = self.send("GET", "/metrics", {})
        return sum(
            float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name)
        )


@contextmanager
def opened(database: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(database)
    try:
        yield store
    finally:
        store.close()


def mapping(order: str, courier: str, client: str, **more: Any) -> Mapping:
    values = {"expires_at": NOON + 3_600, "created_at": NOON, "updated_at": NOON, **more}
    return Mapping(order, PhoneNumber(f"+{courier}"), PhoneNumber(f"+{client}"), **values)


def fields(caller: str | None, called: str = OURS, **more: str) -> Pairs:
    """Return what the platform posts of a call."""
    known = {"CallUUID": "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36", "CallStatus": "ringing"}
    who = {} if caller is None else {"From": caller}
    return list({**known, **who, "To": called, "Direction": "inbound", **more}.items())


def filled(database: Path) -> None:
    """Make a store with the guides' pairs and two numbers of ours."""
    with opened(database) as store, store.writing():
        for number in (OURS, ALSO_OURS):
            SqlitePool(store).put(PhoneNumber(f"+{number}"), "plivo", None, NOON)
        for pair in PAIRS:
            store.put(mapping(*pair))


@contextmanager
def running(database: Path, *, operator: str | None = None, **more: Any) -> Iterator[Running]:
    """Serve a store on loopback."""
    filled(database)
    rules = more.pop("rules", {})
    with listening("127.0.0.1", 0) as socket:
        here = Running(f"http://127.0.0.1:{socket.getsockname()[1]}", database)
        settings = {
            "public_url": here.base,
            "rules": Rules(
                frozenset(), operator=PhoneNumber(f"+{operator}") if operator else None, **rules
            ),
            "phrases": load_phrases(None, 5),
            "tokens": ("another token", TOKEN),
            **more,
        }
        site = Site(database, **settings)
        with in_background(Factory(site, here.clock, alone=False), socket):
            yield here


def dialled(answer: Answer) -> list[str]:
    """Return whom a document dials; it has to be one."""
    assert answer[0] == 200, answer
    return [str(node.text) for node in ET.fromstring(answer[1]).iter("Number")]  # noqa: S314 (our own document)


def spoken(answer: Answer) -> str:
    """Return what a document says."""
    assert answer[0] == 200, answer
    return " ".join(str(node.text) for node in ET.fromstring(answer[1]).iter("Speak"))  # noqa: S314 (our own document)
