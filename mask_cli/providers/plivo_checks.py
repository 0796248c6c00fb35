"""What is looked at before it may reach Plivo, or an address of Plivo's."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mask_cli.errors import BadData, ConfigurationError
from mask_cli.redaction import redacted_value

if TYPE_CHECKING:
    from mask_cli.models import PhoneNumber

_AUTH_ID = re.compile(r"(?:MA|SA)[A-Z0-9]{18}")
_AUTH_TOKEN = re.compile(r"[!-~]{1,200}")
_CREDENTIALS = "set PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN"


def is_auth_id(text: object) -> bool:
    """Tell whether this is the name of an account or subaccount, which is no secret."""
    return isinstance(text, str) and _AUTH_ID.fullmatch(text) is not None


def checked_credentials(auth_id: str | None, auth_token: str | None) -> tuple[str, str]:
    """Return both, or raise: with either missing the SDK would silently take others."""
    if not auth_id or not auth_token:
        name = "PLIVO_AUTH_TOKEN" if auth_id else "PLIVO_AUTH_ID"
        raise ConfigurationError(f"{name} is not set", hint=_CREDENTIALS)
    if not is_auth_id(auth_id):
        raise ConfigurationError(
            "PLIVO_AUTH_ID is not MA or SA and 18 capitals or digits", hint=_CREDENTIALS
        )
    if not _AUTH_TOKEN.fullmatch(auth_token):
        raise ConfigurationError("PLIVO_AUTH_TOKEN holds what no token does", hint=_CREDENTIALS)
    return auth_id, auth_token


def checked_endpoint(endpoint: str) -> str:
    """Return the address, or raise: TLS everywhere but on this computer."""
    if is_secure_url(endpoint, query=False):
        return endpoint
    raise ConfigurationError(
        "MASK_PLIVO_ENDPOINT is not an https address",
        hint="plain http is for loopback only, as in http://127.0.0.1:8080",
    )


def checked_ca_bundle(path: str | None) -> str | None:
    """Return the file or folder of TLS authorities, or raise: requests tells much later."""
    if path is None:
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if Path(path).is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:
        raise ConfigurationError(
            f"the TLS authorities in {path} cannot be loaded: {error.strerror or error}",
            hint="check REQUESTS_CA_BUNDLE and SSL_CERT_FILE",
        ) from error
    return path


def is_secure_url(text: str, *, query: bool) -> bool:
    """Tell whether it is an address in ASCII, https or http to this computer.

    Without credentials and fragment, and without a query unless `query` allows one.
    """
    if not re.fullmatch(r"[!-~]+", text) or "#" in text or ("?" in text and not query):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
    return secure and bool(parts.hostname) and "@" not in parts.netloc


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def checked_app_id(app_id: str) -> str:
    """Return the id, or raise: the SDK puts it into the address as it is."""
    if re.fullmatch(r"[0-9]{1,20}", app_id, re.ASCII):
        return app_id
    raise BadData(f"{redacted_value(app_id)} is not an application's id", hint="ids are digits")


def checked_digits(number: PhoneNumber) -> str:
    """Return the number as Plivo's addresses hold it, or raise."""
    if re.fullmatch(r"[0-9]{3,15}", number.digits, re.ASCII):
        return number.digits
    raise BadData(f"{redacted_value(number.e164)} is not a phone number")
