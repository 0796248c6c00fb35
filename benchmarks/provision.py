"""What `mask voximplant up` costs when nothing is to do: requests, and seconds by the request.

Run: python -m benchmarks.provision [MILLISECONDS A REQUEST]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from mask_cli.sandbox.surroundings import inside, surroundings
from mask_cli.sandbox.voximplant import VoximplantSandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBER = "12065550100"
UP = ("up", "--app", "masking", "--number", NUMBER, "--report-url", "https://mask.example/calls")


def _run(environment: Mapping[str, str], *words: str) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-m", "mask_cli", "voximplant", *words, "--quiet"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each run."""
    delay = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.05
    with VoximplantSandbox() as sandbox:
        secret = {"MASK_VOXIMPLANT_REPORT_SECRET": os.urandom(16).hex()}
        environment = inside(surroundings(sandbox)) | secret
        _run(environment, "number", "rent", NUMBER, "--yes")
        sandbox.faults.add("latency", seconds=delay, times=0)
        for what in ("first run", "nothing to do", "nothing to do"):
            sandbox.requests.clear()
            seconds = _run(environment, *UP)
            entries = sandbox.requests.entries()
            changes = sum(not (entry.command or "").startswith("Get") for entry in entries)
            told = f"{len(entries):2} requests, {changes} of them changes, {seconds:.2f} s"
            print(f"{what:<14} {told} at {delay * 1000:.0f} ms a request")


if __name__ == "__main__":
    main()
