"""What renting, unrenting and deleting at Plivo costs and ends: looked up before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mask_cli.errors import Conflict, NotFound
from mask_cli.phone import country_of
from mask_cli.provision import application_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mask_cli.models import PhoneNumber
    from mask_cli.providers.base import (
        Application,
        OfferedNumber,
        PlivoAccount,
        RentedNumber,
    )

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
        """The price in words, as Plivo lists it; empty when nothing is to be paid."""
        if self.offered is None:
            return ""
        monthly, setup = self.offered.monthly_price, self.offered.setup_price
        return f"{monthly or 'an unknown price'} a month and {setup or 'an unknown price'} once"

    def __str__(self) -> str:
        needed = self.offered.restriction if self.offered is not None else None
        proof = f", and Plivo wants proof first: {needed}" if needed else ""
        return f"renting {self.number.e164} costs {self.price}{proof}"


@dataclass(frozen=True, slots=True)
class Deletion:
    """What deleting an application means: these numbers, still paid for, lead nowhere then."""

    application: Application | None
    numbers: tuple[PhoneNumber, ...] = ()

    def __str__(self) -> str:
        name = self.application.name if self.application else ""
        count = len(self.numbers)
        led = f"; {count} rented number{'s' * (count != 1)} will lead nowhere" if count else ""
        return f"deleting the application {name!r} cannot be undone{led}"


@dataclass(frozen=True, slots=True)
class Return:
    """What giving a number back means; `bound` counts the mappings that need it."""

    number: PhoneNumber
    rented: RentedNumber | None
    bound: int

    def __str__(self) -> str:
        bound = f"; {self.bound} mapping{'s' * (self.bound != 1)} bound to it" if self.bound else ""
        return f"giving {self.number.e164} back cannot be undone{bound}"


def deletion(account: PlivoAccount, name_or_id: str, *, missing_ok: bool) -> Deletion:
    """Look what deleting an application would end; nothing is changed."""
    try:
        application = application_named(account, name_or_id)
    except NotFound:
        if missing_ok:
            return Deletion(None)
        raise
    led = (rented.number for rented in account.numbers() if rented.app_id == application.app_id)
    return Deletion(application, tuple(led))


def rented_number(
    account: PlivoAccount, number: PhoneNumber, *, missing_ok: bool = False
) -> RentedNumber | None:
    """Return a rented number; None, or NotFound without `missing_ok`, when it is not ours."""
    try:
        return account.number(number)
    except NotFound:
        if missing_ok:
            return None
        raise


def named_numbers(account: PlivoAccount) -> Iterator[tuple[RentedNumber, str | None]]:
    """Yield the rented numbers, each with the name of the application it leads to."""
    names = {application.app_id: application.name for application in account.applications()}
    for rented in account.numbers():
        yield rented, names.get(rented.app_id or "")


def renting(
    account: PlivoAccount, number: PhoneNumber, app_id: str | None, country: str | None
) -> Renting:
    """Look whether the number is ours already, else what it costs; nothing is changed.

    Conflict (73) when it is ours and leads to another application than `app_id`, NotFound (67)
    when it is not offered.
    """
    rented = rented_number(account, number, missing_ok=True)
    if rented is None:
        return Renting(number, app_id, None, _offer(account, number, country))
    if app_id is not None and rented.app_id != app_id:
        raise Conflict(
            f"{number} is rented already and goes to {rented.app_id or 'no application'}",
            hint="mask plivo number assign lets it go elsewhere",
        )
    return Renting(number, app_id, rented, None)


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
