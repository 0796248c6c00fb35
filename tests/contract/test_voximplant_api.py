"""The emulated Management API itself, driven by the plain SDK, by requests and by httpx."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from voximplant.apiclient import VoximplantAPI, VoximplantException

from tests.contract.voximplant_calls import call_of, code, token

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from mask_cli.sandbox.voximplant import VoximplantSandbox

DAY = 86_400


@pytest.fixture
def plain(sandbox: VoximplantSandbox) -> VoximplantAPI:
    return VoximplantAPI(str(sandbox.credentials_file), endpoint=sandbox.endpoint)


def error_of(call: Callable[..., object], **arguments: object) -> int:
    with pytest.raises(VoximplantException) as raised:
        call(**arguments)
    return int(raised.value.code)


def test_the_plain_sdk_gets_what_it_would_get_from_the_platform(plain: VoximplantAPI) -> None:
    written = plain.set_key_value_item(key="order:1", value="a/b", application_id=1, ttl=60)

    item = written["result"]
    assert set(written) == {"result"}
    assert (item["key"], item["value"]) == ("order:1", "a/b")
    assert abs(item["expires_at"] - time.time() - 60) < 3
    assert plain.get_key_value_item(key="order:1", application_id=1) == written
    assert plain.get_key_value_items(key="order", application_id=1) == {"result": [item]}
    assert plain.get_key_value_keys(application_id=1) == {
        "result": [{"key": "order:1", "expires_at": item["expires_at"]}]
    }
    assert plain.del_key_value_item(key="order:1", application_id=1) == {"result": 1}
    assert error_of(plain.get_key_value_item, key="order:1", application_id=1) == 101


def test_the_plain_sdk_reads_account_and_applications(plain: VoximplantAPI) -> None:
    account = plain.get_account_info()["result"]
    added = plain.add_application(application_name="second", secure_record_storage=True)
    listed = plain.get_applications()

    assert account["account_name"] == "sandbox"
    assert account["created"].tzinfo is not None
    assert added == {
        "result": 1,
        "application_id": 2,
        "application_name": "second.sandbox.voximplant.com",
        "secure_record_storage": True,
    }
    assert (listed["total_count"], listed["count"]) == (2, 2)
    assert [one["application_id"] for one in listed["result"]] == [1, 2]


def test_the_plain_sdk_takes_a_500_for_success_as_the_real_one_does(
    plain: VoximplantAPI, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("result-status", status=503)

    assert plain.get_account_info.__self__ is plain
    assert plain.del_key_value_item(key="order:1", application_id=1) == {"result": 1}


def test_a_slash_is_escaped_as_the_platform_writes_it(http: httpx.Client) -> None:
    reply = http.post("/platform_api", data=call_of("SetKeyValueItem", key="k", value="a/b"))

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert '"a\\/b"' in reply.text


@pytest.mark.parametrize(
    "path", ["/platform_api/SetKeyValueItem", "/platform_api/SetKeyValueItem/"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("body", [None, {}])
def test_a_call_by_path_and_query_is_understood(
    http: httpx.Client, sandbox: VoximplantSandbox, path: str, method: str, body: object
) -> None:
    query = {"application_id": "1", "key": "a+b#c", "value": "v w"}

    reply = http.request(method, path, params=query, json=body).json()

    assert reply["result"]["key"] == "a+b#c"
    assert sandbox.items()["a+b#c"].value == "v w"


def test_a_multipart_call_is_understood(http: httpx.Client, sandbox: VoximplantSandbox) -> None:
    fields = {"cmd": "SetKeyValueItem", "application_id": "1", "key": "заказ", "value": "Ё\n="}

    reply = http.post("/platform_api", files={k: (None, v) for k, v in fields.items()})

    assert reply.json()["result"]["value"] == "Ё\n="
    assert sandbox.items()["заказ"].value == "Ё\n="


def test_the_requests_library_trusts_the_bundle(sandbox: VoximplantSandbox) -> None:
    program = (
        "import os, requests, sys\n"
        "url = 'https://' + os.environ['MASK_VOXIMPLANT_ENDPOINT'] + '/platform_api'\n"
        "print(requests.get(url, timeout=5).text)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert sandbox.requests.count() == 1
    assert json.loads(run.stdout) == {"error": {"code": 102, "msg": "Missing 'cmd' parameter."}}


def test_localhost_is_served_under_its_name_too(
    sandbox: VoximplantSandbox, http: httpx.Client
) -> None:
    port = sandbox.endpoint.rpartition(":")[2]

    assert code(http, "GetAccountInfo") == 0
    assert http.get(f"https://localhost:{port}/platform_api").json()["error"]["code"] == 102


def test_an_unknown_path_or_verb_is_not_an_api_answer(http: httpx.Client) -> None:
    assert http.get("/").status_code == 404
    assert http.get("/platform_apix").status_code == 404
    assert http.get("/platform_api/a/b").status_code == 404
    assert http.delete("/platform_api").status_code == 404
    assert http.put("/platform_api").status_code == 501


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Transfer-Encoding: chunked", b"411"),
        (b"Content-Length: -1", b"411"),
        (b"Content-Length: 1000000000", b"413"),
    ],
)
def test_a_body_without_length_or_far_too_long_is_not_read(
    sandbox: VoximplantSandbox, header: bytes, status: bytes
) -> None:
    host, _, port = sandbox.endpoint.partition(":")
    context = ssl.create_default_context(cafile=sandbox.ca_file)
    with (
        socket.create_connection((host, int(port)), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=host) as tls,
    ):
        tls.sendall(b"POST /platform_api HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
        assert tls.recv(1000).startswith(b"HTTP/1.1 " + status)
        assert tls.recv(1000) == b""


def test_missing_and_unknown_methods_are_told_apart(http: httpx.Client) -> None:
    assert code(http, None) == 102
    assert code(http, "SetKeyValueItems") == 103
    assert code(http, "setkeyvalueitem") == 103


@pytest.mark.parametrize(
    ("claims", "wanted"),
    [
        ({}, 0),
        ({"iss": 1000001}, 0),
        ({"iat": 0, "exp": 3600}, 456),
        ({"iss": "0"}, 100),
        ({"iss": 7}, 100),
        ({"iss": True}, 100),
        ({"iss": "None"}, 100),
        ({"exp": 10**10}, 454),
        ({"iat": 10**10, "exp": 10**10 + 9}, 455),
        ({"exp": "soon"}, 447),
    ],
)
def test_a_token_is_checked_claim_by_claim(
    http: httpx.Client, sandbox: VoximplantSandbox, claims: dict[str, Any], wanted: int
) -> None:
    http.headers["Authorization"] = f"Bearer {token(sandbox, **claims)}"

    assert code(http, "GetAccountInfo") == wanted


def test_a_token_may_live_an_hour_and_no_second_longer(
    http: httpx.Client, sandbox: VoximplantSandbox
) -> None:
    now = int(time.time())
    for life, wanted in ((3600, 0), (3601, 454)):
        signed = token(sandbox, iat=now - 9, exp=now - 9 + life)
        http.headers["Authorization"] = f"Bearer {signed}"
        assert code(http, "GetAccountInfo") == wanted


def test_a_token_seen_before_still_expires(http: httpx.Client, sandbox: VoximplantSandbox) -> None:
    assert code(http, "GetAccountInfo") == 0
    sandbox.clock.advance(61)
    assert code(http, "GetAccountInfo") == 456
    sandbox.clock.offset = -30
    assert code(http, "GetAccountInfo") == 455


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("", 100), ("Basic abc", 100), ("Bearer", 100), ("Bearer abc", 447), ("Bearer a.b.c", 447)],
)
def test_what_is_no_token_opens_nothing(http: httpx.Client, header: str, wanted: int) -> None:
    http.headers["Authorization"] = header

    assert code(http, "GetAccountInfo") == wanted


def test_a_forged_token_opens_nothing(http: httpx.Client, sandbox: VoximplantSandbox) -> None:
    good = token(sandbox)
    key_id = jwt.get_unverified_header(good)["kid"]
    forged = {
        "kid": (token(sandbox, kid="another"), 433),
        "signature": (good[:-8] + ("A" * 8), 100),
        "hmac": (
            jwt.encode({"iss": "1"}, "s" * 40, algorithm="HS256", headers={"kid": key_id}),
            447,
        ),
        "none": (jwt.encode({"iss": "1"}, "", algorithm="none", headers={"kid": key_id}), 447),
    }
    for name, (signed, wanted) in forged.items():
        http.headers["Authorization"] = f"Bearer {signed}"
        assert (name, code(http, "GetAccountInfo")) == (name, wanted)


def test_the_status_of_a_denial_can_be_either(
    http: httpx.Client, sandbox: VoximplantSandbox
) -> None:
    del http.headers["Authorization"]
    for status in (200, 401):
        sandbox.switches.denied_status = status
        reply = http.post("/platform_api", data={"cmd": "GetAccountInfo"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (status, 100)


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"value": "v"}, 134),
        ({"key": "", "value": "v"}, 134),
        ({"key": "k"}, 134),
        ({"key": "k" * 200, "value": "v" * 2000}, 0),
        ({"key": "k" * 201, "value": "v"}, 477),
        ({"key": "k", "value": "v" * 2001}, 477),
        ({"key": "a*", "value": "v"}, 496),
        ({"key": "a b", "value": "v"}, 496),
        ({"key": "k\n", "value": "v"}, 496),
        ({"key": "aЯё-_:;.#+", "value": "Ё" * 2000}, 0),
        ({"key": "k", "value": "v", "ttl": 0}, 0),
        ({"key": "k", "value": "v", "ttl": 7_776_000}, 0),
        ({"key": "k", "value": "v", "ttl": 7_776_001}, 497),
        ({"key": "k", "value": "v", "ttl": -1}, 497),
        ({"key": "k", "value": "v", "ttl": "10d"}, 497),
        ({"key": "k", "value": "v", "ttl": 1, "expires_at": 1}, 458),
        ({"key": "k", "value": "v", "expires_at": 1}, 497),
        ({"key": "k", "value": "v", "expires_at": 10**10}, 497),
        ({"key": "k", "value": "v", "expires": 1}, 101),
        ({"key": "k", "value": "v", "application_id": 2}, 116),
        ({"key": "k", "value": "v", "application_id": "masking"}, 116),
        ({"key": "k", "value": "v", "application_id": ""}, 116),
        ({"key": "k", "value": "v", "application_name": "masking"}, 0),
        ({"key": "k", "value": "v", "application_name": "other"}, 116),
    ],
)
def test_the_limits_of_an_item_are_those_documented(
    http: httpx.Client, parameters: dict[str, object], wanted: int
) -> None:
    assert code(http, "SetKeyValueItem", **{"application_id": 1, **parameters}) == wanted


def test_an_application_must_be_named_and_a_name_is_enough(http: httpx.Client) -> None:
    assert code(http, "SetKeyValueItem", key="k", value="v") == 134
    assert code(http, "SetKeyValueItem", key="k", value="v", application_name="masking") == 0


def test_an_item_without_life_stays_30_days_and_not_longer(
    http: httpx.Client, sandbox: VoximplantSandbox
) -> None:
    code(http, "SetKeyValueItem", application_id=1, key="k", value="v")
    sandbox.clock.advance(30 * DAY - 10)
    assert list(sandbox.items()) == ["k"]
    sandbox.clock.advance(20)
    assert sandbox.items() == {}


def test_stores_of_two_applications_are_apart(
    http: httpx.Client, sandbox: VoximplantSandbox
) -> None:
    other = sandbox.add_application("second")
    code(http, "SetKeyValueItem", application_id=1, key="k", value="v")

    assert sandbox.items(other) == {}
    with pytest.raises(ValueError, match="no application 9"):
        sandbox.items(9)


def listed(http: httpx.Client, cmd: str = "GetKeyValueKeys", **parameters: object) -> list[str]:
    reply = http.post("/platform_api", data=call_of(cmd, **parameters)).json()
    assert set(reply) == {"result"}
    return [item["key"] for item in reply["result"]]


def test_listings_are_paged_as_documented(http: httpx.Client) -> None:
    for n in range(60):
        code(http, "SetKeyValueItem", application_id=1, key=f"n:{n:02}", value="v")

    assert len(listed(http)) == 10
    assert len(listed(http, count=50)) == 50
    assert listed(http, count=50, offset=50) == [f"n:{n}" for n in range(50, 60)]
    assert listed(http, count=50, offset=60) == []
    assert listed(http, "GetKeyValueItems", key="n", count=1) == ["n:00"]
    for bad in ({"count": 51}, {"count": 0}, {"offset": -1}, {"count": "x"}):
        assert code(http, "GetKeyValueKeys", application_id=1, **bad) == 497
    assert code(http, "GetKeyValueItems", application_id=1) == 134


def test_a_pattern_is_read_in_both_ways(http: httpx.Client, sandbox: VoximplantSandbox) -> None:
    for key in ("test", "test:1", "test2", "tes"):
        code(http, "SetKeyValueItem", application_id=1, key=key, value="v")

    assert listed(http, key="test") == ["test", "test:1", "test2"]
    sandbox.switches.change({"pattern": "namespace"})
    assert listed(http, key="test") == ["test", "test:1"]
    assert listed(http, key="test:") == []
    assert len(listed(http)) == 4


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("second", 0),
        ("a" * 65, 0),
        ("second.sandbox.voximplant.com", 0),
        ("masking", 129),
        ("masking.sandbox.voximplant.com", 129),
        ("", 134),
        ("a", 107),
        ("a" * 66, 107),
        ("Second", 107),
        ("2nd", 107),
        ("second.other.voximplant.com", 107),
        ("second\n", 107),
    ],
)
def test_application_names_are_held_to_the_rules(
    http: httpx.Client, name: str, wanted: int
) -> None:
    assert code(http, "AddApplication", application_name=name) == wanted


def test_applications_are_filtered_and_paged(
    http: httpx.Client, sandbox: VoximplantSandbox
) -> None:
    for n in range(30):
        sandbox.add_application(f"app-{n}")

    def found(**parameters: object) -> Any:
        return http.post("/platform_api", data={"cmd": "GetApplications", **parameters}).json()

    assert (found()["total_count"], found()["count"]) == (31, 20)
    assert found(offset=20)["count"] == 11
    assert found(application_name="app-2")["total_count"] == 11
    assert found(application_id=1)["result"][0]["application_name"].startswith("masking.")
    assert found(application_id=99)["result"] == []
    assert found(with_rules="true", count=1)["result"][0]["rules"] == []
    assert code(http, "GetApplications", with_rules="maybe") == 101


def test_repeated_parameters_are_a_list(http: httpx.Client) -> None:
    url = "/platform_api/GetKeyValueItem?key=a&key=b&application_id=1"

    assert http.get(url).json()["error"]["code"] == 101
    http.get("/platform_api/SetKeyValueItem?key=a&key=b&application_id=1&value=v")
    assert listed(http) == ["a;b"]
