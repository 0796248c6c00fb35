"""The whole of `mask` in half a minute, on an emulated provider; nothing is left behind."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mask_cli.errors import MaskError
from mask_cli.sandbox.surroundings import run_inside, surroundings
from mask_cli.sandbox.voximplant import VoximplantSandbox

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the demonstration and what it shows."""

    title: str
    command: str


STEPS = (
    Step("Import the sample orders and push them to the provider", "import {orders} --push"),
    Step("The mappings here: numbers are never shown whole", "list"),
    Step("The same at the provider", "list --remote"),
    Step("A courier and a client meet over one more order", "add {extra}"),
    Step("Its courier changes; the order and its history stay", "reassign {order} {courier}"),
    Step("One order is done: nobody can be reached through it any more", "expire 20001"),
    Step("At night cron forgets what has expired", "prune --grace 0"),
    Step("Two more go at once, here and there", "delete 20002 20003"),
    Step("What is left, as the provider has it", "list --remote"),
    Step("Who did what", "audit --limit 5"),
)
# A person is watching, also where the output goes to a file.
_MASK = (sys.executable, "-m", "mask_cli", "--format", "table")
_VALUES = {
    "extra": "54321 --courier '+1 415 555 0101' --client '+1 415 555 0102' --ttl 2h",
    "order": "54321",
    "courier": "--courier '+1 415 555 0103'",
}


def sample_data() -> Path:
    """Return the folder of the sample orders, in a checkout or in an installed package."""
    for folder in (Path(__file__).parent, Path(__file__).parent.parent):
        if (folder / "sample_data" / "orders.csv").exists():
            return folder / "sample_data"
    raise MaskError("the sample orders are missing from this installation")


def demonstrate(tell: Callable[[str], None]) -> None:
    """Run every step as a command of its own, or raise MaskError at the first that fails."""
    values = {**_VALUES, "orders": shlex.quote(str(sample_data() / "orders.csv"))}
    with VoximplantSandbox() as sandbox:
        variables = surroundings(sandbox)
        for step in STEPS:
            words = step.command.format(**values)
            tell(f"\n# {step.title}\n$ mask {words}")
            code = run_inside([*_MASK, *shlex.split(words)], variables)
            if code != 0:
                raise MaskError(f"mask {step.command.split()[0]} ended with {code}")
