"""What the emulated Management API is told over control calls, and how it ends."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time

import httpx
import pytest

from mask_cli.sandbox.voximplant import VoximplantSandbox
from mask_cli.sandbox.voximplant_faults import KINDS
from tests.contract.voximplant_calls import call_of, code


def test_faults_can_be_added_and_taken_back_over_a_call(
    http: httpx.Client, sandbox: VoximplantSandbox
) -> None:
    fault = {"kind": "html-status", "times": 2, "command": "GetAccountInfo", "skip": 1}
    assert http.post("/sandbox/faults", json=fault).json() == {"waiting": 1}

    def status(cmd: str) -> int:
        return http.post("/platform_api", data={"cmd": cmd}).status_code

    seen = [status(cmd) for cmd in ["GetAccountInfo", "GetApplications", *["GetAccountInfo"] * 3]]
    assert seen == [200, 200, 503, 503, 200]
    http.post("/sandbox/faults", json=fault | {"times": 0, "skip": 0})
    http.post("/sandbox/switches", json={"missing_get": "null"})
    assert http.delete("/sandbox/faults").json() == {"waiting": 0}
    assert status("GetAccountInfo") == 200
    assert sandbox.switches.missing_get == "error"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", b"{}"),
        ("faults", b"not json"),
        ("faults", b"[1]"),
        ("faults", b'{"kind":"earthquake"}'),
        ("faults", b'{"kind":"lost","often":1}'),
        ("faults", b'{"kind":"lost","times":-1}'),
        ("faults", b'{"kind":"lost","times":"2"}'),
        ("faults", b'{"kind":"lost","times":true}'),
        ("faults", b'{"kind":"kill","pid":1}'),
        ("switches", b'{"missing_get":"maybe"}'),
        ("switches", b'{"colour":"red"}'),
        ("switches", b'{"missing_code":"x"}'),
        ("switches", b"[]"),
        ("clock", b'{"offset":"x"}'),
        ("clock", b'{"year":1}'),
    ],
)
def test_a_bad_control_call_changes_nothing_and_says_why(
    http: httpx.Client, sandbox: VoximplantSandbox, path: str, body: bytes
) -> None:
    reply = http.post(f"/sandbox/{path}", content=body)

    assert reply.status_code == 400
    assert reply.json()["error"]
    assert sandbox.faults.waiting() == 0
    assert sandbox.clock.offset == 0


def test_another_local_program_cannot_use_the_sandbox_to_kill(http: httpx.Client) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        reply = http.post("/sandbox/faults", json={"kind": "kill", "pid": victim.pid})
        victim.communicate(b"\n", timeout=10)

    assert reply.status_code == 400
    assert victim.returncode == 0


def test_the_sandbox_does_not_kill_itself(sandbox: VoximplantSandbox) -> None:
    for pid in (0, 1, -1, os.getpid()):
        with pytest.raises(ValueError, match="pid"):
            sandbox.faults.add("kill", pid=pid)


def test_items_requests_and_clock_are_told_over_calls(http: httpx.Client) -> None:
    code(http, "SetKeyValueItem", application_id=1, key="order:1", value="v", ttl=50)
    del http.headers["Authorization"]

    items = http.get("/sandbox/items").json()
    log = http.get("/sandbox/requests").json()
    moved = http.post("/sandbox/clock", json={"offset": 10, "advance": 50}).json()

    assert items["order:1"]["value"] == "v"
    assert [(entry["command"], entry["key"], entry["status"]) for entry in log] == [
        ("SetKeyValueItem", "order:1", 200)
    ]
    assert "v" not in log[0].values()
    assert moved["offset"] == 60
    assert http.get("/sandbox/items").json() == {}
    assert http.get("/sandbox/items?application_id=9").status_code == 400
    assert http.get("/sandbox/nothing").status_code == 404


def test_delays_add_to_another_fault(http: httpx.Client, sandbox: VoximplantSandbox) -> None:
    sandbox.faults.add("latency", seconds=0.1)
    sandbox.faults.add("null")

    reply = http.post("/platform_api", data={"cmd": "GetAccountInfo"})

    assert reply.json() is None
    entry = sandbox.requests.entries()[0]
    assert entry.ended is not None
    assert entry.ended - entry.started >= 0.1
    assert sandbox.faults.waiting() == 0


@pytest.mark.parametrize("kind", sorted(KINDS - {"kill", "silent", "silent-applied", "latency"}))
def test_every_fault_can_come_after_the_effect(
    http: httpx.Client, sandbox: VoximplantSandbox, kind: str
) -> None:
    sandbox.faults.add(kind, applied=True)

    try:
        http.post("/platform_api", data=call_of("SetKeyValueItem", key="k", value="v"))
    except httpx.TransportError:
        assert kind in ("lost", "reset")
    assert list(sandbox.items()) == ["k"]


def test_reset_takes_no_effect_unless_told_to(
    http: httpx.Client, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("reset")

    with pytest.raises(httpx.TransportError):
        http.post("/platform_api", data=call_of("SetKeyValueItem", key="k", value="v"))
    assert sandbox.items() == {}


def test_a_client_that_does_not_shake_hands_holds_up_nobody(
    http: httpx.Client, sandbox: VoximplantSandbox
) -> None:
    host, _, port = sandbox.endpoint.partition(":")
    with socket.create_connection((host, int(port))):
        assert code(http, "GetAccountInfo") == 0


def test_nothing_is_left_behind_when_a_sandbox_ends() -> None:
    before = set(threading.enumerate())
    with VoximplantSandbox() as sandbox:
        folder = sandbox.folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(sandbox.credentials_file.stat().st_mode) == 0o600
        sandbox.faults.add("silent", times=0)
        context = ssl.create_default_context(cafile=sandbox.ca_file)
        url = f"https://{sandbox.endpoint}/platform_api"
        waiting = threading.Thread(target=swallow, args=(url, context))
        waiting.start()
        while not sandbox.requests.count():
            time.sleep(0.005)
    waiting.join(timeout=5)

    assert not waiting.is_alive()
    assert not folder.exists()
    assert set(threading.enumerate()) <= before
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, verify=context)


def swallow(url: str, context: ssl.SSLContext) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(url, verify=context, timeout=30)


def test_a_taken_port_leaves_no_folder_behind(sandbox: VoximplantSandbox) -> None:
    second = VoximplantSandbox(port=int(sandbox.endpoint.rpartition(":")[2]))

    with pytest.raises(OSError, match="in use"), second:
        pass
    assert not second.folder.exists()
