"""Look for what will go wrong: settings, files, database, provider. Nothing is changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from mask_cli.config import readable_by_others
from mask_cli.errors import MaskError
from mask_cli.store import schema
from mask_cli.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mask_cli.cli.context import AppContext

CHECK_FIELDS = ("check", "result", "detail", "hint")
CLOCK_TOLERANCE = 60
"""Seconds that our clock may differ from the provider's."""

Result = Literal["ok", "warning", "failed", "skipped"]
Check = dict[str, str | None]
_Findings = "Iterator[tuple[Result, str, str | None]]"


def examined(mask: AppContext, *, offline: bool) -> list[Check]:
    """Return every check with its result: ok, warning, failed or skipped."""
    checks: list[tuple[str, Callable[[AppContext], Iterator[tuple[Result, str, str | None]]]]] = [
        ("settings", _settings),
        ("database", _database),
        ("credentials", _credentials),
    ]
    if not offline:
        checks.append(("provider", _provider))
    checks.append(("pending", _pending))
    found: list[Check] = []
    for name, check in checks:
        try:
            findings = list(check(mask))
        except MaskError as error:
            findings = [("failed", error.message, error.hint)]
        found += [
            {"check": name, "result": result, "detail": detail, "hint": hint}
            for result, detail, hint in findings
        ]
    return found


def _settings(mask: AppContext) -> Iterator[tuple[Result, str, str | None]]:
    file = mask.settings.file
    yield "ok", f"{file}{'' if file.exists() else ' (none: defaults and environment)'}", None
    if mask.settings["region"]:
        yield "ok", f"national numbers are read as in {mask.settings['region']}", None


def _database(mask: AppContext) -> Iterator[tuple[Result, str, str | None]]:
    path = mask.settings.database
    used = mask.store.used_orders()
    yield "ok", f"{path}: {used} mappings, format {schema.VERSION}", None
    for place in (path, path.parent):
        if readable_by_others(place) and os.access(path, os.R_OK):
            yield "warning", f"{place} is open to others on this computer", f"chmod go= {place}"
    space = 10 ** mask.settings["order_digits"]
    if used > space * 0.9:
        yield (
            "warning",
            f"{used} of {space} order numbers are in use",
            "mask prune, or raise order_digits",
        )


def _credentials(mask: AppContext) -> Iterator[tuple[Result, str, str | None]]:
    if mask.site is None:
        yield "skipped", "no provider is configured", "set VOXIMPLANT_CREDENTIALS to push"
        return
    mask.site.account.client  # noqa: B018 (building it checks the key)
    credentials = mask.site.credentials
    yield "ok", f"{credentials.path}: account {credentials.account_id}", None
    if credentials.warning:
        yield "warning", credentials.warning, f"chmod 600 {credentials.path}"


def _provider(mask: AppContext) -> Iterator[tuple[Result, str, str | None]]:
    if mask.site is None:
        return
    mask.site.account.account_info()
    target = mask.site.looked_up(mask.store)
    yield "ok", f"{target.endpoint}: application {target.application}", None
    difference = mask.site.account.clock_difference
    if difference is not None and abs(difference) > CLOCK_TOLERANCE:
        yield (
            "warning",
            f"our clock is {format_duration(abs(difference))}"
            f" {'ahead of' if difference > 0 else 'behind'} the provider's",
            "set the clock, as with NTP: expiry times depend on it",
        )


def _pending(mask: AppContext) -> Iterator[tuple[Result, str, str | None]]:
    target, now = mask.target(), mask.now()
    if target is None:
        return
    waiting = refused = 0
    for _, _, item in mask.store.pending(target, now):
        waiting += 1
        refused += item is not None and item.refused
    result: Result = "failed" if refused else "warning" if waiting else "ok"
    yield result, f"{waiting} pending, {refused} of them refused", "mask sync" if waiting else None
    elsewhere = mask.store.items_elsewhere(target, now)
    if elsewhere:
        yield (
            "warning",
            f"{elsewhere} items are still live where earlier settings pushed to",
            "expire or delete with those settings, or wait until they end by themselves",
        )
