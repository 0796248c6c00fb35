"""The steps of a Voximplant plan: what each shows and does; see `provision_voximplant`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mask_cli.errors import BadData
from mask_cli.provision import Row
from mask_cli.redaction import redacted_number, redacted_text
from mask_cli.scenario.render import REPORT_SECRET, configuration_of, digest

if TYPE_CHECKING:
    from mask_cli.models import PhoneNumber
    from mask_cli.providers.voximplant_account import VoximplantAccount
    from mask_cli.providers.voximplant_records import RemoteRule, VoximplantNumber
    from mask_cli.provision import Pool

PROVIDER = "voximplant"

_SHOWN_DIGEST = 12


@dataclass(slots=True)
class Place:
    """The ids that steps need, filled in as they become known; rules by pattern.

    `pool` is None where nobody keeps one.
    """

    application_id: str = ""
    scenario_id: str = ""
    rules: dict[str, str] = field(default_factory=dict)
    pool: Pool | None = None


@dataclass(frozen=True, slots=True)
class CreateApplication:
    """Create the application."""

    name: str

    def rows(self) -> list[Row]:
        """Show the step."""
        return [Row("create_application", self.name, "name", None, self.name)]

    def carry_out(self, account: VoximplantAccount, place: Place) -> None:
        """Do it."""
        place.application_id = account.account.add_application(self.name).application_id


@dataclass(frozen=True, slots=True)
class StoreSecret:
    """Keep the secret that signs call reports; `exists` with another value."""

    value: str = field(repr=False)
    exists: bool

    def rows(self) -> list[Row]:
        """Show the step, not the secret."""
        before = "another value" if self.exists else None
        return [Row("store_secret", REPORT_SECRET, "value", before, "the configured one")]

    def carry_out(self, account: VoximplantAccount, place: Place) -> None:
        """Do it."""
        store = account.set_secret if self.exists else account.add_secret
        store(place.application_id, REPORT_SECRET, self.value)


@dataclass(frozen=True, slots=True)
class UploadScenario:
    """Create the scenario, or give it another text."""

    name: str
    text: str = field(repr=False)
    before: str | None = field(default=None, repr=False)

    def rows(self) -> list[Row]:
        """Show the step by the digests of the texts, and what was configured otherwise."""
        after = digest(self.text)[:_SHOWN_DIGEST]
        if self.before is None:
            return [Row("create_scenario", self.name, "sha256", None, after)]
        before = digest(self.before)[:_SHOWN_DIGEST]
        changed = [
            Row("update_scenario", self.name, name, old, new)
            for name, old, new in _differences(self.before, self.text)
        ]
        return [Row("update_scenario", self.name, "sha256", before, after), *changed]

    def carry_out(self, account: VoximplantAccount, place: Place) -> None:
        """Do it."""
        if self.before is None:
            scenario = account.add_scenario(self.name, self.text, place.application_id)
            place.scenario_id = scenario
        else:
            account.set_scenario(place.scenario_id, self.text)


@dataclass(frozen=True, slots=True)
class CreateRule:
    """Create the rule for one number, running the scenario from its first moment on."""

    name: str
    number: PhoneNumber

    def rows(self) -> list[Row]:
        """Show the step."""
        return [Row("create_rule", self.name, "pattern", None, self.number.digits)]

    def carry_out(self, account: VoximplantAccount, place: Place) -> None:
        """Do it."""
        pattern = self.number.digits
        rule = account.add_rule(place.application_id, self.name, pattern, place.scenario_id)
        place.rules[pattern] = rule


@dataclass(frozen=True, slots=True)
class BindScenario:
    """Let a rule run the scenario, too."""

    rule: RemoteRule
    name: str

    def rows(self) -> list[Row]:
        """Show the step."""
        runs = ", ".join(name for _, name in self.rule.scenarios) or None
        after = f"{runs}, {self.name}" if runs else self.name
        return [Row("bind_scenario", redacted_text(self.rule.name), "scenarios", runs, after)]

    def carry_out(self, account: VoximplantAccount, place: Place) -> None:
        """Do it."""
        account.bind_scenario(place.scenario_id, self.rule.rule_id)


@dataclass(frozen=True, slots=True)
class AssignNumber:
    """Let all calls to the number go to its rule."""

    number: VoximplantNumber
    application: str

    def rows(self) -> list[Row]:
        """Show the step."""
        rented = self.number
        rule = redacted_text(rented.rule or "no rule")
        before = rented.application and f"{rented.application} / {rule}"
        after = f"{self.application} / its own rule"
        return [Row("assign_number", rented.number, "application / rule", before, after)]

    def carry_out(self, account: VoximplantAccount, place: Place) -> None:
        """Do it."""
        rule = place.rules[self.number.number.digits]
        account.assign(self.number, place.application_id, rule)


@dataclass(frozen=True, slots=True)
class AddToPool:
    """Put the number into the pool of virtual numbers."""

    number: PhoneNumber

    def rows(self) -> list[Row]:
        """Show the step."""
        return [Row("add_to_pool", self.number, "provider", None, PROVIDER)]

    def carry_out(self, account: VoximplantAccount, place: Place) -> None:
        """Do it."""
        del account
        if place.pool is not None:
            place.pool.add(self.number, PROVIDER, place.application_id)


Step = (
    AddToPool
    | CreateApplication
    | StoreSecret
    | UploadScenario
    | CreateRule
    | BindScenario
    | AssignNumber
)


def _differences(before: str, after: str) -> list[tuple[str, str | None, str]]:
    """Return the settings that differ between two texts; none where one is not mask's."""
    try:
        old, new = configuration_of(before), configuration_of(after)
    except BadData:
        return []
    return [
        (name, _shown(name, old.get(name)), _shown(name, new[name]) or "none")
        for name in new
        if old.get(name) != new[name]
    ]


def _shown(name: str, value: Any) -> str | None:  # noqa: ANN401 (what JSON holds)
    if value is None:
        return None
    if name == "operator":
        return redacted_number(str(value))
    if name == "phrases":
        return f"{len(value)} phrases, {digest(str(value))[:_SHOWN_DIGEST]}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
