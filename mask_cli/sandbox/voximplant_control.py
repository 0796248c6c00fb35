"""The calls that tell the running sandbox of Voximplant what to do.

`GET /sandbox/requests` (`?command=`), `GET /sandbox/items` (`?application_id=`),
`POST /sandbox/faults`, `POST /sandbox/seed` (of what has a `probability`),
`DELETE /sandbox/faults` (switches too), `POST /sandbox/switches`, `POST /sandbox/clock` with
`offset` or `advance` in seconds. Bad ones are answered with 400.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from mask_cli.sandbox.control import answer, json_object
from mask_cli.sandbox.voximplant_faults import Fault, Faults

if TYPE_CHECKING:
    from mask_cli.sandbox.server import Clock, Reply, Request, RequestLog
    from mask_cli.sandbox.voximplant_kvs import Stored
    from mask_cli.sandbox.voximplant_methods import Account


@dataclass(frozen=True)
class VoximplantControl:
    """Carries out control calls.

    `allow_kill` lets them add the fault that kills a process: off by default, because any
    local program can reach the port.
    """

    account: Account
    faults: Faults
    log: RequestLog
    clock: Clock
    allow_kill: bool = False

    def answer(self, request: Request) -> Reply:
        """Answer a control call with JSON."""
        calls = {
            ("GET", "items"): self._items,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear,
            ("POST", "seed"): self._seed,
            ("POST", "switches"): self._switch,
            ("POST", "clock"): self._set_clock,
        }
        return answer(request, self.log, calls)

    def _items(self, request: Request) -> object:
        number = int(parse_qs(request.query).get("application_id", ["1"])[0])
        items = stored_items(self.account, number)
        return {key: asdict(item) for key, item in items.items()}

    def _add_fault(self, request: Request) -> object:
        fault = Fault.read(json.loads(request.body))
        if fault.kind == "kill" and not self.allow_kill:
            raise ValueError("this sandbox was not started with leave to kill processes")
        self.faults.put(fault)
        return {"waiting": self.faults.waiting()}

    def _clear(self, request: Request) -> object:
        del request
        self.faults.clear()
        self.account.switches.reset()
        return {"waiting": 0}

    def _seed(self, request: Request) -> object:
        seed = json_object(request).get("seed")
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ValueError("seed is not a whole number")  # noqa: TRY004 (answered with 400)
        self.faults.seed(seed)
        return {"seed": seed}

    def _switch(self, request: Request) -> object:
        self.account.switches.change(json_object(request))
        return asdict(self.account.switches)

    def _set_clock(self, request: Request) -> object:
        for name, value in json_object(request).items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise ValueError(f"{name} is not a number of seconds")  # noqa: TRY004 (400)
            if name == "offset":
                self.clock.offset = value
            elif name == "advance":
                self.clock.advance(value)
            else:
                raise ValueError(f"unknown field {name}")
        return {"offset": self.clock.offset, "now": self.clock.now()}


def stored_items(account: Account, application_id: int) -> dict[str, Stored]:
    """Return the live items of an application by key; ValueError when there is none such."""
    with account.lock:
        application = account.applications.get(application_id)
        if application is None:
            raise ValueError(f"there is no application {application_id}")
        return application.store.live(account.clock.now())
