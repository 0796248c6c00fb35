"""Numbers of the emulated Plivo account: the inventory, and what is rented."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mask_cli.sandbox.plivo_envelope import (
    ApiError,
    checked,
    invalid,
    is_flag,
    is_subaccount,
    is_text,
    json_reply,
    json_values,
    missing,
    not_found,
    page,
    query_values,
)
from mask_cli.sandbox.server import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mask_cli.sandbox.plivo_applications import Applications
    from mask_cli.sandbox.plivo_switches import Switches
    from mask_cli.sandbox.server import Request

_TYPES = ("local", "tollfree", "mobile", "national", "fixed")
_SERVICES = ("voice", "sms", "mms")
_PAGING = {"limit": is_text, "offset": is_text}
_CNAM = ("enabled", "disabled")


@dataclass(frozen=True, slots=True)
class Offer:
    """A number of the inventory; with `verified` False its rental stays pending."""

    number: str
    country_iso: str = "US"
    country: str = "UNITED STATES"
    region: str = "California"
    city: str = "San Francisco"
    type: str = "fixed"
    sub_type: str = "local"
    monthly: str = "0.80000"
    setup: str = "0.00000"
    voice: bool = True
    restriction: str | None = None
    verified: bool = True

    def record(self, root: str) -> dict[str, Any]:
        """Return the object that a search shows."""
        text = None if self.restriction is None else f"needs a {self.restriction}"
        return {
            **self.services(),
            "number": self.number,
            "prefix": self.number[1:4],
            "city": self.city,
            "country": self.country,
            "region": self.region,
            "rate_center": "SNFC CNTRL",
            "lata": 722,
            "type": self.type,
            "sub_type": self.sub_type,
            "setup_rate": self.setup,
            "monthly_rental_rate": self.monthly,
            "restriction": self.restriction,
            "restriction_text": text,
            "prerequisites": [],
            "resource_uri": f"{root}PhoneNumber/{self.number}/",
        }

    def services(self) -> dict[str, Any]:
        """Return what the number can do, and for how much."""
        return {
            "voice_enabled": self.voice,
            "voice_rate": "0.00850" if self.voice else None,
            "sms_enabled": True,
            "sms_rate": "0.00350",
            "mms_enabled": False,
            "mms_rate": None,
        }


@dataclass(slots=True)
class Rented:
    """A number of the account."""

    offer: Offer
    app_id: str | None = None
    alias: str | None = None
    subaccount: str | None = None
    cnam_lookup: str = "disabled"
    added_on: str = "2026-11-20"

    def record(self, root: str) -> dict[str, Any]:
        """Return the object that `Number/` shows; the application is an address there."""
        offer = self.offer
        return {
            **offer.services(),
            "added_on": self.added_on,
            "active": True,
            "alias": self.alias,
            "application": self.app_id and f"{root}Application/{self.app_id}/",
            "carrier": "Plivo",
            "city": offer.city,
            "country": offer.country,
            "cnam_lookup": self.cnam_lookup,
            "compliance_application_id": None,
            "compliance_status": None,
            "monthly_rental_rate": offer.monthly,
            "number": offer.number,
            "number_type": offer.sub_type,
            "type": offer.type,
            "region": f"{offer.region}, {offer.country}",
            "renewal_date": "2026-12-20",
            "resource_uri": f"{root}Number/{offer.number}/",
            "sub_account": self.subaccount,
            "tendlc_campaign_id": None,
            "tendlc_registration_status": "UNREGISTERED",
            "toll_free_sms_verification": None,
            "verification_info": None,
        }


def first_offers() -> list[Offer]:
    """Return an inventory: a page and a half of local numbers, toll-free ones, restricted ones."""
    return [
        *(Offer(f"1415555{last:04}") for last in range(100, 130)),
        *(
            Offer(f"1888555{last:04}", type="tollfree", sub_type="tollfree", monthly="1.00000")
            for last in range(100, 103)
        ),
        *(
            Offer(
                f"1604555{last:04}", "CA", "CANADA", "British Columbia", "Vancouver",
                setup="1.00000", restriction="country-address", verified=False,
            )
            for last in range(100, 103)
        ),
    ]  # fmt: skip


class Numbers:
    """The inventory, the rented numbers, what waits for a verification, and the balance."""

    def __init__(self, root: str, switches: Switches, applications: Applications) -> None:
        self.offers = {offer.number: offer for offer in first_offers()}
        self.rented: dict[str, Rented] = {}
        self.pending: dict[str, Rented] = {}
        self.balance = Decimal(100)
        self._root = root
        self._switches = switches
        self._applications = applications

    def search(self, request: Request) -> Reply:
        """Search the inventory of one country."""
        query = query_values(request)
        known = "type pattern region city services lata rate_center npanxx".split()
        checked(query, {**_PAGING, "country_iso": is_text, **dict.fromkeys(known, is_text)})
        if not query.get("country_iso"):
            raise missing("country_iso")
        if query.get("type") not in (None, *_TYPES):
            raise invalid("type")
        found = [offer.record(self._root) for offer in self._free() if _offered(offer, query)]
        return page(request.path, query, found)

    def rent(self, number: str, request: Request) -> Reply:
        """Rent a number: 201, the number's own status tells whether it is ours already."""
        values = self._number_values(number, request, "ha_enable", "compliance_application_id")
        offer = self.offers.get(number)
        if offer is None:
            raise not_found()
        if offer not in self._free():
            raise ApiError(400, "number is not available")
        price = Decimal(offer.setup) + Decimal(offer.monthly)
        if price > self.balance:
            raise ApiError(400, "Insufficient funds to rent this number")
        self.balance -= price
        app_id = values.get("app_id") or self._applications.default_id
        home = self.rented if offer.verified else self.pending
        home[number] = Rented(offer, app_id)
        status = "Success" if offer.verified else "pending"
        # The service says "fulfilled" of a pending one, too.
        numbers = [{"number": number, "status": status}]
        return json_reply(201, {"message": "created", "numbers": numbers, "status": "fulfilled"})

    def listing(self, request: Request) -> Reply:
        """List the rented numbers."""
        query = query_values(request)
        known = "type number_startswith subaccount alias services cnam_lookup".split()
        checked(query, {**_PAGING, **dict.fromkeys(known, is_text)})
        shown = [rented.record(self._root) for rented in self.rented.values()]
        return page(request.path, query, [r for r in shown if _listed(r, query)])

    def get(self, number: str, request: Request) -> Reply:
        """Show one rented number."""
        checked(query_values(request), {})
        return json_reply(200, self._found(number).record(self._root))

    def update(self, number: str, request: Request) -> Reply:
        """Change a rented number; an empty `app_id` unlinks it."""
        rented = self._found(number)
        values = self._number_values(number, request, "alias", "subaccount")
        if "app_id" in values:
            rented.app_id = values["app_id"] or None
        elif self._switches.bare_update_assigns:
            rented.app_id = self._applications.default_id
        rented.alias = values.get("alias", rented.alias)
        rented.subaccount = values.get("subaccount", rented.subaccount)
        rented.cnam_lookup = values.get("cnam_lookup", rented.cnam_lookup)
        return json_reply(202, {"message": "changed"})

    def unrent(self, number: str, request: Request) -> Reply:
        """Give a number back."""
        checked(query_values(request), {})
        self._found(number)
        del self.rented[number]
        return Reply(204)

    def own(self, number: str, app_id: str | None = None, *, voice: bool = True) -> Rented:
        """Make a number the account's without paying, as if rented long ago."""
        self.offers[number] = Offer(number, voice=voice)
        self.rented[number] = Rented(self.offers[number], app_id)
        return self.rented[number]

    def _free(self) -> list[Offer]:
        taken = self.rented.keys() | self.pending.keys()
        return [offer for offer in self.offers.values() if offer.number not in taken]

    def _found(self, number: str) -> Rented:
        if number not in self.rented:
            raise not_found()
        return self.rented[number]

    def _number_values(self, number: str, request: Request, *more: str) -> dict[str, Any]:
        values = json_values(request)
        checks = {
            "number": lambda value: value == number,  # the SDK repeats it in the body
            "app_id": lambda value: value == "" or value in self._applications.by_id,
            "cnam_lookup": lambda value: value in _CNAM,
            "verification_info": lambda value: isinstance(value, dict),
            "ha_enable": is_flag,
            "alias": is_text,
            "compliance_application_id": is_text,
            "subaccount": is_subaccount,
        }
        allowed = ("number", "app_id", "cnam_lookup", "verification_info", *more)
        checked(values, {name: checks[name] for name in allowed})
        return values


def _offered(offer: Offer, query: Mapping[str, str]) -> bool:
    record = offer.record("")
    same = all(
        str(record[name]).lower() == query[name].lower()
        for name in ("region", "city", "lata", "rate_center")
        if name in query
    )
    # Asking for `local` returns type `fixed`, sub type `local`.
    kind = query.get("type") in (None, offer.type, offer.sub_type)
    begins = "1" + (query.get("npanxx") or query.get("pattern") or "")
    return (
        same
        and kind
        and offer.country_iso == query["country_iso"]
        and offer.number.startswith(begins)
        and _serves(record, query.get("services"))
    )


def _listed(record: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    return (
        record["number"].startswith(query.get("number_startswith", ""))
        and query.get("type") in (None, record["type"], record["number_type"])
        and query.get("subaccount") in (None, record["sub_account"])
        and query.get("alias") in (None, record["alias"])
        and query.get("cnam_lookup") in (None, record["cnam_lookup"])
        and _serves(record, query.get("services"))
    )


def _serves(record: Mapping[str, Any], services: str | None) -> bool:
    wanted = services.split(",") if services else []
    if not set(wanted) <= set(_SERVICES):
        raise invalid("services")
    return all(record[f"{service}_enabled"] for service in wanted)
