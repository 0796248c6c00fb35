"""How a provider's plan is told, and what costs is agreed to: shared by the commands of both.

Rented and offered numbers are the operator's own, not a person's: they are shown whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mask_cli.errors import BadData, Declined, SafetyStop, UsageError
from mask_cli.models import PhoneNumber
from mask_cli.output import on_terminal
from mask_cli.redaction import redacted_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mask_cli.cli.context import AppContext
    from mask_cli.provision import Row
    from mask_cli.records import Record


class Plan(Protocol):
    """What the plans of both providers have in common."""

    @property
    def warnings(self) -> Sequence[str]:
        """What to beware of."""
        ...

    @property
    def empty(self) -> bool:
        """Tell whether everything is as wanted already."""
        ...

    def rows(self) -> list[Row]:
        """Show the plan, flat."""
        ...


def whole(value: object) -> object:
    """Return a virtual number as its text, anything else as it is."""
    return value.e164 if isinstance(value, PhoneNumber) else value


def searched_country(mask: AppContext, given: str | None) -> str:
    """Return the country to look in for numbers on offer, as given or as set."""
    country = mask.settings["region"] if given is None else given
    if country is None:
        raise UsageError("name a country", hint="behind search, as in US; or MASK_REGION")
    if not (len(country) == 2 and country.isascii() and country.isalpha()):  # noqa: PLR2004 (ISO)
        raise BadData(f"{redacted_value(country)} is not a country", hint="write US, GB, …")
    return str(country.upper())


def tell(mask: AppContext, plan: Plan) -> None:
    """Tell a plan before it is carried out, what to beware of first."""
    for warning in plan.warnings:
        mask.output.warn(warning)
    for row in plan.rows():
        before = row.before or "none"
        mask.output.say(f"{row.action} {row.what}: {row.field}: {before} -> {row.after}")


def goes_on(mask: AppContext, plan: Plan, *, dry_run: bool) -> bool:
    """Tell whether there is something to carry out; say why when there is not."""
    if plan.empty:
        mask.output.say("Everything is as wanted: nothing was changed.")
    elif dry_run:
        mask.output.say("Dry run: nothing was changed.")
    return not (plan.empty or dry_run)


def steps(plan: Plan) -> list[Record]:
    """Return the records of a plan's lines."""
    return [
        {
            "action": row.action,
            "what": whole(row.what),
            "field": row.field,
            "before": row.before,
            "after": row.after,
        }
        for row in plan.rows()
    ]


def settled(
    mask: AppContext, consequence: str, *, yes: bool, dry_run: bool, audit: tuple[str, str]
) -> bool:
    """Tell whether to go on: not in a dry run, and only with --yes or a person's consent.

    What is gone on with stands in the audit then, as `audit` says: action and detail.
    Raises SafetyStop (4) when there is nobody to ask; who says no ends with 1.
    """
    said = consequence[0].upper() + consequence[1:]
    if dry_run:
        mask.output.say(f"{said}. Dry run: nothing was done.")
        return False
    if yes:
        mask.output.say(f"{said}.")
    elif not on_terminal():
        raise SafetyStop(f"{consequence}; nothing was done", hint="--yes goes on")
    elif not mask.output.agreed(f"{said}. Go on?"):
        raise Declined("nothing was done")
    action, detail = audit
    mask.audit(action, detail=detail)
    return True
