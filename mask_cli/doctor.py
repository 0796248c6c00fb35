"""Look for what will go wrong: settings, files, database, provider. Nothing is changed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mask_cli.config import readable_by_others
from mask_cli.errors import MaskError, StorageError, TryLater
from mask_cli.models import RENEW_BELOW, Remote, remote_state
from mask_cli.provision import ANSWER_PATH, HANGUP_PATH, PROVIDER
from mask_cli.redaction import redacted_message
from mask_cli.scenario.render import LONGEST_RING
from mask_cli.store import schema
from mask_cli.times import format_duration, format_time

if TYPE_CHECKING:
    from collections import abc
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mask_cli.config import Settings
    from mask_cli.models import Mapping, RemoteItem
    from mask_cli.providers.base import Application, PlivoAccount
    from mask_cli.remote import RemoteSite
    from mask_cli.store.base import Pool, Store
    from mask_cli.store.upkeep import SqliteUpkeep

CHECK_FIELDS = ("check", "result", "detail", "hint")
CLOCK_TOLERANCE = 60
"""Seconds that our clock may differ from the provider's."""
PENDING_LIMIT = 900
"""Seconds after which what is pending is a failure: cron should have sent it by then."""

_PLIVO_LOGIN = ("plivo.auth_id", "plivo.auth_token")
_UP = "mask plivo up --app NAME --number NUMBER"

Result = Literal["ok", "warning", "failed", "skipped"]
Check = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined; what is a function is called when a check asks, and may raise."""

    settings: Settings
    open_store: Callable[[], Store]
    find_site: Callable[[], RemoteSite | None]
    now: int
    find_plivo: Callable[[], PlivoAccount] | None = None
    open_pool: Callable[[], Pool] | None = None
    open_upkeep: Callable[[], SqliteUpkeep] | None = None
    pending_limit: int = PENDING_LIMIT
    run_limits: abc.Mapping[str, int] = field(default_factory=dict)


def examined(patient: Patient, *, offline: bool) -> list[Check]:
    """Return every check with its result: ok, warning, failed or skipped."""
    checks: list[tuple[str, Callable[[Patient], Iterator[tuple[Result, str, str | None]]]]] = [
        ("settings", _settings),
        ("database", _database),
        ("credentials", _credentials),
    ]
    if not offline:
        checks.append(("provider", _provider))
    checks.append(("plivo", _plivo if not offline else _plivo_settings))
    checks += [("pending", _pending), ("runs", _runs)]
    found: list[Check] = []
    for name, check in checks:
        try:
            findings = list(check(patient))
        except MaskError as error:
            findings = [("failed", error.message, error.hint)]
        found += [
            {"check": name, "result": result, "detail": redacted_message(detail), "hint": hint}
            for result, detail, hint in findings
        ]
    return found


def _settings(patient: Patient) -> Iterator[tuple[Result, str, str | None]]:
    file = patient.settings.file
    yield "ok", f"{file}{'' if file.exists() else ' (none: defaults and environment)'}", None
    if patient.settings["region"]:
        yield "ok", f"national numbers are read as in {patient.settings['region']}", None


def _database(patient: Patient) -> Iterator[tuple[Result, str, str | None]]:
    path = patient.settings.database
    used = patient.open_store().used_orders()
    yield "ok", f"{path}: {used} mappings, format {schema.VERSION}", None
    beside = _side_files(path)
    # SQLite makes them as open as the database is: closing that is enough then.
    private = [] if readable_by_others(path) else beside
    for place in (path, path.parent, *private):
        if readable_by_others(place) and os.access(path, os.R_OK):
            yield "warning", f"{place} is open to others on this computer", f"chmod go= {place}"
    yield from _writing(patient, path, beside)
    space = 10 ** patient.settings["order_digits"]
    if used > space * 0.9:
        yield (
            "warning",
            f"{used} of {space} order numbers are in use",
            "mask prune, or raise order_digits",
        )


def _side_files(path: Path) -> list[Path]:
    """Return what SQLite keeps beside the database while somebody has it open, or after a crash."""
    real = path.resolve()
    names = (real.name + "-wal", real.name + "-shm")
    return [place for name in names if (place := real.with_name(name)).exists()]


def _writing(
    patient: Patient, path: Path, beside: list[Path]
) -> Iterator[tuple[Result, str, str | None]]:
    """Tell what keeps us from writing: a read-only file is one that can be read for months."""
    closed = [place for place in (path, *beside) if not os.access(place, os.W_OK)]
    for place in closed:
        yield "failed", f"{place} cannot be written", f"check its owner; chmod u+w {place}"
    try:
        with patient.open_store().writing(keep=False):
            pass
    except TryLater as error:
        yield "warning", error.message, error.hint
    except StorageError as error:
        # Named above is better than what SQLite says of the three files together.
        if not closed:
            yield "failed", error.message, error.hint


def _credentials(patient: Patient) -> Iterator[tuple[Result, str, str | None]]:
    site = patient.find_site()
    if site is None:
        yield "skipped", "no provider is configured", "set VOXIMPLANT_CREDENTIALS to push"
        return
    site.account.client  # noqa: B018 (building it checks the key)
    credentials = site.credentials
    yield "ok", f"{credentials.path}: account {credentials.account_id}", None
    if credentials.warning:
        yield "warning", credentials.warning, f"chmod 600 {credentials.path}"
    if patient.settings["ring_timeout"] > LONGEST_RING:
        wanted, longest = map(format_duration, (patient.settings["ring_timeout"], LONGEST_RING))
        yield "warning", f"ring_timeout is {wanted}; Voximplant rings for {longest} at most", None


def _provider(patient: Patient) -> Iterator[tuple[Result, str, str | None]]:
    site = patient.find_site()
    if site is None:
        return
    site.account.account_info()
    target = site.looked_up(patient.open_store())
    yield "ok", f"{target.endpoint}: application {target.application}", None
    problem = clock_problem(site.account.clock_difference)
    if problem is not None:
        yield "warning", problem, "set the clock, as with NTP: expiry times depend on it"


def _runs(patient: Patient) -> Iterator[tuple[Result, str, str | None]]:
    if patient.open_upkeep is None:
        return
    for name in ("sync", "prune"):
        last = patient.open_upkeep().last_run(name)
        good = None if last is None else last.last_good_at
        limit = patient.run_limits.get(name)
        late = limit is not None and (good is None or patient.now - good > limit)
        if last is None:
            result: Result = "failed" if late else "ok"
            yield result, f"{name} has not run yet", f"cron: mask {name} --quiet"
            continue
        detail = f"{name} last ended well: {'never' if good is None else format_time(good)}"
        if last.exit_code:
            detail += f"; the last one ended with {last.exit_code} at {format_time(last.ended_at)}"
        result = "failed" if late else "warning" if last.exit_code else "ok"
        yield result, detail, None if result == "ok" else f"mask {name} tells why"


def _waiting_since(
    store: Store, order: str, mapping: Mapping | None, item: RemoteItem | None, now: int
) -> int:
    """Return when an order became pending, as far as that can be told."""
    if mapping is None:
        last = next(store.audit(order, 1), None)
        return now if last is None else last.at
    if mapping.expires_at <= now:
        return max(mapping.updated_at, mapping.expires_at)
    if item is not None and item.intent is None and item.revision == mapping.revision:
        return max(mapping.updated_at, (item.expires_at or now) - RENEW_BELOW)
    return mapping.updated_at


def all_well(checks: list[Check]) -> bool:
    """Tell whether nothing needs anybody's attention."""
    return all(check["result"] in ("ok", "skipped") for check in checks)


def clock_problem(difference: int | None) -> str | None:
    """Put into words that the provider's clock is far ahead of (above zero) or behind ours."""
    if difference is None or abs(difference) <= CLOCK_TOLERANCE:
        return None
    way = "behind" if difference > 0 else "ahead of"
    return f"our clock is {format_duration(abs(difference))} {way} the provider's"


def _pending(patient: Patient) -> Iterator[tuple[Result, str, str | None]]:
    store, site, now = patient.open_store(), patient.find_site(), patient.now
    target = None if site is None else site.target(store)
    if target is None:
        return
    waiting = refused = 0
    since = now
    for order, mapping, item in store.pending(target, now):
        waiting += 1
        refused += remote_state(mapping, item, now) is Remote.FAILED
        since = min(since, _waiting_since(store, order, mapping, item, now))
    late = now - since > patient.pending_limit
    result: Result = "failed" if refused or late else "ok"
    age = f", the oldest for {format_duration(now - since)}" if waiting else ""
    detail = f"{waiting} pending{age}, {refused} of them refused"
    yield result, detail, "mask sync" if waiting else None
    elsewhere = store.items_elsewhere(target, now)
    if elsewhere:
        yield (
            "warning",
            f"{elsewhere} items are still live where earlier settings pushed to",
            "expire or delete with those settings, or wait until they end by themselves",
        )


def _plivo_settings(patient: Patient) -> Iterator[tuple[Result, str, str | None]]:
    if patient.find_plivo is None or not any(map(patient.settings.__getitem__, _PLIVO_LOGIN)):
        yield "skipped", "Plivo is not configured", "set PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN"
        return
    patient.find_plivo()
    yield "ok", "credentials are set", None


def _plivo(patient: Patient) -> Iterator[tuple[Result, str, str | None]]:
    settled = list(_plivo_settings(patient))
    if patient.find_plivo is None or settled[0][0] != "ok":
        yield from settled
        return
    account = patient.find_plivo()
    applications = list(account.applications())
    yield "ok", f"credentials are accepted; applications: {len(applications)}", None
    public_url = patient.settings["public_url"]
    if public_url is None:
        yield "skipped", "no public URL to look for", "set MASK_PUBLIC_URL"
        return
    answering = [a for a in applications if a.answer_url == public_url + ANSWER_PATH]
    yield from _answering(answering, public_url)
    yield from _led(patient, account, {application.app_id for application in answering})


def _answering(
    applications: list[Application], public_url: str
) -> Iterator[tuple[Result, str, str | None]]:
    """Tell which applications Plivo asks us for, and whether they tell us of hangups."""
    if not applications:
        yield "warning", f"no application asks {public_url}", _UP
    for application in applications:
        if application.hangup_url == public_url + HANGUP_PATH:
            yield "ok", f"the application {application.name} asks {public_url}", None
        else:
            yield "warning", f"hangups of {application.name} are told elsewhere", _UP


def _led(
    patient: Patient, account: PlivoAccount, answering: set[str]
) -> Iterator[tuple[Result, str, str | None]]:
    """Compare the numbers that lead to us with those that are given out."""
    led = {rented.number for rented in account.numbers() if rented.app_id in answering}
    if answering:
        yield (
            "ok" if led else "warning",
            f"numbers that lead there: {len(led)}",
            None if led else _UP,
        )
    pool = patient.open_pool().numbers() if patient.open_pool is not None else []
    for entry in pool:
        if (entry.provider, entry.state) == (PROVIDER, "active") and entry.number not in led:
            yield "failed", f"{entry.number} is given out, but calls to it do not reach us", _UP
