"""The five key-value methods of the emulated Management API, with the documented limits."""

from __future__ import annotations

from mask_cli.sandbox.voximplant_kvs import (
    DEFAULT_ITEMS,
    DEFAULT_LIFE,
    KEY,
    LONGEST_KEY,
    LONGEST_LIFE,
    LONGEST_VALUE,
    MOST_ITEMS,
    Stored,
)
from mask_cli.sandbox.voximplant_methods import Account, ApiError, Methods, Parameters

KEY_VALUE_METHODS = Methods()
_ITEM = "key application_id application_name"
_LIST = "key application_id application_name count offset"


@KEY_VALUE_METHODS.add("SetKeyValueItem", f"{_ITEM} value ttl expires_at")
def _set(account: Account, parameters: Parameters) -> dict[str, object]:
    key = _checked_key(parameters.required("key"))
    value = parameters.required("value")
    if len(value) > LONGEST_VALUE:
        raise ApiError(477, f"The 'value' length should not exceed {LONGEST_VALUE}.")
    now = account.clock.now()
    item = Stored(key, value, _expiry(parameters, now))
    store = account.application(parameters).store
    if account.switches.existing == "kept":
        item = store.get(key, now) or item
    store.set(item)
    return {"result": _shown(item)}


@KEY_VALUE_METHODS.add("DelKeyValueItem", _ITEM)
def _delete(account: Account, parameters: Parameters) -> dict[str, object]:
    key = _checked_key(parameters.required("key"))
    if account.application(parameters).store.delete(key, account.clock.now()):
        return {"result": 1}
    return _missing(account.switches.missing_delete, account.switches.missing_code)


@KEY_VALUE_METHODS.add("GetKeyValueItem", _ITEM)
def _get(account: Account, parameters: Parameters) -> dict[str, object]:
    key = _checked_key(parameters.required("key"))
    item = account.application(parameters).store.get(key, account.clock.now())
    if item is not None:
        return {"result": _shown(item)}
    return _missing(account.switches.missing_get, account.switches.missing_code)


@KEY_VALUE_METHODS.add("GetKeyValueItems", _LIST)
def _items(account: Account, parameters: Parameters) -> dict[str, object]:
    parameters.required("key")
    return {"result": [_shown(item) for item in _page(account, parameters)]}


@KEY_VALUE_METHODS.add("GetKeyValueKeys", _LIST)
def _keys(account: Account, parameters: Parameters) -> dict[str, object]:
    page = _page(account, parameters)
    return {"result": [{"key": item.key, "expires_at": item.expires_at} for item in page]}


def _page(account: Account, parameters: Parameters) -> list[Stored]:
    pattern = _checked_key(parameters.text("key") or "")
    count = parameters.in_range("count", 1, MOST_ITEMS) or DEFAULT_ITEMS
    offset = parameters.in_range("offset", 0, 10**12) or 0
    if account.switches.offset == "ignored":
        offset = 0
    store = account.application(parameters).store
    return store.page(pattern, account.switches.pattern, (count, offset), account.clock.now())


def _checked_key(key: str) -> str:
    if len(key) > LONGEST_KEY:
        raise ApiError(477, f"The 'key' length should not exceed {LONGEST_KEY}.")
    if not KEY.fullmatch(key):
        raise ApiError(496, "The 'key' parameter is invalid.")
    return key


def _expiry(parameters: Parameters, now: int) -> int:
    if None not in (parameters.text("ttl"), parameters.text("expires_at")):
        raise ApiError(458, "Specify only one of the following parameters: ttl, expires_at.")
    expires_at = parameters.in_range("expires_at", now, now + LONGEST_LIFE)
    if expires_at is not None:
        return expires_at
    ttl = parameters.in_range("ttl", 0, LONGEST_LIFE)
    return now + (DEFAULT_LIFE if ttl is None else ttl)


def _shown(item: Stored) -> dict[str, object]:
    return {"key": item.key, "value": item.value, "expires_at": item.expires_at}


def _missing(answer: str, code: int) -> dict[str, object]:
    if answer == "error":
        raise ApiError(code, "The key is not found.")
    answers: dict[str, object] = {"null": None, "object": {}, "list": [], "one": 1}
    return {"result": answers[answer]}
