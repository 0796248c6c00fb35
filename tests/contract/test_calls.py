"""What every keeper of calls promises."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import TryLater
from mask_cli.models import PhoneNumber
from mask_cli.store.calls import SqliteCalls
from mask_cli.store.calls_base import (
    OVERTAKEN,
    CallOutcome,
    CallSelection,
    CallUpdate,
    CallWrite,
    Guess,
    NonceUse,
    Seen,
    SeenNonce,
    WrongOrder,
)
from mask_cli.store.connection import connect
from mask_cli.store.pool import SqlitePool
from mask_cli.store.sqlite import SqliteStore
from tests.webhook import NOON, OURS, PAIRS, mapping, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COURIER, CLIENT = (PhoneNumber(f"+{number}") for number in PAIRS[0][1:])
CALLED = PhoneNumber(f"+{OURS}")
OTHER = PhoneNumber("+13333333333")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path / "mask.db") as here:
        yield here


@pytest.fixture
def calls(store: SqliteStore) -> SqliteCalls:
    return SqliteCalls(store)


def update(call_id: str = "call-0001", **values: Any) -> CallWrite:
    started = values.pop("started_at", NOON)
    return CallWrite(update=CallUpdate("plivo", call_id, started)._replace(**values))


def use(nonce: str, digest: str = "d", *, token: str = "t1", at: int = NOON) -> CallWrite:  # noqa: S107 (no secret: it tells uses apart)
    return CallWrite(nonce=NonceUse(nonce, digest, f"answer {token}", token, at))


def outcome(calls: SqliteCalls) -> str | None:
    call = calls.get("call-0001")
    return call.outcome if call else None


def test_only_reachable_mappings_of_the_caller_are_candidates(
    store: SqliteStore, calls: SqliteCalls
) -> None:
    stranger = "14155550111"
    with store.writing():
        store.put(mapping("00001", COURIER.digits, CLIENT.digits))
        store.put(mapping("00002", stranger, COURIER.digits, virtual_number=CALLED))
        store.put(mapping("00003", COURIER.digits, stranger, virtual_number=OTHER))
        store.put(mapping("00004", COURIER.digits, stranger, expires_at=NOON))
        store.put(mapping("00005", stranger, CLIENT.digits))
    found = {m.order for m in calls.candidates(COURIER, CALLED, None, NOON)}
    assert found == {"00001", "00002"}
    for order in ("00001", "00002"):
        assert [m.order for m in calls.candidates(COURIER, CALLED, order, NOON)] == [order]
    for order in ("00003", "00004", "00005", "99999", "", "' OR 1=1"):
        assert calls.candidates(COURIER, CALLED, order, NOON) == []


def test_a_courier_with_thousands_of_orders_costs_no_more_than_one_with_some(
    store: SqliteStore, calls: SqliteCalls
) -> None:
    with store.writing():
        for n in range(500):
            store.put(mapping(f"{n:05d}", COURIER.digits, f"1415555{n:04d}"))
    assert 2 <= len(calls.candidates(COURIER, CALLED, None, NOON)) <= 20
    assert len(calls.candidates(COURIER, CALLED, "00499", NOON)) == 1


def test_released_numbers_are_not_ours_and_bound_ones_are(
    store: SqliteStore, calls: SqliteCalls
) -> None:
    quiet, gone, bound = (PhoneNumber(f"+1415555030{n}") for n in range(3))
    with store.writing():
        pool = SqlitePool(store)
        for number in (CALLED, quiet, gone):
            pool.put(number, None, None, NOON)
        pool.set_state(quiet, "quarantined")
        pool.set_state(gone, "released")
        store.put(mapping("00001", COURIER.digits, CLIENT.digits, virtual_number=bound))
    asked = [CALLED, quiet, gone, bound, OTHER, COURIER]
    assert calls.ours(asked) == {CALLED, quiet, bound}
    assert calls.ours([]) == frozenset()


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_most_telling_outcome_stays_in_whatever_order_events_come(
    calls: SqliteCalls, order: tuple[int, ...]
) -> None:
    events = [
        update(outcome=CallOutcome.DIALLED, reason="courier_to_client", order="12345"),
        update(outcome=CallOutcome.CONNECTED, bridged_at=NOON + 4),
        update(ended_at=NOON + 30, seconds=30),
        update(talked=20, hangup_cause="NORMAL_CLEARING"),
    ]
    for place in order:
        calls.commit([events[place]])
    call = calls.get("call-0001")
    assert call is not None
    assert (call.outcome, call.reason, call.order) == ("connected", "courier_to_client", "12345")
    assert (call.bridged_at, call.ended_at, call.seconds, call.talked) == (
        NOON + 4,
        NOON + 30,
        30,
        20,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [("asked", "abandoned"), ("dialled", "cancelled"), ("busy", "busy"), ("message", "message"),
     ("connected", "connected"), ("operator", "operator")],
)  # fmt: skip
def test_the_end_of_a_call_settles_what_was_open(
    calls: SqliteCalls, before: str, after: str
) -> None:
    calls.commit([update(outcome=CallOutcome(before)), update(ended_at=NOON + 9)])
    assert outcome(calls) == after


def test_events_of_one_call_in_one_batch_are_one_row(calls: SqliteCalls) -> None:
    calls.commit([update(outcome=CallOutcome.ASKED), update(outcome=CallOutcome.DIALLED)])
    assert outcome(calls) == "dialled"
    assert len(list(calls.listed(CallSelection()))) == 1


def test_times_that_come_twice_stay_as_first_told(calls: SqliteCalls) -> None:
    calls.commit([update(ended_at=NOON + 5), update(ended_at=NOON + 50, started_at=NOON + 50)])
    call = calls.get("call-0001")
    assert call is not None
    assert (call.started_at, call.ended_at) == (NOON, NOON + 5)


def test_a_nonce_seen_before_is_told_and_nothing_of_that_request_is_written(
    calls: SqliteCalls,
) -> None:
    first, second = use("n1", token="t1"), use("n1", "other", token="t2")
    again = CallWrite(second.nonce, update().update, WrongOrder("hash", "call-0001", 1, NOON))
    assert calls.commit([first]) == [None]
    assert calls.commit([use("n2", token="t3"), again]) == [None, SeenNonce("d", "answer t1", NOON)]
    assert calls.get("call-0001") is None
    assert calls.wrong_orders("hash", 0) == 0


def test_a_nonce_twice_in_one_batch_counts_once(calls: SqliteCalls) -> None:
    seen = calls.commit([use("n1", token=f"t{n}") for n in range(3)])
    assert seen == [None, SeenNonce("d", "answer t0", NOON), SeenNonce("d", "answer t0", NOON)]


def test_the_same_attempt_counts_once_and_only_lately(calls: SqliteCalls) -> None:
    tried = [("call-0001", 1), ("call-0001", 1), ("call-0001", 2), ("call-0002", 1)]
    calls.commit(
        [CallWrite(wrong_order=WrongOrder("hash", call, n, NOON)) for call, n in tried]
        + [CallWrite(wrong_order=WrongOrder("hash", "call-0003", 1, NOON - 9_999))]
    )
    assert calls.wrong_orders("hash", NOON - 3_600) == 3
    assert calls.wrong_orders("other", 0) == 0


def guessing(call: int, *, wrong: bool = True, caller: str = "hash") -> CallWrite:
    """A guess that was decided when nothing of this caller was stored."""
    tried = WrongOrder(caller, f"call-{call:04}", 1, NOON) if wrong else None
    nonce = NonceUse(f"{caller}{call}", "d", "answer", "t1", NOON)
    return CallWrite(nonce, update(f"call-{call:04}").update, tried, Guess(caller, NOON - 60, 3))


def test_guesses_decided_at_the_same_moment_do_not_pass_the_limit(calls: SqliteCalls) -> None:
    assert calls.commit([guessing(1), guessing(2)]) == [None, None]
    batch = [guessing(3), guessing(4), guessing(5, wrong=False), guessing(6, caller="other")]
    assert calls.commit([*batch, update("call-0007")]) == [None, OVERTAKEN, OVERTAKEN, None, None]
    assert calls.wrong_orders("hash", NOON - 60) == 3
    assert calls.commit([guessing(8, wrong=False)]) == [OVERTAKEN]
    kept = {call.call_id for call in calls.listed(CallSelection())}
    assert kept == {f"call-{n:04}" for n in (1, 2, 3, 6, 7)}, "nothing of what was overtaken"
    again = guessing(4)
    assert calls.commit([CallWrite(again.nonce, again.update)]) == [None], "nor its nonce"


def test_a_dry_commit_leaves_nothing(calls: SqliteCalls) -> None:
    calls.commit([use("n1"), update()], keep=False)
    assert calls.commit([use("n1")]) == [None]
    assert calls.get("call-0001") is None


def test_two_processes_agree_on_who_was_first(tmp_path: Path) -> None:
    """Two connections of their own stand for two workers."""
    results: list[Seen] = []
    with opened(tmp_path / "mask.db"):
        pass

    def work(name: str) -> None:
        with opened(tmp_path / "mask.db") as own:
            calls = SqliteCalls(own)
            for n in range(50):
                results.extend(calls.commit([use(f"n{n}", token=f"{name}{n}")]))

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result is None for result in results) == 50


def test_a_locked_database_is_told_as_such(store: SqliteStore) -> None:
    impatient = SqliteStore(store.path, connect(store.path, timeout=0))
    with store.writing(), pytest.raises(TryLater) as raised:
        SqliteCalls(impatient).commit([update()])
    impatient.close()
    assert raised.value.message.endswith("is busy: another program is writing to it"), "at once"


def test_lists_are_newest_first_and_selected(calls: SqliteCalls) -> None:
    calls.commit(
        [
            update(f"call-{n:04d}", started_at=NOON + n, order=f"0000{n % 2}", reason=f"r{n % 3}")
            for n in range(6)
        ]
    )

    def ids(**chosen: Any) -> list[int]:
        return [int(call.call_id[-1]) for call in calls.listed(CallSelection(**chosen))]

    assert ids() == [5, 4, 3, 2, 1, 0]
    assert ids(order="00001") == [5, 3, 1]
    assert ids(reason="r0", limit=1) == [3]
    assert ids(since=NOON + 2, until=NOON + 4) == [3, 2]


def test_a_call_of_which_only_the_end_was_told_is_abandoned_wherever_it_is_looked_for(
    calls: SqliteCalls,
) -> None:
    calls.commit([update(ended_at=NOON, seconds=3)])
    (selected,) = calls.listed(CallSelection(outcome=CallOutcome.ABANDONED))
    assert selected == calls.get("call-0001") == next(calls.listed(CallSelection()))
    assert selected.outcome == CallOutcome.ABANDONED
    assert list(calls.listed(CallSelection(outcome=CallOutcome.BUSY))) == []
    (counted,) = calls.counted(CallSelection(outcome=CallOutcome.ABANDONED), by_day=False)
    assert (counted.outcome, counted.calls) == (CallOutcome.ABANDONED, 1)


@pytest.mark.parametrize("word", [None, *CallOutcome])
def test_every_outcome_that_is_counted_is_found(
    calls: SqliteCalls, word: CallOutcome | None
) -> None:
    calls.commit([update(outcome=word)])
    (counted,) = calls.counted(CallSelection(), by_day=False)
    (found,) = calls.listed(CallSelection(outcome=counted.outcome))
    assert found.outcome == counted.outcome


def test_counts_are_by_day_outcome_and_reason(calls: SqliteCalls) -> None:
    day = 86_400
    calls.commit(
        [
            update("call-0001", outcome=CallOutcome.CONNECTED, reason="a", talked=5),
            update("call-0002", outcome=CallOutcome.CONNECTED, reason="a", talked=7),
            update("call-0003", outcome=CallOutcome.BUSY, reason="a", started_at=NOON + day),
        ]
    )
    found = [tuple(count) for count in calls.counted(CallSelection(), by_day=True)]
    assert found == [
        ("2026-12-01", "connected", "a", 2, 12),
        ("2026-12-02", "busy", "a", 1, 0),
    ]
    (total, _) = calls.counted(CallSelection(), by_day=False)
    assert (total.day, total.calls) == (None, 2)


def test_prune_forgets_old_calls_only_even_many(calls: SqliteCalls) -> None:
    calls.commit([update(f"call-{n:06d}", started_at=NOON - 10) for n in range(5_001)])
    calls.commit([update("call-new1")])
    assert calls.count_before(NOON) == 5_001
    assert calls.prune(NOON) == 5_001
    assert [call.call_id for call in calls.listed(CallSelection())] == ["call-new1"]
