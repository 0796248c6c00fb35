"""Simulated Voximplant calls per second, so that a storm of them stays cheap.

Run: python benchmarks/simulate.py [CALLS]
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mask_cli.sandbox.scenario_bench import CHECKS, COURIER, ORDER, OURS, SETTINGS, STORED
from mask_cli.sandbox.scenario_check import behaviour_of
from mask_cli.sandbox.scenario_mutations import MUTATIONS, caught
from mask_cli.sandbox.simulate_voximplant import BEHAVIOURS, CallPlan, play, typed
from mask_cli.scenario.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = render(SETTINGS)


def _call(callee: str) -> Callable[[], object]:
    plan = CallPlan(COURIER, OURS, typed(ORDER), party=BEHAVIOURS[callee])
    return lambda: play(TEXT, plan, STORED)


def _median(job: Callable[[], object], times: int) -> float:
    """Return the median of the seconds that one run takes."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        job()
        took.append(time.perf_counter() - start)
    return sorted(took)[len(took) // 2]


def main() -> None:
    """Print a line for each measurement."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for callee in ("answers", "busy", "voicemail"):
        seconds = _median(_call(callee), times)
        print(f"call, {callee:<10} {seconds * 1000:6.1f} ms  {1 / seconds:6.0f} calls/s")
    seconds = _median(lambda: behaviour_of(TEXT), 3)
    print(f"suite, {len(CHECKS)} checks  {seconds:6.2f} s")
    start = time.perf_counter()
    found = sum(caught(mutation).passed is False for mutation in MUTATIONS)
    print(f"mutations, {found} of {len(MUTATIONS)} caught  {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
