"""The calls that tell a running Plivo sandbox what to do; they need no token and are not logged.

`GET /sandbox/requests`, `POST /sandbox/faults`, `DELETE /sandbox/faults` (switches too),
`POST /sandbox/switches`, `POST /sandbox/numbers` with `number`: it is rented from then on, as if
long ago. Bad ones are answered with 400.

A fault is an object with `kind` and what that takes: `status` (`status`, `error`, `retry_after`,
`applied`), `silent` (`applied`), `lost`, `reset`, `latency` (`seconds`); each takes `times`, how
often (0: until cleared), and `on`, a piece of `METHOD /path`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from mask_cli.sandbox.plivo_switches import Switches
from mask_cli.sandbox.server import CONTROL, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from mask_cli.sandbox.plivo_faults import Faults
    from mask_cli.sandbox.plivo_numbers import Numbers
    from mask_cli.sandbox.server import Request, RequestLog

_TYPES: dict[str, type | tuple[type, ...]] = {
    "status": int,
    "error": str,
    "retry_after": str,
    "applied": bool,
    "seconds": (int, float),
    "times": int,
    "on": str,
}
_KINDS = {
    "status": {"status", "error", "retry_after", "applied"},
    "silent": {"applied"},
    "lost": set(),
    "reset": set(),
    "latency": {"seconds"},
}
_NEEDED = {"status": {"status"}, "latency": {"seconds"}}


@dataclass(frozen=True)
class PlivoControl:
    """Carries out control calls."""

    faults: Faults
    switches: Switches
    numbers: Numbers
    log: RequestLog

    def answer(self, request: Request) -> Reply:
        """Answer a control call with JSON."""
        calls: dict[tuple[str, str], Callable[[Request], object]] = {
            ("GET", "requests"): self._requests,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear,
            ("POST", "switches"): self._switch,
            ("POST", "numbers"): self._own,
        }
        call = calls.get((request.method, request.path.removeprefix(CONTROL)))
        if call is None:
            return _json(404, {"error": "there is no such control call"})
        try:
            return _json(200, call(request))
        except ValueError as error:
            return _json(400, {"error": str(error)})

    def _requests(self, request: Request) -> object:
        del request
        return [asdict(entry) for entry in self.log.entries()]

    def _add_fault(self, request: Request) -> object:
        values = _object(request)
        kind = values.pop("kind", None)
        if kind not in _KINDS:
            raise ValueError(f"kind is not one of {', '.join(_KINDS)}")
        _check(values, _KINDS[kind] | {"times", "on"}, _NEEDED.get(kind, set()))
        getattr(self.faults, kind)(**values)
        return {"added": kind}

    def _clear(self, request: Request) -> object:
        del request
        self.faults.clear()
        self._set(asdict(Switches()))
        return {"waiting": 0}

    def _switch(self, request: Request) -> object:
        values, now = _object(request), asdict(self.switches)
        for name, value in values.items():
            if name not in now or type(value) is not type(now[name]):
                raise ValueError(f"there is no switch {name} of that kind")
        self._set(values)
        return asdict(self.switches)

    def _set(self, values: dict[str, Any]) -> None:
        for field in fields(Switches):
            if field.name in values:
                setattr(self.switches, field.name, values[field.name])

    def _own(self, request: Request) -> object:
        number = _object(request).get("number")
        if not (isinstance(number, str) and number.isascii() and number.isdigit()):
            raise ValueError("number is not digits")
        self.numbers.own(number)
        return {"number": number}


def _check(values: dict[str, Any], allowed: set[str], needed: set[str]) -> None:
    for name, value in values.items():
        kind = _TYPES.get(name)
        if name not in allowed or kind is None:
            raise ValueError(f"unknown field {name}")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{name} is of the wrong kind")
    if not needed <= values.keys():
        raise ValueError(f"{', '.join(needed)} is missing")


def _object(request: Request) -> dict[str, Any]:
    value = json.loads(request.body)
    if not isinstance(value, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 (answered with 400)
    return value


def _json(status: int, value: object) -> Reply:
    return Reply(status, json.dumps(value).encode(), (("Content-Type", "application/json"),))
