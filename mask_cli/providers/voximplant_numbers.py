"""The numbers of a Voximplant account: rented, offered, bound to applications and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mask_cli.errors import (
    BadData,
    NotFound,
    ProviderDenied,
    ProviderRefused,
    ProviderUnavailable,
)
from mask_cli.providers.voximplant_calls import called, odd, pages, result_of
from mask_cli.providers.voximplant_records import (
    Region,
    VoximplantNumber,
    VoximplantOffer,
    read_categories,
    read_number,
    read_offer,
    read_region,
    read_state,
)
from mask_cli.redaction import redacted_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mask_cli.models import PhoneNumber
    from mask_cli.providers._voximplant_client import Client
    from mask_cli.providers.voximplant import Voximplant

_PAGE = 100
_GONE = frozenset({147, 181, 121})
_ROLE = frozenset({100, 104})
_BUYERS = "renting needs the role Owner, Admin or Accountant; Developer is not enough"


class VoximplantNumbers:
    """The verbs of numbers, each safe to repeat."""

    def __init__(self, account: Voximplant) -> None:
        self.account = account

    def numbers(self, application_id: str | None = None) -> Iterator[VoximplantNumber]:
        """Yield the rented numbers of the account or of one application, test numbers last."""
        filters = {} if application_id is None else {"application_id": application_id}
        seen = set()
        for found in self._numbers(test=False, **filters):
            seen.add(found.number)
            yield found
        if application_id is None:
            yield from (n for n in self._numbers(test=True) if n.number not in seen)

    def find_number(self, number: PhoneNumber) -> VoximplantNumber | None:
        """Return a rented number, None when it is not the account's."""
        for test in (False, True):
            found = self._numbers(test=test, phone_number=number.digits)
            match = next((one for one in found if one.number == number), None)
            if match is not None:
                return match
        return None

    def number(self, number: PhoneNumber) -> VoximplantNumber:
        """Return a rented number, or raise NotFound."""
        found = self.find_number(number)
        if found is None:
            raise NotFound(
                f"the number {number} is not rented here",
                hint="mask voximplant number list shows those of this account",
            )
        return found

    def assign(self, number: VoximplantNumber, application_id: str, rule_id: str) -> None:
        """Let all calls to the number go to this rule of this application."""
        result_of(
            self._client.bind_phone_number_to_application,
            phone_id=number.phone_id,
            application_id=application_id,
            rule_id=rule_id,
            bind=True,
        )

    def unassign(self, number: VoximplantNumber) -> bool:
        """Let calls to the number go nowhere; False when they went nowhere before."""
        if number.application_id is None:
            return False
        result_of(
            self._client.bind_phone_number_to_application,
            phone_id=number.phone_id,
            application_id=number.application_id,
            bind=False,
        )
        return True

    def unrent(self, number: VoximplantNumber) -> None:
        """Give a number back; this cannot be undone."""
        _as_buyer(
            lambda: unless_gone(
                lambda: result_of(self._client.deactivate_phone_number, phone_id=number.phone_id)
            )
        )

    def regions(
        self, country: str, category: str | None = None, state: str | None = None
    ) -> Iterator[Region]:
        """Yield the places of a country whose numbers can be rented; no test numbers.

        Where the numbers of a category are sorted by states each state is asked for, or the one
        named. BadData (65) for a state that the country's numbers do not have.
        """
        known: set[str] = set()
        for name, has_states in self._categories(country, category):
            states = self._states(country, name) if has_states else [None]
            known.update(one for one in states if one)
            for one in states:
                if state in (None, one):
                    yield from self._regions(country, name, one)
        if state is not None and state not in known:
            raise BadData(
                f"no numbers of {country} are in a state {redacted_value(state)}",
                hint=f"--state takes {', '.join(sorted(known))}" if known else "leave --state out",
            )

    def offers(self, region: Region) -> Iterator[VoximplantOffer]:
        """Yield the numbers that can be rented in a place."""

        def fetch(count: int, offset: int) -> object:
            return _as_buyer(
                lambda: result_of(
                    self._client.get_new_phone_numbers,
                    country_code=region.country,
                    phone_category_name=region.category,
                    phone_region_id=region.region_id,
                    country_state=region.state,
                    count=count,
                    offset=offset,
                )
            )

        def read(value: object) -> VoximplantOffer:
            return read_offer(value, region)

        yield from pages(fetch, read, lambda one: one.number.digits, _PAGE)

    def rent(self, offer: VoximplantOffer) -> bool:
        """Rent a number, once: False when it is the account's already and nothing was paid.

        When nobody knows whether it was carried out it is not tried again but looked for.
        """
        if self.find_number(offer.number) is not None:
            return False
        try:
            _as_buyer(lambda: self._attach(offer))
        except ProviderUnavailable as error:
            if not error.unsure or self.find_number(offer.number) is None:
                raise
        return True

    @property
    def _client(self) -> Client:
        return self.account.client

    def _numbers(self, *, test: bool, **filters: str) -> Iterator[VoximplantNumber]:
        def fetch(count: int, offset: int) -> object:
            try:
                return result_of(
                    self._client.get_phone_numbers,
                    sandbox="true" if test else "false",
                    count=count,
                    offset=offset,
                    **filters,
                )
            except ProviderRefused as error:
                if error.code in _GONE:
                    return []
                raise

        def read(value: object) -> VoximplantNumber:
            return read_number(value, test=test)

        yield from pages(fetch, read, lambda one: one.phone_id, _PAGE)

    def _categories(self, country: str, category: str | None) -> list[tuple[str, bool]]:
        reply = result_of(
            self._client.get_phone_number_categories, country_code=country, sandbox="false"
        )
        return [one for one in read_categories(reply) if category in (None, one[0])]

    def _states(self, country: str, category: str) -> list[str | None]:
        reply = _as_buyer(
            lambda: result_of(
                self._client.get_phone_number_country_states,
                country_code=country,
                phone_category_name=category,
            )
        )
        if not isinstance(reply, list):
            raise odd("list of states")
        return [read_state(value) for value in reply]

    def _regions(self, country: str, category: str, state: str | None) -> Iterator[Region]:
        reply = _as_buyer(
            lambda: result_of(
                self._client.get_phone_number_regions,
                country_code=country,
                phone_category_name=category,
                country_state=state,
                omit_empty=True,
            )
        )
        if not isinstance(reply, list):
            raise odd("list of regions")
        yield from (read_region(value, country, category, state) for value in reply)

    def _attach(self, offer: VoximplantOffer) -> object:
        return called(
            self._client.attach_phone_number,
            phone_number=offer.number.digits,
            country_code=offer.region.country,
            phone_category_name=offer.region.category,
            phone_region_id=offer.region.region_id,
            country_state=offer.region.state,
        )


def unless_gone(call: Callable[[], object]) -> bool:
    """Make a call; False when what it was about is gone already."""
    try:
        call()
    except ProviderRefused as error:
        if error.code in _GONE:
            return False
        raise
    return True


def _as_buyer(call: Callable[[], object]) -> object:
    """Make a call that only some roles may make; say which when this one may not."""
    try:
        return call()
    except ProviderDenied as error:
        if error.code not in _ROLE:
            raise
        raise ProviderDenied(error.message, code=error.code, hint=_BUYERS) from error
