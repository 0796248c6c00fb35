"""Write one mapping again and again, as another program would, and say how long each took.

`python -m benchmarks.writer DATABASE`: prints `ready`, works until its stdin is closed, then
prints one line `start seconds` a write; start is on the machine's monotonic clock.
"""

from __future__ import annotations

import select
import sqlite3
import sys
import time

PAUSE = 0.005
_FIRST_ORDER = 10_000_000
"""One digit more than the generated orders have, so that none is met."""
_INSERT = (
    "INSERT INTO mappings (order_number, mapping_id, courier, client, created_at, updated_at,"
    " expires_at, revision) VALUES (?, 0, '+14155550100', '+14155550101', 0, 0, 2000000000, 0)"
)


def main(database: str) -> None:
    """Write until told to stop."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=60)
    samples: list[tuple[float, float]] = []
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        started = time.monotonic()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_INSERT, (str(_FIRST_ORDER + len(samples)),))
        connection.execute("COMMIT")
        samples.append((started, time.monotonic() - started))
    connection.close()
    for started, seconds in samples:
        print(started, seconds)


if __name__ == "__main__":
    main(sys.argv[1])
