"""What renting, returning and deleting mean is said before it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mask_cli.consequences import (
    Deletion,
    Renting,
    Return,
    deletion,
    named_numbers,
    rented_number,
    renting,
)
from mask_cli.errors import Conflict, NotFound
from mask_cli.models import PhoneNumber
from mask_cli.phone import country_of
from mask_cli.pooled import StoredPool
from mask_cli.providers.base import Application, OfferedNumber, RentedNumber
from mask_cli.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NUMBER = PhoneNumber("+14155550120")
APP = Application("77", "masking", "https://mask.example/a")


def rented(number: PhoneNumber = NUMBER, app_id: str | None = None) -> RentedNumber:
    return RentedNumber(number, app_id, None, "0.80000", "local", voice_enabled=True)


def offered(number: PhoneNumber = NUMBER, restriction: str | None = None) -> OfferedNumber:
    return OfferedNumber(
        number, "1.00000", "0.80000", None, restriction, None, None, voice_enabled=True
    )


@dataclass
class Account:
    """What an account holds and offers; it refuses to change."""

    owned: list[RentedNumber] = field(default_factory=list)
    offers: list[OfferedNumber] = field(default_factory=list)
    apps: list[Application] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def number(self, number: PhoneNumber) -> RentedNumber:
        for each in self.owned:
            if each.number == number:
                return each
        raise NotFound("not rented")

    def numbers(self) -> Iterator[RentedNumber]:
        return iter(self.owned)

    def applications(self) -> Iterator[Application]:
        return iter(self.apps)

    def find_application(self, name: str) -> Application | None:
        return next((app for app in self.apps if app.name == name), None)

    def application(self, app_id: str) -> Application:
        raise NotFound(app_id)

    def offered_numbers(self, country: str, **filters: str) -> Iterator[OfferedNumber]:
        self.asked.append((country, filters.get("pattern")))
        return iter(self.offers)

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was called")


def test_only_the_very_number_that_was_named_is_rented() -> None:
    neighbour = PhoneNumber("+14155550121")
    account = Account(offers=[offered(neighbour)])
    with pytest.raises(NotFound, match="not offered in US"):
        renting(account, NUMBER, None, None)  # type: ignore[arg-type]
    account.offers.append(offered())
    found = renting(account, NUMBER, "77", None)  # type: ignore[arg-type]
    assert (found.number, found.app_id, found.rented) == (NUMBER, "77", None)
    assert str(found) == f"renting {NUMBER.e164} costs 0.80000 a month and 1.00000 once"
    assert set(account.asked) == {("US", "4155550120")}


def test_a_price_that_is_not_told_is_not_taken_for_nothing() -> None:
    unknown = OfferedNumber(
        NUMBER, None, None, None, "country-address", None, None, voice_enabled=True
    )
    text = str(Renting(NUMBER, None, None, unknown))
    assert "an unknown price a month and an unknown price once" in text
    assert text.endswith("Plivo wants proof first: country-address")


def test_what_is_rented_already_costs_nothing_and_is_not_looked_up() -> None:
    account = Account(owned=[rented(app_id="77")])
    found = renting(account, NUMBER, "77", None)  # type: ignore[arg-type]
    assert (found.offered, found.price) == (None, "")
    assert account.asked == []
    with pytest.raises(Conflict, match="goes to 77"):
        renting(account, NUMBER, "78", None)  # type: ignore[arg-type]


def test_the_numbers_that_an_application_leaves_behind_are_counted() -> None:
    others = [
        rented(PhoneNumber(f"+1415555012{n}"), app) for n, app in enumerate(("77", "77", "9"))
    ]
    account = Account(owned=others, apps=[APP])
    found = deletion(account, "masking", missing_ok=False)  # type: ignore[arg-type]
    assert [number.e164[-1] for number in found.numbers] == ["0", "1"]
    assert "2 rented numbers will lead nowhere" in str(found)
    assert "lead nowhere" not in str(Deletion(APP))
    with pytest.raises(NotFound):
        deletion(account, "nobody", missing_ok=False)  # type: ignore[arg-type]
    assert deletion(account, "nobody", missing_ok=True).application is None  # type: ignore[arg-type]


def test_mappings_that_lose_their_number_are_told() -> None:
    assert str(Return(NUMBER, rented(), 0)) == f"giving {NUMBER.e164} back cannot be undone"
    assert "1 mapping bound" in str(Return(NUMBER, rented(), 1))
    assert "2 mappings bound" in str(Return(NUMBER, rented(), 2))


def test_a_number_that_is_not_ours_is_missing_or_an_error() -> None:
    account = Account()
    assert rented_number(account, NUMBER, missing_ok=True) is None  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        rented_number(account, NUMBER)  # type: ignore[arg-type]


def test_a_number_that_dangles_has_no_name() -> None:
    account = Account(owned=[rented(app_id="77"), rented(app_id="78"), rented()], apps=[APP])
    names = [name for _, name in named_numbers(account)]  # type: ignore[arg-type]
    assert names == ["masking", None, None]


@pytest.mark.parametrize(
    ("number", "country", "national"),
    [
        ("+14155550120", "US", "4155550120"),
        ("+442079460000", "GB", "2079460000"),
        ("+4930123456", "DE", "30123456"),
        ("+80012345678", None, "12345678"),
    ],
)
def test_a_number_is_searched_in_its_own_country(
    number: str, country: str | None, national: str
) -> None:
    assert country_of(PhoneNumber(number)) == (country, national)


def test_a_number_of_no_country_is_not_searched_anywhere() -> None:
    with pytest.raises(NotFound, match="no country"):
        renting(Account(), PhoneNumber("+80012345678"), None, None)  # type: ignore[arg-type]


def test_provisioning_again_neither_moves_nor_frees_a_number_of_the_pool(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "mask.db")
    pool = StoredPool(store, 1_000)
    assert not pool.holds(NUMBER, "plivo", "77")
    pool.add(NUMBER, "plivo", "77")
    assert pool.holds(NUMBER, "plivo", "77")
    assert not pool.holds(NUMBER, "plivo", "78")
    assert not pool.holds(NUMBER, "voximplant", "77")
    with store.writing() as writing:
        writing.pool.set_state(NUMBER, "quarantined")
    assert pool.holds(NUMBER, "plivo", "77")
    pool.add(NUMBER, "plivo", "78")
    entry = store.pool.get(NUMBER)
    assert entry is not None
    assert (entry.application, entry.state) == ("78", "quarantined")
    pool.let_go(NUMBER, "voximplant")
    assert pool.holds(NUMBER, "plivo", "78")
    pool.let_go(NUMBER, "plivo")
    assert not pool.holds(NUMBER, "plivo", "78")
    pool.add(NUMBER, "plivo", "78")
    assert pool.holds(NUMBER, "plivo", "78")
    assert (pool.bound(NUMBER), pool.bound(PhoneNumber("+14155550121"))) == (0, 0)
    store.close()
