"""The frame in which the methods of the emulated Management API are written."""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from mask_cli.sandbox.voximplant_kvs import KeyValueModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mask_cli.sandbox.server import Clock

    Handle = Callable[["Account", "Parameters"], dict[str, object]]

_BOOLEANS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)

MESSAGES = {
    100: "Authorization failed.",
    101: "Invalid arguments.",
    102: "Missing 'cmd' parameter.",
    103: "Unknown command.",
    107: "Invalid application name.",
    116: "The 'application_id' parameter is invalid.",
    129: "Application name is not unique.",
    134: "Required parameter is empty.",
    433: "Invalid key id.",
    447: "Invalid token format.",
    454: "Token TTL exceeds the maximum.",
    455: "Token is issued in the future.",
    456: "Token has expired.",
    458: "Specify only one of the following parameters.",
}


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
    """

    missing_get: str = "error"
    missing_delete: str = "error"
    missing_code: int = 101
    pattern: str = "prefix"
    offset: str = "honoured"
    existing: str = "changed"
    denied_status: int = 200

    _CHOICES = {  # noqa: RUF012 (a constant; dataclass fields are annotated)
        "missing_get": ("error", "null", "object", "list"),
        "missing_delete": ("error", "null", "object", "list", "one"),
        "pattern": ("prefix", "namespace"),
        "offset": ("honoured", "ignored"),
        "existing": ("changed", "kept"),
    }

    def change(self, values: Mapping[str, object]) -> None:
        """Set switches by name; ValueError when there is no such switch or reading."""
        for name, value in values.items():
            if name in ("missing_code", "denied_status"):
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


@dataclass
class Account:
    """All that the emulated platform knows; `lock` is held while a method runs."""

    account_id: int
    name: str
    email: str
    created: int
    clock: Clock
    switches: Switches = field(default_factory=Switches)
    applications: dict[int, Application] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    last_id: int = 0

    def next_id(self) -> int:
        """Return a new id; none is used twice."""
        self.last_id += 1
        return self.last_id

    def application(self, parameters: Parameters) -> Application:
        """Return the application named by application_id or application_name, or fail with 116."""
        number = parameters.integer("application_id", error=116)
        name = parameters.text("application_name")
        if number is None and name is None:
            raise ApiError(134, "Required parameter is empty: 'application_id'.")
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

    def in_range(self, name: str, lowest: int, highest: int) -> int | None:
        """Return a whole number within bounds, None when it was not sent."""
        value = self.integer(name, error=497)
        if value is not None and not lowest <= value <= highest:
            raise ApiError(497, f"The '{name}' should be in range of {lowest}-{highest}.")
        return value

    def boolean(self, name: str) -> bool:
        """Return a flag, False when it was not sent."""
        value = self._values.get(name, "false")
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
