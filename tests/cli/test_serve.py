"""`serve` as a process: when it starts, what workers share, how it stops."""

from __future__ import annotations

import signal
import socket
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import ExitCode
from mask_cli.web import serving
from tests.webhook import OURS, PAIRS, TOKEN, Running, dialled, fields, filled, mapping

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.cli.conftest import Mask

COURIER, CLIENT = PAIRS[0][1:]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(
    mask: Mask, monkeypatch: pytest.MonkeyPatch, *words: str
) -> Iterator[tuple[Running, subprocess.Popen[bytes]]]:
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", TOKEN)
    filled(mask.database)
    web = Running(f"http://127.0.0.1:{(port := free_port())}", mask.database, now=int(time.time()))
    web.put(*(mapping(*pair, expires_at=web.now + 600) for pair in PAIRS))
    process = mask.start("serve", "--port", str(port), *words)
    try:
        until = time.monotonic() + 30
        while True:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            try:
                assert web.send("GET", "/healthz", {})[0] == 200
                break
            except OSError:
                time.sleep(0.05)
        yield web, process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def test_without_a_token_it_does_not_start(mask: Mask) -> None:
    mask("serve", "--port", "0").failed(ExitCode.CONFIGURATION, "PLIVO_AUTH_TOKEN", "--insecure")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])  # noqa: S104 (refused here)
def test_unsigned_requests_are_never_taken_from_others(mask: Mask, host: str) -> None:
    mask("serve", "--insecure", "--host", host).failed(ExitCode.REFUSED, "--insecure")


def test_a_tunnel_lets_nobody_in_unsigned(mask: Mask) -> None:
    tunnel = ("--public-url", "https://tunnel.example.com")
    mask("serve", "--insecure", *tunnel).failed(ExitCode.REFUSED, "--insecure")


def test_a_public_server_needs_its_public_address(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", TOKEN)
    mask("serve", "--host", "0.0.0.0").failed(ExitCode.CONFIGURATION, "--public-url")  # noqa: S104
    plain = mask("serve", "--public-url", "http://mask.example.com")
    plain.failed(ExitCode.CONFIGURATION, "public_url")


def test_a_port_in_use_is_named(mask: Mask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", TOKEN)
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        mask("serve", "--port", port).failed(ExitCode.CONFIGURATION, port, "in use")


def test_a_database_that_cannot_be_used_is_told_before_it_starts(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", TOKEN)
    mask.database.write_bytes(b"not a database" * 100)
    run = mask("serve", "--port", "0")
    assert (run.code, run.out) == (ExitCode.STORAGE, "")


def test_phrases_that_cannot_be_spoken_are_told_before_it_starts(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("MASK_PHRASES", mask.write("phrases.json", "{"))
    mask("serve", "--port", "0").failed(ExitCode.CONFIGURATION, "phrases")


@pytest.mark.parametrize("words", [("serve",), ("simulate", "--caller", COURIER, "--called", OURS)])
def test_a_missing_extra_is_told_with_the_command_to_run(
    mask: Mask, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(serving, "_PACKAGES", ("starlette", "not_installed"))
    mask(*words).failed(ExitCode.CONFIGURATION, "not_installed", "pip install 'mask-cli[serve]'")


def test_calls_in_flight_are_answered_when_it_is_told_to_stop(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(mask, monkeypatch) as (web, process):
        answers: list[Any] = []
        with closing(sqlite3.connect(web.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            thread = threading.Thread(
                target=lambda: answers.append(web.ask("answer", fields(COURIER)))
            )
            thread.start()
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert process.poll() is None
            other.execute("ROLLBACK")
        thread.join()
        assert [dialled(answer) for answer in answers] == [[CLIENT]]
        assert process.wait(10) == ExitCode.DONE
        assert len(web.calls()) == 1


def test_workers_share_the_socket_the_nonces_and_the_figures(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(mask, monkeypatch, "--workers", "2") as (web, process):
        answers = [web.ask("answer", fields(COURIER), nonce="77") for _ in range(20)]
        assert len(set(answers)) == 1
        assert dialled(answers[0]) == [CLIENT]
        assert web.ask("answer", fields(CLIENT), nonce="77") == (403, "")
        assert web.metric("mask_routes_total") == 1
        assert web.metric("mask_repeated_total") == 19
        process.terminate()
        assert process.wait(20) == ExitCode.DONE


def test_log_lines_hold_no_number(mask: Mask, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(mask, monkeypatch) as (web, process):
        web.call(COURIER)
        web.send("GET", f"/plivo/answer?From={COURIER}", {})
        process.terminate()
        _, said = process.communicate(timeout=20)
    text = said.decode()
    assert '"event": "call"' in text
    assert '"event": "refused"' in text
    assert not any(number in text for number in (COURIER, CLIENT, OURS))


def test_other_commands_take_no_call_and_no_order_from_a_running_server(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        f"{50_000 + n},1415555{n % 100 + 100:04},1212555{n // 100 + 100:04}" for n in range(3_000)
    ]
    orders = mask.write("more.csv", "\n".join(["order,courier,client", *rows]))

    def reported(call: str) -> None:
        assert web.ask("hangup", fields(COURIER, CallUUID=call, Duration="1"))[0] == 200
        # At once, not only when the server stops.
        mask.process("calls", "show", call).done()

    with served(mask, monkeypatch) as (web, _):
        reported("call-before")
        reported("call-after-another-command")
        assert mask.database.with_name(f"{mask.database.name}-wal").exists()
        mask.process("import", orders).done()
        reported("call-after-an-import")
    assert web.query("PRAGMA integrity_check") == [("ok",)]
    assert web.query("SELECT count(*) FROM mappings") == [(len(rows) + len(PAIRS),)]
    assert len(web.calls()) == 3
