"""Start one process, time it, and say so: `python -I -S launch.py lines|quiet COMMAND...`.

A child begins as a copy of its parent, and Linux never reports a smaller peak than that copy had.
So a small program starts what is measured; it imports next to nothing.
"""

import os
import sys
import time


def main() -> None:
    """Print: exit code, seconds, peak, our own peak, seconds until the first line or -1."""
    lines, command = sys.argv[1] == "lines", sys.argv[2:]
    reading, writing = os.pipe()
    output = (
        (os.POSIX_SPAWN_DUP2, writing, 1)
        if lines
        else (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    )
    started = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=[output])
    os.close(writing)
    first = drained(reading, started) if lines else -1.0
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - started
    print(os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss, own_peak(), first)


def own_peak() -> int:
    """Return our own peak in kB; 0 where there is no /proc, and no such inheritance."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 (pathlib is large)
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except OSError:
        # getrusage will not do: it counts what our own parent was when it started us.
        return 0


def drained(output: int, started: float) -> float:
    """Read everything; return when the first line had come, -1 when there was none."""
    first = -1.0
    while chunk := os.read(output, 1 << 16):
        if first < 0 and b"\n" in chunk:
            first = time.perf_counter() - started
    return first


if __name__ == "__main__":
    main()
