"""Three-way comparison: each row of its table, and the limits that stop a mishap."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import SafetyStop
from mask_cli.models import (
    DAY,
    REMOTE_LIFE,
    Mapping,
    PhoneNumber,
    RemoteItem,
    keyed_digest,
    remote_value,
)
from mask_cli.reconcile import (
    PLAN_FIELDS,
    Drift,
    Plan,
    Reason,
    Seen,
    drift_of,
    drift_record,
    planned,
    refuse_orphans,
)

if TYPE_CHECKING:
    from collections.abc import Collection

NOW, KEY = 1_796_126_400, b"key"
MAPPING = Mapping(
    "12345",
    PhoneNumber("+12222222222"),
    PhoneNumber("+13333333333"),
    NOW + 10 * DAY,
    NOW,
    NOW,
    mapping_id=1,
    revision=1,
)
DIGEST = keyed_digest(KEY, remote_value(MAPPING))
ITEM = RemoteItem("12345", 1, 1, DIGEST, NOW + 10 * DAY)
SEEN = Seen(DIGEST, NOW + 10 * DAY)
ENDED = replace(MAPPING, expires_at=NOW)
ALIEN = Seen("other", NOW + 10 * DAY)


TRACES = [(DIGEST, NOW + 10 * DAY)]


def found(
    mapping: Mapping | None,
    item: RemoteItem | None,
    seen: Seen | None,
    *,
    purpose: bool = False,
    traces: Collection[tuple[str, int]] = (),
) -> Drift | None:
    more = {"now": NOW, "key": KEY, "gone_on_purpose": purpose, "traces": traces}
    return drift_of("12345", mapping, item, seen, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mapping", "item", "seen"),
    [
        (MAPPING, ITEM, SEEN),
        (MAPPING, None, SEEN),
        (ENDED, ITEM, None),
        (ENDED, None, None),
        (None, ITEM, None),
        (None, None, None),
    ],
)
def test_what_agrees_is_left_alone(
    mapping: Mapping | None, item: RemoteItem | None, seen: Seen | None
) -> None:
    assert found(mapping, item, seen) is None


@pytest.mark.parametrize(
    ("mapping", "item", "seen", "reason", "by_others"),
    [
        (MAPPING, None, None, Reason.MISSING, False),
        (MAPPING, ITEM, None, Reason.MISSING, True),
        (MAPPING, replace(ITEM, intent="set"), None, Reason.MISSING, False),
        (MAPPING, replace(ITEM, expires_at=NOW), None, Reason.MISSING, False),
        (MAPPING, ITEM, ALIEN, Reason.CHANGED, True),
        (MAPPING, None, ALIEN, Reason.CHANGED, True),
        (MAPPING, replace(ITEM, intent="set"), ALIEN, Reason.CHANGED, False),
        (MAPPING, replace(ITEM, digest="other"), ALIEN, Reason.CHANGED, False),
        (MAPPING, ITEM, replace(SEEN, expires_at=NOW + 1), Reason.EXPIRY_DIFFERS, True),
        (MAPPING, ITEM, replace(SEEN, expires_at=NOW + 80 * DAY), Reason.EXPIRY_DIFFERS, True),
        (ENDED, ITEM, SEEN, Reason.ORPHAN, False),
        (None, ITEM, SEEN, Reason.ORPHAN, False),
        (None, ITEM, ALIEN, Reason.ORPHAN, True),
        (ENDED, None, SEEN, Reason.FOREIGN, True),
        (ENDED, None, ALIEN, Reason.FOREIGN, True),
        (None, None, ALIEN, Reason.FOREIGN, True),
    ],
)
def test_each_difference_has_its_reason_and_its_author(
    mapping: Mapping | None,
    item: RemoteItem | None,
    seen: Seen | None,
    reason: Reason,
    by_others: bool,
) -> None:
    drift = found(mapping, item, seen)
    assert drift is not None
    assert (drift.reason, drift.by_others) == (reason, by_others)


@pytest.mark.parametrize("mapping", [ENDED, None])
@pytest.mark.parametrize("item", [None, RemoteItem("12345", lease_until=NOW + 9)])
def test_a_late_write_of_ours_does_not_stay_reachable(
    mapping: Mapping | None, item: RemoteItem | None
) -> None:
    drift = found(mapping, item, SEEN, traces=TRACES)
    assert drift is not None
    assert (drift.reason, drift.by_others) == (Reason.ORPHAN, False)
    # A stranger's may look the same: the limit has to count it.
    assert not drift.explained


@pytest.mark.parametrize("mapping", [ENDED, None])
@pytest.mark.parametrize(
    "item",
    [
        None,
        RemoteItem("12345", lease_until=NOW + 9),
        RemoteItem("12345", attempts=1, last_error="refused", refused=1),
        replace(ITEM, expires_at=NOW),
    ],
)
@pytest.mark.parametrize("seen", [ALIEN, replace(SEEN, expires_at=NOW + 9)])
def test_a_strangers_key_is_not_deleted_because_an_order_of_ours_had_its_number(
    mapping: Mapping | None, item: RemoteItem | None, seen: Seen
) -> None:
    drift = found(mapping, item, seen, purpose=True, traces=TRACES)
    assert drift is not None
    assert (drift.reason, drift.by_others, drift.action) == (Reason.FOREIGN, True, "none")


def test_a_capped_item_is_not_written_anew_at_every_run() -> None:
    long = replace(MAPPING, expires_at=NOW + 200 * DAY)
    capped = NOW + REMOTE_LIFE
    item = replace(ITEM, expires_at=capped)
    assert found(long, item, Seen(DIGEST, capped)) is None
    due = found(long, replace(item, expires_at=NOW + DAY), Seen(DIGEST, NOW + DAY))
    assert due is not None
    cut = found(long, item, Seen(DIGEST, NOW + 40 * DAY))
    assert cut is not None
    assert cut.reason is Reason.EXPIRY_DIFFERS


def test_foreign_is_never_acted_on() -> None:
    drift = found(None, None, ALIEN)
    assert drift is not None
    assert drift.action == "none"
    assert Plan((drift,), 0, found=True).changes == []


def orphans(count: int, base: int, **more: bool) -> Plan:
    drifts = [
        Drift(f"{n:05d}", Reason.ORPHAN, **{"explained": False, **more}) for n in range(count)
    ]
    return planned(drifts, base, found=True)


@pytest.mark.parametrize(("count", "base"), [(9, 9), (10, 34), (30, 100)])
def test_few_orphans_are_let_go(count: int, base: int) -> None:
    orphans(count, base).check()


@pytest.mark.parametrize(("count", "base"), [(10, 33), (10, 10), (31, 100)])
def test_a_replaced_database_does_not_empty_the_provider(count: int, base: int) -> None:
    with pytest.raises(SafetyStop, match=f"{count} of {base}.*") as stop:
        orphans(count, base).check()
    assert "--force" in (stop.value.hint or "")
    with pytest.raises(SafetyStop):
        refuse_orphans(count, base)


def test_deletions_that_were_asked_for_are_never_held_back() -> None:
    orphans(1000, 1000, explained=True).check()
    for mapping, item, purpose in (
        (None, ITEM, True),
        (None, replace(ITEM, intent="delete"), False),
        (ENDED, ITEM, False),
    ):
        drift = found(mapping, item, SEEN, purpose=purpose)
        assert drift is not None
        assert drift.explained


def test_a_clock_that_is_days_fast_does_not_explain_deletions() -> None:
    ended = replace(MAPPING, expires_at=NOW - DAY)
    drift = found(ended, replace(ITEM, expires_at=NOW - DAY), SEEN)
    assert drift is not None
    assert not drift.explained


def test_an_emptied_provider_stops_with_the_numbers() -> None:
    with pytest.raises(SafetyStop, match="7 keys"):
        planned([], 7, found=False).check()
    planned([], 0, found=False).check()


def test_a_plan_is_sorted_counted_and_whole_for_programs() -> None:
    plan = planned(
        [Drift("2", Reason.CHANGED), Drift("1", Reason.MISSING, local_expires_at=NOW)],
        2,
        found=True,
    )
    assert [drift.order for drift in plan.drifts] == ["1", "2"]
    assert plan.counts() == {
        "missing": 1,
        "changed": 1,
        "expiry_differs": 0,
        "orphan": 0,
        "foreign": 0,
    }
    record = drift_record(plan.drifts[0])
    assert tuple(record) == PLAN_FIELDS
    assert record["local_expires_at"] == "2026-12-01T12:00:00Z"
