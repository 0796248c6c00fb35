"""Reading a reply, whatever it holds."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mask_cli.errors import ProviderDenied, ProviderRefused, ProviderUnavailable
from mask_cli.providers.voximplant_replies import (
    BROKEN,
    DENIED,
    NOT_ABOUT_A_KEY,
    THROTTLING,
    Failure,
    read_reply,
)

JSON = "application/json"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["result", "error", "errors", "code", "msg"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(st.integers(100, 599), st.sampled_from([JSON, "text/html", ""]), st.binary(max_size=50))
def test_no_bytes_break_the_reader(status: int, content_type: str, body: bytes) -> None:
    outcome = read_reply(status, content_type, body)

    assert isinstance(outcome, dict | Failure)


@given(st.integers(200, 599), VALUES)
def test_only_the_documented_envelope_is_a_success(status: int, value: object) -> None:
    outcome = read_reply(status, "application/json; charset=utf-8", json.dumps(value).encode())

    right = isinstance(value, dict) and "result" in value and "error" not in value
    if isinstance(outcome, dict):
        assert right
        assert status < 300


@given(st.integers(200, 599), st.integers(-1, 1000), st.text(max_size=20))
def test_only_a_good_status_refuses_for_good(status: int, code: int, message: str) -> None:
    body = json.dumps({"error": {"code": code, "msg": message}}).encode()

    outcome = read_reply(status, JSON, body)

    assert isinstance(outcome, Failure)
    error, _ = outcome.errors(unsure=False)
    if code in DENIED:
        assert type(error) is ProviderDenied
    elif code in THROTTLING | BROKEN or status not in (*range(200, 300), 401, 403):
        assert type(error) is ProviderUnavailable
    else:
        assert type(error) is (ProviderRefused if status < 300 else ProviderDenied)


def test_a_number_in_the_platforms_words_is_not_passed_on() -> None:
    body = json.dumps({"error": {"code": 121, "msg": "Invalid phone number 14156667777"}})

    outcome = read_reply(200, JSON, body.encode())

    assert isinstance(outcome, Failure)
    assert "14156667777" not in outcome.what
    assert "7777" not in outcome.what


def test_a_failed_login_is_never_taken_for_a_missing_key() -> None:
    assert DENIED | THROTTLING | BROKEN <= NOT_ABOUT_A_KEY
