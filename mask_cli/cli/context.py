"""What a command works with, each part built when first asked for."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mask_cli.cli.endings import exit_code
from mask_cli.config import Settings, load_settings
from mask_cli.errors import (
    ExitCode,
    FileProblem,
    MaskError,
    PartlyDone,
    ProviderRefused,
    ProviderUnavailable,
    TryLater,
)
from mask_cli.models import Remote, remote_state
from mask_cli.orders import Orders
from mask_cli.output import Format, Output
from mask_cli.records import MAPPING_FIELDS, Record, gone_record, mapping_record
from mask_cli.redaction import redacted_message
from mask_cli.store.base import AuditRow
from mask_cli.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mask_cli.models import Mapping, PhoneNumber, RemoteItem, Target
    from mask_cli.orders import Change
    from mask_cli.pooled import StoredPool
    from mask_cli.providers.plivo import PlivoClient
    from mask_cli.providers.voximplant_account import VoximplantAccount
    from mask_cli.remote import RemoteSite
    from mask_cli.store.locks import RunLock
    from mask_cli.store.upkeep import SqliteUpkeep
    from mask_cli.sync import Pusher

CHANGED_FIELDS = (*MAPPING_FIELDS, "changed", "allocation", "asks")
_OVERRIDABLE = ("public_url",)
"""Settings that some command has an option for."""
_PATIENCE = 5.0
"""Seconds that a command waits for another process to finish with the same order."""


def utc_now() -> int:
    """Return the time in UTC seconds; a function, as it travels to other processes."""
    return int(datetime.now(UTC).timestamp())


@dataclass
class AppContext:
    """One run of the program; `flags` holds the global options by name."""

    flags: dict[str, Any] = field(default_factory=dict)
    command: str = "mask"
    _locks: list[RunLock] = field(default_factory=list)

    @cached_property
    def settings(self) -> Settings:
        """The settings in force."""
        names = ("config", "database", *_OVERRIDABLE)
        flags: dict[str, str] = {n: self.flags[n] for n in names if n in self.flags}
        return load_settings(flags)

    @cached_property
    def store(self) -> SqliteStore:
        """The database."""
        return SqliteStore(self.settings.database)

    @cached_property
    def output(self) -> Output:
        """The printer."""
        return Output(
            format=Format(self.flags.get("format", Format.AUTO)),
            quiet="quiet" in self.flags,
            color="no_color" not in self.flags,
            reveal=self._audited_reveal if "reveal" in self.flags else None,
        )

    @cached_property
    def site(self) -> RemoteSite | None:
        """Where mappings are pushed to; None when no provider is configured."""
        if not self.settings["voximplant.credentials"]:
            return None
        from mask_cli.remote import remote_site

        site = remote_site(self.settings)
        if site is not None and site.credentials.warning:
            self.output.warn(site.credentials.warning)
        return site

    @cached_property
    def plivo(self) -> PlivoClient:
        """The Plivo account; ConfigurationError when its credentials are not set."""
        from mask_cli.config import tls_authorities
        from mask_cli.providers.plivo import PlivoClient

        settings = self.settings
        return PlivoClient(
            settings["plivo.auth_id"],
            settings["plivo.auth_token"],
            endpoint=settings["plivo.endpoint"],
            ca_bundle=tls_authorities(),
        )

    @cached_property
    def voximplant(self) -> VoximplantAccount:
        """The Voximplant account; ConfigurationError when its credentials are not set."""
        from mask_cli.remote import voximplant_account

        found = voximplant_account(self.settings)
        if found.account.credentials.warning:
            self.output.warn(found.account.credentials.warning)
        return found

    @cached_property
    def upkeep(self) -> SqliteUpkeep:
        """What long runs ask of the database."""
        from mask_cli.store.upkeep import SqliteUpkeep

        return SqliteUpkeep(self.store)

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Hold the lock of `sync` or `prune` during a run, and keep how it ended.

        Raises TryLater at once when another process does the same.
        """
        from mask_cli.store.locks import RunLock

        lock = RunLock(self.store.path, name)
        self._locks.append(lock)
        with lock:
            try:
                yield
            except BaseException as error:
                # A database that cannot be written must not hide what went wrong.
                with suppress(Exception):
                    self.upkeep.note_run(name, self.now(), exit_code(error))
                raise
            self.upkeep.note_run(name, self.now(), ExitCode.DONE)

    def warn_of_clock(self) -> None:
        """Warn when the provider's clock was far from ours in its last answer."""
        from mask_cli.doctor import clock_problem

        difference = None if self.site is None else self.site.account.clock_difference
        problem = clock_problem(difference)
        if problem is not None:
            self.output.warn(f"{problem}; expiry times depend on it")

    @cached_property
    def pool(self) -> StoredPool:
        """The pool of virtual numbers, as provisioning sees it."""
        from mask_cli.pooled import StoredPool

        return StoredPool(self.store, self.now())

    @cached_property
    def actor(self) -> str:
        """Who runs this, as the audit names them."""
        import os
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return str(os.getuid())

    def now(self) -> int:
        """Return the time in UTC seconds."""
        return utc_now()

    def override(self, **settings: str | None) -> None:
        """Put a command's own options above the settings; before any setting is read."""
        self.flags.update({name: text for name, text in settings.items() if text is not None})

    def outside_store(self, file: str) -> Path:
        """Return the path of a file to read or write; FileProblem when it is the database's own.

        To replace it would lose everything, and to close it again drops SQLite's locks on it.
        """
        path, database = Path(file), self.settings.database
        own = {_identity(database.with_name(database.name + end)) for end in ("", "-wal", "-shm")}
        found = _identity(path)
        if found is not None and found in own:
            raise FileProblem(f"{redacted_message(file)} belongs to the database of mask")
        return path

    def check_store(self) -> None:
        """Make the database ready, or raise, and let go of it again: others will open it."""
        self.store.close()
        del self.store

    def close(self) -> None:
        """Let go of the database and of connections."""
        if "store" in self.__dict__:
            self.store.close()
        for lock in self._locks:
            lock.close()
        if self.__dict__.get("site") is not None:
            self.__dict__["site"].close()
        if "plivo" in self.__dict__:
            self.plivo.close()
        if "voximplant" in self.__dict__:
            self.voximplant.account.close()

    def number(self, text: str) -> PhoneNumber:
        """Read a phone number as the settings allow."""
        from mask_cli.phone import parse_number

        return parse_number(text, self.settings["region"])

    def orders(self, *, push: bool = False, dry_run: bool = False) -> Orders:
        """Return the rules of changing mappings; with `push` the provider is made ready first.

        What is wrong with credentials is so found before anything is stored.
        """
        if self.site is not None and push and not dry_run:
            self.site.account.client  # noqa: B018 (building it is the check)
        settings = self.settings
        return Orders(
            self.store,
            settings["order_digits"],
            settings["ttl"],
            self.now(),
            self.actor,
            dry_run=dry_run,
            warn=self.output.warn,
            cool_off=settings["cool_off"],
        )

    def target(self) -> Target | None:
        """Return where mappings are pushed to, as far as it is known without asking."""
        return None if self.site is None else self.site.target(self.store)

    def record(self, mapping: Mapping, item: RemoteItem | None, now: int) -> Record:
        """Return a mapping's record."""
        return mapping_record(mapping, item, now, pushing=self.site is not None)

    def pusher(self, target: Target) -> Pusher:
        """Return what pushes to a target."""
        from mask_cli.sync import Pusher

        site = self.site
        assert site is not None, "only a configured provider has a target"  # noqa: S101
        return Pusher(
            self.store,
            target,
            lambda: site.key_value_store(target),
            self.now,
            self.settings["voximplant.timeout"],
        )

    def finish(
        self, changes: Sequence[Change], *, push: bool = True, dry_run: bool = False
    ) -> None:
        """Push what was changed, print it, and tell what could not be pushed.

        One order prints a record, several print a list.
        """
        failure = None
        if push and not dry_run and self.site is not None:
            failure = self._push([change.order for change in changes])
        records = [self._changed(change) for change in changes]
        if len(records) == 1:
            self.output.record(records[0])
        else:
            self.output.records(CHANGED_FIELDS, records)
        for change in changes:
            if change.allocation is not None and change.allocation.ask:
                self.output.say(
                    f"Order {change.order} shares its number with another order of one of the two:"
                    " callers will be asked for the order number."
                )
        if dry_run:
            self.output.say("Dry run: nothing was changed.")
        if failure is not None:
            raise failure

    def _push(self, orders: Sequence[str]) -> MaskError | None:
        """Push orders; return what to end with when one could not be."""
        assert self.site is not None, "asked before"  # noqa: S101
        try:
            target = self.target() or self.site.looked_up(self.store)
            errors = self._pushed(self.pusher(target), orders)
        except MaskError as error:
            errors = [error]
        return not_sent(errors) if errors else None

    def _pushed(self, pusher: Pusher, orders: Sequence[str]) -> list[MaskError]:
        """Push one order patiently, or many until the provider is seen to be away."""
        if len(orders) == 1:
            error = pusher.push(orders[0], patience=_PATIENCE).error
            return [] if error is None else [error]
        report = pusher.sync(orders)
        error = report.ended_by or report.error
        return [] if error is None else [error]

    def _changed(self, change: Change) -> Record:
        now, target = self.now(), self.target()
        item = self.store.item(change.order, target) if target else None
        if change.after is not None:
            record = self.record(change.after, item, now)
        elif self.site is None:
            record = gone_record(change.order, Remote.OFF)
        else:
            record = gone_record(change.order, remote_state(None, item, now))
        chosen = change.allocation
        return {
            **record,
            "changed": change.changed,
            "allocation": str(chosen.reason) if chosen else None,
            "asks": chosen.ask if chosen else None,
        }

    def audit(self, action: str, order: str | None = None, detail: str | None = None) -> None:
        """Write an audit row; what must be audited does not happen when this fails."""
        with self.store.writing():
            self.audit_inside(action, order, detail)

    def audit_inside(
        self, action: str, order: str | None = None, detail: str | None = None
    ) -> None:
        """Write an audit row in the transaction that is open."""
        self.store.add_audit(AuditRow(self.now(), self.actor, action, order, detail))

    @contextmanager
    def audited(self, action: str, detail: str) -> Iterator[None]:
        """Audit what is done inside: also when nobody knows whether it was, not when refused.

        Whether the row can be written is tried first: what cannot be audited is not begun.
        """
        with self.store.writing(keep=False):
            self.audit_inside(action, detail=detail)
        refused = False
        try:
            yield
        except MaskError as error:
            refused = not (isinstance(error, ProviderUnavailable) and error.unsure)
            raise
        finally:
            if not refused:
                self.audit(action, detail=detail)

    def _audited_reveal(self, orders: Iterable[str | None]) -> None:
        with self.store.writing():
            for order in orders:
                self.audit_inside("reveal", order, self.command)


def not_sent(errors: Sequence[MaskError]) -> MaskError:
    """Return what a command ends with that did its work here and could not send it."""
    later = all(isinstance(error, TryLater | ProviderUnavailable) for error in errors)
    kind = TryLater if later else PartlyDone
    return kind(
        f"stored here, but not yet at the provider: {errors[0].message}",
        hint=with_way_out(errors[0], "mask sync sends what is pending; do not repeat this command")
        if later
        else errors[0].hint or "mask sync tries again when that is mended",
    )


def with_way_out(error: MaskError | None, hint: str) -> str:
    """Return a hint after the provider's: what waiting does not mend has to be told."""
    known = error.hint if isinstance(error, ProviderUnavailable | ProviderRefused) else None
    return f"{known}; then {hint}" if known else hint


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which file a path leads to, None when it leads to none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
