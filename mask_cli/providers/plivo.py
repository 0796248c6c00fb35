"""Plivo's applications and numbers, through the real SDK with its traps shut."""

from __future__ import annotations

import random
import re
import threading
import time
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mask_cli.errors import (
    BadData,
    Conflict,
    MaskError,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
)
from mask_cli.providers.base import Application, Rental
from mask_cli.providers.plivo_checks import (
    checked_app_id,
    checked_ca_bundle,
    checked_credentials,
    checked_digits,
    checked_endpoint,
)
from mask_cli.providers.plivo_records import (
    application_of,
    offered_number_of,
    rented_number_of,
    sent_values,
)
from mask_cli.redaction import redacted_text, redacted_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mask_cli.models import PhoneNumber
    from mask_cli.providers.base import OfferedNumber, RentedNumber

T = TypeVar("T")

ENDPOINT = "https://api.plivo.com"
DEADLINE = 20.0
"""Seconds for one call, its repetitions included."""

_PAGE = 20
_ATTEMPTS = 4
_FILTERS = frozenset("type pattern region city services".split())


class PlivoClient:
    """One Plivo account; safe to share between threads, which then take turns.

    Repeated, with jitter and within the deadline, after a time-out, a broken connection, 408,
    429, 5xx or an undocumented answer:

    - everything that reads,
    - what says how things shall be: an application's update, assigning, unassigning,
      deleting, unrenting (an unknown id on a repetition is the first one's success).

    Never repeated: creating an application and renting a number. When it is unknown whether one
    of them took effect, it is looked up, and only if it did not is the failure told.
    """

    def __init__(
        self,
        auth_id: str | None,
        auth_token: str | None,
        *,
        endpoint: str = ENDPOINT,
        ca_bundle: str | None = None,
        timeout: float = 5.0,
        deadline: float = DEADLINE,
        pause: float = 0.2,
    ) -> None:
        self._auth = checked_credentials(auth_id, auth_token)
        self._endpoint = checked_endpoint(endpoint)
        self._ca_bundle = checked_ca_bundle(ca_bundle)
        self._timeout = timeout
        self._deadline = deadline
        self._pause = pause
        # The SDK's client changes itself with every call.
        self._lock = threading.Lock()
        self._sdk: Any = None
        self._transport: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            if self._sdk is not None:
                self._sdk.session.close()
                self._sdk.multipart_session.close()
            self._sdk = None

    # Applications

    def applications(self) -> Iterator[Application]:
        """Yield all applications."""
        yield from self._pages(lambda sdk, **page: sdk.applications.list(**page), application_of)

    def find_application(self, name: str) -> Application | None:
        """Return the one application of exactly this name; several are a Conflict."""
        found = [
            application
            # The service's filter is the beginning of a name.
            for application in self._pages(
                lambda sdk, **page: sdk.applications.list(app_name=name, **page), application_of
            )
            if application.name == name
        ]
        if len(found) > 1:
            ids = ", ".join(application.app_id for application in found)
            raise Conflict(
                f"{len(found)} applications are called {redacted_value(name)}: {ids}",
                hint="delete all but one with: mask plivo app delete ID",
            )
        return found[0] if found else None

    def application(self, app_id: str) -> Application:
        """Return the application with this id."""
        app_id = checked_app_id(app_id)
        try:
            answer = self._repeated(lambda sdk: sdk.applications.get(app_id))
        except NotFound:
            raise _no_application(app_id) from None
        return application_of(answer)

    def create_application(self, wanted: Application) -> Application:
        """Create an application; Conflict when the service says that the name is taken."""
        values = sent_values(wanted)
        try:
            answer = self._once(lambda sdk: sdk.applications.create(wanted.name, **values))
            app_id = _text_of(answer, "app_id")
            # Hangups are told to the answer URL where no other is given.
            return replace(wanted, app_id=app_id, hangup_url=wanted.hangup_url or wanted.answer_url)
        except ProviderRefused as refusal:
            # Whether a taken name is a 400 or a 409 is documented nowhere.
            if refusal.code in (400, 409) and self.find_application(wanted.name):
                raise Conflict(
                    f"the application {redacted_value(wanted.name)} exists already"
                ) from None
            raise
        except ProviderUnavailable as failure:
            return self._looked_up(failure, lambda: self.find_application(wanted.name))

    def update_application(self, app_id: str, changes: Mapping[str, str]) -> Application:
        """Change these fields, and no others: the SDK would reset the methods and defaults."""
        changeable = {f.name for f in fields(Application)} - {"app_id", "name"}
        if not changeable >= changes.keys():
            raise BadData(f"{', '.join(sorted(changes.keys() - changeable))} cannot be changed")
        before = self.application(app_id)
        after = replace(before, **changes)  # type: ignore[arg-type]
        if after != before:
            values = sent_values(after)
            self._repeated(lambda sdk: sdk.applications.update(before.app_id, **values))
        return after

    def delete_application(self, app_id: str) -> tuple[PhoneNumber, ...]:
        """Unassign its numbers, then delete it; the answer is those numbers.

        What Plivo does with the numbers of a deleted application is documented nowhere, so none
        is left to it. Its SIP endpoints go with it: that is Plivo's default, and the SDK sends
        the option against it where the service does not look.
        """
        app_id = self.application(app_id).app_id
        attached = tuple(n.number for n in self.numbers() if n.app_id == app_id)
        for number in attached:
            self.unassign(number)
        self._gone(lambda sdk: sdk.applications.delete(app_id), _no_application(app_id))
        return attached

    # Numbers

    def offered_numbers(self, country: str, **filters: str) -> Iterator[OfferedNumber]:
        """Search what can be rented: `type`, `pattern`, `region`, `city`, `services`.

        All pages are walked as they are asked for: take no more than is needed.
        """
        if not re.fullmatch("[A-Z]{2}", country, re.ASCII):
            raise BadData(f"{redacted_value(country)} is not a country", hint="write US, GB, …")
        if not filters.keys() <= _FILTERS:
            unknown = ", ".join(sorted(filters.keys() - _FILTERS))
            raise BadData(f"numbers cannot be searched by {unknown}")
        yield from self._pages(
            lambda sdk, **page: sdk.numbers.search(country, **filters, **page), offered_number_of
        )

    def rent(self, number: PhoneNumber, app_id: str | None = None) -> Rental:
        """Rent a number, once: one that is the account's already costs nothing more."""
        digits = checked_digits(number)
        chosen = None if app_id is None else checked_app_id(app_id)
        if self._rented(number) is not None:
            return Rental(number, pending=False, changed=False)
        try:
            answer = self._once(lambda sdk: sdk.numbers.buy(digits, app_id=chosen))
            return Rental(number, pending=_rental_pending(answer, digits))
        except NotFound:
            if chosen is not None:
                self.application(chosen)
            raise NotFound(
                f"the number {number} is not offered",
                hint="mask plivo number search shows those that are",
            ) from None
        except ProviderUnavailable as failure:
            self._looked_up(failure, lambda: self._rented(number))
            return Rental(number, pending=False)

    def numbers(self) -> Iterator[RentedNumber]:
        """Yield all rented numbers."""
        yield from self._pages(lambda sdk, **page: sdk.numbers.list(**page), rented_number_of)

    def number(self, number: PhoneNumber) -> RentedNumber:
        """Return one rented number."""
        digits = checked_digits(number)
        try:
            answer = self._repeated(lambda sdk: sdk.numbers.get(digits))
        except NotFound:
            raise _not_rented(number) from None
        return rented_number_of(answer)

    def assign(self, number: PhoneNumber, app_id: str) -> RentedNumber:
        """Let calls to the number go to this application."""
        return self._pointed(number, checked_app_id(app_id))

    def unassign(self, number: PhoneNumber) -> RentedNumber:
        """Let calls to the number go nowhere."""
        return self._pointed(number, "")

    def unrent(self, number: PhoneNumber) -> None:
        """Give a number back; this cannot be undone."""
        digits = checked_digits(number)
        self._gone(lambda sdk: sdk.numbers.delete(digits), _not_rented(number))

    def _pointed(self, number: PhoneNumber, app_id: str) -> RentedNumber:
        digits = checked_digits(number)
        try:
            # The id is always sent: left out, the account's default application may be set.
            self._repeated(lambda sdk: sdk.numbers.update(digits, app_id=app_id))
        except NotFound:
            self.number(number)
            raise _no_application(app_id) from None
        after = self.number(number)
        if after.app_id != (app_id or None):
            raise ProviderRefused(
                f"Plivo acknowledged the change, but {number} still goes to"
                f" {after.app_id or 'no application'}"
            )
        return after

    def _rented(self, number: PhoneNumber) -> RentedNumber | None:
        try:
            return self.number(number)
        except NotFound:
            return None

    # Calls

    def _pages(self, ask: Callable[..., Any], read: Callable[[Any], T]) -> Iterator[T]:
        """Yield what all pages hold, each record once."""
        seen: set[T] = set()
        offset = 0
        while True:
            page = self._repeated(partial(ask, limit=_PAGE, offset=offset))
            records = [read(record) for record in page.objects]
            fresh = [record for record in dict.fromkeys(records) if record not in seen]
            yield from fresh
            seen.update(fresh)
            following = getattr(getattr(page, "meta", None), "next", None)
            if not records or not following:
                return
            if not fresh:
                raise ProviderUnavailable("Plivo's listing shows the same page again", unsure=False)
            offset += len(records)

    def _once(self, call: Callable[[Any], Any]) -> Any:  # noqa: ANN401 (the SDK has no types)
        return self._called(call, time.monotonic() + self._deadline)

    def _repeated(self, call: Callable[[Any], Any]) -> Any:  # noqa: ANN401 (the SDK has no types)
        deadline = time.monotonic() + self._deadline
        attempt, unsure = 0, False
        while True:
            attempt += 1
            try:
                return self._called(call, deadline)
            except ProviderUnavailable as failure:
                # One that may have taken effect stays so, whatever became of the repetitions.
                unsure = failure.unsure = unsure or failure.unsure
                pause = self._pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 (jitter)
                pause = max(pause, getattr(failure, "retry_after", 0.0))
                if attempt == _ATTEMPTS or time.monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)

    def _called(self, call: Callable[[Any], Any], deadline: float) -> Any:  # noqa: ANN401 (same)
        from plivo.exceptions import PlivoRestError

        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise ProviderUnavailable("other calls to Plivo took all the time", unsure=False)
        try:
            sdk = self._client()
            self._transport.deadline = deadline
            return call(sdk)
        except PlivoRestError as error:
            # Answers never get as far as this; it is the SDK's own look at the arguments.
            raise BadData(f"not accepted for Plivo: {redacted_text(str(error))}") from None
        finally:
            self._lock.release()

    def _client(self) -> Any:  # noqa: ANN401 (the SDK has no types)
        if self._sdk is None:
            from plivo import RestClient

            from mask_cli.providers.plivo_transport import Transport

            self._sdk = RestClient(*self._auth, timeout=self._timeout)
            self._transport = Transport(self._endpoint, self._auth[1])
            for session in (self._sdk.session, self._sdk.multipart_session):
                session.verify = self._ca_bundle or True
                session.mount("https://", self._transport)
                session.mount("http://", self._transport)
        return self._sdk

    def _gone(self, delete: Callable[[Any], Any], absent: MaskError) -> None:
        attempts = 0

        def attempt(sdk: Any) -> None:  # noqa: ANN401 (the SDK has no types)
            nonlocal attempts
            attempts += 1
            delete(sdk)

        try:
            self._repeated(attempt)
        except NotFound:
            if attempts == 1:
                raise absent from None

    def _looked_up(self, failure: ProviderUnavailable, look: Callable[[], T | None]) -> T:
        """Return what an unsure request made after all, else raise its failure."""
        found = None
        if failure.unsure:
            try:
                found = look()
            except ProviderUnavailable:
                found = None
        if found is None:
            raise failure
        return found


def _no_application(app_id: str) -> NotFound:
    return NotFound(f"no application {app_id}", hint="mask plivo app list shows them")


def _not_rented(number: PhoneNumber) -> NotFound:
    return NotFound(
        f"the number {number} is not rented here",
        hint="mask plivo number list shows those that are",
    )


def _text_of(answer: object, name: str) -> str:
    value = getattr(answer, name, None)
    if not isinstance(value, str | int) or not str(value):
        raise ProviderUnavailable(f"Plivo's answer has no {name}", unsure=True)
    return str(value)


def _rental_pending(answer: object, digits: str) -> bool:
    """Read the number's own status: the one above it says fulfilled of a pending one, too."""
    entries = getattr(answer, "numbers", None)
    for entry in entries if isinstance(entries, list) else ():
        if str(getattr(entry, "number", "")).removeprefix("+") == digits:
            status = str(getattr(entry, "status", "")).lower()
            if status in ("success", "pending"):
                return status == "pending"
            raise ProviderRefused(f"Plivo did not rent the number: {redacted_value(status)}")
    raise ProviderUnavailable("Plivo's answer does not tell what became of it", unsure=True)
