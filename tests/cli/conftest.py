"""The program run as a person, a script or cron would: exit code, stdout, stderr.

Everything is the test's own: home, settings, database, time zone, clock, provider.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from mask_cli.cli import app
from mask_cli.cli.context import AppContext
from mask_cli.errors import ExitCode
from mask_cli.providers import _voximplant_client
from mask_cli.sandbox.plivo_api import PlivoSandbox
from mask_cli.sandbox.voximplant import VoximplantSandbox
from mask_cli.sandbox.voximplant_kvs import Stored
from mask_cli.times import format_time
from tests.cli.every_command import POOL
from tests.cli.leaks import CLIENT, COURIER, GUIDE, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NOON = 1_796_126_400
"""2026-12-01T12:00:00Z, where the fixed clock stands."""
DAY = 86_400
ROOT = Path(__file__).parents[2]
PARTIES = ("--courier", COURIER, "--client", CLIENT)
_OURS = ("MASK_", "VOXIMPLANT_", "PLIVO_", "XDG_", "REQUESTS_", "SSL_CERT", "CURL_CA")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NO_COLOR", "FORCE_COLOR")
# These answer with whole numbers because they were asked to.
_ASKED_FOR = {"--reveal", "export", "render"}


class FixedClock:
    """The time that the program and the emulated provider see; it stands still or runs."""

    def __init__(self) -> None:
        self.at: int | None = NOON

    def now(self) -> int:
        return int(time.time()) if self.at is None else self.at

    def pass_(self, seconds: int) -> None:
        self.at = self.now() + seconds

    def run(self) -> None:
        """Show the computer's own time: other processes see no other."""
        self.at = None


@dataclass(frozen=True)
class Run:
    """What came of one run of the program."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    def failed(self, code: ExitCode, *words: str) -> None:
        """Assert that it failed so: nothing on stdout, these words on stderr, no traceback."""
        assert (self.code, self.out) == (code, ""), self.err
        assert self.err.startswith(("Error: ", "Warning: ", "line ", "item ")), self.err
        self._told(*words)

    def answered(self, code: ExitCode, *words: str) -> None:
        """Assert that it ended so with an answer all the same."""
        assert self.code == code, self.err
        assert self.out
        self._told(*words)

    def done(self) -> Run:
        assert self.code == ExitCode.DONE, self.err
        return self

    def _told(self, *words: str) -> None:
        assert "Traceback" not in self.err
        for word in words:
            assert word in self.err, self.err


@dataclass(frozen=True)
class Mask:
    """Runs the program; every run is searched for whole numbers that nobody asked for."""

    home: Path

    def __call__(self, *words: str, stdin: str | bytes = b"") -> Run:
        """Run it in this process."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = io.StringIO(), io.StringIO()
        before = sys.stdin, sys.stdout, sys.stderr
        # A BufferedReader, as the real one is: import looks ahead in it.
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(given)))
        sys.stdout, sys.stderr = out, err
        code: Any = None
        try:
            _run_app(words)
        except SystemExit as end:
            code = end.code
        finally:
            sys.stdin, sys.stdout, sys.stderr = before
        return _checked(Run(code, out.getvalue(), err.getvalue()), words)

    def start(
        self, *words: str, started: tuple[str, ...] | list[str] = ("-m", "mask_cli"), **more: Any
    ) -> subprocess.Popen[bytes]:
        """Start it as a process of its own; `started` is how Python is told what to run."""
        pipe = subprocess.PIPE
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe}
        command = [sys.executable, *started, *words]
        # What is ignored here, as in a job that a shell started in the background, is inherited.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(command, cwd=ROOT, **{**streams, **more})
        finally:
            signal.signal(signal.SIGINT, before)

    def process(self, *words: str, **more: Any) -> Run:
        """Run it as a process of its own, to its end."""
        with self.start(*words, **more) as process:
            out, err = process.communicate(timeout=60)
        run = Run(process.returncode, (out or b"").decode(), (err or b"").decode())
        return _checked(run, words)

    @property
    def database(self) -> Path:
        return Path(os.environ["MASK_DATABASE"])

    def query(self, sql: str, *values: object) -> list[Any]:
        """Read, or change, the database behind the program's back."""
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute(sql, values).fetchall()
            connection.commit()
        return rows

    def everything(self) -> list[Any]:
        """Return all that is stored, to compare before and after."""
        if not self.database.exists():
            return []
        tables = ("mappings", "remote_items", "audit", "counters")
        return [self.query(f"SELECT * FROM {table}") for table in tables]

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file; return its path."""
        path = self.home / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)


def _run_app(words: tuple[str, ...]) -> NoReturn:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        app(args=list(words), prog_name="mask")
    finally:
        signal.signal(signal.SIGTERM, handler)
    raise AssertionError("the program always exits")


def _checked(run: Run, words: tuple[str, ...]) -> Run:
    asked_for = _ASKED_FOR & set(words)
    leaked = whole_numbers(run.err if asked_for else run.out + run.err)
    assert not leaked, f"{leaked} leaked by mask {words[:1]}"
    assert run.code != ExitCode.BUG, run.err
    return run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in list(os.environ):
        if name.startswith(_OURS) or name.upper() in _PROXIES:
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    values = {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "MASK_DATABASE": str(folder / "mask.db"),
        "TZ": "Europe/Berlin",
        "COLUMNS": "200",
        "TERM": "xterm",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    yield folder
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FixedClock:
    hands = FixedClock()
    monkeypatch.setattr(AppContext, "now", lambda _: hands.now())
    shown = SimpleNamespace(time=hands.now, monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr(_voximplant_client, "time", shown)
    return hands


@pytest.fixture
def mask(home: Path) -> Mask:
    return Mask(home)


@pytest.fixture(scope="session")
def running_provider() -> Iterator[VoximplantSandbox]:
    with VoximplantSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def provider(
    running_provider: VoximplantSandbox, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[VoximplantSandbox]:
    """The emulated account, as new, with the test's clock; the environment points at it."""
    monkeypatch.setattr(running_provider.clock, "now", clock.now)
    running_provider.reset()
    for name, value in running_provider.environment().items():
        monkeypatch.setenv(name, value)
    yield running_provider
    assert running_provider.requests.failures == []


@pytest.fixture
def plivo(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlivoSandbox]:
    """An emulated Plivo account that never asks for patience; the environment points at it."""
    with PlivoSandbox() as sandbox:
        sandbox.rate_limit = 1_000_000
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def filled(
    mask: Mask,
    provider: VoximplantSandbox,
    plivo: PlivoSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mappings here and there, foreign items with numbers in keys and values, a file to import."""
    assert plivo.requests.maxlen
    monkeypatch.chdir(mask.home)
    mask("add", "12345", *PARTIES).done()
    mask("add", "20001", "--courier", GUIDE[1], "--client", GUIDE[0], "--no-push").done()
    mask("add", "20002", "--courier", GUIDE[3], "--client", GUIDE[2]).done()
    value = json.dumps({"courier": GUIDE[2], "client": "+1 (415) 666-7777"})
    for key in ("order:77777", "order:+14156667777", GUIDE[0], "1-415-666-7777"):
        provider.store().set(Stored(key, value, NOON + DAY))
    mask("numbers", "add", POOL).done()
    call = "INSERT INTO calls (provider, call_id, started_at) VALUES ('plivo', 'c-1', ?)"
    mask.query(call, NOON)
    mask.write("orders.csv", "order,courier,client\n30002,1-415-666-7778,+1 415 666 7777\n")


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens, and nobody can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def mapping_record() -> Callable[..., dict[str, object]]:
    """The whole record of the guide's order as it was just added; name what differs."""

    def record(**differing: object) -> dict[str, object]:
        chosen = {"allocation": None, "asks": None} if "changed" in differing else {}
        return {
            "order": "12345",
            "courier": "+1•••••••2222",
            "client": "+1•••••••3333",
            "virtual_number": None,
            "note": None,
            "state": "active",
            "remote": "off",
            "created_at": format_time(NOON),
            "updated_at": format_time(NOON),
            "expires_at": format_time(NOON + 10 * DAY),
            "revision": 1,
            **chosen,
            **differing,
        }

    return record


def remote_values(provider: VoximplantSandbox) -> Mapping[str, tuple[str, int]]:
    """Return value and expiry of all that stands at the provider."""
    return {key: (item.value, item.expires_at) for key, item in provider.items().items()}
