"""Rent numbers at Plivo and give them back: what it costs and what it ends is known before."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mask_cli.errors import Conflict, NotFound
from mask_cli.phone import country_of

if TYPE_CHECKING:
    from mask_cli.models import PhoneNumber
    from mask_cli.providers.base import OfferedNumber, PlivoAccount, RentedNumber

_LOOKED_AT = 100
"""Offers that begin with all the digits of a number; more than one is odd already."""


@dataclass(frozen=True, slots=True)
class Renting:
    """What renting a number means: it is `rented` already, or it is `offered` for a price."""

    number: PhoneNumber
    app_id: str | None
    rented: RentedNumber | None
    offered: OfferedNumber | None

    @property
    def price(self) -> str:
        """The price in words, as Plivo lists it."""
        assert self.offered is not None, "what is rented already costs nothing"  # noqa: S101
        monthly, setup = self.offered.monthly_price, self.offered.setup_price
        return f"{monthly or 'an unknown price'} a month and {setup or 'an unknown price'} at once"


def prepared(
    account: PlivoAccount, number: PhoneNumber, app_id: str | None, country: str | None
) -> Renting:
    """Look whether the number is ours already, else what it costs; nothing is changed.

    Conflict (73) when it is ours and leads to another application than `app_id`, NotFound (67)
    when it is not offered.
    """
    rented = _rented(account, number)
    if rented is None:
        return Renting(number, app_id, None, _offer(account, number, country))
    if app_id is not None and rented.app_id != app_id:
        raise Conflict(
            f"{number} is rented already and goes to {rented.app_id or 'no application'}",
            hint="mask plivo number assign lets it go elsewhere",
        )
    return Renting(number, app_id, rented, None)


def _rented(account: PlivoAccount, number: PhoneNumber) -> RentedNumber | None:
    try:
        return account.number(number)
    except NotFound:
        return None


def _offer(account: PlivoAccount, number: PhoneNumber, country: str | None) -> OfferedNumber:
    likely, national = country_of(number)
    where = country or likely
    if where is None:
        raise NotFound(f"no country has {number}", hint="--country names the one to search")
    offers = account.offered_numbers(where, pattern=national)
    for offered in islice(offers, _LOOKED_AT):
        if offered.number == number:
            return offered
    raise NotFound(
        f"the number {number} is not offered in {where}",
        hint="mask plivo number search shows those that are; --country names another country",
    )
