"""Time whole processes from outside, in pairs, and weigh the result against its target."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LONGEST_RUN = 600.0
"""Seconds after which a process that does not end is stopped."""
_MEGABYTE = 2**20
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class BenchmarkError(Exception):
    """A process failed or did something else than its job; its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process: seconds until its end, its peak memory, seconds until its first line."""

    seconds: float
    peak: int
    first_line: float | None = None

    @property
    def megabytes(self) -> float:
        """The peak in MB; refuses when it may be ours rather than the process's own."""
        # A child starts as a copy of its parent, so Linux never reports less than our size.
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        if self.peak <= own:
            raise BenchmarkError("the harness is larger than the process it should measure")
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
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=env,
            stdin=given,
            stdout=subprocess.PIPE if lines else subprocess.DEVNULL,
            stderr=errors,
        )
        with _stopped_at_the_latest(process):
            first = _drained(process.stdout, started) if process.stdout else None
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise BenchmarkError(_failure(command, process.returncode, errors))
    return Run(seconds, usage.ru_maxrss * _RSS_UNIT, first)


@contextmanager
def _stopped_at_the_latest(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the process when its time is up, or when we are interrupted."""
    timer = threading.Timer(LONGEST_RUN, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if process.returncode is None:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _drained(output: IO[bytes], started: float) -> float:
    """Read everything; return when the first line had come."""
    if not output.readline():
        raise BenchmarkError("there is no first line to time")
    first = time.perf_counter() - started
    while output.read(1 << 16):
        pass
    return first


def _failure(command: Sequence[str], code: int, errors: IO[bytes]) -> str:
    errors.seek(0)
    said = errors.read()[-500:].decode(errors="replace").strip()
    return f"{' '.join(command)[:200]} ended with {code}: {said}"


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
