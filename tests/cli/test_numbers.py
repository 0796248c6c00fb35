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
    assert mask.query("SELECT action, detail FROM audit") == [
        ("numbers add", POOL),
        ("numbers quarantine", POOL),
        ("numbers add", POOL),
    ]


BOUND = "+14155550192"


@pytest.mark.parametrize("number", [POOL, BOUND])
def test_a_virtual_number_is_nobodys_own(mask: Mask, number: str) -> None:
    mask("numbers", "add", POOL).done()
    mask("add", "12345", *PARTIES, "--virtual-number", BOUND).done()
    run = mask("add", "12346", "--courier", number, "--client", PARTIES[3])
    run.failed(ExitCode.BAD_DATA, "is a virtual number")
    mask("reassign", "12345", "--courier", number).failed(ExitCode.BAD_DATA)


def test_an_order_is_not_bound_to_the_number_of_anothers_party(mask: Mask) -> None:
    """That person could not be reached any more: our own numbers are never dialled."""
    mask("add", "12345", *PARTIES).done()
    words = ("--courier", "+14155550171", "--client", "+14155550172")
    run = mask("add", "12346", *words, "--virtual-number", PARTIES[1])
    run.failed(ExitCode.BAD_DATA, "is a party of an order")
    assert mask.query("SELECT count(*) FROM mappings") == [(1,)]


def test_an_import_names_rows_that_mix_up_people_and_virtual_numbers(mask: Mask) -> None:
    mask("numbers", "add", POOL).done()
    head = "order,courier,client,virtual_number\n"
    good = f"12345,{PARTIES[1]},{PARTIES[3]},{POOL}\n"
    bad = f"12346,{POOL},{PARTIES[3]},\n"
    file = mask.write("orders.csv", head + good + bad)
    run = mask("import", file)
    run.failed(ExitCode.BAD_DATA, "line 3: one of its numbers is both", "1 bad rows")
    assert mask.query("SELECT count(*) FROM mappings") == [(0,)]
    rejects = mask.home / "rejects.csv"
    mask("import", file, "--keep-going", "--rejects", str(rejects)).answered(ExitCode.PARTLY)
    assert mask.query("SELECT order_number, virtual_number FROM mappings") == [("12345", POOL)]
    assert rejects.read_text().startswith(f"{head}12346,{POOL},")
