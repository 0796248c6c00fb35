"""A bench on which checks play calls with a scenario, in whatever configuration they need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mask_cli.models import PhoneNumber
from mask_cli.providers.base import KeyValueItem
from mask_cli.sandbox.simulate_voximplant import (
    BEHAVIOURS,
    NOW,
    Act,
    CallPlan,
    Transcript,
    play,
    typed,
)
from mask_cli.scenario.render import (
    ScenarioSettings,
    configuration_of,
    packaged_phrases,
    render,
)

COURIER, CLIENT, STRANGER = "12222222222", "13333333333", "14155550100"
OURS, ALSO_OURS, OPERATOR = "14156667777", "14156667778", "14156667780"
ORDER = "12345"
_SPARE = ("14155550101", "14155550102", "14155550103")
REPORT_URL, MUSIC_URL = "https://mask.example/voximplant/calls", "https://mask.example/hold.mp3"
PHRASES: dict[str, str] = {
    name: text.replace("{length}", "5")
    for name, text in packaged_phrases()["en"]["phrases"].items()
}

Complaints = Iterator[str]


def item(key: str, courier: str, client: str, *, expires_at: int = NOW + 86_400) -> KeyValueItem:
    """Return what stands in the key-value store for a mapping."""
    value = f'{{"courier":"{courier}","client":"{client}"}}'
    return KeyValueItem(key, value, expires_at)


STORED = {
    one.key: one
    for one in (
        item(f"order:{ORDER}", COURIER, CLIENT),
        item("order:00123", COURIER, CLIENT),
        item("order:54321", STRANGER, CLIENT),
        item("order:11111", COURIER, CLIENT, expires_at=NOW - 1),
        item("order:22222", COURIER, COURIER),
        item("order:33333", COURIER, ""),
        item("order:44444", COURIER, OURS),
    )
}

SETTINGS = ScenarioSettings(
    numbers=(PhoneNumber(f"+{OURS}"), PhoneNumber(f"+{ALSO_OURS}")),
    operator=PhoneNumber(f"+{OPERATOR}"),
    report_url=REPORT_URL,
    music_url=MUSIC_URL,
)


@dataclass(frozen=True)
class Bench:
    """A scenario's template, and calls played with it."""

    template: str

    def call(self, *acts: Act, caller: str | None = COURIER, **given: Any) -> Transcript:  # noqa: ANN401 (fields of two dataclasses)
        """Play one call: `given` are fields of the settings or of the plan, `storage`, `secrets`.

        `operator` is the setting, `operator_does` how that operator behaves.
        """
        stored = given.pop("storage", STORED)
        secrets = given.pop("secrets", None)
        names = ScenarioSettings.__slots__
        settings = {name: given.pop(name) for name in tuple(given) if name in names}
        plan: dict[str, Any] = {"called": OURS, "party": BEHAVIOURS["answers"]} | given
        plan["operator"] = plan.pop("operator_does", BEHAVIOURS["answers"])
        text = render(replace(SETTINGS, **settings), self.template)
        return play(text, CallPlan(caller, acts=acts, **plan), stored, secrets=secrets)

    def both(self, *acts: Act, **given: Any) -> Iterator[Transcript]:  # noqa: ANN401 (see call)
        """Play one call under both readings of "replaced playback finishes"."""
        for fires in (False, True):
            yield self.call(*acts, replaced_fires=fires, **given)

    @cached_property
    def code(self) -> str:
        """The template without its comments."""
        return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", self.template, flags=re.DOTALL)


@dataclass(frozen=True)
class Check:
    """One property of the scenario: which defects (rows) of the guide's script it rules out."""

    name: str
    rows: tuple[int, ...]
    run: Callable[[Bench], Complaints]

    @property
    def meaning(self) -> str:
        """What is checked, in a sentence."""
        return (self.run.__doc__ or "").strip()


CHECKS: list[Check] = []
"""Every check of behaviour and text, in the order of the rows."""


def check(*rows: int) -> Callable[[Callable[[Bench], Complaints]], Callable[[Bench], Complaints]]:
    """Register a function that yields a complaint for everything that is wrong."""

    def register(run: Callable[[Bench], Complaints]) -> Callable[[Bench], Complaints]:
        CHECKS.append(Check(run.__name__.replace("_", "-"), rows, run))
        return run

    return register


def unless(fine: object, complaint: str) -> Complaints:
    """Yield the complaint unless all is well."""
    if not fine:
        yield complaint


def normal(call: Transcript) -> Complaints:
    """Complain of what no call may do, whatever happened in it."""
    yield from unless(call.finish == "Normal termination", f"the call ended with {call.finish}")
    yield from unless(not call.left_live, f"legs were left: {call.left_live}")
    yield from unless(not call.misuse, f"the platform was misused: {call.misuse}")


def talked(call: Transcript, who: str = "party") -> Complaints:
    """Complain unless the caller and the other leg spoke undisturbed until that one hung up."""
    yield from normal(call)
    bridges = call.of("bridged")
    yield from unless(len(bridges) == 1, f"bridged {len(bridges)} times")
    for bridge in bridges:
        yield from unless(bridge["who"] == ["caller", who], f"bridged {bridge['who']}")
        yield from unless(bridge["until"] - bridge["at"] > 29, "the conversation was cut")  # noqa: PLR2004 (they speak for 30 s)
        later = [e for e in call.of("heard") if e["at"] > bridge["at"]]
        yield from unless(not later, "something was played over the conversation")


def as_configured(text: str) -> Complaints:
    """Play a call to the other party, and one to the operator, with a text just as it stands."""
    read = configuration_of(text)
    taken = {*read["numbers"], read["operator"]}
    caller, other = [one for one in (COURIER, CLIENT, STRANGER, *_SPARE) if one not in taken][:2]
    order = "1234567890"[: read["order_digits"]]
    stored = {one.key: one for one in (item(read["key_prefix"] + order, caller, other),)}
    ways = [(order, "connected", "courier_to_client"), ("#", "operator", "operator")]
    for keys, outcome, reason in ways if read["operator"] is not None else ways[:1]:
        call = play(text, CallPlan(caller, read["numbers"][0], typed(keys)), stored)
        if "phrase without a known voice" in str(call.misuse):
            yield f"the platform has no voice {read['voice']}"
        yield from normal(call)
        yield from unless(call.outcome == outcome, f"{call.outcome}, not {outcome}")
        yield from unless(call.reasons[-1:] == (reason,), f"reasons {call.reasons}")
        reports = [one["accepted"] for one in call.requests]
        yield from unless(reports == [True] * (read["report_url"] is not None), "no report")


def gone_at(call: Transcript, who: str) -> float:
    """Return when a leg ended."""
    ends = call.of("gone", who) + call.of("failed", who)
    return float(ends[0]["at"]) if ends else float("inf")


def dialled(call: Transcript) -> list[str]:
    """Return which legs were called, in order."""
    return [event["who"] for event in call.of("dialled")]
