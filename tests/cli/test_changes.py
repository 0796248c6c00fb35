"""reassign, expire, extend, delete, prune: what they change, and what they leave alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import ExitCode
from mask_cli.times import format_time
from tests.cli.conftest import DAY, NOON, PARTIES
from tests.cli.leaks import COURIER, GUIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import FixedClock, Mask

HOUR = 3600
JSON = ("--format", "json")


@pytest.fixture(autouse=True)
def orders(mask: Mask) -> None:
    mask("add", "12345", *PARTIES).done()
    mask("add", "20001", "--courier", GUIDE[1], "--client", GUIDE[0], "--ttl", "1h").done()


def expiries(mask: Mask) -> dict[str, int]:
    return dict(mask.query("SELECT order_number, expires_at FROM mappings"))


def test_reassign_keeps_order_expiry_and_history(
    mask: Mask, clock: FixedClock, mapping_record: Callable[..., dict[str, object]]
) -> None:
    clock.pass_(60)
    run = mask("reassign", "12345", "--courier", GUIDE[3], *JSON).done()
    assert run.json == mapping_record(
        courier="+1•••••••7780",
        updated_at=format_time(NOON + 60),
        revision=3,
        changed=True,
        allocation=None,
        asks=None,
    )
    again = mask("reassign", "12345", "--courier", GUIDE[3], *JSON).done()
    assert again.json == {**run.json, "changed": False}
    actions = [row["action"] for row in mask("audit", "--order", "12345", *JSON).done().json]
    assert actions == ["reassign", "add"]


def test_reassign_of_an_expired_order_says_how_to_revive_it(mask: Mask, clock: FixedClock) -> None:
    clock.pass_(HOUR)
    run = mask("reassign", "20001", "--courier", COURIER)
    run.failed(ExitCode.NOT_FOUND, "order 20001 has expired", "mask extend 20001")


def test_reassign_never_makes_both_parties_one(mask: Mask) -> None:
    before = mask.everything()
    mask("reassign", "12345", "--client", COURIER).failed(ExitCode.BAD_DATA, "the same number")
    assert mask.everything() == before


def test_reassign_to_nobody_is_wrong_usage(mask: Mask) -> None:
    mask("reassign", "12345").failed(ExitCode.USAGE, "--courier or --client")


def test_reassign_never_makes_the_virtual_number_a_party(mask: Mask) -> None:
    number = ("--virtual-number", "+14155550100")
    mask("add", "30001", *PARTIES, *number).done()
    before = mask.everything()
    run = mask("reassign", "30001", "--courier", "+14155550100")
    run.failed(ExitCode.BAD_DATA, "virtual number")
    assert mask.everything() == before


def test_expire_ends_now_and_twice_is_fine(mask: Mask) -> None:
    run = mask("expire", "12345", *JSON).done()
    assert (run.json["state"], run.json["expires_at"]) == ("expired", format_time(NOON))
    assert run.json["changed"] is True
    assert mask("expire", "12345", *JSON).done().json["changed"] is False


def test_expire_later_shortens_but_never_lengthens(mask: Mask) -> None:
    run = mask("expire", "12345", "--in", "2h", *JSON).done()
    assert (run.json["state"], run.json["expires_at"]) == ("active", format_time(NOON + 2 * HOUR))
    before = mask.everything()
    mask("expire", "20001", "--in", "2h").failed(ExitCode.BAD_DATA, "mask extend 20001")
    mask("expire", "12345", "--at", "2026-12-24T18:00:00Z").failed(ExitCode.BAD_DATA, "extend")
    assert mask.everything() == before


def test_expire_of_several_is_all_or_none(mask: Mask) -> None:
    before = mask.everything()
    mask("expire", "12345", "99999").failed(ExitCode.NOT_FOUND, "there is no order 99999")
    mask("expire", "12345", "20001", "--in", "2h").failed(ExitCode.BAD_DATA)
    mask("extend", "12345", "99999", "--by", "1h").failed(ExitCode.NOT_FOUND)
    mask("delete", "12345", "99999").failed(ExitCode.NOT_FOUND, "99999")
    mask("delete", "12345", "1234").failed(ExitCode.BAD_DATA, "5 digits")
    assert mask.everything() == before


def test_several_orders_print_a_list(mask: Mask) -> None:
    run = mask("expire", "12345", "20001", *JSON).done()
    assert [(row["order"], row["changed"]) for row in run.json] == [
        ("12345", True),
        ("20001", True),
    ]


def test_an_order_named_twice_is_changed_once(mask: Mask) -> None:
    run = mask("extend", "12345", "12345", "--by", "1h", *JSON).done()
    assert run.json["order"] == "12345"
    assert expiries(mask)["12345"] == NOON + 10 * DAY + HOUR


def test_extend_counts_from_expiry_or_from_now_when_that_passed(
    mask: Mask, clock: FixedClock
) -> None:
    mask("extend", "12345", "--by", "1h").done()
    clock.pass_(2 * HOUR)
    run = mask("extend", "20001", "--by", "30m", *JSON).done()
    assert run.json["state"] == "active"
    assert expiries(mask) == {"12345": NOON + 10 * DAY + HOUR, "20001": NOON + 2 * HOUR + 1800}


def test_extending_again_and_again_never_leaves_the_calendar(mask: Mask) -> None:
    """A date beyond year 9999 could be stored and then never be shown again."""
    for _ in range(3):
        mask("extend", "12345", "--by", "3650d")
    assert mask("show", "12345", *JSON).done().json["state"] == "active"
    mask.query("UPDATE mappings SET expires_at = 253402300799 WHERE order_number = '12345'")
    mask("extend", "12345", "--by", "10d").failed(ExitCode.BAD_DATA)
    assert mask("list", *JSON).done().json


@pytest.mark.parametrize("name", ["delete", "remove", "rm"])
def test_delete_under_each_of_its_names_forgets(mask: Mask, name: str) -> None:
    run = mask(name, "12345", *JSON).done()
    assert run.json == {
        "order": "12345",
        "courier": None,
        "client": None,
        "virtual_number": None,
        "note": None,
        "state": "expired",
        "remote": "off",
        "created_at": None,
        "updated_at": None,
        "expires_at": None,
        "revision": None,
        "changed": True,
        "allocation": None,
        "asks": None,
    }
    mask("show", "12345").failed(ExitCode.NOT_FOUND, "there is no order 12345")
    mask(name, "12345").failed(ExitCode.NOT_FOUND)
    assert mask(name, "12345", "--missing-ok", *JSON).done().json["changed"] is False


def test_prune_waits_for_the_grace_that_a_wrong_clock_needs(mask: Mask, clock: FixedClock) -> None:
    clock.pass_(HOUR + DAY - 1)
    counts = {"pruned": 0, "audit": 0, "calls": 0, "deleted": 0, "pending": 0}
    assert mask("prune", *JSON).done().json == counts
    clock.pass_(1)
    assert mask("prune", *JSON).done().json == {**counts, "pruned": 1}
    assert expiries(mask).keys() == {"12345"}
    assert mask("prune", *JSON).done().json == counts


def test_prune_with_grace_and_limit(mask: Mask) -> None:
    mask("expire", "12345", "20001").done()
    run = mask("prune", "--grace", "0", "--limit", "1", "--dry-run", *JSON).done()
    assert run.json["pruned"] == 1
    assert mask("prune", "--grace", "0", "--limit", "1", *JSON).done().json["pruned"] == 1
    assert len(expiries(mask)) == 1


def test_prune_keeps_the_audit_for_its_retention(
    mask: Mask, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_RETENTION_AUDIT", "30d")
    clock.pass_(30 * DAY)
    assert mask("prune", "--grace", "365d", *JSON).done().json["audit"] == 0
    clock.pass_(1)
    assert mask("prune", "--grace", "365d", *JSON).done().json["audit"] == 2


CHANGES: dict[str, tuple[str, ...]] = {
    "add": ("30001", *PARTIES),
    "reassign": ("12345", "--courier", GUIDE[3]),
    "expire": ("12345", "20001"),
    "extend": ("12345", "--by", "1h"),
    "delete": ("12345", "20001"),
    "prune": ("--grace", "0"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_dry_run_changes_nothing_and_says_so(mask: Mask, clock: FixedClock, name: str) -> None:
    clock.pass_(10)
    if name == "prune":
        clock.pass_(HOUR)
    before = mask.everything()
    run = mask(name, *CHANGES[name], "--dry-run").done()
    assert "Dry run: nothing was changed." in run.err
    assert run.out
    assert mask.everything() == before


@pytest.mark.parametrize(
    "words",
    [
        ("reassign", "99999", "--courier", GUIDE[3]),
        ("expire", "99999"),
        ("extend", "99999", "--by", "1h"),
        ("delete", "99999"),
    ],
)
def test_a_dry_run_still_finds_what_is_wrong(mask: Mask, words: tuple[str, ...]) -> None:
    mask(*words, "--dry-run").failed(ExitCode.NOT_FOUND, "99999")


def test_audit_tells_who_did_what_newest_first(mask: Mask, clock: FixedClock) -> None:
    clock.pass_(60)
    mask("delete", "20001").done()
    rows: list[dict[str, Any]] = mask("audit", *JSON).done().json
    assert [(row["action"], row["order"]) for row in rows] == [
        ("delete", "20001"),
        ("add", "20001"),
        ("add", "12345"),
    ]
    assert list(rows[0]) == ["at", "actor", "action", "order", "detail"]
    assert rows[0]["at"] == format_time(NOON + 60)
    assert all(row["actor"] for row in rows)
    assert len(mask("audit", "--limit", "1", *JSON).done().json) == 1
