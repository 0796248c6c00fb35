"""Pushing: claims, leases and settling, over SQLite, the real adapter and an emulated platform.

Time is a list of one number; it moves when a test says so or when the pusher sleeps.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import (
    ConfigurationError,
    ProviderDenied,
    ProviderRefused,
    ProviderUnavailable,
    TryLater,
)
from mask_cli.models import (
    DAY,
    REMOTE_LIFE,
    RENEW_BELOW,
    Mapping,
    PhoneNumber,
    Remote,
    RemoteItem,
    Target,
    keyed_digest,
    remote_state,
    remote_value,
)
from mask_cli.providers.voximplant import Voximplant, load_credentials
from mask_cli.sandbox.voximplant import VoximplantSandbox
from mask_cli.sandbox.voximplant_kvs import Stored
from mask_cli.store.sqlite import SqliteStore
from mask_cli.store.upkeep import SqliteUpkeep
from mask_cli.sync import Claim, Outcome, Push, Pusher, sync_record
from mask_cli.sync.remote import RemoteReader, correct_base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mask_cli.providers.base import KeyValueItem, KeyValueStore
    from mask_cli.reconcile import Plan

KEY = "order:12345"
COURIER, CLIENT = PhoneNumber("+12222222222"), PhoneNumber("+13333333333")
OTHER, THIRD = PhoneNumber("+14155550100"), PhoneNumber("+14155550101")
SET, DELETE, GET = "SetKeyValueItem", "DelKeyValueItem", "GetKeyValueItem"


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[VoximplantSandbox]:
    with VoximplantSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(
    running_sandbox: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[VoximplantSandbox]:
    running_sandbox.reset()
    for name, value in running_sandbox.environment().items():
        monkeypatch.setenv(name, value)
    yield running_sandbox
    assert running_sandbox.requests.failures == []


@dataclass
class Bench:
    """A pusher with all that is around it."""

    sandbox: VoximplantSandbox
    path: Path
    account: Voximplant
    time: list[int]

    def __post_init__(self) -> None:
        self.store = SqliteStore(self.path)
        self.target = Target(self.sandbox.endpoint, "1000001", "1", "order:")
        self.remote: KeyValueStore = self.account.key_value_store("1")

    @property
    def now(self) -> int:
        return self.time[0]

    def pass_time(self, seconds: float) -> None:
        self.time[0] += max(1, round(seconds))

    def pusher(self, store: SqliteStore | None = None, **values: object) -> Pusher:
        made = Pusher(
            store or self.store,
            self.target,
            lambda: self.remote,
            lambda: self.now,
            1,
            sleep=self.pass_time,
        )
        return replace(made, **values)  # type: ignore[arg-type]

    def push(self, order: str = "12345") -> Push:
        return self.pusher().push(order)

    def put(self, order: str = "12345", **values: object) -> Mapping:
        mapping = self.store.get(order) or Mapping(
            order, COURIER, CLIENT, self.now + 10 * DAY, self.now, self.now
        )
        with self.store.writing():
            return self.store.put(replace(mapping, **values))  # type: ignore[arg-type]

    def forget(self, order: str = "12345") -> None:
        with self.store.writing():
            assert self.store.forget(order)

    def item(self, order: str = "12345") -> RemoteItem | None:
        return self.store.item(order, self.target)

    def state(self, order: str = "12345") -> Remote:
        return remote_state(self.store.get(order), self.item(order), self.now)

    def pending(self) -> list[str]:
        return sorted(order for order, _, _ in self.store.pending(self.target, self.now))

    def stands(self) -> dict[str, str]:
        return {key: item.value for key, item in self.sandbox.items().items()}

    def count(self, command: str) -> int:
        return self.sandbox.requests.count(command)

    @property
    def upkeep(self) -> SqliteUpkeep:
        return SqliteUpkeep(self.store)

    def plan(self, **hooks: Callable[[], None]) -> Plan:
        remote = Between(self.remote, **hooks)
        reader = RemoteReader(self.store, self.upkeep, self.target, remote, lambda: self.now)
        return reader.plan()

    def meddled(self, order: str = "12345") -> None:
        """Let somebody else change what stands there."""
        key = self.target.key(order)
        self.sandbox.store().set(Stored(key, "x", self.sandbox.items()[key].expires_at))

    def claim(self, order: str = "12345") -> Claim:
        """Let another process be about to send."""
        with self.store.writing():
            claim = self.pusher().claimed(order)
        assert isinstance(claim, Claim)
        return claim


@pytest.fixture
def bench(sandbox: VoximplantSandbox, tmp_path: Path) -> Iterator[Bench]:
    credentials = load_credentials(sandbox.credentials_file)
    with Voximplant(credentials, sandbox.endpoint, deadline=1.5, pause=0.005) as account:
        bench = Bench(sandbox, tmp_path / "mask.db", account, [int(time.time())])
        yield bench
        bench.store.close()


@dataclass
class Between:
    """The real key-value store, with something that happens before or after a write."""

    remote: KeyValueStore
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    asked: Callable[[], None] = lambda: None

    def set(self, key: str, value: str, expires_at: int) -> KeyValueItem:
        self.before()
        item = self.remote.set(key, value, expires_at)
        self.after()
        return item

    def delete(self, key: str) -> bool:
        self.before()
        found = self.remote.delete(key)
        self.after()
        return found

    def get(self, key: str) -> KeyValueItem | None:
        self.asked()
        return self.remote.get(key)

    def may_come_late(self) -> bool:
        return self.remote.may_come_late()

    def items(self, namespace: str) -> Iterator[KeyValueItem]:
        return self.remote.items(namespace)

    def keys(self, namespace: str | None = None) -> Iterator[KeyValueItem]:
        return self.remote.keys(namespace)

    def page(self, namespace: str, number: int) -> list[KeyValueItem]:
        return self.remote.page(namespace, number)


# What goes well


def test_a_mapping_is_written_in_the_guides_words_with_its_expiry(bench: Bench) -> None:
    mapping = bench.put()

    assert bench.push().outcome is Outcome.SET

    stored = bench.sandbox.items()[KEY]
    assert stored.value == '{"courier":"12222222222","client":"13333333333"}'
    assert stored.expires_at == mapping.expires_at
    digest = keyed_digest(bench.store.digest_key(), stored.value)
    assert bench.item() == RemoteItem(
        "12345", mapping.mapping_id, mapping.revision, digest, mapping.expires_at
    )
    assert bench.state() is Remote.LIVE


def test_what_is_written_already_is_not_written_again(bench: Bench) -> None:
    bench.put()
    bench.push()

    assert bench.push().outcome is Outcome.NOTHING
    assert bench.count(SET) == 1
    assert bench.pending() == []


def test_the_base_does_not_hold_a_number(bench: Bench) -> None:
    bench.put()
    bench.push()

    assert "2222222222" not in repr(bench.item())
    row = bench.store.connection.execute("SELECT * FROM remote_items").fetchone()
    assert not any(digits in str(row) for digits in ("2222222222", "3333333333"))


def test_an_empty_prefix_serves_the_guides_own_scenario(bench: Bench) -> None:
    bench.put()
    bench.target = replace(bench.target, key_prefix="")

    assert bench.push().outcome is Outcome.SET
    assert list(bench.stands()) == ["12345"]


def test_an_order_deleted_here_is_deleted_there_after_its_row_is_gone(bench: Bench) -> None:
    bench.put()
    bench.push()
    bench.forget()
    assert bench.state() is Remote.PENDING

    assert bench.push().outcome is Outcome.DELETED

    assert bench.stands() == {}
    assert bench.item() is None
    assert bench.state() is Remote.ABSENT


def test_an_expired_order_is_made_unreachable_at_once(bench: Bench) -> None:
    bench.put()
    bench.push()
    bench.put(expires_at=bench.now)

    assert bench.push().outcome is Outcome.DELETED
    assert bench.stands() == {}


def test_a_deletion_not_acknowledged_stays_pending_without_its_mapping(bench: Bench) -> None:
    bench.put()
    bench.push()
    bench.forget()
    bench.sandbox.faults.add("error", code=127, times=0)
    assert bench.push().outcome is Outcome.REFUSED

    with bench.store.writing():
        assert bench.store.drop_gone_items(bench.target, bench.now) == 0
    assert bench.pending() == ["12345"]
    assert bench.state() is Remote.FAILED
    bench.sandbox.faults.clear()
    assert bench.push().outcome is Outcome.DELETED
    assert bench.stands() == {}


def test_what_expires_there_by_itself_costs_no_request(bench: Bench) -> None:
    bench.put(expires_at=bench.now + 5)
    bench.push()
    bench.pass_time(5)

    assert bench.push().outcome is Outcome.NOTHING
    assert bench.count(DELETE) == 0


# Longer than the provider keeps


def test_a_long_mapping_is_written_for_as_long_as_the_provider_keeps_it(bench: Bench) -> None:
    bench.put(expires_at=bench.now + 200 * DAY)

    assert bench.push().outcome is Outcome.SET
    assert bench.sandbox.items()[KEY].expires_at == bench.now + REMOTE_LIFE
    assert bench.state() is Remote.LIVE


@pytest.mark.parametrize(("left", "renewed"), [(RENEW_BELOW, False), (RENEW_BELOW - 1, True)])
def test_a_capped_item_is_renewed_before_the_order_becomes_unreachable(
    bench: Bench, left: int, renewed: bool
) -> None:
    mapping = bench.put(expires_at=bench.now + 200 * DAY)
    bench.sandbox.store().set(Stored(KEY, remote_value(mapping), bench.now + left))
    written = RemoteItem("12345", mapping.mapping_id, mapping.revision, "d", bench.now + left)
    with bench.store.writing():
        bench.store.put_item(written, bench.target)

    assert bench.pending() == (["12345"] if renewed else [])
    assert bench.push().outcome is (Outcome.SET if renewed else Outcome.NOTHING)
    expires_at = bench.now + (REMOTE_LIFE if renewed else left)
    assert bench.sandbox.items()[KEY].expires_at == expires_at


def test_a_mapping_that_ends_with_its_item_is_not_renewed(bench: Bench) -> None:
    bench.put(expires_at=bench.now + 5 * DAY)
    bench.push()

    assert bench.pending() == []


# Unsure


@pytest.mark.parametrize(("kind", "requests"), [("silent-applied", 0), ("silent", 1)])
def test_an_unanswered_write_is_read_back_before_another_is_sent(
    bench: Bench, kind: str, requests: int
) -> None:
    mapping = bench.put()
    bench.sandbox.faults.add(kind, times=0)

    push = bench.push()

    assert push.outcome is Outcome.UNAVAILABLE
    assert isinstance(push.error, ProviderUnavailable)
    assert push.error.unsure
    assert bench.state() is Remote.PENDING
    bench.sandbox.faults.clear()
    sent = bench.count(SET)
    waits = bench.push()
    assert (waits.outcome, bench.count(SET)) == (Outcome.WAITING, sent)
    assert waits.until > bench.now
    assert isinstance(waits.error, TryLater)

    bench.time[0] = waits.until
    assert bench.push().outcome is Outcome.SET
    assert bench.count(GET) == 1
    assert bench.count(SET) == sent + requests
    assert bench.stands() == {KEY: remote_value(mapping)}
    assert bench.state() is Remote.LIVE


def test_a_lease_outlasts_every_request_it_covers(bench: Bench) -> None:
    pusher = bench.pusher(timeout=10)

    # A read-back and a write, each within its deadline, with whole seconds rounded down.
    assert pusher.lease > 2 * 10 + 1


def test_a_lease_given_by_a_wrong_clock_does_not_keep_an_order_reachable_for_years(
    bench: Bench,
) -> None:
    bench.put()
    bench.push()
    right = bench.now
    bench.time[0] += 3_650 * DAY
    bench.put(expires_at=bench.now + DAY)
    bench.sandbox.faults.add("silent", times=0)
    assert bench.push().outcome is Outcome.UNAVAILABLE
    bench.sandbox.faults.clear()

    bench.time[0] = right
    bench.put(expires_at=right)

    assert bench.push().outcome is Outcome.DELETED
    assert bench.stands() == {}


def test_an_unanswered_write_of_an_older_value_is_overwritten(bench: Bench) -> None:
    bench.put()
    bench.sandbox.faults.add("silent-applied", times=0)
    bench.push()
    bench.sandbox.faults.clear()
    newer = bench.put(courier=OTHER)

    until = bench.push().until
    bench.time[0] = until
    assert bench.push().outcome is Outcome.SET
    assert bench.stands() == {KEY: remote_value(newer)}
    item = bench.item()
    assert item is not None
    assert item.revision == newer.revision


@pytest.mark.parametrize("applied", ["silent", "silent-applied"])
def test_an_order_deleted_after_an_unanswered_write_does_not_stay_reachable(
    bench: Bench, applied: str
) -> None:
    bench.put()
    bench.sandbox.faults.add(applied, times=0)
    bench.push()
    bench.sandbox.faults.clear()
    bench.forget()
    assert bench.pending() == ["12345"]

    bench.time[0] = bench.push().until
    assert bench.push().outcome is Outcome.DELETED
    assert bench.stands() == {}
    assert bench.pending() == []


def test_what_may_come_back_after_a_deletion_is_known_for_our_own(bench: Bench) -> None:
    first = bench.put()
    bench.push()
    bench.sandbox.faults.add("silent", times=0)
    second = bench.put(courier=OTHER)
    bench.push()
    bench.sandbox.faults.clear()
    bench.forget()
    # Whatever becomes of the unanswered write, nothing but its trace tells whose it was.
    bench.time[0] = bench.push().until

    assert bench.push().outcome is Outcome.DELETED

    key = bench.store.digest_key()
    assert set(bench.store.traces("12345", bench.target)) == {
        (keyed_digest(key, remote_value(mapping)), mapping.expires_at)
        for mapping in (first, second)
    }


def test_what_somebody_changed_meanwhile_does_not_hide_what_was_ours(bench: Bench) -> None:
    mapping = bench.put()
    bench.push()
    bench.meddled()
    bench.forget()
    correct_base(bench.store, bench.target, bench.plan(), bench.now)
    assert bench.push().outcome is Outcome.DELETED

    ours = keyed_digest(bench.store.digest_key(), remote_value(mapping)), mapping.expires_at
    assert bench.store.traces("12345", bench.target) == [ours]


def test_a_write_that_was_surely_not_made_leaves_no_trace(bench: Bench) -> None:
    bench.put()
    bench.sandbox.faults.add("error", code=332)
    bench.push()
    bench.forget()
    bench.push()
    assert bench.store.traces("12345", bench.target) == []


def test_an_unanswered_delete_is_repeated_until_it_is_sure(bench: Bench) -> None:
    bench.put()
    bench.push()
    bench.forget()
    bench.sandbox.faults.add("silent-applied", times=0)
    assert bench.push().outcome is Outcome.UNAVAILABLE
    bench.sandbox.faults.clear()

    bench.time[0] = bench.push().until
    assert bench.push().outcome is Outcome.DELETED
    assert bench.pending() == []


@pytest.mark.parametrize("code", [127, 332])
def test_an_error_that_could_mean_a_missing_key_leaves_no_ended_order_reachable(
    bench: Bench, code: int
) -> None:
    bench.put()
    bench.push()
    bench.forget()
    bench.sandbox.faults.add("silent", times=0)
    bench.time[0] = bench.push().until
    bench.sandbox.faults.clear()
    bench.sandbox.faults.add("error", code=code)
    bench.push()
    assert bench.pending() == ([] if bench.stands() == {} else ["12345"])
    bench.push()
    assert bench.stands() == {}


def test_an_order_added_anew_during_an_unanswered_delete_is_written(bench: Bench) -> None:
    bench.put()
    bench.push()
    bench.forget()
    bench.sandbox.faults.add("silent", times=0)
    bench.push()
    bench.sandbox.faults.clear()
    anew = bench.put(courier=OTHER)

    bench.time[0] = bench.push().until
    assert bench.push().outcome is Outcome.SET
    assert bench.stands() == {KEY: remote_value(anew)}
    assert bench.state() is Remote.LIVE


@pytest.mark.slow
def test_a_read_back_that_fails_keeps_the_question_open(bench: Bench) -> None:
    bench.put()
    bench.sandbox.faults.add("silent-applied", times=0)
    bench.push()
    bench.time[0] = bench.push().until
    assert bench.push().outcome is Outcome.UNAVAILABLE
    bench.sandbox.faults.clear()

    item = bench.item()
    assert item is not None
    assert item.intent == "set"
    # Nothing was written in this attempt: the next one need not wait.
    assert bench.push().outcome is Outcome.SET
    assert bench.count(GET) >= 2


def test_a_crash_between_claim_and_answer_is_the_same_as_an_unanswered_write(
    bench: Bench,
) -> None:
    mapping = bench.put()

    def crash() -> None:
        raise KeyboardInterrupt

    for moment in ("before", "after"):
        bench.put(note=moment)
        remote = bench.remote
        bench.remote = Between(remote, **{moment: crash})
        with pytest.raises(KeyboardInterrupt):
            bench.push()
        bench.remote = remote
        waits = bench.push()
        assert waits.outcome is Outcome.WAITING
        bench.time[0] = waits.until
        assert bench.push().outcome is Outcome.SET
        assert bench.stands() == {KEY: remote_value(mapping)}


# Refused, denied, away


def test_a_refusal_is_kept_with_its_reason_and_tried_again(bench: Bench) -> None:
    bench.put()
    bench.sandbox.faults.add("error", code=332, message="No room for +14155550100.", times=0)

    push = bench.push()

    assert push.outcome is Outcome.REFUSED
    assert isinstance(push.error, ProviderRefused)
    item = bench.item()
    assert item is not None
    assert (item.refused, item.intent, item.lease_until, item.attempts) == (1, None, 0, 1)
    assert "code 332" in (item.last_error or "")
    assert "4155550100" not in (item.last_error or "")
    assert bench.state() is Remote.FAILED

    bench.sandbox.faults.clear()
    assert bench.push().outcome is Outcome.SET
    item = bench.item()
    assert item is not None
    assert (item.refused, item.last_error, item.attempts) == (0, None, 0)
    assert bench.state() is Remote.LIVE


def test_denied_credentials_stop_a_run_at_once_and_leave_no_lease(bench: Bench) -> None:
    orders = [bench.put(str(n)).order for n in range(10000, 10005)]
    bench.sandbox.faults.add("error", code=100, times=0)

    report = bench.pusher().sync(orders)

    assert isinstance(report.ended_by, ProviderDenied)
    assert (report.sent, report.pending, report.stopped) == (0, 1, True)
    assert len(bench.sandbox.requests.entries()) == 1
    bench.sandbox.faults.clear()
    report = bench.pusher().sync(orders)
    assert report.counts[Outcome.SET] == 5


def test_wrong_settings_found_late_leave_no_lease(bench: Bench) -> None:
    bench.put()

    def connect() -> KeyValueStore:
        raise ConfigurationError("the key cannot be read")

    with pytest.raises(ConfigurationError):
        bench.pusher(connect=connect).push("12345")

    assert bench.push().outcome is Outcome.SET


def test_a_provider_that_is_surely_not_reached_costs_no_lease(bench: Bench) -> None:
    bench.put()
    credentials = load_credentials(bench.sandbox.credentials_file)
    with Voximplant(credentials, "127.0.0.1:1", deadline=0.3, pause=0.005) as nowhere:
        push = bench.pusher(connect=lambda: nowhere.key_value_store("1")).push("12345")

    assert push.outcome is Outcome.UNAVAILABLE
    assert bench.state() is Remote.PENDING
    assert bench.push().outcome is Outcome.SET


def test_a_run_gives_up_when_the_provider_is_away(bench: Bench) -> None:
    orders = [bench.put(str(n)).order for n in range(10000, 10010)]
    bench.sandbox.faults.add("html-status", times=0)

    report = bench.pusher().sync(orders)

    assert report.stopped
    assert report.counts[Outcome.UNAVAILABLE] == 3
    assert sorted(report.problems) == orders[:3]
    assert len(bench.pending()) == 10


def test_orders_under_a_lease_do_not_keep_a_run_at_an_absent_provider(bench: Bench) -> None:
    orders = [bench.put(str(n)).order for n in range(10000, 10012)]
    bench.sandbox.faults.add("html-status", times=0)
    for order in orders[1::2]:
        bench.push(order)
    bench.sandbox.requests.clear()

    report = bench.pusher().sync(orders)

    assert report.stopped
    assert report.counts[Outcome.UNAVAILABLE] == 3
    asked = {entry.key for entry in bench.sandbox.requests.entries()}
    assert asked == {f"order:{order}" for order in orders[0:6:2]}
    assert report.pending == 3 + 2
    assert len(bench.pending()) == 12


def test_one_bad_order_does_not_stop_the_others(bench: Bench) -> None:
    orders = [bench.put(str(n)).order for n in range(10000, 10006)]
    bench.sandbox.faults.add("error", code=332, skip=2, times=3)

    report = bench.pusher().sync(orders)

    assert not report.stopped
    assert report.counts[Outcome.REFUSED] == 3
    assert report.counts[Outcome.SET] == 3
    assert sorted(report.problems) == orders[2:5]
    assert bench.pending() == orders[2:5]
    assert sync_record(report, 3) == {
        "set": 3,
        "deleted": 0,
        "settled": 0,
        "waiting": 0,
        "unavailable": 0,
        "refused": 3,
        "pending": 3,
    }


def test_a_run_waits_for_leases_at_its_end_and_tells_of_each_order_once(bench: Bench) -> None:
    orders = [bench.put(str(n)).order for n in range(10000, 10004)]
    bench.sandbox.faults.add("silent-applied", times=0)
    bench.push(orders[0])
    bench.sandbox.faults.clear()
    told: list[Push] = []

    report = bench.pusher().sync(orders, progress=told.append)

    assert [push.order for push in told] == [*orders[1:], orders[0]]
    assert report.counts[Outcome.SET] == 4
    assert bench.pending() == []


def test_a_run_whose_time_is_up_sends_nothing_more(bench: Bench) -> None:
    orders = [bench.put(str(n)).order for n in range(10000, 10004)]
    bench.sandbox.faults.add("silent", times=0)
    bench.push(orders[0])
    bench.sandbox.faults.clear()
    bench.sandbox.requests.clear()

    report = bench.pusher().sync(orders, until=time.monotonic())

    assert report.stopped
    assert bench.sandbox.requests.entries() == []
    assert report.counts[Outcome.SET] == 0
    assert bench.pending() == orders


# Meanwhile


def test_an_order_added_anew_while_an_old_push_is_in_flight_is_not_taken_for_pushed(
    bench: Bench,
) -> None:
    bench.put()

    def delete_and_add_anew() -> None:
        bench.forget()
        bench.put(courier=OTHER)

    real = bench.remote
    bench.remote = Between(real, after=delete_and_add_anew)
    bench.push()
    bench.remote = real

    assert bench.pending() == ["12345"]
    assert bench.push().outcome is Outcome.SET
    anew = bench.store.get("12345")
    assert anew is not None
    assert bench.stands() == {KEY: remote_value(anew)}
    item = bench.item()
    assert item is not None
    assert (item.mapping_id, item.revision) == (anew.mapping_id, anew.revision)


def test_the_same_order_added_anew_with_the_same_numbers_is_pushed_too(bench: Bench) -> None:
    mapping = bench.put()

    def delete_and_add_anew() -> None:
        bench.forget()
        bench.put(expires_at=mapping.expires_at)

    real = bench.remote
    bench.remote = Between(real, before=delete_and_add_anew)
    bench.push()
    bench.remote = real

    assert bench.pending() == ["12345"]


def test_an_order_deleted_while_its_push_is_in_flight_does_not_stay_reachable(
    bench: Bench,
) -> None:
    bench.put()
    real = bench.remote
    bench.remote = Between(real, before=bench.forget)
    bench.push()
    bench.remote = real

    assert bench.pending() == ["12345"]
    assert bench.push().outcome is Outcome.DELETED
    assert bench.stands() == {}


def test_an_order_added_while_its_delete_is_in_flight_is_pushed(bench: Bench) -> None:
    bench.put()
    bench.push()
    bench.forget()

    def add_anew() -> None:
        bench.put()

    real = bench.remote
    bench.remote = Between(real, after=add_anew)
    bench.push()
    bench.remote = real

    assert bench.pending() == ["12345"]
    assert bench.push().outcome is Outcome.SET
    assert list(bench.stands()) == [KEY]


def test_a_push_that_outlived_its_lease_does_not_settle_for_another(bench: Bench) -> None:
    bench.put()
    real = bench.remote
    newer: list[Mapping] = []

    def somebody_else_comes() -> None:
        bench.remote = real
        bench.pass_time(bench.pusher().lease)
        newer.append(bench.put(courier=OTHER))
        assert bench.push().outcome is Outcome.SET

    bench.remote = Between(real, after=somebody_else_comes)
    bench.push()

    item = bench.item()
    assert item is not None
    assert item.revision == newer[0].revision
    assert bench.stands() == {KEY: remote_value(newer[0])}
    assert bench.pending() == []


@dataclass
class Freezer(Between):
    """The process stands still before the first request, or after an item was read back."""

    bench: Bench = field(kw_only=True)
    newest: Mapping | None = None

    def freeze(self) -> None:
        """Let the lease run out; another process changes the order and pushes it."""
        if self.newest is None:
            store = SqliteStore(self.bench.path)
            self.bench.pass_time(self.bench.pusher().lease)
            with store.writing():
                mapping = store.get("12345")
                assert mapping is not None
                self.newest = store.put(replace(mapping, courier=OTHER))
            assert self.bench.pusher(store).push("12345").outcome is Outcome.SET
            store.close()

    def connect(self) -> KeyValueStore:
        self.freeze()
        return self

    def get(self, key: str) -> KeyValueItem | None:
        found = self.remote.get(key)
        self.freeze()
        return found


@pytest.mark.parametrize("jobs", [0, 1, 3])
@pytest.mark.parametrize("read_back", [True, False])
def test_a_process_frozen_before_it_sends_does_not_undo_a_newer_push(
    bench: Bench, jobs: int, *, read_back: bool
) -> None:
    bench.put()
    freezer = Freezer(bench.remote, bench=bench)
    pusher = bench.pusher(connect=(lambda: freezer) if read_back else freezer.connect)
    if read_back:
        bench.sandbox.faults.add("silent", times=0)
        bench.time[0] = bench.push().until or bench.push().until
        bench.sandbox.faults.clear()
    bench.sandbox.requests.clear()

    if jobs:
        assert pusher.sync(["12345"], jobs=jobs).counts[Outcome.NOTHING] == 1
    else:
        assert pusher.push("12345").outcome is Outcome.NOTHING

    assert freezer.newest is not None
    assert bench.stands() == {KEY: remote_value(freezer.newest)}
    assert bench.count(SET) == 1
    assert bench.pending() == []
    assert bench.state() is Remote.LIVE


def test_a_clock_set_back_does_not_hide_that_a_process_was_frozen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put()
    freezer = Freezer(bench.remote, bench=bench)
    at, frozen = bench.now, [0.0]
    monkeypatch.setattr(
        "mask_cli.sync.time", SimpleNamespace(monotonic=lambda: time.monotonic() + frozen[0])
    )

    def connect() -> KeyValueStore:
        freezer.freeze()
        bench.time[0], frozen[0] = at, 60.0
        return bench.remote

    assert bench.pusher(connect=connect).push("12345").outcome is Outcome.NOTHING
    assert freezer.newest is not None
    assert bench.stands() == {KEY: remote_value(freezer.newest)}


def test_a_claim_given_up_before_anybody_came_is_made_anew(bench: Bench) -> None:
    mapping = bench.put()
    waits = iter([bench.pusher().lease - 1])

    def connect() -> KeyValueStore:
        bench.pass_time(next(waits))
        return bench.remote

    assert bench.pusher(connect=connect).push("12345").outcome is Outcome.SET
    assert bench.stands() == {KEY: remote_value(mapping)}
    assert bench.count(SET) == 1


def test_another_place_gets_everything_and_loses_nothing_here(bench: Bench) -> None:
    orders = [bench.put(str(n)).order for n in range(10000, 10003)]
    bench.pusher().sync(orders)
    here = bench.target
    before = [bench.item(order) for order in orders]
    second = bench.sandbox.add_application("second")

    for place in (
        replace(here, application=str(second)),
        replace(here, key_prefix="again:"),
        replace(here, account="2"),
        replace(here, endpoint="localhost:1"),
    ):
        bench.target = place
        assert bench.pending() == orders
    bench.target = replace(here, application=str(second))
    bench.remote = bench.account.key_value_store(str(second))
    assert bench.pusher().sync(orders).counts[Outcome.SET] == 3
    assert bench.pending() == []
    assert len(bench.sandbox.items(second)) == 3

    bench.target = here
    assert [bench.item(order) for order in orders] == before
    assert bench.pending() == []
    assert bench.store.items_elsewhere(here, bench.now) == 3


def pushed_in_a_thread(bench: Bench, order: str, results: list[Push]) -> threading.Thread:
    def run() -> None:
        store = SqliteStore(bench.path)
        pusher = bench.pusher(store, clock=lambda: int(time.time()), sleep=time.sleep)
        results.append(pusher.push(order, patience=5))
        store.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("round_", range(4))
def test_two_pushes_of_one_order_at_once_never_leave_the_older_value(
    bench: Bench, round_: int
) -> None:
    bench.put()
    bench.sandbox.faults.add("latency", seconds=0.1, command=SET)
    # A request that a busy computer makes late would keep its lease: not what is tried here.
    bench.account.close()
    bench.account = Voximplant(bench.account.credentials, bench.sandbox.endpoint, deadline=20)
    bench.remote = bench.account.key_value_store("1")
    results: list[Push] = []
    first = pushed_in_a_thread(bench, "12345", results)
    time.sleep(0.03 * round_)
    newest = bench.put(courier=THIRD)
    others = [pushed_in_a_thread(bench, "12345", results) for _ in range(2)]
    for thread in (first, *others):
        thread.join(30)

    outcomes = [push.outcome for push in results]
    bench.account.close()
    assert len(outcomes) == 3
    assert set(outcomes) <= {Outcome.SET, Outcome.NOTHING}
    assert bench.stands() == {KEY: remote_value(newest)}
    assert bench.pending() == []
    assert bench.sandbox.requests.most_at_once() == 1


@pytest.mark.parametrize("late", [SET, DELETE])
def test_an_attempt_that_comes_late_does_not_undo_a_newer_push(bench: Bench, late: str) -> None:
    bench.put()
    if late == DELETE:
        bench.push()
        bench.forget()
    # The first attempt is given up after 0.6 s, and carried out after 0.9 s all the same.
    bench.sandbox.faults.add("latency", seconds=0.9, command=late)
    assert bench.push().outcome in (Outcome.SET, Outcome.DELETED)
    newest = bench.put(courier=OTHER)
    first = bench.push()
    time.sleep(0.9)

    if first.outcome is Outcome.WAITING:
        bench.time[0] = first.until
        assert bench.push().outcome is Outcome.SET
    assert bench.stands() == {KEY: remote_value(newest)}
    assert bench.pending() == []


def test_a_command_does_not_wait_for_ever_for_anothers_push(bench: Bench) -> None:
    bench.put()
    bench.sandbox.faults.add("silent", times=0)
    bench.push()
    started = time.monotonic()

    push = bench.pusher(sleep=time.sleep).push("12345", patience=0.25)

    assert push.outcome is Outcome.WAITING
    assert 0.2 < time.monotonic() - started < 2


# What others do during a sync --full or a prune


def test_a_comparison_does_not_mend_what_another_process_pushed_meanwhile(bench: Bench) -> None:
    bench.put()
    bench.push()
    bench.meddled()

    def reassigned() -> None:
        another = Bench(bench.sandbox, bench.path, bench.account, bench.time)
        with closing(another.store):
            another.put(courier=OTHER)
            assert another.push().outcome is Outcome.SET

    assert bench.plan(asked=reassigned).drifts == ()
    assert bench.plan().drifts == ()


def test_a_comparison_does_not_take_a_request_under_way_for_a_difference(bench: Bench) -> None:
    bench.put()
    claim = bench.claim()
    assert bench.plan().drifts == ()
    bench.time[0] = claim.lease_until
    assert bench.plan().counts()["missing"] == 1


def test_mending_does_not_touch_the_base_of_an_order_under_way(bench: Bench) -> None:
    bench.put()
    bench.push()
    bench.meddled()
    plan = bench.plan()
    assert plan.counts()["changed"] == 1
    bench.put(courier=OTHER)
    claim = bench.claim()
    under_way = bench.item()

    correct_base(bench.store, bench.target, plan, bench.now)
    assert bench.item() == under_way

    bench.time[0] = claim.lease_until
    correct_base(bench.store, bench.target, plan, bench.now)
    assert bench.item() != under_way


def test_who_was_taken_off_is_not_reachable_while_others_are_written(bench: Bench) -> None:
    bench.put("99999")
    bench.push("99999")
    bench.forget("99999")
    bench.put("00001")
    orders = bench.upkeep.pending_orders(bench.target, bench.now)
    assert list(orders) == ["99999", "00001"]


def test_a_prune_does_not_delete_an_order_added_anew_meanwhile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put()
    bench.push()
    bench.put(expires_at=bench.now - 1)
    writing = bench.store.writing

    def added_anew_just_before() -> AbstractContextManager[SqliteStore]:
        monkeypatch.undo()
        bench.put(expires_at=bench.now + DAY, courier=OTHER)
        assert bench.push().outcome is Outcome.SET
        return writing()

    monkeypatch.setattr(bench.store, "writing", added_anew_just_before)
    bench.upkeep.expect_deletions(bench.target, bench.now)

    item = bench.item()
    assert item is not None
    assert item.intent is None
    assert bench.state() is Remote.LIVE
