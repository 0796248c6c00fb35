"""The webhook against the guide's handler: same requests, same client, one worker each."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
import uuid
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from benchmarks.harness import BenchmarkError, Figure, rounds
from benchmarks.workbench import MASK, ROOT, settle
from mask_cli.plivo_signature import signature_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.workbench import Workbench

CALLED, TOKEN = "12222222222", "a token of a benchmark"
CONNECTIONS = 32
SECONDS, WARM_UP = 8, 2
LONGEST_START = 120.0
"""Seconds; the guide's dictionary takes its time to fill."""
MOST_A_SECOND = 12_000
"""More requests than either can take; each is sent once."""
_JOB = "/plivo/answer"

Result = dict[str, float]


def webhook(bench: Workbench) -> list[Figure]:
    """Return requests a second and the 99th percentile, each against the guide's handler."""
    if shutil.which("wrk") is None:
        raise BenchmarkError("wrk is needed: apt-get install wrk")
    store = bench.fresh(bench.store(bench.rows), "webhook.db")
    bench.mask(store, "numbers", "add", CALLED)
    pairs = _pairs(store, bench)
    ours: list[Result] = []
    guides: list[Result] = []
    for number in rounds(bench.pairs, bench.budget):
        ours.append(_ours(bench, store, pairs, number))
        guides.append(_guides(bench, pairs, number))
    return _figures(ours, guides)


def _figures(ours: Sequence[Result], guides: Sequence[Result]) -> list[Figure]:
    rates = [a["rate"] / b["rate"] for a, b in zip(ours, guides, strict=True)]
    tails = [a["p99"] / b["p99"] for a, b in zip(ours, guides, strict=True)]
    # On a busy machine threads wait for a core; this figure hardly changes with that.
    cpu = [a["cpu"] / b["cpu"] for a, b in zip(ours, guides, strict=True)]
    against = "the guide's handler in Flask, gunicorn"
    return [
        Figure(
            _JOB, against, statistics.median(rates), "x its requests/s", 2.0, at_least=True,
            detail=f"mask {_median(ours, 'rate'):.0f}/s, Flask {_median(guides, 'rate'):.0f}/s",
        ),
        Figure(
            f"{_JOB}, p99", against, statistics.median(tails), "x its p99", 1.0,
            detail=f"mask {_median(ours, 'p99') / 1000:.1f} ms,"
            f" Flask {_median(guides, 'p99') / 1000:.1f} ms",
        ),
        Figure(
            f"{_JOB}, CPU", against, statistics.median(cpu), "x its CPU time a request", None,
            detail=f"mask {_median(ours, 'cpu') * 1e6:.0f} us,"
            f" Flask {_median(guides, 'cpu') * 1e6:.0f} us",
        ),
    ]  # fmt: skip


def _median(results: Sequence[Result], name: str) -> float:
    return statistics.median(result[name] for result in results)


def _pairs(store: Path, bench: Workbench) -> Path:
    """Write who reaches whom, for clients with one order; return the file."""
    path = bench.folder / "pairs.csv"
    with closing(sqlite3.connect(store)) as connection, path.open("w", encoding="ascii") as file:
        rows = connection.execute(
            "SELECT client, max(courier) FROM mappings GROUP BY client HAVING count(*) = 1"
        )
        file.writelines(f"{client[1:]},{courier[1:]}\n" for client, courier in rows)
    return path


def _ours(bench: Workbench, store: Path, pairs: Path, number: int) -> Result:
    """Measure `mask serve`; every answered request must have left its row."""
    port = _free_port()
    before = _calls(store)
    command = (*MASK, "serve", "--port", str(port), "--workers", "1")
    environment = {**bench.environment(store), "PLIVO_AUTH_TOKEN": TOKEN}
    with _serving(command, environment, port) as pid:
        sent, result = _measured(bench, port, pairs, number, pid)
    # Requests that were under way when the client stopped have left theirs, too.
    stored = _calls(store) - before
    if not sent <= stored <= sent + 2 * CONNECTIONS:
        raise BenchmarkError(f"{sent} calls were answered, {stored} stored")
    settle(store)
    return result


def _guides(bench: Workbench, pairs: Path, number: int) -> Result:
    port = _free_port()
    command = (sys.executable, "-m", "gunicorn", "--workers", "1", "--bind", f"127.0.0.1:{port}",
               "--chdir", str(ROOT), "benchmarks.flask_guide:app")  # fmt: skip
    environment = {**bench.environment(bench.folder / "unused"), "FLASK_GUIDE": str(pairs)}
    with _serving(command, environment, port) as pid:
        return _measured(bench, port, pairs, number, pid)[1]


def _measured(
    bench: Workbench, port: int, pairs: Path, number: int, pid: int
) -> tuple[int, Result]:
    """Warm up, then measure; return how many requests were answered in all, and the result."""
    source = random.Random(f"{bench.seed} {number}")  # noqa: S311 (made-up calls, the same again)
    callers = [line.partition(",")[0] for line in pairs.read_text().splitlines()]
    answered, result = 0, {}
    for seconds in (WARM_UP, SECONDS):
        file = bench.folder / "requests"
        _prepare(file, source, callers, port, seconds * MOST_A_SECOND)
        before = _cpu_seconds(pid)
        result = _wrk(file, port, seconds)
        result["cpu"] = (_cpu_seconds(pid) - before) / result["requests"]
        answered += int(result["requests"])
    result["rate"] = result["requests"] * 1e6 / result["microseconds"]
    return answered, result


def _prepare(
    file: Path, source: random.Random, callers: Sequence[str], port: int, many: int
) -> None:
    """Write signed requests, each of a call of its own."""
    url = f"http://127.0.0.1:{port}/plivo/answer"
    with file.open("wb") as out:
        for _ in range(many):
            call = uuid.UUID(int=source.getrandbits(128), version=4)
            caller = source.choice(callers)
            form = [
                ("Direction", "inbound"), ("From", caller), ("CallerName", f"+{caller}"),
                ("BillRate", "0.0085"), ("To", CALLED), ("CallUUID", str(call)),
                ("CallStatus", "ringing"), ("Event", "StartApp"),
            ]  # fmt: skip
            nonce = f"{source.randrange(10**20):020d}"
            signed = signature_headers("POST", url, form, nonce, token=TOKEN)
            body = urlencode(form).encode()
            lines = [
                "POST /plivo/answer HTTP/1.1", f"Host: 127.0.0.1:{port}",
                "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}",
                *(f"{name}: {value}" for name, value in signed.items()),
            ]  # fmt: skip
            whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
            out.write(b"%06d" % len(whole) + whole)


def _wrk(file: Path, port: int, seconds: int) -> Result:
    run = subprocess.run(
        ("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s",
         "-s", str(ROOT / "benchmarks" / "webhook.lua"), f"http://127.0.0.1:{port}",
         "--", str(file)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = [line for line in run.stdout.splitlines() if line.startswith("{")]
    if run.returncode or not found:
        raise BenchmarkError(f"wrk failed: {(run.stderr or run.stdout)[-300:]}")
    result: Result = json.loads(found[-1])
    if result["refused"] or result["broken"]:
        raise BenchmarkError(f"not every request was answered: {found[-1]}")
    return result


@contextmanager
def _serving(command: Sequence[str], environment: Mapping[str, str], port: int) -> Iterator[int]:
    """Run a server until the context ends, yield its pid; it must stop by itself when told to."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _await_answer(port, process)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _cpu_seconds(pid: int) -> float:
    """Return what a process and its children have used so far."""
    ticks = 0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (str(pid), *children):
        # The second field is the name, in brackets, and may hold anything.
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _await_answer(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers, whatever it says: gunicorn listens before its worker can."""
    end = time.monotonic() + LONGEST_START
    while time.monotonic() < end and process.poll() is None:
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=LONGEST_START)) as probe:
                probe.request("GET", "/healthz")
                probe.getresponse().read()
                return
        except OSError:
            time.sleep(0.05)
    raise BenchmarkError("a server did not start")


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _calls(store: Path) -> int:
    with closing(sqlite3.connect(store)) as connection:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
