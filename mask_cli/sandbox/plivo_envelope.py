"""What every answer of the emulated Plivo API is made of: envelopes, errors, pages, parameters."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from mask_cli.sandbox.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mask_cli.sandbox.server import Request

_SUBACCOUNT = re.compile(r"SA[A-Z0-9]{18}")
PAGE_LIMIT = 20
"""Most objects on one page, and how many without a `limit`."""


class ApiError(Exception):
    """An answer other than the wanted one, with the service's flat error envelope."""

    def __init__(self, status: int, error: str, *headers: tuple[str, str]) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = headers


def json_reply(status: int, values: Mapping[str, Any], *headers: tuple[str, str]) -> Reply:
    """Return an answer with the `api_id` that every JSON answer carries."""
    body = json.dumps({"api_id": str(uuid.uuid4()), **values}).encode()
    return Reply(status, body, (("Content-Type", "application/json"), *headers))


def missing(name: str) -> ApiError:
    """Return the documented refusal of a request without a required parameter."""
    return ApiError(400, f"{name} parameter is missing")


def invalid(name: str) -> ApiError:
    """Return the refusal of a parameter's value."""
    return ApiError(400, f"{name} parameter is invalid")


def not_found() -> ApiError:
    """Return the documented answer for an unknown id."""
    return ApiError(404, "not found")


def is_flag(value: object) -> bool:
    """Tell whether it is a JSON boolean."""
    return isinstance(value, bool)


def is_subaccount(value: object) -> bool:
    """Tell whether it is the id of a subaccount."""
    return isinstance(value, str) and _SUBACCOUNT.fullmatch(value) is not None


def is_text(value: object) -> bool:
    """Tell whether it is a string, also an empty one."""
    return isinstance(value, str)


def is_url(value: object) -> bool:
    """Tell whether it begins like a web address; the empty string unsets one."""
    return isinstance(value, str) and (not value or value.startswith(("http://", "https://")))


def is_method(value: object) -> bool:
    """Tell whether it is a method that a webhook may have."""
    return value in ("GET", "POST")


def checked(values: Mapping[str, Any], known: Mapping[str, Callable[[Any], bool]]) -> None:
    """Raise 400 for a parameter that is not known or whose value is not acceptable."""
    for name, value in values.items():
        if name not in known:
            raise ApiError(400, f"{name} is not a known parameter")
        if not known[name](value):
            raise invalid(name)


def query_values(request: Request) -> dict[str, str]:
    """Return the query parameters of a GET or DELETE; one given twice is refused."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ApiError(400, "a parameter is given twice")
    return values


def json_values(request: Request) -> dict[str, Any]:
    """Return the JSON object of a POST; nothing else is taken."""
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(400, "Content-Type must be application/json")
    try:
        values = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not JSON") from None
    if not isinstance(values, dict):
        raise ApiError(400, "the body is not a JSON object")
    return values


def page(path: str, query: Mapping[str, str], objects: Sequence[Mapping[str, Any]]) -> Reply:
    """Return one page of a list, with relative addresses of its neighbours."""
    limit = _whole(query, "limit", PAGE_LIMIT)
    offset = _whole(query, "offset", 0)
    if not 1 <= limit <= PAGE_LIMIT:
        raise invalid("limit")

    def link(where: int) -> str:
        return f"{path}?{urlencode({**query, 'limit': limit, 'offset': where})}"

    meta = {
        "limit": limit,
        "offset": offset,
        "next": link(offset + limit) if offset + limit < len(objects) else None,
        "previous": link(max(0, offset - limit)) if offset else None,
        "total_count": len(objects),
    }
    return json_reply(200, {"meta": meta, "objects": list(objects[offset : offset + limit])})


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 (no real offset)
        raise invalid(name)
    return int(text)
