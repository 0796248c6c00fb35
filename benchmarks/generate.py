"""Write a CSV of made-up orders: `python -m benchmarks.generate FILE [--rows N] [--seed N]`."""

from __future__ import annotations

import argparse
import csv
import random
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDER_DIGITS = 7
COLUMNS = ("order", "courier", "client", "expires_at")
ORDERS_A_COURIER = 50
LONGEST_TTL = 80 * 86_400


class Row(NamedTuple):
    """One line of the export, all text."""

    order: str
    courier: str
    client: str
    expires_at: str


# Country code, leading digits, how many random digits follow. The numbers are possible, not
# valid: nobody chose them, and a rule stands in for the few blocks set aside for fiction
# (a million clients do not fit into +1 555 01xx). None of them is ever dialled.
PLANS = (
    ("20", "1", 9),
    ("27", "8", 8),
    ("31", "6", 8),
    ("32", "4", 8),
    ("33", "7", 8),
    ("34", "6", 8),
    ("39", "3", 9),
    ("44", "7", 9),
    ("46", "7", 8),
    ("48", "5", 8),
    ("49", "15", 9),
    ("52", "5", 9),
    ("55", "119", 8),
    ("61", "4", 8),
    ("62", "8", 9),
    ("7", "9", 9),
    ("81", "90", 8),
    ("86", "13", 9),
    ("90", "5", 9),
    ("91", "9", 9),
    ("234", "80", 8),
    ("351", "9", 8),
    ("353", "8", 8),
    ("380", "6", 8),
    ("971", "5", 8),
)


def made_up_number(source: random.Random) -> str:
    """Return a possible number with the plus; one in four is +1 NXX 555 01xx."""
    if source.random() < 0.25:
        area = source.randrange(200, 1000)
        return f"+1{area}55501{source.randrange(100):02d}"
    country, lead, digits = PLANS[int(source.random() * len(PLANS))]
    return f"+{country}{lead}{int(source.random() * 10**digits):0{digits}d}"


def generate(rows: int, seed: int, since: datetime) -> Iterator[Row]:
    """Yield rows with distinct zero-padded orders in random order, the same for the same seed.

    A courier has about fifty of them; all expire within 80 days from an hour after `since`.
    """
    if rows > 10**ORDER_DIGITS:
        message = f"there are only {10**ORDER_DIGITS} orders of {ORDER_DIGITS} digits"
        raise ValueError(message)
    source = random.Random(seed)  # noqa: S311 - made-up data that must come out the same again
    couriers = [made_up_number(source) for _ in range(rows // ORDERS_A_COURIER + 1)]
    for order in source.sample(range(10**ORDER_DIGITS), rows):
        courier = couriers[int(source.random() * len(couriers))]
        client = made_up_number(source)
        while client == courier:
            client = made_up_number(source)
        expires_at = since + timedelta(seconds=3600 + int(source.random() * LONGEST_TTL))
        yield Row(
            f"{order:0{ORDER_DIGITS}d}", courier, client, expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        )


def write_csv(path: Path, rows: int, seed: int, since: datetime) -> None:
    """Write the generated rows with their header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(generate(rows, seed, since))


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", file=sys.stderr)
    write_csv(arguments.file, arguments.rows, seed, datetime.now(UTC))


if __name__ == "__main__":
    main()
