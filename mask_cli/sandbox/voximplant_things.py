"""What stands in an emulated account besides applications: scenarios, rules, numbers, secrets."""

from __future__ import annotations

from dataclasses import dataclass, field

SECONDS_OF_A_MONTH = 30 * 86_400


@dataclass(slots=True)
class Scenario:
    """A scenario; `application_id` None is the folder *Shared*."""

    scenario_id: int
    name: str
    text: str
    modified: int
    application_id: int | None = None


@dataclass(slots=True)
class Rule:
    """A rule of one application and the scenarios it runs, in their order."""

    rule_id: int
    application_id: int
    name: str
    pattern: str
    modified: int
    pattern_exclude: str = ""
    scenarios: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Secret:
    """A secret of one application; its value stays out of `repr`."""

    secret_id: int
    name: str
    value: str = field(repr=False)
    created: int
    modified: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """A place whose numbers can be rented; prices are in cents.

    `category` TEST holds the free numbers that cannot be shown as caller ID. Where a category of a
    country has states, each of its regions is in one.
    """

    region_id: int
    country: str
    category: str
    name: str
    code: str
    price: int
    installation: int = 0
    verification: str | None = None
    state: str | None = None

    @property
    def test(self) -> bool:
        """Tell whether its numbers are test numbers."""
        return self.category == TEST


@dataclass(slots=True)
class Phone:
    """A number, rented or still offered (`purchased` None)."""

    phone_id: int
    number: str
    region: Region
    purchased: int | None = None
    application_id: int | None = None
    rule_id: int | None = None


TEST = "TEST"
STATES = {"CA": "California", "WA": "Washington"}
REGIONS = (
    Region(2001, "US", "GEOGRAPHIC", "San Francisco", "415", 100, state="CA"),
    Region(2002, "US", "GEOGRAPHIC", "Seattle", "206", 150, 200, state="WA"),
    Region(2003, "US", "TOLLFREE", "Toll-free", "800", 300, 500),
    Region(2004, "GB", "GEOGRAPHIC", "London", "20", 200, 0, "GB"),
    Region(2005, "US", TEST, "Test numbers", "500", 0),
)
STOCK = {
    2001: [f"1415555012{last}" for last in range(5)],
    2002: [f"1206555010{last}" for last in range(5)],
    2003: ["18005550100"],
    2004: ["442071234567"],
    2005: ["15005550100"],
}
"""The numbers on offer in a new sandbox, by region."""
