"""What the emulated Plivo API can be told to do wrong, for the next n requests."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mask_cli.sandbox.plivo_envelope import json_reply
from mask_cli.sandbox.server import Cut, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from mask_cli.sandbox.server import Request


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong, `times` times, with the requests that `on` is part of.

    `on` is looked for in `METHOD /path`. With `applied` the request takes effect first.
    The answer comes after `delay` seconds, None is never; it is the right one without `outcome`.
    """

    outcome: Reply | Cut | None
    times: int = 1
    on: str = ""
    applied: bool = False
    delay: float | None = 0.0

    def act(self, carry_out: Callable[[], Reply], request: Request) -> Reply | Cut:
        """Go wrong on one request; `carry_out` gives it its effect and its right answer."""
        right = carry_out() if self.applied else None
        request.stopping.wait(self.delay)
        return self.outcome or right or carry_out()


class Faults:
    """The faults that are to come, in order; safe to change while requests run."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def status(
        self,
        status: int,
        error: object = "the service is ill",
        *,
        retry_after: str | None = None,
        times: int = 1,
        on: str = "",
        applied: bool = False,
    ) -> None:
        """Answer with an error in its JSON envelope."""
        headers = () if retry_after is None else (("Retry-After", retry_after),)
        reply = json_reply(status, {"error": error}, *headers)
        self.put(Fault(reply, times, on, applied))

    def body(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        *,
        headers: tuple[tuple[str, str], ...] = (),
        times: int = 1,
        on: str = "",
        applied: bool = False,
    ) -> None:
        """Answer with these bytes: HTML, an array, half an object."""
        reply = Reply(status, body, (("Content-Type", kind), *headers))
        self.put(Fault(reply, times, on, applied))

    def silent(self, *, times: int = 1, on: str = "", applied: bool = False) -> None:
        """Never answer."""
        self.put(Fault(Cut.CLOSE, times, on, applied, delay=None))

    def reset(self, *, times: int = 1, on: str = "") -> None:
        """Reset the connection without having done anything."""
        self.put(Fault(Cut.RESET, times, on))

    def lost(self, *, times: int = 1, on: str = "") -> None:
        """Do what was asked and close the connection without an answer."""
        self.put(Fault(Cut.CLOSE, times, on, applied=True))

    def latency(self, seconds: float, *, times: int = 1, on: str = "") -> None:
        """Answer rightly, but late."""
        self.put(Fault(None, times, on, delay=seconds))

    def put(self, fault: Fault) -> None:
        """Add a fault behind those already waiting."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Let all go well from now on."""
        with self._lock:
            self._waiting.clear()

    def take(self, what: str) -> Fault | None:
        """Return the first fault that fits `METHOD /path`, and count it as used."""
        with self._lock:
            for fault in self._waiting:
                if fault.on in what:
                    fault.times -= 1
                    if not fault.times:
                        self._waiting.remove(fault)
                    return fault
        return None
