"""Random requests: never a 5xx, and nobody is dialled without a valid signature."""

from __future__ import annotations

import http.client
import re
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, urlencode
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.webhook import ALSO_OURS, OPERATOR, OURS, PAIRS, Running, mapping, running

if TYPE_CHECKING:
    from collections.abc import Iterator

HOOKS = ("answer", "digits", "dialled", "leg", "notice", "recorded", "hangup")
PARTIES = [number for pair in PAIRS for number in pair[1:]]
SPECIAL = st.sampled_from(
    ["", "\x00", "<Dial>", "]]>", "&", "%", "%zz", "+", "#", "*", "12345", "99999", "1" * 40,
     "sip:14156667777@x", "anonymous", "José", "\u202e", "\ud800", "-1", "9" * 400, OURS, ALSO_OURS,
     *PARTIES]
)  # fmt: skip
VALUES = st.one_of(SPECIAL, st.text(max_size=40))
NAMES = st.one_of(
    st.sampled_from(
        "From To CallUUID CallStatus Digits CallerName Event DialStatus DialAction DialBLegDuration"
        " HangupCause Duration RecordUrl attempts after to".split()
    ),
    st.text(max_size=12),
)
FORMS = st.lists(st.tuples(NAMES, VALUES), max_size=12)
STATES = st.sampled_from(
    ["", "?attempts=0", "?attempts=2", "?attempts=x", "?after=busy", "?to=party", "?to=operator",
     "?%", "?a=%ff&b", "?attempts=0&attempts=1", "?From=14156667777&To=12222222222"]
)  # fmt: skip
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3", "X-Plivo-Signature-V3-Nonce",
             "X-Plivo-Signature-V2", "X-Forwarded-Host", "X-Forwarded-Proto", "Content-Type",
             "Authorization", "X-Original-Url"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80),
    ),
    max_size=6,
)  # fmt: skip


def _encoded(form: list[tuple[str, str]]) -> bytes:
    return urlencode(form, errors="surrogatepass").encode()


BODIES = st.one_of(st.binary(max_size=2_000), FORMS.map(_encoded))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("fuzz") / "mask.db", operator=OPERATOR) as here:
        here.put(mapping("45678", PARTIES[0], "14155550111"))
        yield here


def _ask(
    web: Running, method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> tuple[int, bytes]:
    with closing(web.connection()) as connection:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        try:
            with connection.getresponse() as answer:
                return answer.status, answer.read()
        except http.client.RemoteDisconnected:
            return 400, b""


def unsigned(web: Running, examples: int) -> None:
    before = web.metric("mask_routes_total")

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(
        st.sampled_from(["POST", "GET", "PUT", "HEAD", "OPTIONS", "get", "PROPFIND"]),
        st.sampled_from(HOOKS),
        STATES,
        st.binary(max_size=30),
        HEADERS,
        BODIES,
    )
    def ask(
        method: str,
        hook: str,
        state: str,
        query: bytes,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None:
        path = f"/plivo/{hook}{state}{'&' if state else '?'}{quote_from_bytes(query)}"
        status, answer = _ask(web, method, path, headers, body)
        assert status < 500
        assert b"Dial" not in answer
        assert not any(number.encode() in answer for number in PARTIES)
        assert status >= 400

    ask()
    assert web.metric("mask_routes_total") == before
    assert web.metric("mask_faults_total") == 0


def signed(web: Running, examples: int) -> None:
    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.sampled_from(["POST", "GET"]), st.sampled_from(HOOKS), STATES, FORMS, st.data())
    def ask(
        method: str, hook: str, state: str, form: list[tuple[str, str]], data: st.DataObject
    ) -> None:
        path = f"/plivo/{hook}{state}"
        body = b"" if method == "GET" else _encoded(form)
        if method == "GET":
            path += ("&" if state else "?") + _encoded(form).decode()
        sent = [] if method == "GET" else form
        headers = list(web.signed(method, path, sent, web.nonce()).items())
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        if data.draw(st.integers(0, 9)) == 0:
            headers = [(n, v[::-1] if "Signature-V3" in n else v) for n, v in headers]
        _check(*_ask(web, method, path, headers if method == "POST" else headers[:3], body), form)

    before = web.metric("mask_routes_total")
    ask()
    assert web.metric("mask_routes_total") > before, "some have to be let in"
    assert web.metric("mask_faults_total") == 0


def _check(status: int, answer: bytes, form: list[tuple[str, str]]) -> None:
    """A document is one that the platform takes; only a party of the caller is ever dialled."""
    assert status in (200, 403)
    if status == 403:
        assert answer == b""
        return
    root = ET.fromstring(answer)  # noqa: S314 (our own document)
    callers = [re.sub(r"\D", "", value) for name, value in form if name == "From"]
    others = {OPERATOR, "14155550111", *(b for _, a, b in PAIRS if a in callers)}
    others |= {a for _, a, b in PAIRS if b in callers}
    # Parameters may also have come in the query, where a sample has the first courier.
    others.add(PARTIES[1])
    assert {node.text for node in root.iter("Number")} <= others
    for dial in root.iter("Dial"):
        assert dial.get("callerId") == dial.get("callerName")
        assert dial.get("callerId") in (OURS, ALSO_OURS)


def test_random_requests_get_no_5xx_and_dial_nobody_quick(web: Running) -> None:
    unsigned(web, 150)


def test_random_signed_requests_get_a_sound_document_quick(web: Running) -> None:
    signed(web, 150)


@pytest.mark.slow
def test_ten_thousand_random_requests_get_no_5xx_and_dial_nobody(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running(tmp_path_factory.mktemp("fuzz") / "mask.db", operator=OPERATOR) as web:
        unsigned(web, 7_000)
        signed(web, 4_000)
