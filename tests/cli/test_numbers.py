"""`mask numbers`: the pool of virtual numbers by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode
from tests.cli.conftest import PARTIES

if TYPE_CHECKING:
    from tests.cli.conftest import Mask

POOL = "+14155550191"


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize("party", [PARTIES[1], PARTIES[3]])
def test_a_partys_number_is_not_shown_to_everybody(
    mask: Mask, party: str, more: tuple[str, ...]
) -> None:
    mask("add", "12345", *PARTIES).done()
    mask("numbers", "add", party, *more).failed(ExitCode.BAD_DATA, "is a party of an order")
    assert mask.query("SELECT * FROM virtual_numbers") == []
    # Expired is not gone: a late call may still come to its number.
    mask("expire", "12345").done()
    mask("numbers", "add", party, *more).failed(ExitCode.BAD_DATA, "is a party of an order")


def test_a_number_comes_back_from_quarantine_and_the_second_time_changes_nothing(
    mask: Mask,
) -> None:
    for words, changed in (("add", True), ("add", False), ("quarantine", True), ("add", True)):
        done = mask("numbers", words, POOL, "--format", "json").done().json
        assert (done["number"], done["changed"]) == (POOL, changed)
    assert mask.query("SELECT action FROM audit") == [
        ("numbers add",),
        ("numbers quarantine",),
        ("numbers add",),
    ]


def test_a_number_of_the_pool_is_nobodys_own(mask: Mask) -> None:
    mask("numbers", "add", POOL).done()
    run = mask("add", "12345", "--courier", POOL, "--client", PARTIES[3])
    run.failed(ExitCode.BAD_DATA, "is a virtual number")
