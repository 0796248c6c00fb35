"""What the control calls of both sandboxes share: they need no token and are not logged.

`GET /sandbox/requests` (`?command=`) is in both; the others stand in `voximplant_control.py` and
`plivo_control.py`. Bad ones are answered with 400.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from mask_cli.sandbox.server import CONTROL, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mask_cli.sandbox.server import Request, RequestLog


def answer(
    request: Request,
    log: RequestLog,
    calls: Mapping[tuple[str, str], Callable[[Request], object]],
) -> Reply:
    """Answer a control call, one of `calls` by method and name, with JSON."""
    call = calls.get((request.method, request.path.removeprefix(CONTROL)))
    if (request.method, request.path) == ("GET", CONTROL + "requests"):
        command = parse_qs(request.query).get("command", [None])[0]
        return _json(200, [asdict(entry) for entry in log.entries(command)])
    if call is None:
        return _json(404, {"error": "there is no such control call"})
    try:
        return _json(200, call(request))
    except ValueError as error:
        return _json(400, {"error": str(error)})


def json_object(request: Request) -> dict[str, Any]:
    """Return the object in a request's body; ValueError when it is none."""
    value = json.loads(request.body)
    if not isinstance(value, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 (answered with 400)
    return value


def _json(status: int, value: object) -> Reply:
    return Reply(status, json.dumps(value).encode(), (("Content-Type", "application/json"),))
