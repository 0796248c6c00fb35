"""HTTPS or HTTP on loopback for the emulated providers: real sockets, a log of every request.

It stands on the standard library's threaded server. An emulator of faults must be able to hang,
to reset or to cut a connection without an answer, which no ASGI server lets an application do.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

LARGEST_BODY = 4 * 1024 * 1024
KEPT_ENTRIES = 200_000
"""So many requests are remembered; a sandbox may run for days."""
CONTROL = "/sandbox/"
"""Below it an emulator is told what to do; the platforms have no such path."""


class Cut(Enum):
    """The ways to end a connection instead of answering."""

    CLOSE = "close"
    RESET = "reset"


class Clock:
    """The server's time: the computer's, moved by an offset that may be set at any moment."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> int:
        """Return UTC seconds."""
        return int(time.time() + self.offset)

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self.offset += seconds


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; Date and Content-Length are added when it is written.

    With `drip` the body goes out byte by byte with that many seconds between, with
    `drips_headers` all of it.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    drip: float = 0.0
    drips_headers: bool = False


@dataclass(slots=True)
class Entry:
    """What is remembered of a request: no values, for they hold phone numbers.

    `started` and `ended` are monotonic seconds; `status` stays None when the connection was cut.
    """

    number: int
    connection: int
    method: str
    path: str
    started: float
    ended: float | None = None
    status: int | None = None
    command: str | None = None
    key: str | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the application sees it; `stopping` is set when the server ends."""

    method: str
    target: str
    headers: Message
    body: bytes
    entry: Entry
    stopping: threading.Event

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        """What follows the question mark."""
        return urlsplit(self.target).query


class RequestLog:
    """The requests in the order they came, safe to read while the server runs."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._lock = threading.Lock()
        self._count = 0
        self.failures: list[str] = []
        """Tracebacks of the emulator's own faults; tests want it empty."""

    def open(self, connection: int, method: str, path: str) -> Entry:
        """Begin the entry of a request that has just come; control calls are not counted."""
        if path.startswith(CONTROL):
            return Entry(0, connection, method, path, time.monotonic())
        with self._lock:
            self._count += 1
            entry = Entry(self._count, connection, method, path, time.monotonic())
            self._entries.append(entry)
            return entry

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._entries.clear()
            self.failures.clear()

    def entries(self, command: str | None = None) -> list[Entry]:
        """Return the requests, all or those of one command."""
        with self._lock:
            return [e for e in self._entries if command is None or e.command == command]

    def count(self, command: str | None = None) -> int:
        """Count the requests."""
        return len(self.entries(command))

    def connections(self) -> int:
        """Count the connections that carried a request."""
        return len({entry.connection for entry in self.entries()})

    def most_at_once(self) -> int:
        """Return how many requests were in flight together at the busiest moment."""
        entries = self.entries()
        moments = [(e.started, 1) for e in entries]
        moments += [(e.ended, -1) for e in entries if e.ended is not None]
        running = most = 0
        for _, step in sorted(moments):
            running += step
            most = max(most, running)
        return most


@dataclass
class HttpsServer:
    """A server on one loopback port; `answer` is called in the thread of the connection.

    Without a `context` it speaks plain HTTP.
    """

    answer: Callable[[Request], Reply | Cut]
    context: ssl.SSLContext | None
    clock: Clock = field(default_factory=Clock)
    host: str = "127.0.0.1"
    port: int = 0
    log: RequestLog = field(default_factory=RequestLog)

    def start(self) -> Self:
        """Bind and serve in the background; `port` then is the real one."""
        self._server = _Server(self)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """End every connection, the silent ones too, and wait until their threads are gone."""
        self._server.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.end_connections()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner: HttpsServer) -> None:
        self.owner = owner
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._live: dict[threading.Thread, socket.socket] = {}
        self.connections = 0
        # The handler needs more than the base class gives it; finish_request makes it.
        super().__init__((owner.host, owner.port), BaseHTTPRequestHandler)

    def server_bind(self) -> None:
        # HTTPServer looks up the host's name here, which may ask a name server.
        socket_host, socket_port = str(self.server_address[0]), self.server_address[1]
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((socket_host, socket_port))
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = socket_host, self.server_address[1]

    def finish_request(self, request: object, client_address: object) -> None:
        """Shake hands in the connection's own thread: a slow client must not hold up others."""
        assert isinstance(request, socket.socket)  # noqa: S101 (what TCPServer hands over)
        context = self.owner.context
        connection = request
        if context is not None:
            connection = context.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
        with connection:
            with self._lock:
                self.connections += 1
                number = self.connections
                self._live[threading.current_thread()] = connection
            try:
                if isinstance(connection, ssl.SSLSocket):
                    connection.settimeout(10)
                    connection.do_handshake()
                    connection.settimeout(None)
                _Handler(connection, client_address, self, number)
            finally:
                with self._lock:
                    self._live.pop(threading.current_thread(), None)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away or distrust the certificate are what is tested."""

    def end_connections(self) -> None:
        with self._lock:
            live = dict(self._live)
        for connection in live.values():
            # Not SSLSocket's own shutdown: it takes the TLS state from the reading thread.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in live:
            thread.join(timeout=5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def __init__(
        self, connection: socket.socket, address: object, server: _Server, number: int
    ) -> None:
        self.number = number
        super().__init__(connection, address, server)

    def _serve(self) -> None:
        owner = self.server.owner
        body = self._body()
        if body is None:
            return
        entry = owner.log.open(self.number, self.command, urlsplit(self.path).path)
        request = Request(self.command, self.path, self.headers, body, entry, self.server.stopping)
        try:
            reply = owner.answer(request)
        except Exception:  # noqa: BLE001 (whatever it was, the client gets an answer)
            owner.log.failures.append(traceback.format_exc())
            reply = Reply(500, b"sandbox fault\n", (("Content-Type", "text/plain"),))
        # Before the answer is written: who has it in hand must find it in the log.
        entry.status = reply.status if isinstance(reply, Reply) else None
        entry.ended = time.monotonic()
        if isinstance(reply, Cut):
            self._cut(reply)
        else:
            self._write(reply)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 (the names the standard library calls)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.close_connection = True
            self._write(Reply(411))
            return None
        if int(length) > LARGEST_BODY:
            self.close_connection = True
            self._write(Reply(413))
            return None
        return self.rfile.read(int(length))

    def _write(self, reply: Reply) -> None:
        headers = [
            ("Date", formatdate(self.server.owner.clock.now(), usegmt=True)),
            *reply.headers,
            ("Content-Length", str(len(reply.body))),
        ]
        if self.close_connection:
            headers.append(("Connection", "close"))
        reason = self.responses.get(reply.status, ("",))[0]
        head = f"HTTP/1.1 {reply.status} {reason}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers)
        start, slow = head.encode("latin-1") + b"\r\n", reply.body
        if not reply.drip:
            # One write, one TLS record.
            self.wfile.write(start + slow)
            return
        if reply.drips_headers:
            start, slow = b"", start + slow
        self.wfile.write(start)
        for byte in slow:
            self.wfile.write(bytes([byte]))
            self.server.stopping.wait(reply.drip)

    def _cut(self, how: Cut) -> None:
        self.close_connection = True
        if how is Cut.RESET:
            linger_off = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (inherited name)
        """Write nothing to stderr; RequestLog remembers."""
