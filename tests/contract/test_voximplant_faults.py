"""Every way in which the platform or the way to it can fail, and what a script sees of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from mask_cli.errors import (
    ConfigurationError,
    ExitCode,
    MaskError,
    ProviderDenied,
    ProviderRefused,
    ProviderUnavailable,
)
from mask_cli.providers.voximplant import Voximplant, load_credentials
from mask_cli.sandbox.voximplant_kvs import Stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mask_cli.providers.voximplant import VoximplantStore
    from mask_cli.sandbox.voximplant import VoximplantSandbox

pytestmark = pytest.mark.slow

VALUE = '{"courier":"12222222222","client":"13333333333"}'


def later() -> int:
    return int(time.time()) + 3600


class Case(NamedTuple):
    """A fault, and what must come of it when it does not go away."""

    fault: dict[str, Any]
    error: type[MaskError]
    exit_code: ExitCode
    words: str

    @property
    def unsure(self) -> bool:
        return "unsure" in self.words

    @property
    def retried(self) -> bool:
        return "retried" in self.words


DOWN = (ProviderUnavailable, ExitCode.TRY_LATER)
CASES = {
    "json-without-error-500": Case({"kind": "json-status"}, *DOWN, "unsure retried"),
    "json-result-with-500": Case({"kind": "result-status"}, *DOWN, "unsure retried"),
    "json-result-with-503": Case({"kind": "result-status", "status": 503}, *DOWN, "unsure retried"),
    "json-without-error-404": Case({"kind": "json-status", "status": 404}, *DOWN, "unsure"),
    "json-without-error-200": Case({"kind": "json-status", "status": 200}, *DOWN, "unsure"),
    "html-503": Case({"kind": "html-status"}, *DOWN, "unsure retried"),
    "html-502": Case({"kind": "html-status", "status": 502}, *DOWN, "unsure retried"),
    "html-404": Case({"kind": "html-status", "status": 404}, *DOWN, "unsure"),
    "html-200": Case({"kind": "html-200"}, *DOWN, "unsure retried"),
    "no-content-type": Case({"kind": "no-type"}, *DOWN, "unsure retried"),
    "broken-json": Case({"kind": "broken-json"}, *DOWN, "unsure retried"),
    "empty-body": Case({"kind": "empty"}, *DOWN, "unsure retried"),
    "null": Case({"kind": "null"}, *DOWN, "unsure"),
    "number": Case({"kind": "number"}, *DOWN, "unsure"),
    "list": Case({"kind": "list"}, *DOWN, "unsure"),
    "error-as-text": Case({"kind": "error-text"}, *DOWN, "unsure"),
    "redirect": Case({"kind": "redirect"}, *DOWN, "unsure"),
    "redirect-308": Case({"kind": "redirect", "status": 308}, *DOWN, "unsure"),
    "too-many": Case({"kind": "too-many"}, *DOWN, "retried"),
    "reset": Case({"kind": "reset"}, *DOWN, "unsure retried"),
    "lost": Case({"kind": "lost"}, *DOWN, "unsure retried"),
    "denied-401": Case({"kind": "html-status", "status": 401}, ProviderDenied, ExitCode.DENIED, ""),
    "denied-403": Case({"kind": "json-status", "status": 403}, ProviderDenied, ExitCode.DENIED, ""),
    **{
        f"error-{code}": Case({"kind": "error", "code": code}, *DOWN, "unsure")
        for code in (1, 2, 4, 5)
    },
    **{
        f"throttled-{code}": Case({"kind": "error", "code": code}, *DOWN, "retried")
        for code in (162, 314, 340, 484, 515)
    },
    **{
        f"denied-{code}": Case({"kind": "error", "code": code}, ProviderDenied, ExitCode.DENIED, "")
        for code in (100, 104, 433, 447, 454, 455, 456)
    },
    **{
        f"refused-{code}": Case(
            {"kind": "error", "code": code}, ProviderRefused, ExitCode.PROVIDER, ""
        )
        for code in (101, 103, 116, 127, 477, 496, 497)
    },
    "error-with-500": Case({"kind": "error", "code": 500, "status": 500}, *DOWN, "unsure retried"),
    "error-with-404": Case({"kind": "error", "code": 404, "status": 404}, *DOWN, "unsure"),
    "error-with-429": Case({"kind": "error", "code": 429, "status": 429}, *DOWN, "retried"),
    "denied-with-403": Case(
        {"kind": "error", "code": 104, "status": 403}, ProviderDenied, ExitCode.DENIED, ""
    ),
    "errors-list": Case({"kind": "errors", "code": 127}, ProviderRefused, ExitCode.PROVIDER, ""),
    "errors-list-throttled": Case({"kind": "errors", "code": 340}, *DOWN, "retried"),
}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


def test_no_fault_is_taken_for_a_success_or_for_another(
    store: VoximplantStore, sandbox: VoximplantSandbox, case: Case
) -> None:
    sandbox.faults.add(times=0, **case.fault)

    with pytest.raises(MaskError) as raised:
        store.set("order:1", VALUE, later())

    assert type(raised.value) is case.error
    assert raised.value.exit_code == case.exit_code
    assert getattr(raised.value, "unsure", False) == case.unsure
    assert sandbox.requests.count() == (4 if case.retried else 1)


def test_a_fault_that_passes_is_ridden_out_only_where_that_is_safe(
    store: VoximplantStore, sandbox: VoximplantSandbox, case: Case
) -> None:
    sandbox.faults.add(**case.fault)

    if case.retried:
        assert store.set("order:1", VALUE, later()).value == VALUE
        assert sandbox.requests.count() == 2
    else:
        with pytest.raises(case.error):
            store.set("order:1", VALUE, later())
        assert sandbox.requests.count() == 1


def test_a_read_is_never_unsure(
    store: VoximplantStore, sandbox: VoximplantSandbox, case: Case
) -> None:
    sandbox.faults.add(times=0, **case.fault)

    try:
        assert store.get("order:1") is None
    except MaskError as error:
        assert not getattr(error, "unsure", False)  # noqa: PT017 (a missing key may be no error)


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_an_error_from_a_gateway_is_not_taken_for_a_missing_key(
    store: VoximplantStore, sandbox: VoximplantSandbox, status: int
) -> None:
    store.set("order:1", VALUE, later())
    sandbox.faults.add("error", times=0, code=status, status=status)

    with pytest.raises(ProviderUnavailable):
        store.get("order:1")
    with pytest.raises(ProviderUnavailable):
        store.delete("order:1")


def test_a_listing_that_fails_midway_does_not_look_complete(
    store: VoximplantStore, sandbox: VoximplantSandbox, case: Case
) -> None:
    for n in range(60):
        sandbox.store().set(Stored(f"order:{n}", VALUE, later()))
    sandbox.faults.add(times=0, skip=1, **case.fault)

    with pytest.raises(case.error):
        list(store.items("order:"))


@pytest.mark.parametrize(
    "result", [None, 0, 2, "x", [], [1], {}, {"key": 1}, {"key": "order:1", "expires_at": 1}]
)
def test_a_result_of_the_wrong_shape_is_neither_success_nor_traceback(
    account: Voximplant, store: VoximplantStore, sandbox: VoximplantSandbox, result: object
) -> None:
    sandbox.faults.add("result", times=0, result=result)
    calls: dict[str, Callable[[], object]] = {
        "set": lambda: store.set("order:1", VALUE, later()),
        "get": lambda: store.get("order:1"),
        "delete": lambda: store.delete("order:1"),
        "items": lambda: list(store.items("order:")),
        "keys": lambda: list(store.keys()),
        "account": account.account_info,
        "applications": lambda: list(account.applications()),
        "add": lambda: account.add_application("second"),
    }
    fine = {"get", "delete"} if result in (None, [], {}) else set()
    fine |= {"items", "keys", "applications"} if result == [] else set()
    fine |= {"account"} if isinstance(result, dict) else set()
    for name, call in calls.items():
        if name in fine:
            assert not call() or name == "account"
            continue
        with pytest.raises(ProviderUnavailable) as raised:
            call()
        assert (name, raised.value.unsure) == (name, name in ("set", "delete", "add"))


def test_an_item_under_another_key_is_not_taken_for_the_one_asked_for(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    item = {"key": "order:2", "value": VALUE, "expires_at": later()}
    sandbox.faults.add("result", times=0, result=item)

    with pytest.raises(ProviderUnavailable):
        store.get("order:1")
    with pytest.raises(ProviderUnavailable, match="another"):
        store.set("order:1", VALUE, later())


def test_a_date_in_another_form_is_no_traceback(
    account: Voximplant, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("result", result={"created": "20 Nov 2026"})

    with pytest.raises(ProviderUnavailable) as raised:
        account.account_info()

    assert not raised.value.unsure


@pytest.mark.parametrize("kind", ["silent", "silent-applied"])
def test_a_silent_platform_does_not_hang_the_call(sandbox: VoximplantSandbox, kind: str) -> None:
    sandbox.faults.add(kind, times=0)
    began = time.monotonic()

    with (
        account_within(sandbox, 2.0) as account,
        pytest.raises(ProviderUnavailable, match="in time") as raised,
    ):
        account.key_value_store("1").set("order:1", VALUE, later())

    assert raised.value.unsure
    assert 1.3 < time.monotonic() - began < 4.0
    assert sandbox.requests.count() >= 2
    assert list(sandbox.items()) == (["order:1"] if kind == "silent-applied" else [])


def account_within(sandbox: VoximplantSandbox, deadline: float) -> Voximplant:
    credentials = load_credentials(sandbox.credentials_file)
    return Voximplant(credentials, sandbox.endpoint, deadline=deadline)


def test_one_lost_answer_is_repaired_within_the_call(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("lost")

    assert store.set("order:1", VALUE, later()).key == "order:1"
    assert [entry.fault for entry in sandbox.requests.entries()] == ["lost", None]


def test_a_lost_delete_repeated_is_not_a_failure(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    store.set("order:1", VALUE, later())
    sandbox.faults.add("lost")

    store.delete("order:1")

    assert sandbox.items() == {}


def test_a_refusal_after_a_lost_answer_is_not_taken_for_not_done(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("lost")
    sandbox.faults.add("error", code=127, message="Insufficient money")

    with pytest.raises(ProviderUnavailable, match="127") as raised:
        store.set("order:1", VALUE, later())

    assert raised.value.unsure
    assert list(sandbox.items()) == ["order:1"]


def test_throttling_after_a_lost_answer_stays_unsure(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("lost")
    sandbox.faults.add("error", code=484, times=0)

    with pytest.raises(ProviderUnavailable) as raised:
        store.set("order:1", VALUE, later())

    assert raised.value.unsure


def test_an_application_whose_answer_was_lost_is_not_made_twice(
    account: Voximplant, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("lost")

    with pytest.raises(ProviderUnavailable) as raised:
        account.add_application("second")

    assert raised.value.unsure
    assert sandbox.requests.count("AddApplication") == 1


def test_an_application_is_tried_again_when_it_was_surely_not_made(
    account: Voximplant, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("too-many")

    assert account.add_application("second").name == "second"


def test_retry_after_is_waited_for(store: VoximplantStore, sandbox: VoximplantSandbox) -> None:
    sandbox.faults.add("too-many", seconds=0.7)

    store.set("order:1", VALUE, later())

    first, second = sandbox.requests.entries()
    assert second.started - first.started >= 0.7


def test_a_retry_after_beyond_the_deadline_is_not_slept_through(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("too-many", seconds=3600)
    began = time.monotonic()

    with pytest.raises(ProviderUnavailable, match="too many"):
        store.set("order:1", VALUE, later())

    assert time.monotonic() - began < 1
    assert sandbox.requests.count() == 1


@pytest.mark.parametrize("clock", ["monotonic", "time"])
def test_a_computer_suspended_between_attempts_does_not_send_after_the_deadline(
    store: VoximplantStore, sandbox: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    """One clock stands still while a computer is suspended, the other one is set afterwards."""
    store.get("order:1")
    sandbox.faults.add("too-many", seconds=0.01)
    real = getattr(time, clock)
    monkeypatch.setattr(
        time, "sleep", lambda _: monkeypatch.setattr(time, clock, lambda: real() + 60)
    )

    with pytest.raises(ProviderUnavailable, match="too many") as raised:
        store.set("order:1", VALUE, later())

    assert not raised.value.unsure
    assert sandbox.requests.count("SetKeyValueItem") == 1
    assert sandbox.items() == {}


def test_attempts_do_not_come_in_step(
    sandbox: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    sandbox.faults.add("html-status", times=0)

    with account_within(sandbox, 10) as account:
        for _ in range(2):
            with pytest.raises(ProviderUnavailable):
                account.account_info()

    assert len(set(pauses)) == 6
    assert all(0.1 <= pause <= 0.8 for pause in pauses)


def test_a_redirect_does_not_carry_the_token_elsewhere(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("redirect")

    with pytest.raises(ProviderUnavailable, match="redirect"):
        store.get("order:1")

    assert [entry.path for entry in sandbox.requests.entries()] == ["/platform_api"]


def test_an_answer_with_another_value_is_not_taken_for_written(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.switches.change({"existing": "kept"})
    store.set("order:1", VALUE, later())

    with pytest.raises(ProviderUnavailable, match="another value") as raised:
        store.set("order:1", VALUE.replace("1222", "1444"), later())

    assert raised.value.unsure
    assert "2222222" not in str(raised.value)


def test_the_platforms_words_do_not_leak_a_number(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add(
        "error", code=121, message="Bad \x1b[2J number +1 (415) 666-7777 / 14156667778"
    )

    with pytest.raises(ProviderRefused) as raised:
        store.set("order:1", VALUE, later())

    assert raised.value.code == 121
    assert "7777" not in str(raised.value)
    assert "7778" not in str(raised.value)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(("offset", "way"), [(-100, "ahead of"), (900, "behind")])
def test_a_wrong_clock_is_named_not_the_credentials(
    store: VoximplantStore, sandbox: VoximplantSandbox, offset: int, way: str
) -> None:
    sandbox.clock.offset = offset

    with pytest.raises(ProviderDenied) as raised:
        store.get("order:1")

    assert raised.value.code == (455 if offset < 0 else 456)
    assert raised.value.hint is not None
    assert way in raised.value.hint


def test_a_clock_slightly_off_does_no_harm_and_is_shown(
    account: Voximplant, sandbox: VoximplantSandbox
) -> None:
    assert account.clock_difference is None
    sandbox.clock.offset = -20

    account.account_info()

    assert account.clock_difference in (-21, -20)


@pytest.mark.parametrize("status", [200, 401])
def test_a_foreign_key_is_denied_whatever_the_status(
    sandbox: VoximplantSandbox, tmp_path: Path, status: int
) -> None:
    sandbox.switches.denied_status = status
    fields = json.loads(sandbox.credentials_file.read_text())
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(fields | {"key_id": "another"}))
    file.chmod(0o600)

    with (
        Voximplant(load_credentials(file), sandbox.endpoint) as account,
        pytest.raises(ProviderDenied) as raised,
    ):
        account.account_info()

    assert raised.value.code == 433


def test_a_refused_connection_is_surely_not_applied(sandbox: VoximplantSandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    credentials = load_credentials(sandbox.credentials_file)

    with (
        Voximplant(credentials, f"127.0.0.1:{port}", deadline=2) as account,
        pytest.raises(ProviderUnavailable, match="cannot be reached") as raised,
    ):
        account.key_value_store("1").set("order:1", VALUE, later())

    assert not raised.value.unsure


def test_a_server_that_never_shakes_hands_is_surely_not_applied(
    sandbox: VoximplantSandbox,
) -> None:
    credentials = load_credentials(sandbox.credentials_file)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        endpoint = f"127.0.0.1:{mute.getsockname()[1]}"

        with (
            Voximplant(credentials, endpoint, deadline=0.5) as account,
            pytest.raises(ProviderUnavailable) as raised,
        ):
            account.key_value_store("1").set("order:1", VALUE, later())

    assert not raised.value.unsure


@pytest.mark.parametrize("reused", [True, False])
@pytest.mark.parametrize("kind", ["drip", "drip-headers"])
def test_an_answer_that_drips_for_ever_ends_at_the_deadline(
    sandbox: VoximplantSandbox, kind: str, *, reused: bool
) -> None:
    with account_within(sandbox, 0.5) as account:
        store = account.key_value_store("1")
        if reused:
            store.get("order:1")
        sandbox.faults.add(kind, times=0, seconds=0.05)
        began = time.monotonic()
        with pytest.raises(ProviderUnavailable) as raised:
            store.set("order:1", VALUE, later())

    assert raised.value.unsure
    assert time.monotonic() - began < 1
    assert sandbox.requests.count("SetKeyValueItem") == 2


def test_an_answer_that_drips_fast_enough_is_read(sandbox: VoximplantSandbox) -> None:
    sandbox.faults.add("drip-headers", seconds=0.001)
    with account_within(sandbox, 5) as account:
        item = account.key_value_store("1").set("order:1", VALUE, later())

    assert item.value == VALUE
    assert sandbox.requests.count("SetKeyValueItem") == 1


def test_an_untrusted_certificate_is_refused_at_once(
    sandbox: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("SSL_CERT_FILE")

    with (
        account_within(sandbox, 2) as account,
        pytest.raises(ProviderUnavailable, match="not trusted") as raised,
    ):
        account.key_value_store("1").set("order:1", VALUE, later())

    assert not raised.value.unsure
    assert sandbox.requests.count() == 0


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_each_way_to_name_authorities_works_alone(
    sandbox: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv(name, str(sandbox.ca_file))

    with account_within(sandbox, 2) as account:
        assert account.account_info()["account_name"] == "sandbox"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_missing_authorities_file_is_a_setting_not_a_crash(
    sandbox: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))

    with account_within(sandbox, 2) as account, pytest.raises(ConfigurationError):
        account.account_info()


@pytest.mark.parametrize(
    "endpoint", ["", "127.0.0.1:x", "https://127.0.0.1", "a b", "[::1", "host/path", "me@host"]
)
def test_a_malformed_endpoint_is_found_before_any_call(
    sandbox: VoximplantSandbox, endpoint: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"voximplant\.endpoint"):
        Voximplant(load_credentials(sandbox.credentials_file), endpoint)


def test_a_port_that_cannot_be_is_no_traceback(sandbox: VoximplantSandbox) -> None:
    credentials = load_credentials(sandbox.credentials_file)

    with (
        Voximplant(credentials, "127.0.0.1:99999", deadline=1) as account,
        pytest.raises(MaskError),
    ):
        account.account_info()


def test_one_token_serves_many_calls(
    store: VoximplantStore, sandbox: VoximplantSandbox, account: Voximplant
) -> None:
    headers = {account.client.build_auth_header() for _ in range(50)}
    store.get("order:1")

    assert len(headers) == 1
    assert sandbox.requests.count() == 1


def test_a_running_process_survives_its_token(
    account: Voximplant, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = account.client.build_auth_header()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 301)

    assert account.client.build_auth_header() != first


@pytest.mark.parametrize("before", [True, False])
def test_a_kill_hits_the_client_before_or_after_the_platform_acts(
    sandbox: VoximplantSandbox, before: bool
) -> None:
    code = (
        "import sys, time; sys.stdin.readline()\n"
        "from mask_cli.providers.voximplant import Voximplant, load_credentials\n"
        "account = Voximplant(load_credentials(sys.argv[1]), sys.argv[2])\n"
        "store = account.key_value_store('1')\n"
        "for n in range(9): store.set(f'order:{n}', 'v', int(time.time()) + 60)\n"
    )
    command = [sys.executable, "-c", code, str(sandbox.credentials_file), sandbox.endpoint]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=dict(os.environ)) as process:
        sandbox.faults.add("kill", pid=process.pid, skip=3, before=before)
        process.communicate(b"\n", timeout=20)

    assert process.returncode == -signal.SIGKILL
    assert len(sandbox.items()) == (3 if before else 4)


def test_a_second_process_of_requests_is_seen_in_the_log_as_side_by_side(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("latency", times=0, seconds=0.1)
    threads = [threading.Thread(target=store.get, args=(f"order:{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sandbox.requests.most_at_once() == 4
    assert all(e.ended and e.ended - e.started >= 0.1 for e in sandbox.requests.entries())


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n", "is empty"),
    "not-json": (b"{not json", "is not JSON"),
    "null": (b"null", "is not a JSON object"),
    "list": (b"[1]", "is not a JSON object"),
    "binary": (b"\xff\xfe\x00", "is not text"),
    "huge": (b"{" + b" " * 100_000 + b"}", "is far too large"),
    "deep": (b"[" * 60_000, "is not JSON"),
    "no-account": (b'{"key_id":"k","private_key":"p"}', "account_id"),
    "bad-account": (b'{"account_id":true,"key_id":"k","private_key":"p"}', "account_id"),
    "no-key-id": (b'{"account_id":1,"private_key":"p"}', "key_id"),
    "empty-key-id": (b'{"account_id":1,"key_id":" ","private_key":"p"}', "key_id"),
    "no-key": (b'{"account_id":1,"key_id":"k"}', "private_key"),
    "number-key": (b'{"account_id":1,"key_id":"k","private_key":7}', "private_key"),
}


@pytest.mark.parametrize(("content", "what"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_credentials_file_is_found_before_any_call(
    tmp_path: Path, content: bytes, what: str
) -> None:
    file = tmp_path / "credentials.json"
    file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=what) as raised:
        load_credentials(file)

    assert raised.value.exit_code == ExitCode.CONFIGURATION


def test_a_missing_credentials_file_or_a_folder_is_a_setting_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_credentials(tmp_path / "none.json")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_credentials(tmp_path)


@pytest.mark.parametrize("spoil", ["cut", "text", "public", "elliptic"])
def test_a_bad_private_key_is_named_and_never_shown(
    sandbox: VoximplantSandbox, tmp_path: Path, spoil: str
) -> None:
    fields = json.loads(sandbox.credentials_file.read_text())
    good = fields["private_key"]
    fields["private_key"] = {
        "cut": good[:200],
        "text": "MIIEvgIBADANBg secret",
        "public": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "elliptic": elliptic_key(),
    }[spoil]
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(fields))
    credentials = load_credentials(file)

    with (
        Voximplant(credentials, sandbox.endpoint) as account,
        pytest.raises(ConfigurationError, match="private_key") as raised,
    ):
        account.account_info()

    shown = f"{raised.value} {raised.value.__cause__!r} {raised.value.__context__!r}"
    assert fields["private_key"][10:60] not in shown
    assert fields["private_key"][:40] not in repr(credentials)
    assert sandbox.requests.count() == 0


def elliptic_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def test_a_credentials_file_that_others_can_read_is_warned_about(
    sandbox: VoximplantSandbox, tmp_path: Path
) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(sandbox.credentials_file.read_text())
    file.chmod(0o644)

    assert "chmod 600" in (load_credentials(file).warning or "")
    assert load_credentials(sandbox.credentials_file).warning is None
