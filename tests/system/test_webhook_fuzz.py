"""Random requests: never a 5xx, and nobody is dialled without a valid signature."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.webhook import ALSO_OURS, OPERATOR, OURS, PAIRS, Running, mapping, running

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALLED = 'mask_routes_total{action="dial"'
HOOKS = ("answer", "digits", "dialled", "leg", "notice", "recorded", "hangup")
STRANGER = "14155550111"
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
NOISE = st.lists(st.tuples(NAMES, VALUES), max_size=12)
# What the platform sends, of people who would be connected; then anything may be added to it.
CALLERS = st.sampled_from([*PARTIES, f"+{PARTIES[2]}", STRANGER, "14155550199"])
CALLS = st.builds(
    lambda call_id, caller, called, digits, noise: [
        ("CallUUID", call_id), ("From", caller), ("To", called), ("Digits", digits), *noise
    ],
    st.uuids().map(str),
    CALLERS,
    st.sampled_from([OURS, ALSO_OURS]),
    st.sampled_from(["12345", "45678", "99999", "#"]),
    st.lists(st.tuples(NAMES, VALUES), max_size=3),
)  # fmt: skip
FORMS = st.one_of(CALLS, NOISE)
CALLED_HOOKS = st.sampled_from(["answer", "digits"] * 3 + list(HOOKS))
METHODS = st.sampled_from(
    ["POST"] * 6 + ["GET"] * 4 + ["PUT", "HEAD", "OPTIONS", "get", "PROPFIND"]
)
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


# Forged: nearly what the platform sends.
FORGED = st.lists(
    st.tuples(
        st.sampled_from(
            ["X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3", "X-Plivo-Signature-V3-Nonce"]
        ),
        st.sampled_from(["", " ", ",", "1", "None", "A" * 43 + "=", "0" * 20, "A" * 43 + "=,"]),
    ),
    max_size=4,
    unique_by=lambda header: header[0],
)


def _encoded(form: list[tuple[str, str]]) -> bytes:
    return urlencode(form, errors="surrogatepass").encode()


BODIES = st.one_of(st.binary(max_size=2_000), *[FORMS.map(_encoded)] * 3)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("fuzz") / "mask.db", operator=OPERATOR) as here:
        here.put(mapping("45678", PARTIES[0], STRANGER))
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
        # A connection that ends without an answer would be a dropped call.
        with connection.getresponse() as answer:
            return answer.status, answer.read()


def fuzzed(examples: int) -> settings:
    """Return how it is done: few examples are always the same ones."""
    return settings(
        max_examples=examples,
        derandomize=examples < 1_000,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )


def unsigned(web: Running, examples: int) -> None:
    before = web.metric("mask_routes_total")

    @fuzzed(examples)
    @given(METHODS, CALLED_HOOKS, STATES, FORMS, HEADERS, BODIES, st.data())
    def ask(
        method: str,
        hook: str,
        state: str,
        query: list[tuple[str, str]],
        headers: list[tuple[str, str]],
        body: bytes,
        data: st.DataObject,
    ) -> None:
        path = f"/plivo/{hook}{state}{'&' if state else '?'}{_encoded(query).decode()}"
        if data.draw(st.integers(0, 3)):
            # As far as can be without the token.
            headers = [*data.draw(FORGED), ("Content-Type", "application/x-www-form-urlencoded")]
            body = b"" if method == "GET" else body
        if data.draw(st.integers(0, 3)) == 0:
            # Genuine, but of another request.
            other = web.signed("POST", path, [("From", PARTIES[0])], web.nonce())
            headers = [*headers, *other.items()]
        status, answer = _ask(web, method, path, headers, body)
        assert 400 <= status < 500
        assert b"Dial" not in answer
        assert not any(number.encode() in answer for number in PARTIES)

    ask()
    assert web.metric("mask_routes_total") == before
    assert web.metric("mask_faults_total") == 0
    for why in ("unsigned", "bad_signature"):
        count = web.metric(f'mask_refused_total{{why="{why}"}}')
        assert count > examples / 100, f"only {count} were refused as {why}"


def signed(web: Running, examples: int) -> None:
    @fuzzed(examples)
    @given(st.sampled_from(["POST", "GET"]), CALLED_HOOKS, STATES, FORMS, st.data())
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
        answer = _ask(web, method, path, headers if method == "POST" else headers[:3], body)
        _check(*answer, form, state)

    before = web.metric(DIALLED)
    ask()
    assert web.metric(DIALLED) - before > examples / 100, "some have to be let in and connected"
    assert web.metric("mask_faults_total") == 0


def _check(status: int, answer: bytes, form: list[tuple[str, str]], state: str) -> None:
    """A document is one that the platform takes; only a party of the caller is ever dialled."""
    assert status in (200, 403)
    if status == 403:
        assert answer == b""
        return
    root = ET.fromstring(answer)  # noqa: S314 (our own document)
    callers = [re.sub(r"\D", "", value) for name, value in form if name == "From"]
    couples = [
        (a, b) for _, x, y in (*PAIRS, ("", PARTIES[0], STRANGER)) for a, b in ((x, y), (y, x))
    ]
    others = {OPERATOR, *(b for a, b in couples if a in callers)}
    if not callers or state.startswith("?From="):
        # Parameters may also have come in the query, where a sample has the first courier.
        others |= {b for a, b in couples if a == PARTIES[0]}
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
        web.put(mapping("45678", PARTIES[0], STRANGER))
        unsigned(web, 8_000)
        signed(web, 4_000)
        # Some are no HTTP and never come to a hook.
        assert web.metric("mask_requests_total") >= 10_000
