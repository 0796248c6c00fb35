"""What the tests of import share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Mask

HEADER = "order,courier,client\n"
GOOD = "12345,12222222222,13333333333\n"
COUNTS = {
    "added": 0,
    "updated": 0,
    "unchanged": 0,
    "skipped": 0,
    "expired": 0,
    "rejected": 0,
    "pending": 0,
}


def numbers(mask: Mask) -> dict[str, tuple[str, str]]:
    return {
        order: (courier, client)
        for order, courier, client in mask.query(
            "SELECT order_number, courier, client FROM mappings"
        )
    }
