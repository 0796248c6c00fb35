"""The calls that tell the running sandbox of Plivo what to do.

`GET /sandbox/requests`, `POST /sandbox/faults`, `DELETE /sandbox/faults` (switches too),
`POST /sandbox/switches`, `POST /sandbox/numbers` with `number`: it is rented from then on, as if
long ago. Bad ones are answered with 400.

A fault is an object with `kind` and what that takes: `status` (`status`, `error`, `retry_after`,
`applied`), `silent` (`applied`), `lost`, `reset`, `latency` (`seconds`); each takes `times`, how
often (0: until cleared), and `on`, a piece of `METHOD /path`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from mask_cli.sandbox.control import answer, json_object
from mask_cli.sandbox.plivo_switches import Switches

if TYPE_CHECKING:
    from mask_cli.sandbox.plivo_faults import Faults
    from mask_cli.sandbox.plivo_numbers import Numbers
    from mask_cli.sandbox.server import Reply, Request, RequestLog

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
        calls = {
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear,
            ("POST", "switches"): self._switch,
            ("POST", "numbers"): self._own,
        }
        return answer(request, self.log, calls)

    def _add_fault(self, request: Request) -> object:
        values = json_object(request)
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
        values, now = json_object(request), asdict(self.switches)
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
        number = json_object(request).get("number")
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
