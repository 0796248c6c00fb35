"""The contract of a store, held by SQLite and by the in-memory twin."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mask_cli.models import (
    DAY,
    DELETION,
    Mapping,
    PhoneNumber,
    RemoteItem,
    State,
    Target,
    needs_push,
)
from mask_cli.store.base import AuditRow, ImportCounts, IncomingRow, Selection
from mask_cli.store.sqlite import SqliteStore
from mask_cli.times import format_time
from tests.contract.memory_store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mask_cli.store.base import Staging, Store

NOW = 1_800_000_000
COURIER, CLIENT = PhoneNumber("+12222222222"), PhoneNumber("+13333333333")
OTHER = PhoneNumber("+14155550100")
RENTED = PhoneNumber("+14155550199")
TARGET = Target("api.voximplant.com", "1", "1", "order:")
ELSEWHERE = Target("api.voximplant.com", "1", "2", "order:")


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: Store = SqliteStore(tmp_path / "mask.db") if request.param == "sqlite" else MemoryStore()
    yield store
    store.close()


def mapping(order: str = "12345", expires_at: int = NOW + DAY, **values: object) -> Mapping:
    made = Mapping(order, COURIER, CLIENT, expires_at, NOW, NOW)
    return replace(made, **values)  # type: ignore[arg-type]


def put(store: Store, *mappings: Mapping) -> list[Mapping]:
    with store.writing():
        return [store.put(one) for one in mappings]


def forget(store: Store, order: str) -> bool:
    with store.writing():
        return store.forget(order)


def put_item(store: Store, item: RemoteItem, target: Target = TARGET) -> None:
    with store.writing():
        store.put_item(item, target)


def listed(store: Store, *, now: int = NOW, **selection: object) -> list[str]:
    chosen = Selection(**selection)  # type: ignore[arg-type]
    return [found.order for found, _ in store.listed(chosen, None, now)]


def pending_orders(store: Store, target: Target = TARGET) -> list[str]:
    return sorted(order for order, _, _ in store.pending(target, NOW))


# Mappings


def test_nothing_of_a_mapping_is_lost_or_changed_on_its_way(store: Store) -> None:
    given_in = mapping("00042", virtual_number=RENTED, note="blue door", created_at=7, updated_at=9)

    (stored,) = put(store, given_in)

    assert store.get("00042") == stored
    assert replace(stored, revision=0, mapping_id=0) == given_in
    assert store.get("42") is None


def test_a_change_keeps_the_mapping_id_and_takes_a_new_revision(store: Store) -> None:
    (first,) = put(store, mapping())
    (second,) = put(store, first.changed(NOW + 1, courier=OTHER))

    assert second.mapping_id == first.mapping_id
    assert second.revision > first.revision
    assert store.get("12345") == second


def test_an_order_added_anew_is_not_taken_for_the_old_one(store: Store) -> None:
    (old,) = put(store, mapping())
    assert forget(store, "12345")
    (new,) = put(store, mapping())

    assert new.mapping_id > old.mapping_id
    assert new.revision > old.revision


def test_forgetting_what_is_not_there_is_told(store: Store) -> None:
    assert forget(store, "12345") is False


def test_two_orders_never_share_a_revision(store: Store) -> None:
    stored = put(store, *(mapping(str(n)) for n in range(10000, 10050)))
    again = put(store, *stored[:10])

    assert len({one.revision for one in [*stored, *again]}) == 60


def test_a_failure_midway_leaves_nothing_half_done(store: Store) -> None:
    (before,) = put(store, mapping("11111"))
    put_item(store, RemoteItem("11111", 1, 1, "d", NOW + 9))

    def fails_midway() -> None:
        with store.writing() as inside:
            inside.put(mapping("22222"))
            inside.forget("11111")
            inside.put_item(RemoteItem("22222"), ELSEWHERE)
            inside.drop_item("11111", TARGET)
            inside.remember_application("e", "a", "n", "7")
            inside.add_audit(AuditRow(NOW, "me", "add"))
            assert inside.get("22222") is not None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_midway()

    assert listed(store) == ["11111"]
    assert store.get("11111") == before
    assert store.item("11111", TARGET) == RemoteItem("11111", 1, 1, "d", NOW + 9)
    assert store.item("22222", ELSEWHERE) is None
    assert store.known_application("e", "a", "n") is None
    assert list(store.audit(None, None)) == []


def test_a_dry_run_sees_its_own_writes_and_leaves_none(store: Store) -> None:
    with store.writing(keep=False) as inside:
        inside.put(mapping())
        inside.put_item(RemoteItem("12345"), TARGET)
        assert inside.get("12345") is not None
        assert inside.item("12345", TARGET) is not None

    assert store.get("12345") is None
    assert store.item("12345", TARGET) is None
    # The target's place, made in a dry run, must not be relied on afterwards.
    put_item(store, RemoteItem("12345"), TARGET)
    put_item(store, RemoteItem("54321"), ELSEWHERE)
    assert store.item("12345", TARGET) == RemoteItem("12345")
    assert store.item("12345", ELSEWHERE) is None


def test_a_store_is_usable_after_a_failure(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.writing():
        raise ZeroDivisionError
    put(store, mapping())

    assert listed(store) == ["12345"]


# Listing


def test_a_listing_shows_what_was_asked_for_and_nothing_else(store: Store) -> None:
    put(
        store,
        mapping("30000"),
        mapping("10000", courier=OTHER),
        mapping("20000", NOW),
        mapping("00042", client=OTHER, expires_at=NOW + 1),
    )

    assert listed(store) == ["00042", "10000", "20000", "30000"]
    assert listed(store, state=State.ACTIVE) == ["00042", "10000", "30000"]
    assert listed(store, state=State.EXPIRED) == ["20000"]
    assert listed(store, courier=OTHER) == ["10000"]
    assert listed(store, client=OTHER) == ["00042"]
    assert listed(store, courier=COURIER, client=CLIENT) == ["20000", "30000"]
    assert listed(store, courier=COURIER, client=CLIENT, state=State.ACTIVE) == ["30000"]
    assert listed(store, limit=2) == ["00042", "10000"]


def test_expiry_is_the_moment_itself_not_a_second_later(store: Store) -> None:
    put(store, mapping(expires_at=NOW))

    assert listed(store, state=State.ACTIVE) == []
    assert listed(store, state=State.EXPIRED) == ["12345"]
    assert listed(store, state=State.ACTIVE, now=NOW - 1) == ["12345"]


def test_a_listing_shows_the_base_of_its_target_only(store: Store) -> None:
    put(store, mapping("11111"), mapping("22222"))
    here, there = RemoteItem("11111", 1, 1, "x", 5), RemoteItem("22222", 2, 2, "y", 6)
    put_item(store, here, TARGET)
    put_item(store, there, ELSEWHERE)

    def bases(target: Target | None) -> list[RemoteItem | None]:
        return [item for _, item in store.listed(Selection(), target, NOW)]

    assert bases(TARGET) == [here, None]
    assert bases(ELSEWHERE) == [None, there]
    assert bases(None) == [None, None]


def test_a_listing_is_handed_out_row_by_row(store: Store) -> None:
    put(store, *(mapping(str(n)) for n in range(10000, 10100)))

    rows = store.listed(Selection(), None, NOW)

    assert [found.order for found, _ in islice(rows, 2)] == ["10000", "10001"]
    assert inspect.isgenerator(rows)


def test_completion_offers_active_orders_that_begin_so(store: Store) -> None:
    put(store, mapping("12000"), mapping("12001"), mapping("12002", NOW), mapping("13000"))

    assert store.active_orders("12", NOW, 50) == ["12000", "12001"]
    assert store.active_orders("", NOW, 2) == ["12000", "12001"]
    assert store.active_orders("9", NOW, 50) == []


# Free numbers


@pytest.mark.parametrize(
    ("used", "start", "free"),
    [
        ([], "0000", "0000"),
        (["0000"], "0000", "0001"),
        (["5000", "5001", "5003"], "5000", "5002"),
        (["9998", "9999"], "9998", "0000"),
        (["9999", "0000", "0001"], "9999", "0002"),
        (["9999"], "9998", "9998"),
        (["00000", "00001"], "0000", "0000"),
    ],
)
def test_a_number_in_use_is_never_offered_as_free(
    store: Store, used: list[str], start: str, free: str
) -> None:
    put(store, *(mapping(order) for order in used))

    assert store.free_order(start) == free


def test_a_full_number_space_is_told_and_its_last_hole_found(store: Store) -> None:
    put(store, *(mapping(str(n).zfill(4)) for n in range(10_000)))
    assert store.used_orders() == 10_000

    assert [store.free_order(start) for start in ("0000", "5000", "9999")] == [None] * 3

    forget(store, "4999")
    assert [store.free_order(s) for s in ("0000", "4999", "5000", "9999")] == ["4999"] * 4


# Expiry


def test_pruning_takes_only_what_expired_long_enough_ago(store: Store) -> None:
    put(store, *(mapping(str(10000 + n), NOW + n) for n in range(-3, 4)))
    assert store.count_expired(NOW - 1) == 3

    assert sum(store.forget_expired(NOW - 1, None)) == 3
    assert listed(store) == ["10000", "10001", "10002", "10003"]
    assert store.count_expired(NOW - 1) == 0
    assert sum(store.forget_expired(NOW - 1, None)) == 0


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_pruning_does_not_exceed_its_limit(store: Store, limit: int) -> None:
    put(store, *(mapping(str(10000 + n), NOW - 10) for n in range(5)))

    assert sum(store.forget_expired(NOW, limit)) == min(5, limit)
    assert store.used_orders() == max(0, 5 - limit)


# The base


def test_every_field_of_the_base_survives(store: Store) -> None:
    item = RemoteItem(
        "12345", 3, 4, "abc", NOW, "set", "token", NOW + 1, NOW + 2, 5, "why", refused=4
    )
    put_item(store, item)
    found = store.item("12345", TARGET)

    assert found == item
    with store.writing():
        store.drop_item("12345", TARGET)
    assert store.item("12345", TARGET) is None


def test_another_place_knows_nothing_of_what_was_pushed_here(store: Store) -> None:
    places = [
        TARGET,
        replace(TARGET, endpoint="127.0.0.1:1"),
        replace(TARGET, account="2"),
        replace(TARGET, application="2"),
        replace(TARGET, key_prefix=""),
    ]
    (stored,) = put(store, mapping())
    for number, place in enumerate(places):
        assert pending_orders(store, place) == ["12345"]
        acknowledged = RemoteItem("12345", 1, stored.revision, str(number), stored.expires_at)
        put_item(store, acknowledged, place)
        assert pending_orders(store, place) == []

    for number, place in enumerate(places):
        item = store.item("12345", place)
        assert item is not None
        assert item.digest == str(number)
    assert store.items_elsewhere(TARGET, NOW) == 4
    assert store.items_elsewhere(None, NOW) == 5
    assert store.items_elsewhere(TARGET, stored.expires_at) == 0
    with store.writing():
        store.drop_item("12345", TARGET)
    assert store.item("12345", places[1]) is not None


def test_only_base_rows_that_mean_nothing_any_more_are_dropped(store: Store) -> None:
    put(store, mapping("11111", NOW - 5))
    kept = {
        "a mapping stands here": RemoteItem("11111", 1, 1, "d", NOW - 5),
        "it still stands there": RemoteItem("22222", 1, 1, "d", NOW + 1),
        "what was sent is unknown": RemoteItem("33333", 1, 1, "d", NOW - 5, intent="delete"),
        "a late attempt may come": RemoteItem("66666", lease_until=NOW + 1),
    }
    gone = [RemoteItem("44444", 1, 1, "d", NOW), RemoteItem("55555", refused=DELETION)]
    for item in [*kept.values(), *gone]:
        put_item(store, item)
    put_item(store, RemoteItem("44444", 1, 1, "d", NOW), ELSEWHERE)

    with store.writing():
        assert store.drop_gone_items(TARGET, NOW) == 2

    assert all(store.item(item.order, TARGET) == item for item in kept.values())
    assert all(store.item(item.order, TARGET) is None for item in gone)
    assert store.item("44444", ELSEWHERE) is not None


def test_what_was_written_at_one_place_is_not_taken_for_ours_at_another(store: Store) -> None:
    put_item(store, RemoteItem("12345"), ELSEWHERE)
    with store.writing():
        for _ in range(2):
            store.add_trace("12345", TARGET, "d", NOW + 1)
        store.add_trace("12345", TARGET, "e", NOW)

    assert sorted(store.traces("12345", TARGET)) == [("d", NOW + 1), ("e", NOW)]
    assert store.traces("12345", ELSEWHERE) == store.traces("54321", TARGET) == []
    with store.writing():
        assert store.drop_traces(NOW) == 1
    assert store.traces("12345", TARGET) == [("d", NOW + 1)]


def test_a_place_never_written_to_has_no_base_and_harms_none(store: Store) -> None:
    put_item(store, RemoteItem("12345", 1, 1, "d", NOW + 1), ELSEWHERE)

    assert store.item("12345", TARGET) is None
    assert list(store.pending(TARGET, NOW)) == []
    with store.writing():
        assert store.drop_gone_items(TARGET, NOW + 9) == 0
        store.drop_item("12345", TARGET)
    assert store.item("12345", ELSEWHERE) is not None


moments = st.one_of(
    st.integers(NOW - 3, NOW + 3),
    st.integers(NOW + 30 * DAY - 3, NOW + 30 * DAY + 3),
    st.integers(NOW + 90 * DAY - 3, NOW + 90 * DAY + 3),
)
orders = st.sampled_from(["00001", "00002", "00003", "00004"])


@st.composite
def items(draw: st.DrawFn) -> RemoteItem:
    revision = draw(st.none() | st.integers(1, 6))
    intent = draw(st.sampled_from([None, None, "set", "delete"]))
    return RemoteItem(
        draw(orders),
        revision,
        revision,
        "digest" if revision else None,
        draw(st.none() | moments),
        intent,
        "token" if intent else None,
        draw(st.none() | moments) if intent else None,
        draw(st.sampled_from([0, NOW - 1, NOW + 9])),
        draw(st.integers(0, 3)),
        draw(st.none() | st.just("why")),
        draw(st.booleans()),
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stored=st.lists(st.tuples(orders, moments), max_size=5),
    bases=st.lists(st.tuples(items(), st.booleans()), max_size=5),
    now=moments,
)
def test_nothing_that_must_be_sent_is_overlooked_and_nothing_else_is_sent(
    store: Store,
    stored: list[tuple[str, int]],
    bases: list[tuple[RemoteItem, bool]],
    now: int,
) -> None:
    with store.writing(keep=False):
        first = store.put(mapping("99999", NOW - 10))
        for order, expires_at in stored:
            store.put(mapping(order, expires_at))
        for item, here in bases:
            moved = item.revision and item.revision + first.revision
            store.put_item(replace(item, revision=moved), TARGET if here else ELSEWHERE)

        for target in (TARGET, ELSEWHERE):
            known = {f"0000{n}" for n in range(1, 5)} | {"99999"}
            states = [(o, store.get(o), store.item(o, target)) for o in sorted(known)]
            wanted = [row for row in states if needs_push(row[1], row[2], now)]
            deletions = [row for row in wanted if row[1] is None or row[1].expires_at <= now]

            found = store.pending(target, now)
            assert sorted(found, key=lambda row: row[0]) == wanted
            found = store.pending(target, now, deletions_only=True)
            assert sorted(found, key=lambda row: row[0]) == deletions


# Small things that are kept


def test_an_application_is_known_by_the_whole_of_its_place(store: Store) -> None:
    with store.writing():
        store.remember_application("e", "a", "n", "1")
        store.remember_application("e", "a", "n", "2")

    assert store.known_application("e", "a", "n") == "2"
    assert store.known_application("e", "b", "n") is None
    assert store.known_application("f", "a", "n") is None
    with store.writing():
        store.remember_application("e", "a", "n", None)
    assert store.known_application("e", "a", "n") is None


def test_the_audit_is_told_newest_first_by_order_and_up_to_a_limit(store: Store) -> None:
    rows = [
        AuditRow(NOW - 2, "ann", "add", "11111", "until then"),
        AuditRow(NOW - 1, "bob", "reveal"),
        AuditRow(NOW, "cron", "delete", "11111"),
    ]
    with store.writing():
        for row in rows:
            store.add_audit(row)

    assert list(store.audit(None, None)) == rows[::-1]
    assert list(store.audit("11111", None)) == [rows[2], rows[0]]
    assert list(store.audit("11111", 1)) == [rows[2]]
    assert list(store.audit("22222", None)) == []


def test_audit_rows_younger_than_their_retention_are_kept(store: Store) -> None:
    with store.writing():
        for at in (NOW - 1, NOW, NOW + 1):
            store.add_audit(AuditRow(at, "me", "add"))
        assert store.prune_audit(NOW) == 1

    assert [row.at for row in store.audit(None, None)] == [NOW + 1, NOW]


def test_the_key_of_the_digests_is_long_and_stays(store: Store) -> None:
    key = store.digest_key()
    put(store, mapping())

    assert len(key) >= 32
    assert store.digest_key() == key


# Import


def row(order: str, line: int = 2, **values: object) -> IncomingRow:
    made = IncomingRow(
        order, line, COURIER.e164, CLIENT.e164, None, None, NOW + DAY, moves_expiry=False
    )
    return made._replace(**values)  # type: ignore[arg-type]


def duplicates(staging: Staging) -> list[IncomingRow]:
    found: list[IncomingRow] = []
    staging.take_duplicates(found.append)
    return found


def imported(store: Store, *rows: IncomingRow, replace: bool = False) -> ImportCounts:
    with store.staging() as staging:
        staging.add(rows)
        assert duplicates(staging) == []
        with store.writing():
            return staging.apply(NOW, replace=replace)


def test_a_persons_number_does_not_become_a_virtual_one_by_an_import(store: Store) -> None:
    put(store, mapping())
    strangers = {"courier": "+14155550171", "client": "+14155550172"}
    shown, other = "+14155550190", "+14155550173"
    with store.staging() as staging:
        staging.add(
            [
                row("21111", 2, **strangers, virtual_number=COURIER.e164),
                row("22222", 3, **strangers, virtual_number=shown),
                row("23333", 4, **{**strangers, "courier": shown}),
                row("24444", 5, **strangers, virtual_number="+14155550191"),
                row("25555", 6, courier=other, client="+14155550174"),
                row("26666", 7, **strangers, virtual_number=other),
            ]
        )
        duplicates(staging)
        with store.writing():
            mixed_up: list[IncomingRow] = []
            staging.take_mixed_up(mixed_up.append)
            counts = staging.apply(NOW, replace=False)
    assert [line.line for line in mixed_up] == [2, 3, 4, 6, 7]
    assert counts == ImportCounts(1, 0, 0, 0)


def test_an_order_twice_in_a_file_is_found_and_its_first_row_stands(store: Store) -> None:
    with store.staging() as staging:
        staging.add([row("11111", 2), row("22222", 3)])
        staging.add([row("11111", 4, courier=OTHER.e164), row("11111", 5), row("33333", 6)])
        twice = duplicates(staging)
        with store.writing():
            counts = staging.apply(NOW, replace=False)

    assert sorted(line.line for line in twice) == [4, 5]
    assert counts == ImportCounts(3, 0, 0, 0)
    found = store.get("11111")
    assert found is not None
    assert found.courier == COURIER


def test_the_text_of_a_row_comes_back_as_it_came(store: Store) -> None:
    with store.staging() as staging:
        staging.add([row("11111", 2), row("11111", 3)])
        staging.keep([(2, "11111;'1 222'\n"), (3, "again\n")])
        assert [staging.text(one.line) for one in duplicates(staging)] == ["again\n"]
        with store.writing():
            assert staging.text(2) == "11111;'1 222'\n"


def test_what_is_rejected_comes_back_in_its_order_and_not_in_the_next_import(store: Store) -> None:
    texts = ["b\n", "a\n", "a\n", '"ü;\n"\n', "no UTF-8: \udce9\n"]
    for _ in range(2):
        with store.staging() as staging:
            assert list(staging.rejected()) == []
            staging.add([row("11111", 2), row("11111", 3)])
            staging.reject(texts[0])
            staging.take_duplicates(lambda _: staging.reject(texts[1]))
            with store.writing(keep=False):
                for text in texts[2:]:
                    staging.reject(text)
                assert list(staging.rejected()) == texts


def test_what_is_only_staged_is_in_nobodys_way(store: Store) -> None:
    with store.staging() as staging:
        staging.add([row("11111")])
        assert duplicates(staging) == []
        put(store, mapping("22222"))
    with store.staging() as staging:
        assert duplicates(staging) == []

    assert listed(store) == ["22222"]


def test_an_import_given_up_leaves_nothing_and_can_be_begun_again(store: Store) -> None:
    def gives_up() -> None:
        with store.staging() as staging:
            staging.add([row("11111")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gives_up()

    assert listed(store) == []
    assert imported(store, row("11111")) == ImportCounts(1, 0, 0, 0)


@pytest.mark.parametrize("already", [[], ["55555"]], ids=["empty", "filled"])
def test_an_import_undone_leaves_the_store_whole(store: Store, already: list[str]) -> None:
    put(store, *(mapping(order) for order in already))
    with store.staging() as staging:
        staging.add([row("11111")])
        duplicates(staging)
        with store.writing(keep=False):
            assert staging.apply(NOW, replace=False).added == 1

    assert listed(store) == already
    assert imported(store, row("11111")) == ImportCounts(1, 0, 0, 0)
    assert listed(store, courier=COURIER) == ["11111", *already]


def test_importing_the_same_file_again_changes_nothing(store: Store) -> None:
    rows = [
        row("11111"),
        row("22222", note="door", virtual_number=RENTED.e164),
        row("33333", expires_at=NOW + 5, moves_expiry=True),
    ]
    assert imported(store, *rows) == ImportCounts(3, 0, 0, 0)
    before = [store.get(one.order) for one in rows]

    assert imported(store, *rows, replace=True) == ImportCounts(0, 0, 3, 0)
    later = [one._replace(expires_at=one.expires_at + 60 * (not one.moves_expiry)) for one in rows]
    assert imported(store, *later) == ImportCounts(0, 0, 3, 0)
    assert [store.get(one.order) for one in rows] == before


def test_conflicts_are_found_line_by_line_and_agreeing_rows_are_none(store: Store) -> None:
    put(
        store,
        mapping("11111"),
        mapping("22222"),
        mapping("33333", virtual_number=RENTED),
        mapping("44444", NOW),
        mapping("66666", virtual_number=RENTED),
    )
    with store.staging() as staging:
        rows = [
            row("22222", 9, client=OTHER.e164),
            row("11111", 3),
            row("33333", 4, virtual_number=OTHER.e164),
            row("44444", 5, courier=OTHER.e164),
            row("55555", 6),
            row("66666", 7, note="n", expires_at=NOW + 1, moves_expiry=True),
        ]
        staging.add(rows)
        assert duplicates(staging) == []
        with store.writing():
            found = list(staging.conflicts(NOW))

    assert found == [rows[2], rows[0]]


def _audited(store: Store, *rows: IncomingRow, replace: bool) -> list[AuditRow]:
    with store.staging() as staging:
        staging.add(rows)
        assert duplicates(staging) == []
        with store.writing(keep=False):
            count = staging.audit(NOW, "me", replace=replace)
            found = list(store.audit(None, None))
    assert len(found) - len(list(store.audit(None, None))) == count
    return found[:count][::-1]


@pytest.mark.parametrize("replace", [True, False])
def test_an_import_does_not_hide_who_changed_an_order(store: Store, replace: bool) -> None:
    same = mapping("11111")
    put(store, same, mapping("22222"), mapping("33333"), mapping("44444", NOW))
    with store.writing():
        for order in ("44444", "55555"):
            store.add_audit(AuditRow(NOW - 9, "me", "delete", order))
    until = NOW + 7
    changed = [
        row("22222", courier=OTHER.e164, expires_at=until),
        row("33333", expires_at=until, moves_expiry=True),
        row("44444", expires_at=until),
        row("55555", expires_at=until),
    ]
    found = _audited(store, row("11111"), *changed, row("66666"), replace=replace)

    told = f"until {format_time(until)}"
    wanted = {"22222": f"replaced, {told}", "33333": told, "44444": told, "55555": told}
    if not replace:
        del wanted["22222"]
    assert found == [AuditRow(NOW, "me", "import", o, detail) for o, detail in wanted.items()]


def test_a_first_import_writes_no_audit_row_an_order(store: Store) -> None:
    assert _audited(store, row("11111"), row("22222"), replace=True) == []


def test_a_conflicting_row_is_skipped_whole_unless_it_may_replace(store: Store) -> None:
    (old,) = put(store, mapping("11111", note="old", virtual_number=RENTED))
    new = row("11111", courier=OTHER.e164, expires_at=NOW + 7)

    assert imported(store, new) == ImportCounts(0, 0, 0, 1)
    assert store.get("11111") == old

    assert imported(store, new, replace=True) == ImportCounts(0, 1, 0, 0)
    found = store.get("11111")
    assert found is not None
    assert found.mapping_id > old.mapping_id
    assert found.revision > old.revision
    fresh = mapping("11111", NOW + 7, courier=OTHER)
    assert replace(found, mapping_id=0, revision=0) == fresh


def test_an_agreeing_row_moves_expiry_and_note_and_keeps_the_rest(store: Store) -> None:
    (old,) = put(store, mapping("11111", note="old", virtual_number=RENTED, created_at=NOW - 9))
    new = row("11111", expires_at=NOW + 7, moves_expiry=True, note="new")

    assert imported(store, new) == ImportCounts(0, 1, 0, 0)
    found = store.get("11111")
    assert found is not None
    assert found.revision > old.revision
    wanted = replace(old, expires_at=NOW + 7, note="new", updated_at=NOW)
    assert replace(found, revision=old.revision) == wanted


def test_an_expired_order_is_imported_anew_and_not_taken_for_the_old_one(store: Store) -> None:
    (old,) = put(store, mapping("11111", NOW, note="old", virtual_number=RENTED, created_at=1))

    assert imported(store, row("11111")) == ImportCounts(1, 0, 0, 0)
    found = store.get("11111")
    assert found is not None
    assert found.mapping_id > old.mapping_id
    assert replace(found, mapping_id=0, revision=0) == mapping("11111")


def test_an_import_gives_every_mapping_an_identity_of_its_own(store: Store) -> None:
    imported(store, *(row(str(n)) for n in range(10000, 10020)))
    imported(store, *(row(str(n)) for n in range(20000, 20020)))
    (last,) = put(store, mapping("30000"))

    found = [one for one, _ in store.listed(Selection(), None, NOW)]
    assert len({one.revision for one in found}) == 41
    assert len({one.mapping_id for one in found}) == 41
    assert max(one.revision for one in found) == last.revision


incoming = st.builds(
    IncomingRow,
    order=st.integers(10000, 10012).map(str),
    line=st.integers(2, 99),
    courier=st.sampled_from([COURIER.e164, OTHER.e164]),
    client=st.just(CLIENT.e164),
    virtual_number=st.sampled_from([None, RENTED.e164]),
    note=st.sampled_from([None, "new"]),
    expires_at=st.sampled_from([NOW + 1, NOW + DAY]),
    moves_expiry=st.booleans(),
)
stored_before = st.builds(
    mapping,
    order=st.integers(10000, 10012).map(str),
    expires_at=st.sampled_from([NOW - 1, NOW, NOW + 1, NOW + DAY]),
    courier=st.sampled_from([COURIER, OTHER]),
    virtual_number=st.sampled_from([None, RENTED]),
    note=st.sampled_from([None, "old"]),
    created_at=st.just(NOW - 99),
)


@contextmanager
def emptied(store: Store) -> Iterator[None]:
    with store.writing():
        for found in list(store.listed(Selection(), None, NOW)):
            store.forget(found[0].order)
    yield


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    sqlite = SqliteStore(tmp_path / "mask.db")
    yield sqlite, MemoryStore()
    sqlite.close()


def plain(store: Store) -> list[Mapping]:
    rows = store.listed(Selection(), None, NOW)
    return [replace(found, mapping_id=0, revision=0) for found, _ in rows]


def aged(store: Store) -> set[str]:
    """Return the orders whose mapping lives on from before: its id is older than its revision."""
    rows = store.listed(Selection(), None, NOW)
    return {found.order for found, _ in rows if found.mapping_id != found.revision}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(stored_before, max_size=8),
    rows=st.lists(incoming, max_size=12),
    overwrite=st.booleans(),
)
def test_sqlite_imports_exactly_what_the_plain_words_say(
    twins: tuple[Store, Store], before: list[Mapping], rows: list[IncomingRow], overwrite: bool
) -> None:
    results = []
    for store in twins:
        with emptied(store):
            put(store, *before)
        with store.staging() as staging:
            staging.add(rows)
            twice = sorted(duplicates(staging), key=repr)
            with store.writing():
                conflicts = sorted(staging.conflicts(NOW), key=repr)
                counts = staging.apply(NOW, replace=overwrite)
        results.append((twice, conflicts, counts, plain(store), aged(store)))

    assert results[0] == results[1]


def test_filling_an_empty_store_gives_the_same_as_merging(tmp_path: Path) -> None:
    rows = [
        row("30000", 2, note="n"),
        row("10000", 3, virtual_number=RENTED.e164),
        row("20000", 4, expires_at=NOW + 5, moves_expiry=True),
    ]
    results = []
    for name, already in (("empty", []), ("filled", [mapping("99999")])):
        store = SqliteStore(tmp_path / name)
        put(store, *already)
        counts = imported(store, *rows)
        forget(store, "99999")
        names = "SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY name"
        indexes = store.connection.execute(names).fetchall()
        results.append((counts, plain(store), indexes, listed(store, client=CLIENT)))
        store.close()

    assert results[0] == results[1]
