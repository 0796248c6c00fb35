"""The frame in which the methods of the emulated Management API are written."""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mask_cli.sandbox.voximplant_kvs import KeyValueModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mask_cli.sandbox.server import Clock
    from mask_cli.sandbox.voximplant_things import Phone, Rule, Scenario, Secret

    Handle = Callable[["Account", "Parameters"], dict[str, object]]

_BOOLEANS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)

MESSAGES = {
    100: "Authorization failed.",
    101: "Invalid arguments.",
    102: "Missing 'cmd' parameter.",
    103: "Unknown command.",
    107: "Invalid application name.",
    104: "Forbidden command.",
    116: "The 'application_id' parameter is invalid.",
    121: "Invalid phone number.",
    127: "Insufficient money.",
    129: "Application name is not unique.",
    130: "The script text is too long.",
    132: "The 'scenario_id' parameter is invalid.",
    133: "The scenario name isn't unique.",
    134: "Required parameter is empty.",
    147: "The 'rule_id' parameter is invalid.",
    148: "The 'rule_pattern' parameter is invalid.",
    156: "The 'rule_name' parameter is invalid.",
    168: "The 'scenario_name' parameter is invalid.",
    175: "The 'rule_name' is not unique.",
    181: "The 'phone_id' parameter is invalid.",
    239: "The 'country_code' parameter is invalid.",
    240: "The 'phone_category_name' parameter is invalid.",
    241: "The 'phone_region_id' parameter is invalid.",
    242: "The 'country_state' parameter is invalid.",
    243: "The 'phone_count' parameter is invalid.",
    281: "Account verification required.",
    331: "No phones in the stock.",
    395: "The phone number is yours.",
    433: "Invalid key id.",
    447: "Invalid token format.",
    454: "Token TTL exceeds the maximum.",
    455: "Token is issued in the future.",
    456: "Token has expired.",
    458: "Specify only one of the following parameters.",
}


ROLES = (
    *("Owner", "Admin", "Developer", "Accountant", "Payer", "Supervisor", "Support"),
    *("Call list manager", "none"),
)


class ApiError(Exception):
    """An answer with the error envelope."""

    def __init__(self, code: int, message: str = "") -> None:
        self.code = code
        self.message = message or MESSAGES[code]
        super().__init__(f"{code}: {self.message}")


@dataclass(slots=True)
class Switches:
    """Where the documentation leaves the platform's behaviour open, the reading in force.

    `missing_get` and `missing_delete` are `error` (with `missing_code`), `null`, `object` or
    `list`; `missing_delete` may also be `one`. `pattern` of a listing is `prefix` or
    `namespace`. `offset` is `honoured` or `ignored`: then a listing never ends.
    `existing` says what setting an existing key does: `changed` or, as an older text of the
    documentation has it, `kept`. `denied_status` is the HTTP status of authorization failures.
    `role` is the service account's, `role_code` the error of a method that it may not call.
    `scenario_filter` says how GetScenarios takes a name, `added` what AddSecret answers.
    """

    missing_get: str = "error"
    missing_delete: str = "error"
    missing_code: int = 101
    pattern: str = "prefix"
    offset: str = "honoured"
    existing: str = "changed"
    denied_status: int = 200
    role: str = "Owner"
    role_code: int = 104
    scenario_filter: str = "part"
    added: str = "object"

    _CHOICES = {  # noqa: RUF012 (a constant; dataclass fields are annotated)
        "missing_get": ("error", "null", "object", "list"),
        "missing_delete": ("error", "null", "object", "list", "one"),
        "pattern": ("prefix", "namespace"),
        "offset": ("honoured", "ignored"),
        "existing": ("changed", "kept"),
        "role": ROLES,
        "scenario_filter": ("part", "exact"),
        "added": ("object", "list"),
    }

    def change(self, values: Mapping[str, object]) -> None:
        """Set switches by name; ValueError when there is no such switch or reading."""
        for name, value in values.items():
            if name in ("missing_code", "denied_status", "role_code"):
                if not isinstance(value, int) or isinstance(value, bool):
                    raise ValueError(f"{name} is not a number")
            elif value not in self._CHOICES.get(name, ()):
                raise ValueError(f"{name} cannot be {value}")
        for name, value in values.items():
            setattr(self, name, value)

    def reset(self) -> None:
        """Go back to the readings a sandbox starts with."""
        self.change(asdict(Switches()))


@dataclass(slots=True)
class Application:
    """An application with its key-value store."""

    application_id: int
    name: str
    modified: int
    secure_record_storage: bool = False
    store: KeyValueModel = field(default_factory=KeyValueModel)
    secrets: dict[int, Secret] = field(default_factory=dict)


@dataclass
class Account:
    """All that the emulated platform knows; `lock` is held while a method runs.

    `balance` is in cents. `sessions` is the call history, as GetCallHistory answers it.
    """

    account_id: int
    name: str
    email: str
    created: int
    clock: Clock
    switches: Switches = field(default_factory=Switches)
    applications: dict[int, Application] = field(default_factory=dict)
    scenarios: dict[int, Scenario] = field(default_factory=dict)
    rules: dict[int, Rule] = field(default_factory=dict)
    phones: dict[int, Phone] = field(default_factory=dict)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    balance: int = 10_000
    lock: threading.RLock = field(default_factory=threading.RLock)
    last_id: int = 0

    def become(self, fresh: Account) -> None:
        """Take over what another account holds."""
        for name in ("applications", "scenarios", "rules", "phones", "sessions"):
            setattr(self, name, getattr(fresh, name))
        self.balance, self.last_id = fresh.balance, fresh.last_id

    def next_id(self) -> int:
        """Return a new id; none is used twice."""
        self.last_id += 1
        return self.last_id

    def application(self, parameters: Parameters) -> Application:
        """Return the application named by application_id or application_name, or fail with 116."""
        found = self.application_if_named(parameters)
        if found is None:
            raise ApiError(134, "Required parameter is empty: 'application_id'.")
        return found

    def application_if_named(self, parameters: Parameters) -> Application | None:
        """Return the application that the call names, None when it names none."""
        number = parameters.integer("application_id", error=116)
        name = parameters.text("application_name")
        if number is None and name is None:
            return None
        for application in self.applications.values():
            if number not in (None, application.application_id):
                continue
            if name in (None, application.name, application.name.partition(".")[0]):
                return application
        raise ApiError(116)


class Parameters:
    """The parameters of one call, read as the method needs them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def required(self, name: str) -> str:
        """Return a parameter that must be there and not be empty."""
        value = self._values.get(name)
        if not value:
            raise ApiError(134, f"Required parameter is empty: '{name}'.")
        return value

    def text(self, name: str) -> str | None:
        """Return a parameter, None when it was not sent."""
        return self._values.get(name)

    def integer(self, name: str, *, error: int = 101) -> int | None:
        """Return a whole number, None when it was not sent."""
        value = self._values.get(name)
        if value is None:
            return None
        if not _INTEGER.fullmatch(value):
            raise ApiError(error, f"The '{name}' parameter is invalid.")
        return int(value)

    def names(self, name: str) -> list[str]:
        """Return the items of a list, none when it was not sent."""
        return [item for item in self._values.get(name, "").split(";") if item]

    def ids(self, name: str, *, error: int) -> list[int]:
        """Return the items of a list of ids."""
        found = self.names(name)
        if not all(_INTEGER.fullmatch(item) for item in found):
            raise ApiError(error)
        return [int(item) for item in found]

    def in_range(self, name: str, lowest: int, highest: int) -> int | None:
        """Return a whole number within bounds, None when it was not sent."""
        value = self.integer(name, error=497)
        if value is not None and not lowest <= value <= highest:
            raise ApiError(497, f"The '{name}' should be in range of {lowest}-{highest}.")
        return value

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """Return a flag, the default when it was not sent."""
        value = self._values.get(name, str(default))
        if value not in _BOOLEANS:
            raise ApiError(101, f"The '{name}' parameter is invalid.")
        return _BOOLEANS[value]


@dataclass(frozen=True, slots=True)
class Method:
    """One method: the parameters it knows, and what it does."""

    parameters: frozenset[str]
    handle: Handle

    def call(self, account: Account, values: Mapping[str, str]) -> dict[str, object]:
        """Carry it out; a parameter it does not know is an error, not ignored."""
        unknown = sorted(values.keys() - self.parameters)
        if unknown:
            raise ApiError(101, f"Invalid arguments: unknown parameter '{unknown[0]}'.")
        with account.lock:
            return self.handle(account, Parameters(values))


class Methods(dict[str, Method]):
    """A table of methods by name; each theme of the API fills one of its own."""

    def add(self, name: str, parameters: str) -> Callable[[Handle], Handle]:
        """Register the decorated function; `parameters` are names with spaces between."""

        def register(handle: Handle) -> Handle:
            self[name] = Method(frozenset(parameters.split()), handle)
            return handle

        return register
