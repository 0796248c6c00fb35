"""What the emulated provider can be told to do wrong, for the next n requests.

Kinds that answer, with the status they have unless `status` says another:
`error` (code, message), `errors` (the same as a list), `error-text` (a string instead of the
object), `json-status` (500, JSON without error or result), `result-status` (500 with a
result), `html-status` (503), `html-200`, `broken-json`, `empty`, `no-type` (no content type),
`null`, `number`, `list`, `result` (200, with `result` as given), `redirect` (302),
`too-many` (429, Retry-After: `seconds`).

`throttling` answers with one of the platform's throttling codes, `truncated` rightly but with
the second half of a listing missing, `duplicate` rightly and carries the request out once more
after `seconds`.

Kinds that do not: `lost` (carried out, then cut), `reset` (not carried out unless `applied`),
`silent` and `silent-applied` (no answer until the server ends), `drip` (`seconds` between the
bytes of the body), `drip-headers` (between all bytes), `kill` (SIGKILL to `pid`, `before` or
after the request is carried out), and `latency` (`seconds`; goes with any other).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from mask_cli.sandbox.server import Cut, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mask_cli.sandbox.server import Request

JSON_TYPE = (("Content-Type", "application/json"),)
HTML_TYPE = (("Content-Type", "text/html; charset=utf-8"),)

THROTTLING_CODES = (340, 314, 162, 484, 515)


def json_reply(value: object, status: int = 200) -> Reply:
    """Return a reply as the platform writes it: `/` is escaped."""
    text = json.dumps(value, separators=(",", ":")).replace("/", "\\/")
    return Reply(status, text.encode(), JSON_TYPE)


def error_body(code: int, message: str) -> dict[str, object]:
    """Return the error envelope."""
    return {"error": {"code": code, "msg": message}}


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong, `times` times (0: for ever), after letting `skip` requests pass.

    Each request that it could meet it meets with `probability`.
    `command` limits it to one method. `applied` lets the request take effect first, for the
    kinds that answer something else. The other fields matter to some kinds only.
    """

    kind: str
    times: int = 1
    command: str | None = None
    skip: int = 0
    applied: bool = False
    code: int = 2
    message: str = "Internal error."
    status: int = 0
    seconds: float = 0.0
    pid: int = 0
    before: bool = True
    result: object = None
    probability: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is not one of {', '.join(sorted(KINDS))}")
        if not 0 <= self.probability <= 1:
            raise ValueError("probability is not between 0 and 1")
        if self.times < 0 or self.skip < 0 or self.seconds < 0:
            raise ValueError("times, skip and seconds are not negative")
        # 0 and 1 would hit the process group or init; our own would be the test run.
        if self.kind == "kill" and (self.pid <= 1 or self.pid == os.getpid()):
            raise ValueError("pid is not that of another process")

    @classmethod
    def read(cls, value: object) -> Fault:
        """Return the fault of a control call's JSON; ValueError tells what is wrong with it."""
        if not isinstance(value, dict) or "kind" not in value:
            raise ValueError("a fault is an object with a kind")
        types = {f.name: type(f.default) for f in fields(cls)} | {
            "kind": str,
            "command": str,
            "result": object,
        }
        for name, given in value.items():
            wanted = (int, float) if types.get(name) is float else types.get(name)
            if wanted is None:
                raise ValueError(f"unknown field {name}")
            if not isinstance(given, wanted) or (
                isinstance(given, bool) and wanted not in (bool, object)
            ):
                raise ValueError(f"field {name} has the wrong type")
        return cls(**value)

    def act(self, carry_out: Callable[[], Reply], request: Request) -> Reply | Cut:
        """Go wrong on one request; `carry_out` gives it its effect and its right answer."""
        special = _SPECIAL.get(self.kind)
        if special:
            return special(self, carry_out, request)
        if self.applied:
            carry_out()
        return _REPLIES[self.kind](self)


def _lost(fault: Fault, carry_out: Callable[[], Reply], request: Request) -> Cut:
    del fault, request
    carry_out()
    return Cut.CLOSE


def _reset(fault: Fault, carry_out: Callable[[], Reply], request: Request) -> Cut:
    del request
    if fault.applied:
        carry_out()
    return Cut.RESET


def _silent(fault: Fault, carry_out: Callable[[], Reply], request: Request) -> Cut:
    if fault.applied or fault.kind == "silent-applied":
        carry_out()
    request.stopping.wait()
    return Cut.CLOSE


def _kill(fault: Fault, carry_out: Callable[[], Reply], request: Request) -> Cut:
    del request
    if not fault.before:
        carry_out()
    with contextlib.suppress(ProcessLookupError):
        os.kill(fault.pid, signal.SIGKILL)
    return Cut.CLOSE


def _drip(fault: Fault, carry_out: Callable[[], Reply], request: Request) -> Reply:
    del request
    slow = fault.kind == "drip-headers"
    return replace(carry_out(), drip=fault.seconds, drips_headers=slow)


def _truncated(fault: Fault, carry_out: Callable[[], Reply], request: Request) -> Reply:
    del fault, request
    reply = carry_out()
    value = json.loads(reply.body)
    listed = value.get("result")
    if isinstance(listed, list):
        value["result"] = listed[: (len(listed) + 1) // 2]
    return json_reply(value, reply.status)


def _duplicate(fault: Fault, carry_out: Callable[[], Reply], request: Request) -> Reply:
    def again() -> None:
        if not request.stopping.wait(fault.seconds):
            carry_out()

    reply = carry_out()
    threading.Thread(target=again, name="sandbox-duplicate", daemon=True).start()
    return reply


def _throttling(fault: Fault, carry_out: Callable[[], Reply], request: Request) -> Reply:
    if fault.applied:
        carry_out()
    code = THROTTLING_CODES[request.entry.number % len(THROTTLING_CODES)]
    return json_reply(error_body(code, "Try later."))


_SPECIAL: Mapping[str, Callable[[Fault, Callable[[], Reply], Request], Reply | Cut]] = {
    "lost": _lost,
    "reset": _reset,
    "silent": _silent,
    "silent-applied": _silent,
    "kill": _kill,
    "drip": _drip,
    "drip-headers": _drip,
    "truncated": _truncated,
    "duplicate": _duplicate,
    "throttling": _throttling,
}

_PAGE = b"<html><body><h1>Service Unavailable</h1></body></html>"

_REPLIES: Mapping[str, Callable[[Fault], Reply]] = {
    "error": lambda f: json_reply(error_body(f.code, f.message), f.status or 200),
    "errors": lambda f: json_reply(
        {"errors": [{"code": f.code, "msg": f.message}]}, f.status or 200
    ),
    "error-text": lambda f: json_reply({"error": f.message}, f.status or 200),
    "json-status": lambda f: json_reply({"status": "failed"}, f.status or 500),
    "result-status": lambda f: json_reply({"result": 1}, f.status or 500),
    "result": lambda f: json_reply({"result": f.result}, f.status or 200),
    "html-status": lambda f: Reply(f.status or 503, _PAGE, HTML_TYPE),
    "html-200": lambda f: Reply(f.status or 200, _PAGE, HTML_TYPE),
    "broken-json": lambda f: Reply(f.status or 200, b'{"result":{"key":', JSON_TYPE),
    "no-type": lambda f: Reply(f.status or 200, b'{"result":1}'),
    "null": lambda f: json_reply(None, f.status or 200),
    "number": lambda f: json_reply(7, f.status or 200),
    "list": lambda f: json_reply([], f.status or 200),
    "too-many": lambda f: Reply(
        f.status or 429, _PAGE, (*HTML_TYPE, ("Retry-After", f"{f.seconds:g}"))
    ),
    "redirect": lambda f: Reply(f.status or 302, b"", (("Location", "/elsewhere"),)),
    "empty": lambda f: Reply(f.status or 200, b"", JSON_TYPE),
}

KINDS = frozenset({*_SPECIAL, *_REPLIES, "latency"})


class Faults:
    """The faults that are to come; safe to change while requests run.

    `seed` makes what happens with a probability happen the same way again.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._faults: list[Fault] = []
        self._dice = random.Random(seed)  # noqa: S311 (chance that can be repeated)
        self._lock = threading.Lock()

    def add(
        self,
        kind: str,
        *,
        times: int = 1,
        command: str | None = None,
        skip: int = 0,
        applied: bool = False,
        code: int = 2,
        message: str = "Internal error.",
        status: int = 0,
        seconds: float = 0.0,
        pid: int = 0,
        before: bool = True,
        result: object = None,
        probability: float = 1.0,
    ) -> Fault:
        """Add a fault behind those already waiting; see `Fault` for the fields."""
        fault = Fault(
            kind,
            times,
            command,
            skip,
            applied,
            code,
            message,
            status,
            seconds,
            pid,
            before,
            result,
            probability,
        )
        return self.put(fault)

    def put(self, fault: Fault) -> Fault:
        """Add a fault that is already made."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def seed(self, seed: int) -> None:
        """Begin chance anew."""
        with self._lock:
            self._dice.seed(seed)

    def clear(self) -> None:
        """Let all go well from now on."""
        with self._lock:
            self._faults.clear()

    def waiting(self) -> int:
        """Count the faults that have not used up their times."""
        with self._lock:
            return len(self._faults)

    def take(self, command: str | None) -> tuple[float, Fault | None]:
        """Return the delay and the fault of the next request, and count them as used.

        Delays add up and go with the first other fault that fits.
        """
        delay, chosen = 0.0, None
        with self._lock:
            for fault in list(self._faults):
                if fault.command not in (None, command):
                    continue
                if fault.skip:
                    fault.skip -= 1
                elif fault.probability < 1 and self._dice.random() >= fault.probability:
                    continue
                elif fault.kind == "latency":
                    delay += fault.seconds
                    self._use(fault)
                elif chosen is None:
                    chosen = fault
                    self._use(fault)
        return delay, chosen

    def _use(self, fault: Fault) -> None:
        if fault.times == 1:
            self._faults.remove(fault)
        elif fault.times:
            fault.times -= 1
