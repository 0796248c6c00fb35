"""import into a store that holds something already: what it changes, sends and leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode
from tests.cli.conftest import NOON, PARTIES, remote_values
from tests.cli.imported import COUNTS, GOOD, HEADER, numbers
from tests.cli.leaks import GUIDE

if TYPE_CHECKING:
    from mask_cli.sandbox.voximplant import VoximplantSandbox
    from tests.cli.conftest import FixedClock, Mask

JSON = ("--format", "json")


def other_parties(mask: Mask) -> None:
    mask("add", "12345", "--courier", GUIDE[1], "--client", GUIDE[0], "--note", "mine").done()
    mask("add", "20001", *PARTIES).done()


ROWS = HEADER + GOOD + "20001,12222222222,13333333333\n30001,12222222222,13333333333\n"


def test_import_never_takes_an_active_order_from_other_parties(mask: Mask) -> None:
    other_parties(mask)
    before = mask.everything()
    run = mask("import", "-", stdin=ROWS)
    run.failed(ExitCode.CONFLICT, "line 2: order 12345 is active", "1 orders", "--on-conflict")
    assert mask.everything() == before


@pytest.mark.parametrize(
    ("choice", "counts", "courier"),
    [
        ("skip", {"added": 1, "unchanged": 1, "skipped": 1}, "+" + GUIDE[1]),
        ("replace", {"added": 1, "unchanged": 1, "updated": 1}, "+12222222222"),
    ],
)
def test_conflicts_are_skipped_or_replaced_only_when_told(
    mask: Mask, choice: str, counts: dict[str, int], courier: str
) -> None:
    other_parties(mask)
    run = mask("import", "-", "--on-conflict", choice, *JSON, stdin=ROWS).done()
    assert run.json == {**COUNTS, **counts}
    assert numbers(mask)["12345"][0] == courier


def test_an_import_that_swaps_a_courier_does_not_hide_who_did_it(mask: Mask) -> None:
    mask("import", "-", stdin=ROWS).done()
    assert mask("audit", "--order", "12345", *JSON).done().json == []
    swapped = ROWS.replace("12222222222", "14155550100")
    mask("import", "-", "--on-conflict", "replace", stdin=swapped).done()

    (row,) = mask("audit", "--order", "12345", *JSON).done().json
    assert (row["action"], row["detail"][:9]) == ("import", "replaced,")
    assert "4155550100" not in str(row)


def test_conflicts_can_be_rejected_and_mended(mask: Mask) -> None:
    other_parties(mask)
    rejects = mask.home / "r.csv"
    words = ("import", "-", "--keep-going", "--rejects", str(rejects), *JSON)
    run = mask(*words, stdin=ROWS)
    run.answered(ExitCode.PARTLY, "line 2: order 12345 is active")
    assert run.json == {**COUNTS, "added": 1, "unchanged": 1, "rejected": 1}
    assert rejects.read_text() == HEADER + GOOD
    assert mask("import", str(rejects), "--on-conflict", "replace", *JSON).done().json == {
        **COUNTS,
        "updated": 1,
    }


def test_a_ttl_counts_for_new_orders_only_so_that_a_file_can_be_repeated(
    mask: Mask, clock: FixedClock
) -> None:
    rows = "order,courier,client,ttl\n12345,12222222222,13333333333,2h\n"
    mask("import", "-", stdin=rows).done()
    assert mask.query("SELECT expires_at FROM mappings") == [(NOON + 7200,)]
    clock.pass_(60)
    assert mask("import", "-", *JSON, stdin=rows).done().json["unchanged"] == 1
    assert mask.query("SELECT expires_at FROM mappings") == [(NOON + 7200,)]


def test_a_rejected_duplicate_keeps_its_ttl(mask: Mask) -> None:
    rejects = mask.home / "r.csv"
    rows = "order,courier,client,ttl\n" + "12345,12222222222,13333333333,2h\n" * 2
    mask("import", "-", "--keep-going", "--rejects", str(rejects), stdin=rows)
    mended = rejects.read_text().replace("12345,", "12346,")
    mask("import", "-", stdin=mended).done()
    assert set(mask.query("SELECT expires_at FROM mappings")) == {(NOON + 7200,)}


def test_expires_at_and_note_update_what_is_there(mask: Mask) -> None:
    mask("add", "12345", *PARTIES).done()
    rows = f"order,courier,client,expires_at,note\n{GOOD.strip()},2026-12-24T18:00:00Z,new\n"
    assert mask("import", "-", *JSON, stdin=rows).done().json == {**COUNTS, "updated": 1}
    shown = mask("show", "12345", *JSON).done().json
    assert (shown["expires_at"], shown["note"]) == ("2026-12-24T18:00:00Z", "new")
    assert mask("import", "-", *JSON, stdin=rows).done().json == {**COUNTS, "unchanged": 1}


def test_rows_that_expired_already_are_counted_not_stored(mask: Mask) -> None:
    rows = f"order,courier,client,expires_at\n{GOOD.strip()},2020-01-01T00:00:00Z\n"
    assert mask("import", "-", *JSON, stdin=rows).done().json == {**COUNTS, "expired": 1}
    assert numbers(mask) == {}


def test_dry_run_of_import_stores_nothing_but_counts(mask: Mask) -> None:
    mask("list").done()
    before = mask.everything()
    run = mask("import", "-", "--dry-run", *JSON, stdin=HEADER + GOOD).done()
    assert run.json == {**COUNTS, "added": 1}
    assert mask.everything() == before
    assert "nothing was changed" in run.err


def test_import_says_what_waits_and_push_sends_it(mask: Mask, provider: VoximplantSandbox) -> None:
    run = mask("import", "-", *JSON, stdin=HEADER + GOOD).done()
    assert (run.json["pending"], remote_values(provider)) == (1, {})
    assert "mask sync" in run.err
    rows = HEADER + GOOD + "00042,12222222222,13333333333\n"
    run = mask("import", "-", "--push", *JSON, stdin=rows).done()
    assert (run.json["added"], run.json["set"], run.json["pending"]) == (1, 2, 0)
    assert remote_values(provider).keys() == {"order:12345", "order:00042"}
    provider.requests.clear()
    mask("import", "-", "--push", "--dry-run", stdin=HEADER + "30001,12222222222,13333333333\n")
    assert provider.requests.entries() == []


def test_rejected_rows_are_not_forgotten_when_the_provider_is_away(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    """75 would say that nothing is wrong here and the same command may be repeated."""
    rows = HEADER + GOOD + "nonsense,12222222222,13333333333\n"
    words = ("import", "-", "--push", "--keep-going", "--rejects", str(mask.home / "rejects"))
    provider.faults.add("json-status", times=0, status=500)
    mask(*words, stdin=rows).answered(ExitCode.PARTLY, "1 rows were not stored", "mask sync")


def test_a_dry_run_does_not_name_a_file_of_rejects_that_is_not_there(mask: Mask) -> None:
    words = ("import", "-", "--dry-run", "--keep-going", "--rejects", str(mask.home / "rejects"))
    run = mask(*words, stdin=HEADER + GOOD + "nonsense,12222222222,13333333333\n")
    run.answered(ExitCode.PARTLY, "1 rows would not be stored")
    assert "they are in" not in run.err
