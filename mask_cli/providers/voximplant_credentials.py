"""The service account's file, checked before any call is made with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from mask_cli.errors import ConfigurationError

_LARGEST = 64 * 1024
_HINT = "download a new key in the Voximplant panel, Settings / Service accounts"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the file says; `warning` is set when others on this computer may read it."""

    path: Path
    account_id: str
    key_id: str
    private_key: str = field(repr=False)
    account_email: str | None = None
    warning: str | None = None


def load_credentials(path: str | Path) -> Credentials:
    """Read a credentials file, or raise ConfigurationError naming what is wrong with it.

    The key itself is only looked at when a client is made: that needs a slow import.
    """
    path = Path(path).expanduser()
    fields = _fields(path, _text(path))
    account = fields.get("account_id")
    if isinstance(account, int) and not isinstance(account, bool):
        account = str(account)
    if not isinstance(account, str) or not (account.isascii() and account.isdigit()):
        raise _wrong(path, "has no account_id, or one that is no number")
    for name in ("key_id", "private_key"):
        if not isinstance(fields.get(name), str) or not str(fields[name]).strip():
            raise _wrong(path, f"has no {name}")
    email = fields.get("account_email")
    return Credentials(
        path,
        account,
        str(fields["key_id"]),
        str(fields["private_key"]),
        email if isinstance(email, str) else None,
        _warning(path),
    )


def check_private_key(credentials: Credentials) -> None:
    """Raise ConfigurationError unless the private key is an RSA key in PEM."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(credentials.private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not chained: the cause's text may quote the key.
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise _wrong(credentials.path, "has a private_key that is not an RSA key in PEM") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise _wrong(path, "does not exist") from error
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST:
        raise _wrong(path, "is far too large")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong(path, "is not text") from None


def _fields(path: Path, text: str) -> dict[str, object]:
    if not text.strip():
        raise _wrong(path, "is empty")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise _wrong(path, "is not JSON") from None
    if not isinstance(fields, dict):
        raise _wrong(path, "is not a JSON object")
    return fields


def _warning(path: Path) -> str | None:
    if path.stat().st_mode & 0o077:
        return f"the credentials file {path} can be read by others; run: chmod 600 {path}"
    return None


def _wrong(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(f"the Voximplant credentials file {path} {what}", hint=_HINT)
