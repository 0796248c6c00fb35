"""Applications of the emulated Plivo account."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from mask_cli.sandbox.plivo_envelope import (
    ApiError,
    checked,
    invalid,
    is_flag,
    is_method,
    is_subaccount,
    is_text,
    is_url,
    json_reply,
    json_values,
    missing,
    not_found,
    page,
    query_values,
)
from mask_cli.sandbox.server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mask_cli.sandbox.plivo_switches import Switches
    from mask_cli.sandbox.server import Request

DOCUMENTED_NAME = re.compile(r"[A-Za-z0-9_-]+")

WRITTEN = {
    "app_name": is_text,
    "answer_url": is_url,
    "answer_method": is_method,
    "hangup_url": is_url,
    "hangup_method": is_method,
    "fallback_answer_url": is_url,
    "fallback_method": is_method,
    "message_url": is_url,
    "message_method": is_method,
    "default_number_app": is_flag,
    "default_endpoint_app": is_flag,
    "log_incoming_messages": is_flag,
    "public_uri": is_flag,
    "subaccount": is_subaccount,
}
# Written under one name, read under another.
_READ_AS = {"default_number_app": "default_app", "subaccount": "sub_account"}
_AT_FIRST: dict[str, Any] = {
    "answer_method": "POST",
    "hangup_method": "POST",
    "fallback_answer_url": "",
    "fallback_method": "POST",
    "message_url": "",
    "message_method": "POST",
    "default_app": False,
    "default_endpoint_app": False,
    "log_incoming_messages": True,
    "public_uri": False,
    "sub_account": None,
    "enabled": True,
    "application_type": "XML",
}


class Attached(Protocol):
    """What can lead to an application: a rented number."""

    app_id: str | None


class Applications:
    """The applications by id, and the requests that change them."""

    def __init__(self, root: str, switches: Switches) -> None:
        self.by_id: dict[str, dict[str, Any]] = {}
        self._root = root
        self._switches = switches
        self._last_id = 21_000_000_000_000_000

    @property
    def default_id(self) -> str | None:
        """The application that a number gets when none is named."""
        return next((i for i, app in self.by_id.items() if app["default_app"]), None)

    def create(self, request: Request) -> Reply:
        """Add an application: 201 with its id."""
        values = json_values(request)
        checked(values, WRITTEN)
        for name in ("app_name", "answer_url"):
            if not values.get(name):
                raise missing(name)
        self._check_name(values["app_name"], None)
        self._last_id += 977
        app_id = str(self._last_id)
        self.by_id[app_id] = {
            **_AT_FIRST,
            "app_id": app_id,
            "hangup_url": values["answer_url"],
            "resource_uri": f"{self._root}Application/{app_id}/",
            "sip_uri": f"sip:{app_id}@app.plivo.com",
        }
        self._write(app_id, values)
        return json_reply(201, {"message": "created", "app_id": app_id})

    def get(self, app_id: str, request: Request) -> Reply:
        """Show one application."""
        checked(query_values(request), {})
        return json_reply(200, self._record(app_id))

    def listing(self, request: Request) -> Reply:
        """List the applications, oldest first; `app_name` is the beginning of a name."""
        query = query_values(request)
        checked(query, dict.fromkeys(("limit", "offset", "app_name", "subaccount"), is_text))
        shown = [
            self._record(app_id)
            for app_id, app in self.by_id.items()
            if app["app_name"].startswith(query.get("app_name", ""))
            and query.get("subaccount") in (None, app["sub_account"])
        ]
        return page(request.path, query, shown)

    def update(self, app_id: str, request: Request) -> Reply:
        """Change what the request names."""
        application = self._found(app_id)
        values = json_values(request)
        checked(values, WRITTEN)
        if "answer_url" in values and not values["answer_url"]:
            raise invalid("answer_url")
        self._check_name(values.get("app_name", application["app_name"]), app_id)
        self._write(app_id, values)
        return json_reply(202, {"message": "changed"})

    def delete(self, app_id: str, request: Request, rented: Iterable[Attached]) -> Reply:
        """Remove an application; what its numbers do then is a switch.

        A JSON body, as the SDK sends one, is read by nobody: DELETE takes query parameters.
        """
        self._found(app_id)
        query = query_values(request)
        checked(
            query,
            {"cascade": lambda v: v in ("true", "false"), "new_endpoint_application": is_text},
        )
        attached = [number for number in rented if number.app_id == app_id]
        if attached and self._switches.numbers_of_deleted == "refuse":
            raise ApiError(400, "application is attached to a number")
        if self._switches.numbers_of_deleted == "unlink":
            for number in attached:
                number.app_id = None
        del self.by_id[app_id]
        return Reply(204)

    def _record(self, app_id: str) -> dict[str, Any]:
        record = dict(self._found(app_id))
        record[self._switches.log_flag] = record.pop("log_incoming_messages")
        return record

    def _found(self, app_id: str) -> dict[str, Any]:
        if app_id not in self.by_id:
            raise not_found()
        return self.by_id[app_id]

    def _check_name(self, name: str, own_id: str | None) -> None:
        if self._switches.strict_names and not DOCUMENTED_NAME.fullmatch(name):
            raise invalid("app_name")
        taken = any(a["app_name"] == name for i, a in self.by_id.items() if i != own_id)
        if taken and self._switches.duplicate_name:
            raise ApiError(self._switches.duplicate_name, "app_name is already in use")

    def _write(self, app_id: str, values: dict[str, Any]) -> None:
        if values.get("default_number_app"):
            for other in self.by_id.values():
                other["default_app"] = False
        self.by_id[app_id].update({_READ_AS.get(k, k): v for k, v in values.items()})
