"""Secrets of an application, of the emulated Management API."""

from __future__ import annotations

import re

from mask_cli.sandbox.voximplant_account import date_time, listing
from mask_cli.sandbox.voximplant_methods import (
    Account,
    ApiError,
    Application,
    Methods,
    Parameters,
)
from mask_cli.sandbox.voximplant_things import Secret

SECRET_METHODS = Methods()
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_LONGEST_VALUE = 8192
_LONGEST_DESCRIPTION = 200
_APPLICATION = "application_id application_name"
_ONE = f"{_APPLICATION} secret_id secret_name"


@SECRET_METHODS.add("AddSecret", f"{_APPLICATION} secret_name secret_value description")
def _add(account: Account, parameters: Parameters) -> dict[str, object]:
    application = account.application(parameters)
    name = _free_name(application, parameters.required("secret_name"))
    value = _value(parameters.required("secret_value"))
    now = account.clock.now()
    description = (parameters.text("description") or "")[:_LONGEST_DESCRIPTION]
    secret = Secret(account.next_id(), name, value, now, now, description)
    application.secrets[secret.secret_id] = secret
    shown = _shown(secret)
    return {"result": [shown] if account.switches.added == "list" else shown}


@SECRET_METHODS.add("GetSecrets", f"{_APPLICATION} secret_name_part count offset")
def _list(account: Account, parameters: Parameters) -> dict[str, object]:
    part = parameters.text("secret_name_part") or ""
    secrets = account.application(parameters).secrets.values()
    return listing([_shown(secret) for secret in secrets if part in secret.name], parameters)


@SECRET_METHODS.add("GetSecretValue", _ONE)
def _get_value(account: Account, parameters: Parameters) -> dict[str, object]:
    secret = _one(account.application(parameters), parameters)
    return {"result": {**_shown(secret), "secret_value": secret.value}}


@SECRET_METHODS.add("SetSecretInfo", f"{_ONE} new_secret_name secret_value description")
def _set(account: Account, parameters: Parameters) -> dict[str, object]:
    application = account.application(parameters)
    secret = _one(application, parameters)
    name, value = parameters.text("new_secret_name"), parameters.text("secret_value")
    if name is not None:
        secret.name = _free_name(application, name)
    if value is not None:
        secret.value = _value(value)
    secret.modified = account.clock.now()
    return {"result": 1}


@SECRET_METHODS.add("DelSecret", _ONE)
def _delete(account: Account, parameters: Parameters) -> dict[str, object]:
    application = account.application(parameters)
    del application.secrets[_one(application, parameters).secret_id]
    return {"result": 1}


def _one(application: Application, parameters: Parameters) -> Secret:
    number, name = parameters.integer("secret_id", error=496), parameters.text("secret_name")
    if number is None and name is None:
        raise ApiError(485, "Specify the 'secret_id' parameter.")
    for secret in application.secrets.values():
        if number in (None, secret.secret_id) and name in (None, secret.name):
            return secret
    raise ApiError(496, "The 'secret_id' parameter is invalid.")


def _free_name(application: Application, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ApiError(496, "The 'secret_name' parameter is invalid.")
    if any(secret.name == name for secret in application.secrets.values()):
        raise ApiError(493, "The 'secret_name' is not unique.")
    return name


def _value(text: str) -> str:
    if len(text) > _LONGEST_VALUE:
        raise ApiError(477, f"The 'secret_value' length should not exceed {_LONGEST_VALUE}.")
    return text


def _shown(secret: Secret) -> dict[str, object]:
    return {
        "secret_id": secret.secret_id,
        "secret_name": secret.name,
        "description": secret.description,
        "created": date_time(secret.created),
        "modified": date_time(secret.modified),
    }
