"""The calls that tell the emulated Plivo account to misbehave, over real sockets."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.sandbox.plivo_api import PlivoSandbox
from mask_cli.sandbox.plivo_switches import Switches
from tests.contract.plivo_fixtures import ask

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox() -> Iterator[PlivoSandbox]:
    with PlivoSandbox() as running:
        yield running
        assert running.server.log.failures == []


def tell(sandbox: PlivoSandbox, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Send one control call; it carries no token."""
    connection = HTTPConnection("127.0.0.1", sandbox.server.port, timeout=5)
    raw = body if isinstance(body, bytes) else json.dumps(body)
    connection.request(method, f"/sandbox/{path}", raw)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_a_fault_strikes_as_often_as_it_was_told(sandbox: PlivoSandbox) -> None:
    fault = {"kind": "status", "status": 429, "retry_after": "7", "error": "slow", "times": 2}
    assert tell(sandbox, "POST", "faults", fault) == (200, {"added": "status"})
    answers = [ask(sandbox, "GET", "Application/") for _ in range(3)]
    assert [status for status, _, _ in answers] == [429, 429, 200]
    assert answers[0][1]["error"] == "slow"
    assert answers[0][2]["Retry-After"] == "7"


def test_a_fault_without_end_lasts_until_it_is_cleared(sandbox: PlivoSandbox) -> None:
    tell(sandbox, "POST", "faults", {"kind": "status", "status": 503, "times": 0})
    assert {ask(sandbox, "GET", "Number/")[0] for _ in range(5)} == {503}
    assert tell(sandbox, "DELETE", "faults") == (200, {"waiting": 0})
    assert ask(sandbox, "GET", "Number/")[0] == 200


def test_a_fault_strikes_only_the_requests_it_names(sandbox: PlivoSandbox) -> None:
    tell(sandbox, "POST", "faults", {"kind": "status", "status": 500, "on": "/Number/"})
    assert ask(sandbox, "GET", "Application/")[0] == 200
    assert ask(sandbox, "GET", "Number/")[0] == 500


@pytest.mark.parametrize("kind", ["lost", "reset"])
def test_a_connection_that_ends_without_an_answer_ends_so(sandbox: PlivoSandbox, kind: str) -> None:
    assert tell(sandbox, "POST", "faults", {"kind": kind})[0] == 200
    with pytest.raises(OSError, match=r".*"):
        ask(sandbox, "GET", "Number/")
    assert ask(sandbox, "GET", "Number/")[0] == 200


def test_control_calls_are_not_faulted_nor_logged(sandbox: PlivoSandbox) -> None:
    tell(sandbox, "POST", "faults", {"kind": "status", "status": 500})
    assert tell(sandbox, "GET", "requests") == (200, [])
    ask(sandbox, "GET", "Number/")
    status, seen = tell(sandbox, "GET", "requests")
    assert status == 200
    assert [(entry["method"], entry["status"]) for entry in seen] == [("GET", 500)]


def test_switches_are_read_and_set_back(sandbox: PlivoSandbox) -> None:
    status, now = tell(sandbox, "POST", "switches", {"duplicate_name": 400})
    assert (status, now["duplicate_name"]) == (200, 400)
    assert sandbox.switches.duplicate_name == 400
    tell(sandbox, "DELETE", "faults")
    assert sandbox.switches == Switches()


def test_a_number_can_be_there_as_if_rented_long_ago(sandbox: PlivoSandbox) -> None:
    assert tell(sandbox, "POST", "numbers", {"number": "14155550999"})[0] == 200
    assert ask(sandbox, "GET", "Number/14155550999/")[1]["number"] == "14155550999"
    assert sandbox.numbers.balance == 100


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "faults", b"{", 400),
        ("POST", "faults", [], 400),
        ("POST", "faults", {}, 400),
        ("POST", "faults", {"kind": "put"}, 400),
        ("POST", "faults", {"kind": "status"}, 400),
        ("POST", "faults", {"kind": "latency"}, 400),
        ("POST", "faults", {"kind": "status", "status": "500"}, 400),
        ("POST", "faults", {"kind": "status", "status": True}, 400),
        ("POST", "faults", {"kind": "reset", "applied": True}, 400),
        ("POST", "faults", {"kind": "reset", "nonsense": 1}, 400),
        ("POST", "switches", {"nonsense": 1}, 400),
        ("POST", "switches", {"duplicate_name": "no"}, 400),
        ("POST", "numbers", {"number": "+1415"}, 400),
        ("POST", "numbers", {"number": 14155550100}, 400),
        ("POST", "numbers", {}, 400),
        ("GET", "secrets", None, 404),
        ("DELETE", "requests", None, 404),
    ],
)
def test_a_wrong_control_call_is_refused_and_changes_nothing(
    sandbox: PlivoSandbox, method: str, path: str, body: object, status: int
) -> None:
    answered, answer = tell(sandbox, method, path, body)
    assert (answered, "error" in answer) == (status, True)
    assert ask(sandbox, "GET", "Number/")[0] == 200
    assert sandbox.switches == Switches()


def test_a_server_without_tls_speaks_plainly_and_ends_its_connections() -> None:
    with PlivoSandbox() as running:
        assert running.url.startswith("http://127.0.0.1:")
        open_ = HTTPConnection("127.0.0.1", running.server.port, timeout=5)
        open_.request("GET", "/sandbox/requests")
        assert open_.getresponse().read() == b"[]"
    # The server has let go: the other end sees the end, not a time-out.
    assert open_.sock.recv(1) == b""
    open_.close()
