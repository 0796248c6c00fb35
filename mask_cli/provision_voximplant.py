"""Bring a Voximplant account to the wanted state: look, plan, show, apply; twice changes nothing.

Each step stands for itself, so that a run broken off anywhere is finished by the next one. A
rule is created with its scenario and never unbound, so no call ever meets one without.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mask_cli.errors import BadData, Conflict, NotFound, SafetyStop
from mask_cli.models import PhoneNumber
from mask_cli.phone import country_of
from mask_cli.redaction import redacted_value
from mask_cli.scenario.deployed import is_untouched, marked, same
from mask_cli.scenario.render import REPORT_SECRET, configuration_of, digest, render
from mask_cli.voximplant_steps import (
    PROVIDER,
    AddToPool,
    AssignNumber,
    BindScenario,
    CreateApplication,
    CreateRule,
    Place,
    Step,
    StoreSecret,
    UploadScenario,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mask_cli.providers.base import RemoteApplication
    from mask_cli.providers.voximplant_account import VoximplantAccount
    from mask_cli.providers.voximplant_records import (
        RemoteRule,
        RemoteScenario,
        VoximplantNumber,
        VoximplantOffer,
    )
    from mask_cli.provision import Pool, Row
    from mask_cli.scenario.render import ScenarioSettings

_LONGEST_NAME = 29
_APPLICATION = re.compile(r"[a-z][a-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Desired:
    """What shall stand: `settings.numbers` lead to the scenario.

    Without `everything` only the scenario is dealt with, and the rules that lack it. `keeps`
    names settings that nobody set: what the deployed scenario has of them stays.
    """

    application: str
    settings: ScenarioSettings
    scenario: str
    secret: str | None = field(default=None, repr=False)
    everything: bool = True
    keeps: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Current:
    """What stands at the provider, for one Desired; `bound` are the application's numbers."""

    application: RemoteApplication | None = None
    scenario: RemoteScenario | None = None
    rules: tuple[RemoteRule, ...] = ()
    bound: tuple[VoximplantNumber, ...] = ()
    elsewhere: tuple[VoximplantNumber, ...] = ()
    secret: str | None = field(default=None, repr=False)
    outside_pool: tuple[PhoneNumber, ...] = ()

    def rule_of(self, number: PhoneNumber) -> RemoteRule | None:
        """Return the rule for exactly this number."""
        return next((rule for rule in self.rules if rule.pattern == number.digits), None)

    def rented(self, number: PhoneNumber) -> VoximplantNumber | None:
        """Return a number of the account."""
        return next((n for n in (*self.bound, *self.elsewhere) if n.number == number), None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order; `warnings` are for a person.

    `kept` are the deployed settings that stay because nobody set them, by name.
    """

    place: Place
    steps: tuple[Step, ...]
    numbers: tuple[PhoneNumber, ...]
    text: str = field(repr=False)
    warnings: tuple[str, ...] = ()
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Tell whether everything is as wanted already."""
        return not self.steps

    def rows(self) -> list[Row]:
        """Show the plan, flat, for tables and programs."""
        return [row for step in self.steps for row in step.rows()]


def scenario_name(application: str) -> str:
    """Return the default name of an application's scenario; names are unique account-wide."""
    label = application.partition(".")[0]
    name = f"mask-{label}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}-{digest(label)[:8]}"


def checked_application(name: str) -> str:
    """Return a name that a new application can have, or raise BadData."""
    if _APPLICATION.fullmatch(name):
        return name
    raise BadData(
        f"{redacted_value(name)} is not a name for an application",
        hint="2 to 65 lower case letters, digits and -, a letter first",
    )


def observe(account: VoximplantAccount, desired: Desired, pool: Pool | None = None) -> Current:
    """Look at what stands, without changing it; without a pool nothing is missing in it.

    BadData (65) for a number that is somebody's in a mapping: no plan is made with it.
    """
    if pool is not None and desired.everything:
        for wanted in desired.settings.numbers:
            pool.refuse_party(wanted)
    application = account.find_application(desired.application)
    if application is None and not desired.everything:
        raise NotFound(
            f"there is no Voximplant application {redacted_value(desired.application)}",
            hint="mask voximplant up creates it",
        )
    number = None if application is None else application.application_id
    bound = () if number is None else tuple(account.numbers(number))
    known = {rented.number for rented in bound}
    others = [n for n in desired.settings.numbers if n not in known]
    wants_secret = desired.everything and desired.secret is not None and number is not None
    return Current(
        application,
        None if number is None else account.find_scenario(desired.scenario, number),
        () if number is None else tuple(account.rules(number)),
        bound,
        tuple(account.number(other) for other in others),
        account.secret(number, REPORT_SECRET) if wants_secret and number else None,
        _outside(pool, desired, number),
    )


def _outside(pool: Pool | None, desired: Desired, number: str | None) -> tuple[PhoneNumber, ...]:
    if pool is None or not desired.everything:
        return ()
    return tuple(
        one
        for one in desired.settings.numbers
        if number is None or not pool.holds(one, PROVIDER, number)
    )


def plan_voximplant(
    desired: Desired, current: Current, *, force: bool = False, take_over: bool = False
) -> Plan:
    """Return the steps from `current` to `desired`.

    The scenario also keeps serving the numbers of this application that run it already.
    SafetyStop (4) when somebody else changed the scenario, unless `force`; Conflict (73) when a
    number leads to another application, unless `take_over`.
    """
    _refuse_foreign(desired, current, force=force)
    kept = _kept(desired, current)
    settings = replace(desired.settings, numbers=_served(desired, current), **kept)
    text = marked(render(settings))
    steps = _application_steps(desired, current) if desired.everything else []
    _check_numbers(desired, current, take_over=take_over or not desired.everything)
    steps += _scenario_steps(desired, current, text)
    steps += _rule_steps(desired, current, settings.numbers)
    steps += [AddToPool(number) for number in current.outside_pool]
    place = Place(
        current.application.application_id if current.application else "",
        current.scenario.scenario_id if current.scenario else "",
        {rule.pattern: rule.rule_id for rule in current.rules},
    )
    warnings = tuple(_warnings(desired, current, settings.report_url))
    return Plan(place, tuple(steps), settings.numbers, text, warnings, kept)


def apply(plan: Plan, account: VoximplantAccount, pool: Pool | None = None) -> None:
    """Carry out the steps in order; broken off anywhere, a new plan holds what is left."""
    plan.place.pool = pool
    for step in plan.steps:
        step.carry_out(account, plan.place)


def _kept(desired: Desired, current: Current) -> dict[str, Any]:
    try:
        deployed = configuration_of((current.scenario and current.scenario.text) or "")
    except BadData:
        return {}
    kept: dict[str, Any] = {name: deployed.get(name) for name in sorted(desired.keeps)}
    operator = str(kept.pop("operator", None))
    if operator.isdigit():
        kept["operator"] = PhoneNumber(f"+{operator}")
    return {name: value for name, value in kept.items() if value}


def _served(desired: Desired, current: Current) -> tuple[PhoneNumber, ...]:
    scenario = current.scenario and current.scenario.scenario_id
    if not desired.everything and not desired.settings.numbers:
        theirs = {
            rule.pattern
            for rule in current.rules
            if rule.scenarios and not (scenario and rule.runs(scenario))
        }
        bound = (rented.number for rented in current.bound)
        return tuple(sorted(number for number in bound if number.digits not in theirs))
    running = {rule.rule_id for rule in current.rules if scenario and rule.runs(scenario)}
    also = {rented.number for rented in current.bound if rented.rule_id in running}
    return tuple(sorted({*desired.settings.numbers, *also}))


def _check_numbers(desired: Desired, current: Current, *, take_over: bool) -> None:
    application = current.application and current.application.application_id
    for number in desired.settings.numbers:
        rented = current.rented(number)
        if rented is None:
            raise NotFound(f"the number {number} is not rented here")
        if rented.test:
            raise BadData(
                f"{number} is a test number: no call can show it as its caller ID",
                hint="rent one: mask voximplant number search",
            )
        if rented.application_id not in (None, application) and not take_over:
            raise Conflict(
                f"calls to {number} go to the application {rented.application}",
                hint="--take-over lets them come here",
            )


def _application_steps(desired: Desired, current: Current) -> list[Step]:
    steps: list[Step] = []
    if current.application is None:
        steps.append(CreateApplication(checked_application(desired.application)))
    if desired.secret is not None and current.secret != desired.secret:
        steps.append(StoreSecret(desired.secret, current.secret is not None))
    return steps


def _refuse_foreign(desired: Desired, current: Current, *, force: bool) -> None:
    if current.scenario is None or force or is_untouched(current.scenario.text or ""):
        return
    raise SafetyStop(
        f"the scenario {redacted_value(desired.scenario)} was changed by somebody else since"
        " mask deployed it, or is not mask's",
        hint="--force overwrites it; --scenario uses another name",
    )


def _scenario_steps(desired: Desired, current: Current, text: str) -> list[Step]:
    if current.scenario is None:
        return [UploadScenario(desired.scenario, text)]
    before = current.scenario.text or ""
    return [] if same(before, text) else [UploadScenario(desired.scenario, text, before)]


def _rule_steps(desired: Desired, current: Current, numbers: Iterable[PhoneNumber]) -> list[Step]:
    steps: list[Step] = []
    taken = {rule.name for rule in current.rules}
    for number in numbers:
        rule = current.rule_of(number)
        if rule is not None:
            if current.scenario is None or not rule.runs(current.scenario.scenario_id):
                steps.append(BindScenario(rule, desired.scenario))
        elif desired.everything and number in desired.settings.numbers:
            name = rule_name(number, taken)
            taken.add(name)
            steps.append(CreateRule(name, number))
        if desired.everything and number in desired.settings.numbers:
            steps += _assignment(desired, current, number, rule)
    return steps


def _assignment(
    desired: Desired, current: Current, number: PhoneNumber, rule: RemoteRule | None
) -> list[Step]:
    rented = current.rented(number)
    if rented is None or (rule is not None and rented.rule_id == rule.rule_id):
        return []
    return [AssignNumber(rented, desired.application)]


def rule_name(number: PhoneNumber, taken: set[str]) -> str:
    """Return a rule's name that tells the number apart without holding it."""
    name = f"mask-{number.digits[-4:]}"
    copies = (f"{name}-{count}" for count in range(2, 1000))
    return name if name not in taken else next(copy for copy in copies if copy not in taken)


def _warnings(desired: Desired, current: Current, report_url: str | None) -> Iterable[str]:
    if desired.everything and desired.settings.report_url and desired.secret is None:
        yield "calls are not reported: set MASK_VOXIMPLANT_REPORT_SECRET"
    if desired.everything and desired.secret is not None and not report_url:
        yield "calls are not reported: give --report-url, or set MASK_PUBLIC_URL"
    for number in desired.settings.numbers:
        rule = current.rule_of(number)
        if rule is None and not desired.everything:
            yield f"no rule runs the scenario for {number}: mask voximplant up creates one"
        others = [name for _, name in rule.scenarios if name != desired.scenario] if rule else []
        if others:
            yield f"the rule for {number} also runs {', '.join(others)}: they share one script"


def offer_of(
    account: VoximplantAccount,
    number: PhoneNumber,
    country: str | None,
    category: str | None,
    state: str | None = None,
) -> VoximplantOffer:
    """Return where a number is offered and for how much, or raise NotFound."""
    where = country or country_of(number)[0]
    if where is None:
        raise NotFound(f"no country has {number}", hint="--country names the one to search")
    for region in account.regions(where, category, state):
        for offer in account.offers(region):
            if offer.number == number:
                return offer
    raise NotFound(
        f"the number {number} is not offered in {where}",
        hint="mask voximplant number search shows those that are; --country names another country",
    )


def rule_named(rules: Iterable[RemoteRule], name_or_id: str) -> RemoteRule:
    """Return the rule of this name or id, or raise NotFound."""
    found = next((rule for rule in rules if name_or_id in (rule.name, rule.rule_id)), None)
    if found is None:
        raise NotFound(
            f"the application has no rule {redacted_value(name_or_id)}",
            hint="mask voximplant rule list shows them",
        )
    return found


def deployed_text(account: VoximplantAccount, application: str) -> str | None:
    """Return the text of an application's scenario, None when none was deployed."""
    found = account.account.resolve_application(application)
    scenario = account.find_scenario(scenario_name(found.name), found.application_id)
    return None if scenario is None else scenario.text
