"""Time whole processes from outside, in pairs, and weigh the result against its target."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LONGEST_RUN = 600.0
"""Seconds after which a process that does not end is stopped."""
_LAUNCH = Path(__file__).with_name("launch.py")
_MEGABYTE = 2**20
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class BenchmarkError(Exception):
    """A process failed or did something else than its job; its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process: seconds until its end, its peak memory, seconds until its first line.

    The peak is never reported below `floor`, the size of the process that started it.
    """

    seconds: float
    peak: int
    floor: int = 0
    first_line: float = -1.0

    @property
    def megabytes(self) -> float:
        """The peak in MB; refuses when it may be the starter's rather than the process's own."""
        if self.peak <= self.floor:
            raise BenchmarkError("the process is too small to measure its memory")
        return self.peak / _MEGABYTE


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and what it has to reach; `limit` None is only for information."""

    job: str
    against: str
    value: float
    unit: str
    limit: float | None
    at_least: bool = False
    detail: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None when there is none."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def target(self) -> str:
        """The target in words."""
        if self.limit is None:
            return "-"
        return f"{'>=' if self.at_least else '<='} {self.limit:g} {self.unit}"


def run(
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    stdin: bytes = b"",
    lines: bool = False,
) -> Run:
    """Run a command to its end; with `lines`, read its output and note when the first came.

    Raises BenchmarkError when it fails or takes longer than LONGEST_RUN.
    """
    launch = (sys.executable, "-I", "-S", str(_LAUNCH), "lines" if lines else "quiet", *command)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        said = _said(launch, env, given, errors).split()
        errors.seek(0)
        complaint = errors.read()[-500:].decode(errors="replace").strip()
    code, seconds, peak, floor, first = said or (b"nothing",) * 5
    if code != b"0":
        ended = f"{' '.join(command)[:200]} ended with {code.decode()}"
        raise BenchmarkError(f"{ended}: {complaint}")
    if lines and float(first) < 0:
        raise BenchmarkError("there is no first line to time")
    return Run(float(seconds), int(peak) * _RSS_UNIT, int(floor) * _RSS_UNIT, float(first))


def _said(
    launch: Sequence[str], env: Mapping[str, str], given: IO[bytes], errors: IO[bytes]
) -> bytes:
    """Return what the launcher reports; stop it and its child when time is up or we are told to."""
    process = subprocess.Popen(
        launch, env=env, stdin=given, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
    )
    try:
        return process.communicate(timeout=LONGEST_RUN)[0]
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"a process took longer than {LONGEST_RUN:.0f} s") from error
    finally:
        if process.returncode is None:
            # The launcher leads a group of its own, in which its child is.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def rounds(most: int, budget: float) -> Iterator[int]:
    """Count rounds up to `most`; start none after `budget` seconds, but always one."""
    until = time.monotonic() + budget
    for number in range(most):
        if number and time.monotonic() > until:
            return
        yield number


def in_turn(
    most: int, budget: float, *contenders: Callable[[int], Run]
) -> tuple[tuple[Run, ...], ...]:
    """Run A B A B ..., after one warm-up each; return the runs, one row a round.

    In turn, so that whatever slows the machine for a while slows all of them.
    """
    for warm_up in contenders:
        warm_up(-1)
    return tuple(
        tuple(contender(number) for contender in contenders) for number in rounds(most, budget)
    )


def median_ratio(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios, pair by pair."""
    return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))


def times(label: str, values: Sequence[float]) -> str:
    """Return the median of some seconds in words, such as `mask 0.071 s`."""
    return f"{label} {statistics.median(values):.3f} s"
