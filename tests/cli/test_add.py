"""`mask add`: what is stored, what is refused, and that it can be repeated."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import ExitCode
from mask_cli.times import format_time
from tests.cli.conftest import DAY, NOON, PARTIES
from tests.cli.leaks import COURIER, GUIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import FixedClock, Mask


def add(mask: Mask, *more: str) -> Any:
    return mask("add", "12345", *PARTIES, "--format", "json", *more).done().json


def test_add_prints_every_field_so_that_scripts_need_not_guess(
    mask: Mask, mapping_record: Callable[..., dict[str, object]]
) -> None:
    assert add(mask) == mapping_record(changed=True)


def test_add_again_with_the_same_parties_changes_nothing(
    mask: Mask, clock: FixedClock, mapping_record: Callable[..., dict[str, object]]
) -> None:
    add(mask)
    before = mask.everything()
    clock.pass_(60)
    assert add(mask) == mapping_record(changed=False, allocation=None, asks=None)
    assert mask.everything() == before


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--ttl", "864000s", NOON + 60 + 10 * DAY),
        ("--ttl", "90", NOON + 60 + 90),
        ("--ttl", "1h30m", NOON + 60 + 5400),
        ("--expires-at", "2026-12-24T18:00:00Z", 1_798_135_200),
        ("--expires-at", "2026-12-24 18:00", 1_798_131_600),
    ],
)
def test_add_again_with_an_expiry_moves_it(
    mask: Mask, clock: FixedClock, option: str, value: str, expected: int
) -> None:
    add(mask)
    clock.pass_(60)
    record = add(mask, option, value)
    assert (record["expires_at"], record["changed"]) == (format_time(expected), True)
    assert record["revision"] == 2


@pytest.mark.parametrize(
    ("parties", "differs"),
    [
        (("--courier", GUIDE[0], "--client", "13333333333"), "another courier"),
        (("--courier", COURIER, "--client", GUIDE[0]), "another client"),
        (("--courier", GUIDE[1], "--client", GUIDE[0]), "another courier and another client"),
    ],
)
def test_add_never_takes_an_active_order_from_other_parties(
    mask: Mask, parties: tuple[str, ...], differs: str
) -> None:
    add(mask)
    before = mask.everything()
    run = mask("add", "12345", *parties)
    run.failed(ExitCode.CONFLICT, f"order 12345 is active with {differs}", "--replace")
    assert mask.everything() == before


def test_add_replace_overwrites_with_a_new_life(mask: Mask) -> None:
    add(mask, "--note", "old", "--ttl", "2h")
    run = mask(
        *("add", "12345", "--courier", GUIDE[0], "--client", GUIDE[1]),
        *("--replace", "--format", "json"),
    )
    record = run.done().json
    assert (record["courier"], record["note"]) == ("+1•••••••7777", None)
    assert record["expires_at"] == format_time(NOON + 10 * DAY)
    assert mask.query("SELECT mapping_id FROM mappings") == [(2,)]


def test_an_expired_order_number_may_be_used_anew(mask: Mask, clock: FixedClock) -> None:
    add(mask, "--ttl", "1h", "--note", "old")
    clock.pass_(3600)
    run = mask("add", "12345", "--courier", GUIDE[0], "--client", GUIDE[1], "--format", "json")
    record = run.done().json
    assert (record["state"], record["note"], record["changed"]) == ("active", None, True)
    assert record["created_at"] == format_time(NOON + 3600)


def test_add_without_order_takes_a_free_one_that_cannot_be_guessed(mask: Mask) -> None:
    orders = {mask("add", *PARTIES, "--format", "json").done().json["order"] for _ in range(12)}
    assert len(orders) == 12
    assert all(len(order) == 5 and order.isdigit() for order in orders)
    numbers = sorted(int(order) for order in orders)
    assert any(after - before > 1 for before, after in pairwise(numbers))


def fill(mask: Mask, count: int) -> None:
    rows = "".join(f"{n:04},12222222222,13333333333\n" for n in range(count))
    run = mask("import", "-", "--from", "csv", stdin="order,courier,client\n" + rows)
    assert run.done().code == 0


def test_add_warns_before_the_order_numbers_run_out(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_ORDER_DIGITS", "4")
    fill(mask, 8_999)
    assert mask("add", *PARTIES).done().err == ""
    run = mask("add", *PARTIES, "--format", "json").done()
    assert "9000 of 10000 order numbers are in use" in run.err
    assert int(run.json["order"]) >= 8_999


def test_add_finds_the_last_free_order_number_and_says_when_there_is_none(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_ORDER_DIGITS", "4")
    fill(mask, 10_000)
    mask("delete", "0042").done()
    assert mask("add", *PARTIES, "--format", "json").done().json["order"] == "0042"
    mask("add", *PARTIES).failed(ExitCode.CONFLICT, "all 10000 order numbers are in use", "prune")


def test_add_keeps_leading_zeros(mask: Mask) -> None:
    mask("add", "00042", *PARTIES).done()
    assert mask("show", "00042", "--format", "json").done().json["order"] == "00042"
    assert mask.query("SELECT order_number FROM mappings") == [("00042",)]


@pytest.mark.parametrize(
    "written", ["+1 222 222 2222", "1-222-222-2222", "(1) 222.222.2222", "+12222222222"]
)
def test_numbers_may_be_written_as_people_do_and_stay_the_same_party(
    mask: Mask, written: str
) -> None:
    add(mask)
    run = mask("add", "12345", "--courier", written, "--client", "13333333333", "--format", "json")
    assert run.done().json["changed"] is False


def test_national_numbers_need_a_region(mask: Mask, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("add", "12345", "--courier", "(415) 555-0100", "--client", "+14155550101")
    monkeypatch.setenv("MASK_REGION", "US")
    run = mask(*words, "--format", "json")
    assert run.done().json["courier"] == "+1•••••••0100"


def test_note_and_virtual_number_are_kept_and_a_note_can_be_changed(mask: Mask) -> None:
    record = add(mask, "--note", "back door", "--virtual-number", "+1 415 555 0100")
    assert (record["note"], record["virtual_number"]) == ("back door", "+1•••••••0100")
    record = add(mask, "--note", "front door")
    assert (record["note"], record["virtual_number"]) == ("front door", "+1•••••••0100")


def test_add_with_another_virtual_number_is_a_conflict(mask: Mask) -> None:
    add(mask, "--virtual-number", "+14155550100")
    run = mask("add", "12345", *PARTIES, "--virtual-number", "+14155550101")
    run.failed(ExitCode.CONFLICT, "another virtual number")


def test_exclusive_options_are_wrong_usage(mask: Mask) -> None:
    both = ("--ttl", "1h", "--expires-at", "2026-12-24T18:00:00Z")
    mask("add", "12345", *PARTIES, *both).failed(ExitCode.USAGE, "exclude each other")
    assert mask.everything() == [] or mask.query("SELECT * FROM mappings") == []


def test_dry_run_of_add_stores_nothing_but_checks_everything(
    mask: Mask, mapping_record: Callable[..., dict[str, object]]
) -> None:
    mask("list").done()
    before = mask.everything()
    assert add(mask, "--dry-run") == mapping_record(changed=True)
    assert mask.everything() == before
    add(mask)
    run = mask("add", "12345", "--courier", GUIDE[0], "--client", GUIDE[1], "--dry-run")
    run.failed(ExitCode.CONFLICT, "order 12345 is active")
