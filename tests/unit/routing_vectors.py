"""Read `sample_data/routing.jsonl` for the tests of whatever has to decide alike."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mask_cli.models import Mapping, PhoneNumber
from mask_cli.routing import Ask, Call, Route, Rules, route, unavailable

VECTORS = Path(__file__).parents[2] / "sample_data" / "routing.jsonl"


@dataclass(frozen=True)
class Vector:
    """One line: what comes in, and what `Route` must say of it; no candidates: no store."""

    name: str
    keypad: bool
    rules: Rules
    call: Call
    candidates: tuple[Mapping, ...] | None
    now: int
    expected: dict[str, Any]

    def route(self) -> Route:
        if self.candidates is None:
            return unavailable()
        return route(self.call, self.candidates, self.now, self.rules)


def load() -> list[Vector]:
    lines = VECTORS.read_text(encoding="utf-8").splitlines()
    return [_vector(json.loads(line)) for line in lines]


def outcome(decided: Route) -> dict[str, Any]:
    """Return a route as the vectors write it."""
    return {
        "action": decided.action,
        "reason": decided.reason,
        "phrase": decided.phrase,
        "callee": decided.callee and decided.callee.e164,
        "caller_id": decided.caller_id and decided.caller_id.e164,
        "order": decided.order,
        "role": decided.role,
        "pause": decided.pause,
        "attempts": decided.attempts,
        "wrong_order": decided.wrong_order,
    }


def _vector(line: dict[str, Any]) -> Vector:
    candidates = line["candidates"]
    return Vector(
        name=line["name"],
        keypad=line["keypad"],
        rules=_rules(line["rules"]),
        call=Call(**line["call"]),
        candidates=None if candidates is None else tuple(_mapping(c) for c in candidates),
        now=line["now"],
        expected=line["expected"],
    )


def _rules(values: dict[str, Any]) -> Rules:
    return Rules(
        numbers=frozenset(PhoneNumber(number) for number in values["numbers"]),
        ask=Ask(values["ask"]),
        order_digits=values["order_digits"],
        attempts=values["attempts"],
        caller_attempts=values["caller_attempts"],
        operator=_number(values["operator"]),
    )


def _mapping(values: dict[str, Any]) -> Mapping:
    return Mapping(
        order=values["order"],
        courier=PhoneNumber(values["courier"]),
        client=PhoneNumber(values["client"]),
        virtual_number=_number(values["virtual_number"]),
        expires_at=values["expires_at"],
        created_at=0,
        updated_at=0,
    )


def _number(text: str | None) -> PhoneNumber | None:
    return PhoneNumber(text) if text else None
