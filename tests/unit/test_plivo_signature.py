from __future__ import annotations

from itertools import count
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_cli.plivo_signature import signature, signature_headers, signed_text, verified

Form = list[tuple[str, str]]
Vector = tuple[str, str, Form, str, str, str]

NONCE, TOKEN = "31627761595286130198", "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
BASE = "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml"
CALL = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"
SIP = "sip:PlivoSignature382029104058171078704104@"
FORM: Form = [
    ("ALegRequestUUID", CALL),
    ("ALegUUID", CALL),
    ("CallUUID", CALL),
    ("RequestUUID", CALL),
    ("BillRate", "0.002"),
    ("CallStatus", "in-progress"),
    ("Direction", "outbound"),
    ("Event", "StartApp"),
    ("From", "19792014278"),
    ("ParentAuthID", "MANWVLYTK4ZWU1YTY4QA"),
    ("SIP-H-To", f"<{SIP}52.9.11.55;transport=udp>;tag=1"),
    ("SessionStart", "2020-04-08 11:34:33.238707"),
    ("To", f"{SIP}phone-qa.voice.plivodev.com"),
]
OWN_NONCE, OWN_TOKEN = "12345678901234567890", "MDAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMGMwZDBl"
HOOK = "https://hooks.example.com/voice/answer"
FROM = ("From", "14156667777")

PUBLISHED: list[Vector] = [
    (
        "POST",
        f"{BASE}/?a=b&c=d",
        FORM,
        NONCE,
        TOKEN,
        "k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c=",
    ),
    ("GET", f"{BASE}/?a=b&c=d", FORM, NONCE, TOKEN, "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ="),
    ("POST", BASE, FORM, NONCE, TOKEN, "iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0="),
    ("GET", BASE, FORM, NONCE, TOKEN, "i/MQsaQSAd6fiKhOh2qeeeLHZ9faldADSb3/7+Akfbc="),
    (
        "POST",
        "https://example.com/abcd?foo=bar",
        [
            ("CallUUID", "4vbcpem8-0u46-x1ha-9af1-438vc92bf374"),
            ("Digits", "1234"),
            ("From", "+15551111111"),
            ("To", "+15555555555"),
        ],
        "kjsdhfsd87sd7yisud2",
        "plivo_test_auth_token",
        "Rd0E/xpBKM9WgLTg4CX7mKwJlvGex3GvJivzq1ESO6c=",
    ),
]
COMPUTED: list[tuple[str, str, Form, str]] = [
    (
        "POST",
        HOOK,
        [FROM, ("To", "14155550100"), ("Tag", "b"), ("Tag", "a")],
        "3cPa5spunT1iOzpeq9UWSjn0GGHHl5A96u76GDSBNFY=",
    ),
    (
        "GET",
        f"{HOOK}?tag=b&tag=a&From=14156667777&To=14155550100",
        [],
        "+MFdNkOyY2FamgcSmW51yznk8jjWGm3gmG/p3VT81IY=",
    ),
    ("POST", f"{HOOK}?order=7", [], "sifnZz0r013OCW7N/GRwoSkH7EMk1dCmMm3hJqbvGOw="),
    ("POST", HOOK, [], "JiuKJPKlYQWNn9NZweeB61yBug5Hyvwg9Sl3beUNUw4="),
    (
        "POST",
        "https://hooks.example.com:8443/voice/digits?try=1",
        [("Digits", "4021"), ("CallUUID", "c-1")],
        "2FwwxqV/zHNUx02tCXYeIQTr9Yhw6n4FdVSpYIv4tK8=",
    ),
    ("POST", f"{HOOK}?tenant=a%2Bb&x=1", [FROM], "HZjrtFFomiwo6gI3nYwLYkwC3W3EdKle9UsYegqevus="),
    ("POST", HOOK, [("CallerName", "José")], "Tjn51J8D6O29RFzpuPX0E8kqoXuP3lJ9XcYj6YuZr6k="),
]
VECTORS = PUBLISHED + [(m, u, f, OWN_NONCE, OWN_TOKEN, s) for m, u, f, s in COMPUTED]


@pytest.mark.parametrize("vector", VECTORS, ids=count())
def test_a_genuine_request_is_not_refused(
    vector: Vector,
) -> None:
    method, url, form, nonce, token, made = vector
    assert signature(token, method, url, form, nonce) == made
    assert verified(
        method.lower(),
        url,
        form[::-1],
        nonce=nonce,
        signatures=[None, made],
        tokens=["other", token],
    )


@pytest.mark.parametrize("vector", VECTORS, ids=count())
def test_a_changed_request_is_not_taken_for_genuine(
    vector: Vector,
) -> None:
    method, url, form, nonce, token, made = vector
    extra = ("CallUUID", "x")
    assert not verified(method, url + "x", form, nonce=nonce, signatures=[made], tokens=[token])
    assert not verified(
        method, url.replace("https", "http"), form, nonce=nonce, signatures=[made], tokens=[token]
    )
    assert not verified(
        method, url, [*form, extra, ("Z", "")], nonce=nonce, signatures=[made], tokens=[token]
    )
    assert not verified(method, url, form, nonce=nonce + "0", signatures=[made], tokens=[token])
    assert not verified(
        method, url, form, nonce=nonce, signatures=[made[:-2] + "x="], tokens=[token]
    )
    assert not verified(method, url, form, nonce=nonce, signatures=[made], tokens=[token + "x"])


def test_get_is_not_taken_for_post() -> None:
    made = signature(OWN_TOKEN, "POST", HOOK, [FROM], OWN_NONCE)
    assert not verified("GET", HOOK, [FROM], nonce=OWN_NONCE, signatures=[made], tokens=[OWN_TOKEN])


def test_a_second_active_token_does_not_lock_calls_out() -> None:
    made = signature(OWN_TOKEN, "POST", HOOK, [FROM], OWN_NONCE)
    for listed in (f"{made},AAAA", f"AAAA, {made}", f" {made} "):
        assert verified(
            "POST", HOOK, [FROM], nonce=OWN_NONCE, signatures=[listed], tokens=[OWN_TOKEN]
        )


def test_a_subaccount_and_its_main_account_are_both_accepted() -> None:
    headers = signature_headers("POST", HOOK, [FROM], OWN_NONCE, token="sub", main_token=OWN_TOKEN)
    values, nonce = list(headers.values())[:2], headers["X-Plivo-Signature-V3-Nonce"]
    assert verified("POST", HOOK, [FROM], nonce=nonce, signatures=values, tokens=["sub"])
    assert verified("POST", HOOK, [FROM], nonce=nonce, signatures=values, tokens=[OWN_TOKEN])
    assert not verified("POST", HOOK, [FROM], nonce=nonce, signatures=values, tokens=["neither"])


@pytest.mark.parametrize(
    ("method", "nonce", "given", "tokens"),
    [
        ("POST", None, ["x"], [OWN_TOKEN]),
        ("POST", "", ["x"], [OWN_TOKEN]),
        ("POST", OWN_NONCE, [], [OWN_TOKEN]),
        ("POST", OWN_NONCE, [None, "", ","], [OWN_TOKEN]),
        ("POST", OWN_NONCE, ["é\udc80"], [OWN_TOKEN]),
        ("POST", OWN_NONCE, ["x"], []),
        ("PUT", OWN_NONCE, ["x"], [OWN_TOKEN]),
    ],
)
def test_what_is_missing_is_refused_without_a_traceback(
    method: str, nonce: str | None, given: list[str | None], tokens: list[str]
) -> None:
    assert not verified(method, HOOK, [FROM], nonce=nonce, signatures=given, tokens=tokens)


def test_an_empty_token_does_not_open_the_door() -> None:
    made = signature("", "POST", HOOK, [FROM], OWN_NONCE)
    assert not verified(
        "POST", HOOK, [FROM], nonce=OWN_NONCE, signatures=[made], tokens=["", OWN_TOKEN]
    )


def test_a_name_that_is_not_ascii_does_not_end_in_an_error() -> None:
    quoted, raw = f"{HOOK}?{urlencode({'CallerName': 'José'})}", f"{HOOK}?CallerName=José"
    made = signature(OWN_TOKEN, "GET", quoted, [], OWN_NONCE)
    assert verified("GET", raw, [], nonce=OWN_NONCE, signatures=[made], tokens=[OWN_TOKEN])
    assert signed_text("GET", quoted, [], "1") == f"{HOOK}?CallerName=José.1"


texts = st.text(max_size=8)
forms = st.lists(st.tuples(texts, texts), max_size=4)


@given(st.sampled_from(["GET", "POST"]), forms, forms, texts.filter(bool))
def test_any_request_signed_by_us_is_verified(
    method: str, query: Form, form: Form, nonce: str
) -> None:
    url = f"{HOOK}?{urlencode(query)}"
    made = signature(OWN_TOKEN, method, url, form, nonce)
    assert verified(method, url, form[::-1], nonce=nonce, signatures=[made], tokens=[OWN_TOKEN])


@given(st.text(), st.text(), forms, st.text(), st.lists(st.one_of(st.none(), st.text())))
def test_no_request_raises(
    method: str, url: str, form: Form, nonce: str, given: list[str | None]
) -> None:
    for anything in (url, "https://[" + url, HOOK + url):
        assert not verified(
            method, anything, form, nonce=nonce, signatures=given, tokens=[OWN_TOKEN]
        )
        assert not verified(
            "POST", anything, form, nonce=nonce, signatures=given, tokens=[OWN_TOKEN]
        )
