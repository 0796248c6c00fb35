"""Bring a Plivo account to the wanted state: look, plan, show, apply; twice changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from mask_cli.errors import BadData, Conflict, NotFound
from mask_cli.providers.base import Application
from mask_cli.providers.plivo_checks import is_secure_url
from mask_cli.redaction import redacted_value

if TYPE_CHECKING:
    from mask_cli.models import PhoneNumber
    from mask_cli.providers.base import PlivoAccount, RentedNumber

ANSWER_PATH, HANGUP_PATH = "/plivo/answer", "/plivo/hangup"
PROVIDER = "plivo"

_DOCUMENTED_NAME = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_NAME = 100
_URLS = ("answer_url", "hangup_url", "fallback_url")
_METHODS = ("answer_method", "hangup_method", "fallback_method")


class Pool(Protocol):
    """The pool of virtual numbers, as far as provisioning goes."""

    def refuse_party(self, number: PhoneNumber) -> None:
        """Raise BadData for a person's number, before anything is changed at a provider."""
        ...

    def holds(self, number: PhoneNumber, provider: str, application: str) -> bool:
        """Tell whether the number is in the pool, of this provider and application id."""
        ...

    def add(self, number: PhoneNumber, provider: str, application: str) -> None:
        """Put it there, of this application; nothing changes when it is so already."""
        ...


@dataclass(frozen=True, slots=True)
class WantedApplication:
    """What an application shall be; None leaves a field as it is (or as Plivo sets it)."""

    name: str
    answer_url: str
    answer_method: str | None = None
    hangup_url: str | None = None
    hangup_method: str | None = None
    fallback_url: str | None = None
    fallback_method: str | None = None

    def fields(self) -> dict[str, str]:
        """Return what is wanted, by the names in Application."""
        values = {name: getattr(self, name) for name in (*_URLS, *_METHODS)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Desired:
    """The whole: an application, and a number that leads to it and stands in the pool."""

    application: WantedApplication
    number: PhoneNumber | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """What stands at the provider and in the pool, for one Desired."""

    application: Application | None = None
    number: RentedNumber | None = None
    in_pool: bool = True


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an application, from what to what."""

    field: str
    before: str | None
    after: str

    def __str__(self) -> str:
        return f"{self.field}: {self.before or 'none'} -> {self.after}"


@dataclass(frozen=True, slots=True)
class CreateApplication:
    """Create the application."""

    application: Application

    def rows(self) -> list[Row]:
        """Show the step, a row a field."""
        name = self.application.name
        values = ((field, getattr(self.application, field)) for field in (*_URLS, *_METHODS))
        return [Row("create_application", name, f, None, value) for f, value in values if value]


@dataclass(frozen=True, slots=True)
class UpdateApplication:
    """Change these fields of an application, and no others."""

    app_id: str
    name: str
    changes: tuple[FieldChange, ...]

    def rows(self) -> list[Row]:
        """Show the step, a row a field."""
        return [
            Row("update_application", self.name, change.field, change.before, change.after)
            for change in self.changes
        ]


@dataclass(frozen=True, slots=True)
class AssignNumber:
    """Let calls to the number go to the application; `before` is the id it went to."""

    number: PhoneNumber
    name: str
    before: str | None

    def rows(self) -> list[Row]:
        """Show the step."""
        return [Row("assign_number", self.number, "application", self.before, self.name)]


@dataclass(frozen=True, slots=True)
class AddToPool:
    """Put the number into the pool of virtual numbers."""

    number: PhoneNumber

    def rows(self) -> list[Row]:
        """Show the step."""
        return [Row("add_to_pool", self.number, "provider", None, PROVIDER)]


Step = CreateApplication | UpdateApplication | AssignNumber | AddToPool


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a shown plan; `what` is an application's name or a number."""

    action: str
    what: str | PhoneNumber
    field: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order; `warnings` are for a person."""

    application: Application | None
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Tell whether everything is as wanted already."""
        return not self.steps

    def expected(self) -> Application:
        """Return the application as it will be; a new one has no id yet."""
        application = self.application
        for step in self.steps:
            if isinstance(step, CreateApplication):
                new = step.application
                application = replace(new, hangup_url=new.hangup_url or new.answer_url)
            elif isinstance(step, UpdateApplication) and application is not None:
                changes = {change.field: change.after for change in step.changes}
                application = replace(application, **changes)  # type: ignore[arg-type]
        if application is None:
            raise NotFound("the plan has no application")
        return application

    def rows(self) -> list[Row]:
        """Show the plan, flat, for tables and programs."""
        return [row for step in self.steps for row in step.rows()]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stands after a plan was carried out."""

    application: Application
    done: tuple[Step, ...]

    @property
    def changed(self) -> bool:
        """Tell whether anything was done."""
        return bool(self.done)


def wanted_for_serving(
    name: str, public_url: str, answer_method: str = "POST"
) -> WantedApplication:
    """Return the application whose calls `mask serve` answers under this public URL."""
    base = checked_url(public_url, query=False).rstrip("/")
    return WantedApplication(
        name=name,
        answer_url=base + ANSWER_PATH,
        answer_method=answer_method,
        hangup_url=base + HANGUP_PATH,
        hangup_method="POST",
        fallback_url=base + ANSWER_PATH,
        fallback_method=answer_method,
    )


def application_named(account: PlivoAccount, name_or_id: str) -> Application:
    """Return the application of this name, else of this id."""
    found = account.find_application(name_or_id)
    if found is not None:
        return found
    if name_or_id.isascii() and name_or_id.isdigit():
        return account.application(name_or_id)
    raise NotFound(
        f"no application {redacted_value(name_or_id)}", hint="mask plivo app list shows them"
    )


def observe(account: PlivoAccount, desired: Desired, pool: Pool | None = None) -> Current:
    """Look at what stands, without changing it; without a pool nothing is missing in it.

    BadData (65) for a number that is somebody's in a mapping: no plan is made with it.
    """
    _checked(desired.application)
    if pool is not None and desired.number is not None:
        pool.refuse_party(desired.number)
    application = account.find_application(desired.application.name)
    if desired.number is None:
        return Current(application)
    number = account.number(desired.number)
    app_id = application.app_id if application else None
    in_pool = pool is None or (app_id is not None and pool.holds(desired.number, PROVIDER, app_id))
    return Current(application, number, in_pool)


def plan_plivo(
    desired: Desired, current: Current, *, update: bool = True, take_over: bool = False
) -> Plan:
    """Return the steps from `current` to `desired`.

    Conflict (73) when the application has other values and `update` is off, and when the number
    leads to another application and `take_over` is off.
    """
    warnings = _checked(desired.application)
    steps: list[Step] = [*_application_steps(desired.application, current.application, update)]
    if desired.number is not None:
        steps += _number_steps(desired, desired.number, current, take_over)
    return Plan(current.application, tuple(steps), warnings)


def assignment(
    account: PlivoAccount, number: PhoneNumber, application: Application, *, take_over: bool = False
) -> Plan:
    """Plan to let calls to a rented number go to an application; Conflict as in plan_plivo."""
    steps = _assignment_steps(
        number, account.number(number), application.name, application.app_id, take_over
    )
    return Plan(application, tuple(steps))


def apply(plan: Plan, account: PlivoAccount, pool: Pool | None = None) -> Outcome:
    """Carry out the steps in order; broken off anywhere, a new plan holds what is left."""
    application = plan.application
    for step in plan.steps:
        application = _applied(step, application, account, pool)
    if application is None:
        raise NotFound("the plan has no application")
    return Outcome(application, plan.steps)


def checked_url(text: str, *, query: bool = True) -> str:
    """Return an address that Plivo can call (or a sandbox, on loopback), or raise BadData."""
    if is_secure_url(text, query=query):
        return text
    raise BadData(
        f"{redacted_value(text)} is not an address that Plivo can call",
        hint="write https://host/path, in ASCII" + ("" if query else ", without ? and #"),
    )


def _checked(wanted: WantedApplication) -> tuple[str, ...]:
    """Raise BadData for what cannot be sent; the answer is warnings."""
    values = wanted.fields()
    for field in _URLS:
        if field in values:
            checked_url(values[field])
    for field in _METHODS:
        if values.get(field) not in (None, "GET", "POST"):
            raise BadData(f"{field} {redacted_value(values[field])} is not GET or POST")
    name = wanted.name
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise BadData(f"{redacted_value(name)} is not a name for an application")
    if _DOCUMENTED_NAME.fullmatch(name):
        return ()
    warning = (
        f"the name {redacted_value(name)} has characters that Plivo's documentation does not"
        " allow (letters, digits, - and _); Plivo may refuse it"
    )
    return (warning,)


def _application_steps(
    wanted: WantedApplication, current: Application | None, update: bool
) -> list[Step]:
    if current is None:
        values = wanted.fields()
        return [CreateApplication(Application("", wanted.name, **values))]  # type: ignore[arg-type]
    changes = _changes(wanted, current)
    if changes and not update:
        raise Conflict(
            f"the application {redacted_value(wanted.name)} exists with other values:"
            f" {', '.join(map(str, changes))}",
            hint="--update changes these and nothing else",
        )
    return [UpdateApplication(current.app_id, current.name, changes)] if changes else []


def _changes(wanted: WantedApplication, current: Application) -> tuple[FieldChange, ...]:
    values = wanted.fields()
    if wanted.hangup_url is None and current.hangup_url == current.answer_url:
        # Plivo set it to the answer URL where none was given; it must not stay behind.
        values["hangup_url"] = wanted.answer_url
    return tuple(
        FieldChange(field, getattr(current, field), value)
        for field, value in values.items()
        if getattr(current, field) != value
    )


def _number_steps(
    desired: Desired, number: PhoneNumber, current: Current, take_over: bool
) -> list[Step]:
    application = current.application
    steps: list[Step] = _assignment_steps(
        number,
        current.number,
        desired.application.name,
        application.app_id if application else None,
        take_over,
    )
    if not current.in_pool:
        steps.append(AddToPool(number))
    return steps


def _assignment_steps(
    number: PhoneNumber,
    rented: RentedNumber | None,
    name: str,
    app_id: str | None,
    take_over: bool,
) -> list[Step]:
    if rented is None:
        raise NotFound(f"the number {number} is not rented here")
    if not rented.voice_enabled:
        raise BadData(f"the number {number} takes no calls")
    if rented.app_id is not None and rented.app_id == app_id:
        return []
    if rented.app_id is not None and not take_over:
        raise Conflict(
            f"calls to {number} go to the application {rented.app_id}",
            hint="--take-over lets them go to the other one",
        )
    return [AssignNumber(number, name, rented.app_id)]


def _applied(
    step: Step, application: Application | None, account: PlivoAccount, pool: Pool | None
) -> Application:
    if isinstance(step, CreateApplication):
        return account.create_application(step.application)
    if isinstance(step, UpdateApplication):
        changes = {change.field: change.after for change in step.changes}
        return account.update_application(step.app_id, changes)
    if application is None:
        raise NotFound("the plan has no application")
    if isinstance(step, AssignNumber):
        account.assign(step.number, application.app_id)
    elif pool is not None:
        pool.add(step.number, PROVIDER, application.app_id)
    return application
