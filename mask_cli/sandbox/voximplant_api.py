"""The emulated Management API over HTTPS: how a call is read, carried out and answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from mask_cli.sandbox.server import CONTROL, Cut, Reply
from mask_cli.sandbox.voximplant_account import ACCOUNT_METHODS
from mask_cli.sandbox.voximplant_faults import Faults, error_body, json_reply
from mask_cli.sandbox.voximplant_history import HISTORY_METHODS
from mask_cli.sandbox.voximplant_kvs_methods import KEY_VALUE_METHODS
from mask_cli.sandbox.voximplant_methods import Account, ApiError, Method
from mask_cli.sandbox.voximplant_numbers import NUMBER_METHODS
from mask_cli.sandbox.voximplant_roles import check_role
from mask_cli.sandbox.voximplant_scenarios import SCENARIO_METHODS
from mask_cli.sandbox.voximplant_secrets import SECRET_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mask_cli.sandbox.server import Request
    from mask_cli.sandbox.voximplant_tokens import Tokens

ROOT = "/platform_api"
AUTHORIZATION_CODES = frozenset({100, 433, 447, 454, 455, 456})

METHODS: dict[str, Method] = {
    **ACCOUNT_METHODS,
    **KEY_VALUE_METHODS,
    **SCENARIO_METHODS,
    **NUMBER_METHODS,
    **SECRET_METHODS,
    **HISTORY_METHODS,
}
"""All methods by name; a new theme adds its table here."""


@dataclass(frozen=True)
class VoximplantApi:
    """Answers requests: control calls, faults that wait, then the method itself."""

    account: Account
    tokens: Tokens
    faults: Faults
    control: Callable[[Request], Reply]

    def answer(self, request: Request) -> Reply | Cut:
        """Answer one request, or say how to cut its connection."""
        if request.path.startswith(CONTROL):
            return self.control(request)
        if request.method not in ("GET", "POST") or not _in_root(request.path):
            return Reply(404, b"<html>404 Not Found</html>", (("Content-Type", "text/html"),))
        values = read_parameters(request)
        command = values.pop("cmd", None) or request.path[len(ROOT) :].strip("/") or None
        request.entry.command, request.entry.key = command, values.get("key")
        delay, fault = self.faults.take(command)
        if delay:
            request.stopping.wait(delay)
        if fault is None:
            return self._carry_out(command, values, request)
        request.entry.fault = fault.kind
        return fault.act(lambda: self._carry_out(command, values, request), request)

    def _carry_out(self, command: str | None, values: Mapping[str, str], request: Request) -> Reply:
        try:
            method = _method(command)
            self.tokens.check(request.headers["Authorization"], self.account.clock.now())
            check_role(command or "", self.account.switches)
            return json_reply(method.call(self.account, values))
        except ApiError as error:
            denied = error.code in AUTHORIZATION_CODES
            status = self.account.switches.denied_status if denied else 200
            return json_reply(error_body(error.code, error.message), status)


def _method(command: str | None) -> Method:
    if command is None:
        raise ApiError(102)
    if command not in METHODS:
        raise ApiError(103)
    return METHODS[command]


def _in_root(path: str) -> bool:
    """Tell whether the path is the root alone or the root and one method name."""
    rest = path.removeprefix(ROOT)
    return rest != path and re.fullmatch(r"(/\w*)?/?", rest) is not None


def read_parameters(request: Request) -> dict[str, str]:
    """Return the parameters of query and body; a repeated one is a list, joined by `;`."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    if request.body:
        pairs += _body_pairs(request)
    values: dict[str, str] = {}
    for name, value in pairs:
        values[name] = f"{values[name]};{value}" if name in values else value
    return values


def _body_pairs(request: Request) -> list[tuple[str, str]]:
    kind = request.headers.get_content_type()
    if kind == "multipart/form-data":
        return _multipart_pairs(request)
    text = request.body.decode("utf-8", errors="replace")
    if kind == "application/json":
        return _json_pairs(text)
    return parse_qsl(text, keep_blank_values=True)


def _multipart_pairs(request: Request) -> list[tuple[str, str]]:
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=policy.HTTP).parsebytes(head + request.body)
    pairs = []
    for part in message.iter_parts():
        name = part.get_param("name", header="Content-Disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            pairs.append((name, payload.decode("utf-8", errors="replace")))
    return pairs


def _json_pairs(text: str) -> list[tuple[str, str]]:
    try:
        value = json.loads(text)
    except ValueError:
        return []
    if not isinstance(value, dict):
        return []
    return [(k, v if isinstance(v, str) else json.dumps(v)) for k, v in value.items()]
