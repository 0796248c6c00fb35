"""Numbers of the emulated Management API: what is offered, rented for money, and bound."""

from __future__ import annotations

from fnmatch import fnmatchcase

from mask_cli.sandbox.voximplant_account import date_time, listing
from mask_cli.sandbox.voximplant_methods import Account, ApiError, Methods, Parameters
from mask_cli.sandbox.voximplant_things import (
    REGIONS,
    SECONDS_OF_A_MONTH,
    STATES,
    STOCK,
    Phone,
    Region,
)

NUMBER_METHODS = Methods()
_MOST_AT_ONCE = 20
_PLACE = "country_code phone_category_name country_state phone_region_id"


def stock(account: Account) -> None:
    """Put the numbers of a new sandbox on offer."""
    for region in REGIONS:
        for number in STOCK[region.region_id]:
            # Ids of their own, so that those of what is made begin at 1.
            phone_id = 500_000 + len(account.phones)
            account.phones[phone_id] = Phone(phone_id, number, region)


@NUMBER_METHODS.add("GetPhoneNumberCategories", "country_code sandbox locale")
def _categories(account: Account, parameters: Parameters) -> dict[str, object]:
    del account
    wanted = parameters.names("country_code")
    shown = _sandbox(parameters)
    countries = sorted({r.country for r in REGIONS if not wanted or r.country in wanted})
    return {
        "result": [
            {
                "country_code": country,
                "phone_categories": [
                    {
                        "phone_category_name": name,
                        "country_has_states": bool(_states_of(country, name)),
                    }
                    for name in sorted(
                        {r.category for r in REGIONS if r.country == country and r.test in shown}
                    )
                ],
            }
            for country in countries
        ]
    }


@NUMBER_METHODS.add("GetPhoneNumberCountryStates", "country_code phone_category_name country_state")
def _states(account: Account, parameters: Parameters) -> dict[str, object]:
    del account
    country = parameters.required("country_code")
    category = parameters.text("phone_category_name")
    _limited(list(REGIONS), (country, "country", 239), (category, "category", 240))
    wanted = parameters.text("country_state")
    return {
        "result": [
            {"country_state": state, "country_state_name": STATES[state]}
            for state in _states_of(country, category)
            if wanted in (None, state)
        ]
    }


@NUMBER_METHODS.add(
    "GetPhoneNumberRegions", f"{_PLACE} omit_empty phone_region_name phone_region_code locale"
)
def _get_regions(account: Account, parameters: Parameters) -> dict[str, object]:
    shown = [_shown_region(account, region) for region in _regions(parameters)]
    if parameters.boolean("omit_empty", default=True):
        shown = [region for region in shown if region["phone_count"]]
    return {"result": shown}


@NUMBER_METHODS.add("GetNewPhoneNumbers", f"{_PLACE} count offset phone_number_mask")
def _offers(account: Account, parameters: Parameters) -> dict[str, object]:
    parameters.required("country_code")
    regions = _regions(parameters)
    mask = parameters.text("phone_number_mask") or "*"
    found = [
        {"phone_id": phone.phone_id, "phone_number": phone.number, **_price(phone.region)}
        for phone in _on_offer(account, regions)
        if fnmatchcase(phone.number, mask)
    ]
    return listing(found, parameters)


@NUMBER_METHODS.add("AttachPhoneNumber", f"{_PLACE} phone_count phone_number regulation_address_id")
def _attach(account: Account, parameters: Parameters) -> dict[str, object]:
    chosen = _chosen(account, parameters)
    if any(phone.region.verification for phone in chosen):
        raise ApiError(281)
    cost = sum(phone.region.price + phone.region.installation for phone in chosen)
    if cost > account.balance:
        raise ApiError(127)
    account.balance -= cost
    for phone in chosen:
        phone.purchased = account.clock.now()
    shown = [{"phone_id": phone.phone_id, "phone_number": phone.number} for phone in chosen]
    return {"result": 1, "phone_numbers": shown}


@NUMBER_METHODS.add(
    "BindPhoneNumberToApplication",
    "phone_id phone_number application_id application_name rule_id rule_name bind",
)
def _bind(account: Account, parameters: Parameters) -> dict[str, object]:
    phones = _named(account, parameters)
    application = account.application(parameters).application_id
    bind = parameters.boolean("bind", default=True)
    number, name = parameters.integer("rule_id", error=147), parameters.text("rule_name")
    rule = None
    if bind and (number, name) != (None, None):
        rule = next(
            (
                r.rule_id
                for r in account.rules.values()
                if r.application_id == application
                and number in (None, r.rule_id)
                and name in (None, r.name)
            ),
            None,
        )
        if rule is None:
            raise ApiError(147)
    for phone in phones:
        if bind:
            phone.application_id, phone.rule_id = application, rule
        elif phone.application_id == application:
            phone.application_id = phone.rule_id = None
    return {"result": 1}


@NUMBER_METHODS.add(
    "GetPhoneNumbers",
    "phone_id phone_number activation_status application_id application_name"
    " is_bound_to_application phone_template country_code phone_category_name canceled"
    " deactivated auto_charge from_phone_next_renewal to_phone_next_renewal"
    " from_phone_purchase_date to_phone_purchase_date child_account_id children_phones_only"
    " verification_name verification_status from_unverified_hold_until"
    " to_unverified_hold_until can_be_used order_by sandbox count offset phone_region_name"
    " rule_id rule_name is_bound_to_rule",
)
def _get_numbers(account: Account, parameters: Parameters) -> dict[str, object]:
    ids = parameters.ids("phone_id", error=181)
    numbers = parameters.names("phone_number")
    application = account.application_if_named(parameters)
    bound = parameters.text("is_bound_to_application")
    shown = _sandbox(parameters, default="false")
    found = [
        _shown(account, phone)
        for phone in _rented(account)
        if (not ids or phone.phone_id in ids)
        and (not numbers or phone.number in numbers)
        and phone.region.test in shown
        and (application is None or phone.application_id == application.application_id)
        and bound in (None, str(phone.application_id is not None), _lower(phone))
    ]
    return listing(found, parameters)


@NUMBER_METHODS.add("DeactivatePhoneNumber", "phone_id phone_number")
def _deactivate(account: Account, parameters: Parameters) -> dict[str, object]:
    for phone in _named(account, parameters):
        # Whether it can be had again is not documented: here it is gone.
        del account.phones[phone.phone_id]
    return {"result": 1}


@NUMBER_METHODS.add("IsAccountPhoneNumber", "phone_number")
def _is_ours(account: Account, parameters: Parameters) -> dict[str, object]:
    number = parameters.required("phone_number")
    return {"result": any(phone.number == number for phone in _rented(account))}


def _sandbox(parameters: Parameters, default: str = "false") -> tuple[bool, ...]:
    """Return whether test numbers, others, or both are asked for."""
    choices = {"all": (True, False), "true": (True,), "false": (False,)}
    chosen = (parameters.text("sandbox") or default).lower()
    if chosen not in choices:
        raise ApiError(101, "The 'sandbox' parameter is invalid.")
    return choices[chosen]


def _regions(parameters: Parameters) -> list[Region]:
    """Return the regions that the parameters name; an unknown one is an error of its own.

    Where the category has states, one has to be named.
    """
    country = parameters.text("country_code")
    category = parameters.text("phone_category_name")
    state = parameters.text("country_state")
    found = _limited(list(REGIONS), (country, "country", 239), (category, "category", 240))
    if category is not None and state is None and any(region.state for region in found):
        raise ApiError(242)
    number = parameters.integer("phone_region_id", error=241)
    return _limited(found, (state, "state", 242), (number, "region_id", 241))


def _limited(found: list[Region], *wanted: tuple[object, str, int]) -> list[Region]:
    for value, name, code in wanted:
        if value is not None:
            found = [region for region in found if getattr(region, name) == value]
            if not found:
                raise ApiError(code)
    return found


def _states_of(country: str, category: str | None) -> list[str]:
    return sorted(
        {
            region.state
            for region in REGIONS
            if region.country == country and category in (None, region.category) and region.state
        }
    )


def _on_offer(account: Account, regions: list[Region]) -> list[Phone]:
    return [
        phone
        for phone in account.phones.values()
        if phone.purchased is None and phone.region in regions
    ]


def _rented(account: Account) -> list[Phone]:
    return [phone for phone in account.phones.values() if phone.purchased is not None]


def _chosen(account: Account, parameters: Parameters) -> list[Phone]:
    """Return the numbers to rent: those named, or as many as are asked for."""
    numbers = parameters.names("phone_number")
    if numbers:
        if any(phone.number in numbers for phone in _rented(account)):
            raise ApiError(395)
        offered = _on_offer(account, _regions(parameters))
        found = [phone for phone in offered if phone.number in numbers]
        if len(found) < len(numbers):
            raise ApiError(331)
        return found
    for name in ("country_code", "phone_category_name", "phone_region_id"):
        parameters.required(name)
    count = parameters.integer("phone_count", error=243) or 0
    if not 0 < count <= _MOST_AT_ONCE:
        raise ApiError(243)
    offered = _on_offer(account, _regions(parameters))
    if len(offered) < count:
        raise ApiError(332, f"Insufficient phones in the stock, available {len(offered)}.")
    return offered[:count]


def _named(account: Account, parameters: Parameters) -> list[Phone]:
    """Return the rented numbers that ids or numbers give, all of them for `all`."""
    if "all" in (parameters.text("phone_id"), parameters.text("phone_number")):
        return _rented(account)
    ids, numbers = parameters.ids("phone_id", error=181), parameters.names("phone_number")
    if not ids and not numbers:
        raise ApiError(134, "Required parameter is empty: 'phone_id'.")
    found = [p for p in _rented(account) if p.phone_id in ids or p.number in numbers]
    if len(found) < len(ids) + len(numbers):
        raise ApiError(181 if ids else 121)
    return found


def _lower(phone: Phone) -> str:
    return str(phone.application_id is not None).lower()


def _price(region: Region) -> dict[str, object]:
    return {
        "phone_price": region.price / 100,
        "phone_installation_price": region.installation / 100,
        "phone_period": "0-1-0 0:0:0",
    }


def _shown_region(account: Account, region: Region) -> dict[str, object]:
    return {
        "phone_region_id": region.region_id,
        "phone_region_name": region.name,
        "phone_region_code": region.code,
        "phone_count": len(_on_offer(account, [region])),
        "required_verification": region.verification,
        "is_need_regulation_address": region.verification is not None,
        **_price(region),
    }


def _shown(account: Account, phone: Phone) -> dict[str, object]:
    purchased = phone.purchased or 0
    shown: dict[str, object] = {
        "phone_id": phone.phone_id,
        "phone_number": phone.number,
        "phone_price": phone.region.price / 100,
        "phone_country_code": phone.region.country,
        "phone_next_renewal": date_time(purchased + SECONDS_OF_A_MONTH)[:10],
        "phone_purchase_date": date_time(purchased),
        "deactivated": False,
        "canceled": False,
        "auto_charge": True,
        "category_name": phone.region.category,
        "can_be_used": True,
        "activation_status": "ACTIVE",
    }
    if phone.application_id is not None:
        shown["application_id"] = phone.application_id
        shown["application_name"] = account.applications[phone.application_id].name
    if phone.rule_id is not None:
        shown["rule_id"] = phone.rule_id
        shown["rule_name"] = account.rules[phone.rule_id].name
    return shown
