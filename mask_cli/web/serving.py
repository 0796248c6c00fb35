"""Get ready to serve: what has to be true before the first request."""

from __future__ import annotations

import secrets
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mask_cli.errors import ConfigurationError, SafetyStop
from mask_cli.web.site import Site, site_of, tokens_of

if TYPE_CHECKING:
    from mask_cli.config import Settings

_PACKAGES = ("starlette", "uvicorn", "prometheus_client")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def need_packages() -> None:
    """Raise ConfigurationError with the command to run when the extra is not installed."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the server needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'mask-cli[serve]'",
        )


def checked_site(settings: Settings, host: str, port: int, *, insecure: bool) -> Site:
    """Return the site to serve on an address, or raise: nobody unsigned is ever answered.

    Only on loopback may requests be unsigned, and the public address be the local one.
    """
    need_packages()
    tokens = tokens_of(settings)
    local = host in _LOOPBACK
    if insecure and not local:
        raise SafetyStop(
            f"--insecure answers anybody, and {host} can be reached by others",
            hint="leave --host at 127.0.0.1, or set PLIVO_AUTH_TOKEN and drop --insecure",
        )
    public_url = settings["public_url"]
    if insecure and public_url and urlsplit(public_url).hostname not in _LOOPBACK:
        raise SafetyStop(
            "--insecure answers anybody, and the public address leads here from elsewhere",
            hint="set PLIVO_AUTH_TOKEN and drop --insecure, or unset the public address",
        )
    if not tokens and settings["voximplant.report_secret"] and not insecure:
        # Call reports alone: a token that nobody knows refuses all that claims to be Plivo's.
        tokens = (secrets.token_hex(32),)
    if not tokens and not insecure:
        raise ConfigurationError(
            "without a token nobody can tell Plivo's requests from others'",
            hint="set PLIVO_AUTH_TOKEN (or, for Voximplant's reports alone,"
            " MASK_VOXIMPLANT_REPORT_SECRET), or try it with --insecure on loopback",
        )
    if public_url is None and not local:
        raise ConfigurationError(
            "signatures are made for the public address, and none is set",
            hint="give --public-url https://... or set MASK_PUBLIC_URL",
        )
    return site_of(
        settings,
        public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}",
        tokens=() if insecure else tokens,
    )
