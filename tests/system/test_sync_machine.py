"""A state machine over what is here and what is there: anything may happen, in any order.

Every step is real: the database, the rules of orders, the adapter, the emulated provider over
its socket. A crash is a request before or after which the process is gone. Time is a number.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mask_cli.errors import Conflict, MaskError, NotFound
from mask_cli.models import DAY, Mapping, PhoneNumber, Target, needs_push, remote_value
from mask_cli.orders import NewMapping, Orders
from mask_cli.providers import _voximplant_client
from mask_cli.providers.voximplant import Voximplant, load_credentials
from mask_cli.sandbox.voximplant import ACCOUNT_ID, VoximplantSandbox
from mask_cli.sandbox.voximplant_kvs import Stored
from mask_cli.store.sqlite import SqliteStore
from mask_cli.store.upkeep import SqliteUpkeep
from mask_cli.sync import Pusher
from mask_cli.sync.remote import RemoteReader, correct_base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mask_cli.reconcile import Plan

ORDERS = st.sampled_from(["00000", "00001"])
PARTIES = st.sampled_from([PhoneNumber(f"+1415555010{n}") for n in range(4)])
PARTY, CLIENT = PhoneNumber("+14155550100"), PhoneNumber("+13333333333")
FAULTS = ("lost", "reset", "throttling", "html-200", "html-status", "too-many", "truncated")
HOW = st.sampled_from(["well", "later", "lost", "reset", "throttling", "too-many"])
FOREIGN = "order:77777"
START = 1_796_126_400


class Crash(BaseException):
    """The process is gone."""


class Mortal:
    """A provider's store during whose `at`-th request the process ends, before or after it."""

    def __init__(self, real: Any, at: int, *, before: bool) -> None:
        self._real, self._at, self._before = real, at, before

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._real, name)
        return call if name == "may_come_late" else lambda *args: self._called(call, *args)

    def _called(self, call: Any, *args: Any) -> Any:
        self._at -= 1
        if self._at == 0 and self._before:
            raise Crash
        answer = call(*args)
        if self._at == 0:
            raise Crash
        return answer


class SyncMachine(RuleBasedStateMachine):
    """`local` is what was acknowledged: the model of the database."""

    sandbox: ClassVar[VoximplantSandbox]

    @initialize()
    def begin(self) -> None:
        self.now = START
        self.local: dict[str, Mapping] = {}
        self.folder = tempfile.TemporaryDirectory()
        self.sandbox.reset()
        hands = SimpleNamespace(
            time=lambda: self.now, monotonic=time.monotonic, sleep=lambda _: None
        )
        self.patches: list[Any] = [
            patch.object(_voximplant_client, "time", hands),
            patch.object(self.sandbox.clock, "now", lambda: self.now),
        ]
        for each in self.patches:
            each.start()
        credentials = load_credentials(self.sandbox.credentials_file)
        self.account = Voximplant(credentials, self.sandbox.endpoint, deadline=5.0, pause=0.001)
        self.remote: Any = self.account.key_value_store("1")
        self.target = Target(self.sandbox.endpoint, str(ACCOUNT_ID), "1", "order:")
        self.store = SqliteStore(Path(self.folder.name, "mask.db"))
        self.foreign: Stored | None = None
        self.strangers: dict[str, Stored] = {}
        self.in_our_way: list[Stored] = []
        self.meddled = False

    def teardown(self) -> None:
        if hasattr(self, "store"):
            try:
                self._what_must_hold_in_the_end()
            finally:
                self.store.close()
                self.account.close()
                for each in self.patches:
                    each.stop()
                self.folder.cleanup()

    def _what_must_hold_in_the_end(self) -> None:
        self.the_faults_end(full=False)
        self._an_answer_is_lost_and_the_order_ends()
        self.the_faults_end(full=False)
        self._others_have_the_last_word()
        self.the_faults_end(full=True)
        self._strangers_take_the_numbers_of_orders_that_ended()
        self.the_faults_end(full=True)
        self.sync_full_elsewhere()
        self._a_write_of_ours_comes_late()
        self.the_faults_end(full=True)
        self.strangers_are_untouched()

    def _an_answer_is_lost_and_the_order_ends(self) -> None:
        """Without its open intent nothing here would know that it can be reached."""
        self.add("00000", PhoneNumber("+14155550100"), DAY, "lost")
        self.delete("00000", "later")

    def _others_have_the_last_word(self) -> None:
        """Until the base says what they wrote, nothing here seems to be pending."""
        self.add("00001", PhoneNumber("+14155550101"), DAY, "well")
        self.somebody_writes_there("00000", "x", 1)
        self.somebody_writes_there("00001", "x", 1)

    def _strangers_take_the_numbers_of_orders_that_ended(self) -> None:
        """Only what the base of that very place names is ours."""
        for order, end in (("00000", self.delete), ("00001", self.expire)):
            self.add(order, PhoneNumber("+14155550100"), DAY, "well")
            end(order, "well")
            self.a_stranger_writes(order, alike=True)
            self.a_stranger_writes_elsewhere(order, alike=True)
            assert {f"order:{order}", f"other:{order}"} <= self.strangers.keys()

    def _a_write_of_ours_comes_late(self) -> None:
        self.somebody_deletes_there("00000")
        self.add("00000", PhoneNumber("+14155550100"), DAY, "well")
        older = self.sandbox.items()["order:00000"]
        self.reassign("00000", PhoneNumber("+14155550101"), "well")
        newer = self.sandbox.items()["order:00000"]
        self.delete("00000", "well")
        for item in (newer, older):
            self.sandbox.store().set(item)
            self.meddled = True
            self.the_faults_end(full=True)

    # What people do here

    @property
    def orders(self) -> Orders:
        return Orders(self.store, 5, 10 * DAY, self.now, "test")

    def _did(self, order: str, after: Mapping | None) -> None:
        if after is None:
            self.local.pop(order, None)
        else:
            self.local[order] = after
            if after.expires_at > self.now and f"order:{order}" in self.strangers:
                # What is written for our order overwrites it.
                self.in_our_way.append(self.strangers.pop(f"order:{order}"))

    def _pushed(self, order: str, how: str) -> None:
        """Push as the command that made a change does; `later` is its --no-push."""
        if how == "later":
            return
        if how != "well":
            # So often that the adapter gives up.
            self.sandbox.faults.add(how, times=4)
        with suppress(MaskError):
            self._pusher(self.remote).push(order)

    @rule(
        order=ORDERS,
        courier=PARTIES,
        ttl=st.sampled_from([60, DAY, 20 * DAY, 120 * DAY]),
        how=HOW,
    )
    def add(self, order: str, courier: PhoneNumber, ttl: int, how: str) -> None:
        new = NewMapping(courier, CLIENT, order, self.now + ttl)
        self._did(order, self.orders.add(new, overwrite=True).after)
        self._pushed(order, how)

    @rule(order=ORDERS, courier=PARTIES, how=HOW)
    def reassign(self, order: str, courier: PhoneNumber, how: str) -> None:
        with suppress(NotFound, Conflict):
            self._did(order, self.orders.reassign(order, courier=courier, client=None).after)
            self._pushed(order, how)

    @rule(order=ORDERS, how=HOW)
    def expire(self, order: str, how: str) -> None:
        with suppress(NotFound):
            self._did(order, self.orders.expire([order], None)[0].after)
            self._pushed(order, how)

    @rule(order=ORDERS, how=HOW)
    def extend(self, order: str, how: str) -> None:
        with suppress(NotFound):
            self._did(order, self.orders.extend([order], DAY)[0].after)
            self._pushed(order, how)

    @rule(order=ORDERS, how=HOW)
    def delete(self, order: str, how: str) -> None:
        with suppress(NotFound):
            self._did(order, self.orders.delete([order])[0].after)
            self._pushed(order, how)

    @rule()
    def prune(self) -> None:
        upkeep = SqliteUpkeep(self.store)
        upkeep.expect_deletions(self.target, self.now)
        self.orders.prune(DAY, None, 365 * DAY)
        self.store.drop_gone_items(self.target, self.now - DAY)
        kept = self.now - DAY
        self.local = {o: m for o, m in self.local.items() if m.expires_at > kept}

    @rule(seconds=st.sampled_from([1, 8, 60, 60, DAY, 70 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    # What others and the network do

    @rule(order=ORDERS, value=st.sampled_from(["x", None]), sooner=st.integers(1, 50))
    def somebody_writes_there(self, order: str, value: str | None, sooner: int) -> None:
        """Change what we wrote; under a key that is not in the base it would be foreign."""
        item = self.store.item(order, self.target)
        stands = self.sandbox.items().get(f"order:{order}")
        theirs = stands is not None and stands in self._theirs()
        if theirs:
            return
        if item is not None and item.expires_at is not None and stands is not None:
            until = max(self.now + 1, min(item.expires_at, stands.expires_at) - sooner)
            self.sandbox.store().set(Stored(stands.key, value or stands.value, until))
            self.meddled = True

    @rule(order=ORDERS)
    def somebody_deletes_there(self, order: str) -> None:
        self.meddled = self.sandbox.store().delete(f"order:{order}", self.now) or self.meddled
        self.strangers.pop(f"order:{order}", None)

    def _theirs(self) -> list[Stored]:
        foreign = [] if self.foreign is None else [self.foreign]
        return [*foreign, *self.strangers.values(), *self.in_our_way]

    @rule(order=ORDERS, alike=st.booleans())
    def a_stranger_writes(self, order: str, alike: bool) -> None:
        """Write under the key of an order that ended here, of which nothing of ours is left."""
        mapping, item = self.store.get(order), self.store.item(order, self.target)
        active = mapping is not None and mapping.expires_at > self.now
        if not active and not needs_push(mapping, item, self.now):
            self._stranger(f"order:{order}", alike=alike)

    @rule(order=ORDERS, alike=st.booleans())
    def a_stranger_writes_elsewhere(self, order: str, alike: bool) -> None:
        """Write under the prefix of a place which nothing was ever written to from here."""
        self._stranger(f"other:{order}", alike=alike)

    def _stranger(self, key: str, *, alike: bool) -> None:
        until = self.now + 33 * DAY + 7
        value = remote_value(Mapping("", PARTY, CLIENT, 0, 0, 0)) if alike else "theirs"
        self.strangers[key] = Stored(key, value, until)
        self.sandbox.store().set(self.strangers[key])

    @rule()
    def sync_full_elsewhere(self) -> None:
        """Run for the other place while nothing is active here that would be written there."""
        if any(mapping.expires_at > self.now for mapping in self.local.values()):
            return
        self.sandbox.faults.clear()
        ours, self.target = self.target, replace(self.target, key_prefix="other:")
        self._full(self.remote, 2)
        assert self._plan(self.remote).changes == []
        self.target = ours

    @rule()
    def somebody_adds_a_foreign_key(self) -> None:
        self.foreign = Stored(FOREIGN, "theirs", self.now + 80 * DAY)
        self.sandbox.store().set(self.foreign)

    @rule(kind=st.sampled_from(FAULTS), times=st.integers(1, 5), skip=st.integers(0, 3))
    def something_fails(self, kind: str, times: int, skip: int) -> None:
        self.sandbox.faults.add(kind, times=times, skip=skip)

    @rule(code=st.sampled_from([1, 2, 127, 332]))
    def the_provider_refuses(self, code: int) -> None:
        self.sandbox.faults.add("error", code=code)

    # What cron does

    @rule(jobs=st.sampled_from([1, 3]))
    def sync(self, jobs: int) -> None:
        with suppress(MaskError):
            self._sync(self.remote, jobs)

    @rule(jobs=st.sampled_from([1, 3]))
    def sync_full(self, jobs: int) -> None:
        with suppress(MaskError):
            self._full(self.remote, jobs)

    @rule(at=st.integers(1, 6), before=st.booleans(), full=st.booleans())
    def sync_dies(self, at: int, before: bool, full: bool) -> None:
        mortal = Mortal(self.remote, at, before=before)
        with suppress(MaskError, Crash):
            (self._full if full else self._sync)(mortal, 1)

    # What must hold

    @invariant()
    def no_acknowledged_mapping_is_lost(self) -> None:
        if hasattr(self, "store"):
            assert {o: self.store.get(o) for o in self.local} == self.local

    @invariant()
    def foreign_keys_are_untouched(self) -> None:
        if getattr(self, "foreign", None) is not None:
            stands = self.sandbox.items().get(FOREIGN)
            assert self.foreign is not None
            assert stands == (self.foreign if self.foreign.expires_at > self.now else None)

    @invariant()
    def strangers_are_untouched(self) -> None:
        if hasattr(self, "store"):
            stand = {key: i for key, i in self.strangers.items() if i.expires_at > self.now}
            items = self.sandbox.items()
            assert {key: items.get(key) for key in stand} == stand

    @rule(full=st.booleans())
    def the_faults_end(self, full: bool) -> None:
        """Then one run is enough, and the next finds nothing to do.

        A plain one mends all that is our own doing; a full one also what others did.
        """
        self.sandbox.faults.clear()
        self.now += 60
        (self._full if full or self.meddled else self._sync)(self.remote, 2)
        self.meddled = False
        assert self._plan(self.remote).changes == []
        assert list(self.store.pending(self.target, self.now)) == []
        items = self.sandbox.items()
        values = {key: item.value for key, item in items.items() if item not in self._theirs()}
        active = {o: m for o, m in self.local.items() if m.expires_at > self.now}
        assert values == {f"order:{o}": remote_value(m) for o, m in active.items()}
        assert all(items[f"order:{o}"].expires_at <= m.expires_at for o, m in active.items())

    def _pusher(self, remote: Any) -> Pusher:
        return Pusher(
            self.store, self.target, lambda: remote, lambda: self.now, 5, sleep=self._sleep
        )

    def _sync(self, remote: Any, jobs: int) -> None:
        orders = list(SqliteUpkeep(self.store).pending_orders(self.target, self.now))
        self._pusher(remote).sync(orders, jobs=jobs, until=time.monotonic() + 20)

    def _sleep(self, seconds: float) -> None:
        self.now += max(1, round(seconds))

    def _plan(self, remote: Any, jobs: int = 1) -> Plan:
        upkeep = SqliteUpkeep(self.store)
        reader = RemoteReader(self.store, upkeep, self.target, remote, lambda: self.now, jobs=jobs)
        return reader.plan()

    def _full(self, remote: Any, jobs: int) -> None:
        correct_base(self.store, self.target, self._plan(remote, jobs), self.now)
        self._sync(remote, jobs)


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with VoximplantSandbox() as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        SyncMachine.sandbox = sandbox
        yield
        assert sandbox.requests.failures == []


def _run(examples: int, steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        SyncMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_nothing_that_happens_loses_an_order_or_leaves_one_reachable() -> None:
    _run(12, 15)


@pytest.mark.slow
def test_nothing_that_happens_in_many_more_steps_loses_an_order() -> None:
    _run(120, 25)
