"""sync, sync --full, drift and prune as cron and a careful operator run them."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.cli.context import AppContext
from mask_cli.cli.endings import Terminated
from mask_cli.errors import ExitCode
from mask_cli.output import OutputClosed
from mask_cli.sandbox.voximplant_kvs import Stored
from mask_cli.store.locks import RunLock
from mask_cli.store.upkeep import LastRun, SqliteUpkeep
from tests.cli.conftest import DAY, NOON, PARTIES, remote_values

if TYPE_CHECKING:
    from pathlib import Path

    from mask_cli.models import Target
    from mask_cli.sandbox.voximplant import VoximplantSandbox
    from tests.cli.conftest import FixedClock, Mask

JSON = ("--format", "json")


def filled(mask: Mask, count: int, *more: str) -> list[str]:
    """Import orders, not pushed."""
    orders = [f"{n:05d}" for n in range(count)]
    rows = [f"{order},12222222222,13333333333" for order in orders]
    mask("import", mask.write("o.csv", "order,courier,client\n" + "\n".join(rows)), *more).done()
    return orders


def stand(provider: VoximplantSandbox, key: str, value: str = "x", days: int = 1) -> Stored:
    item = Stored(key, value, provider.clock.now() + days * DAY)
    provider.store().set(item)
    return item


# Many at once


def test_a_run_keeps_its_connections_and_its_limit(mask: Mask, provider: VoximplantSandbox) -> None:
    filled(mask, 120)
    provider.faults.add("latency", times=0, seconds=0.03)
    assert mask("sync", "--jobs", "4", *JSON).done().json["set"] == 120
    assert provider.requests.count("SetKeyValueItem") == 120
    assert 2 <= provider.requests.most_at_once() <= 4
    assert provider.requests.connections() <= 4
    assert len(remote_values(provider)) == 120


def test_a_rate_is_kept(mask: Mask, provider: VoximplantSandbox) -> None:
    filled(mask, 12)
    started = time.monotonic()
    mask("sync", "--rate", "20", *JSON).done()
    assert time.monotonic() - started >= 11 / 20
    assert len(remote_values(provider)) == 12


def test_what_fails_is_named_and_the_rest_goes_on(mask: Mask, provider: VoximplantSandbox) -> None:
    filled(mask, 40)
    provider.faults.add("error", code=332, message="No room", skip=5, times=3)
    run = mask("sync", *JSON)
    run.answered(ExitCode.PARTLY, "No room", "3 of 40 were refused")
    assert (run.json["set"], run.json["refused"], run.json["pending"]) == (37, 3, 3)
    assert run.err.count("No room") == 3
    provider.faults.clear()
    assert mask("sync", *JSON).done().json["set"] == 3


@pytest.mark.parametrize("fault", ["lost", "throttling", "html-200", "reset", "too-many"])
def test_passing_faults_lose_nothing(mask: Mask, provider: VoximplantSandbox, fault: str) -> None:
    provider.faults.seed(4)
    provider.faults.add(fault, times=0, probability=0.15)
    filled(mask, 60)
    mask("sync", *JSON)
    provider.faults.clear()
    # Leases of answers that may come late are waited for in the provider's own time.
    mask("sync", "--timeout", "20s", *JSON)
    assert len(remote_values(provider)) == 60


def denied(provider: VoximplantSandbox, command: str, after: int) -> None:
    """Let the role that may write be taken away in the middle."""
    provider.faults.add(
        "error", code=104, message="Forbidden command", command=command, skip=after, times=0
    )


@pytest.mark.parametrize("more", [(), ("--full",)])
def test_a_run_denied_half_way_does_not_hide_what_was_sent_and_what_waits(
    mask: Mask, provider: VoximplantSandbox, more: tuple[str, ...]
) -> None:
    filled(mask, 40)
    denied(provider, "SetKeyValueItem", 5)

    run = mask("sync", *more, "--quiet", "--jobs", "1", *JSON)

    run.answered(ExitCode.DENIED, "Error: ", "Forbidden command")
    assert (run.json["set"], run.json["pending"]) == (5, 35)
    assert len(remote_values(provider)) == 5
    assert run.err.count("Forbidden command") == 1
    mask("sync", *more).failed(ExitCode.DENIED)
    provider.faults.clear()
    assert mask("sync", *JSON).done().json["set"] == 35


def test_a_prune_denied_half_way_does_not_hide_what_is_still_reachable(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    orders = filled(mask, 8)
    mask("sync").done()
    mask("delete", *orders, "--no-push").done()
    denied(provider, "DelKeyValueItem", 3)

    run = mask("prune", *JSON)

    run.answered(ExitCode.PARTLY, "Forbidden command")
    assert run.json["deleted"] >= 3
    assert run.json["pending"] == len(remote_values(provider)) == 8 - run.json["deleted"]


def test_quiet_says_nothing_when_all_is_well(mask: Mask, provider: VoximplantSandbox) -> None:
    filled(mask, 3)
    for words in (("sync",), ("sync", "--full"), ("drift",), ("prune",)):
        run = mask(*words, "--quiet").done()
        assert (run.out, run.err) == ("", "")
    assert len(remote_values(provider)) == 3


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, ExitCode.TERMINATED), (signal.SIGINT, ExitCode.INTERRUPTED)],
)
def test_a_signal_stops_cleanly_and_the_next_run_goes_on(
    mask: Mask,
    provider: VoximplantSandbox,
    clock: FixedClock,
    number: signal.Signals,
    code: ExitCode,
) -> None:
    clock.run()
    filled(mask, 400)
    provider.faults.add("latency", times=0, seconds=0.05)
    process = mask.start("sync", *JSON)
    while provider.requests.count("SetKeyValueItem") < 40:
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (code, b""), err
    assert b"Traceback" not in err
    assert mask.query("SELECT exit_code FROM runs WHERE name = 'sync'") == [(code,)]
    sent = len(remote_values(provider))
    assert 40 <= sent < 400
    provider.faults.clear()
    assert mask("sync", *JSON).done().json["pending"] == 0
    assert len(remote_values(provider)) == 400
    # What was answered was settled, the rest read back: nothing is written twice.
    assert provider.requests.count("SetKeyValueItem") == 400


@pytest.mark.slow
def test_a_silent_provider_does_not_keep_a_run_that_is_told_to_stop(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    clock.run()
    filled(mask, 10)
    provider.faults.add("silent", times=0)
    process = mask.start("sync", *JSON)
    while not provider.requests.count("SetKeyValueItem"):
        time.sleep(0.01)
    told = time.monotonic()
    process.terminate()
    out, _ = process.communicate(timeout=10)
    assert (process.returncode, out) == (ExitCode.TERMINATED, b"")
    assert time.monotonic() - told < 6
    assert len(mask.query("SELECT 1 FROM remote_items WHERE intent = 'set'")) == 3


def test_the_bound_of_a_run_holds_when_nobody_answers(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    filled(mask, 10)
    provider.faults.add("silent", times=0)
    started = time.monotonic()
    run = mask("sync", "--timeout", "1s", *JSON)
    run.answered(ExitCode.TRY_LATER)
    assert time.monotonic() - started < 6
    assert run.json["pending"] == 10
    provider.faults.clear()
    clock.pass_(60)
    assert mask("sync", *JSON).done().json["pending"] == 0


# Locks


@pytest.mark.parametrize("name", ["sync", "prune"])
def test_a_second_run_of_the_same_is_told_so(
    mask: Mask, provider: VoximplantSandbox, name: str
) -> None:
    filled(mask, 1)
    with RunLock(mask.database, name):
        mask(name).failed(ExitCode.TRY_LATER, f"another mask {name} is running")
        other = "prune" if name == "sync" else "sync"
        mask(other).done()
        mask(name, "--dry-run").done()
    mask(name).done()
    assert len(remote_values(provider)) == 1


def test_a_lock_dies_with_its_process_and_leaves_no_file(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    clock.run()
    filled(mask, 30)
    provider.faults.add("silent", times=0)
    process = mask.start("sync")
    while not provider.requests.count("SetKeyValueItem"):
        time.sleep(0.01)
    mask("sync").failed(ExitCode.TRY_LATER, "another mask sync")
    # There is no lock file that somebody could tidy away.
    names = {path.name for path in mask.database.parent.iterdir() if path.is_file()}
    assert {name for name in names if name.startswith("mask.db")} <= {
        "mask.db",
        "mask.db-wal",
        "mask.db-shm",
    }
    process.kill()
    process.communicate()
    provider.faults.clear()
    with RunLock(mask.database, "sync"):
        pass


def test_closing_a_lock_does_not_let_others_into_a_transaction(home: Path) -> None:
    path = home / "locked"
    path.touch()
    first, second = RunLock(path, "sync"), RunLock(path, "sync")
    with first, pytest.raises(Exception, match="another"):
        second.__enter__()
    with second:
        pass
    first.close()
    second.close()


def test_an_idle_run_does_not_read_a_million_orders_again_and_again(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = filled(mask, 3, "--push")
    read: list[str] = []
    pieces = SqliteUpkeep._pieces

    def counted(self: SqliteUpkeep, sql: str, target: Target, now: int) -> Any:
        read.append(sql)
        return pieces(self, sql, target, now)

    monkeypatch.setattr(SqliteUpkeep, "_pieces", counted)
    assert mask("sync", *JSON).done().json["pending"] == 0
    assert read == []
    mask("delete", orders[0], "--no-push").done()
    assert mask("sync", *JSON).done().json["deleted"] == 1
    assert read
    assert len(remote_values(provider)) == 2


# Drift


def test_drift_tells_each_difference_and_changes_nothing(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    orders = filled(mask, 4)
    mask("sync").done()
    stand(provider, f"order:{orders[0]}")
    provider.store().delete(f"order:{orders[1]}", NOON)
    mask("delete", orders[2], "--no-push").done()
    stand(provider, "order:99999")
    before = remote_values(provider)

    run = mask("drift", *JSON)
    assert run.code == ExitCode.PENDING
    told = [(row["order"], row["reason"], row["action"], row["by_others"]) for row in run.json]
    assert told == [
        (orders[0], "changed", "set", True),
        (orders[1], "missing", "set", True),
        (orders[2], "orphan", "delete", False),
        ("99999", "foreign", "none", True),
    ]
    assert remote_values(provider) == before
    assert "1 missing, 1 changed, 0 expiry_differs, 1 orphan, 1 foreign" in run.err
    counts = {"missing": 1, "changed": 1, "expiry_differs": 0, "orphan": 1, "foreign": 1}
    run = mask("drift", "--counts", *JSON)
    assert (run.code, run.json, run.err) == (ExitCode.PENDING, counts, "")
    for kind in ("jsonl", "csv", "tsv", "table"):
        assert mask("drift", "--format", kind).code == ExitCode.PENDING
        run = mask("drift", "--counts", "--format", kind)
        assert run.code == ExitCode.PENDING
        assert "missing" in run.out


def test_a_quiet_drift_does_not_write_to_cron_when_all_is_well(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    filled(mask, 2, "--push")
    for words in (("drift",), ("drift", "--counts")):
        run = mask(*words, "--quiet").done()
        assert (run.out, run.err) == ("", "")
    stand(provider, "order:99999")
    assert mask("drift", "--counts", *JSON).done().json["foreign"] == 1


def test_drift_without_a_provider_is_a_list_all_the_same(mask: Mask) -> None:
    for words in (("drift",), ("sync", "--full", "--dry-run", "--exit-code")):
        run = mask(*words, *JSON).done()
        assert run.json == []
        assert "No provider is configured" in run.err
    assert set(mask("drift", "--counts", *JSON).done().json.values()) == {0}


def test_sync_full_mends_tells_of_others_and_leaves_foreign_keys(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    orders = filled(mask, 4)
    mask("sync").done()
    good = remote_values(provider)
    stand(provider, f"order:{orders[0]}")
    provider.store().delete(f"order:{orders[1]}", NOON)
    stand(provider, "order:99999")

    run = mask("sync", "--full", *JSON).done()
    assert (run.json["changed"], run.json["missing"], run.json["set"]) == (1, 1, 2)
    assert f"order {orders[0]}: somebody else changed it" in run.err
    assert f"order {orders[1]}: somebody else changed it" in run.err
    after = dict(remote_values(provider))
    assert after.pop("order:99999")[0] == "x"
    assert after == good
    assert mask("drift").code == ExitCode.DONE


def test_a_listing_that_leaves_keys_out_costs_a_look_and_no_write(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    filled(mask, 120)
    mask("sync").done()
    provider.requests.clear()
    provider.faults.add("truncated", times=0, command="GetKeyValueItems")
    assert mask("drift").code == ExitCode.DONE
    assert provider.requests.count("GetKeyValueItem") >= 50
    assert mask("sync", "--full", *JSON).done().json["set"] == 0


def test_a_listing_without_end_is_given_up(mask: Mask, provider: VoximplantSandbox) -> None:
    filled(mask, 60)
    mask("sync").done()
    provider.switches.change({"offset": "ignored"})
    mask("drift").failed(ExitCode.TRY_LATER, "does not end")


def test_an_emptied_provider_is_not_filled_without_force(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    filled(mask, 3)
    mask("sync").done()
    for key in list(remote_values(provider)):
        provider.store().delete(key, NOON)
    for words in (("sync", "--full"), ("drift",)):
        mask(*words).failed(ExitCode.REFUSED, "3 keys", "--force")
    assert remote_values(provider) == {}
    mask("sync", "--full", "--force").done()
    assert len(remote_values(provider)) == 3


def test_a_replaced_database_does_not_empty_the_provider(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    filled(mask, 20)
    mask("sync").done()
    stand(provider, "order:99999")
    mask.query("DELETE FROM mappings WHERE order_number < '00012'")
    for words in (("sync",), ("sync", "--full"), ("drift",)):
        mask(*words).failed(ExitCode.REFUSED, "12 of 20", "--force")
    assert len(remote_values(provider)) == 21
    assert mask("sync", "--full", "--force", *JSON).done().json["deleted"] == 12
    assert "order:99999" in remote_values(provider)


def test_an_order_imported_anew_is_not_taken_for_one_that_was_deleted(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    orders = filled(mask, 20, "--push")
    mask("delete", *orders).done()
    filled(mask, 20, "--push")
    mask.query("DELETE FROM mappings")
    for words in (("sync",), ("sync", "--full")):
        mask(*words).failed(ExitCode.REFUSED, "20 of 20", "--force")
    assert len(remote_values(provider)) == 20


@pytest.mark.parametrize("how", ["delete", "expire"])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_keys_that_another_database_wrote_for_orders_ended_here_are_not_deleted(
    mask: Mask, provider: VoximplantSandbox, how: str, force: tuple[str, ...]
) -> None:
    orders = filled(mask, 20, "--push")
    values = remote_values(provider)
    mask(how, *orders).done()
    assert remote_values(provider) == {}
    for key, (value, _) in values.items():
        # The same orders, imported there a little later.
        stand(provider, key, value, days=9)
    theirs = remote_values(provider)

    run = mask("sync", "--full", *force, *JSON).done()

    assert (run.json["foreign"], run.json["orphan"], run.json["deleted"]) == (20, 0, 0)
    assert remote_values(provider) == theirs


def test_a_strangers_keys_at_a_place_never_written_to_are_not_deleted(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = filled(mask, 3, "--push")
    values = remote_values(provider)
    mask("delete", *orders).done()
    for key, (value, _) in values.items():
        provider.store().set(Stored(key.replace("order:", "o2:"), value, NOON + 10 * DAY))
    monkeypatch.setenv("MASK_KEY_PREFIX", "o2:")
    assert [row["reason"] for row in mask("drift", *JSON).done().json] == ["foreign"] * 3
    assert mask("sync", "--full", "--force", *JSON).done().json["deleted"] == 0
    assert len(remote_values(provider)) == 3


def test_late_writes_that_could_be_a_strangers_are_within_the_limit(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    orders = filled(mask, 12, "--push")
    items = provider.items()
    mask("delete", *orders).done()
    for item in items.values():
        provider.store().set(item)
    mask("sync", "--full").failed(ExitCode.REFUSED, "12 of 0", "--force")
    assert mask("sync", "--full", "--force", *JSON).done().json["deleted"] == 12
    assert remote_values(provider) == {}


@pytest.mark.parametrize("how", ["delete", "expire", "prune"])
def test_what_was_asked_for_is_not_held_back(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock, how: str
) -> None:
    orders = filled(mask, 20)
    mask("sync").done()
    if how == "prune":
        mask.query("UPDATE mappings SET expires_at = ?", NOON)
        clock.pass_(60)
        mask("prune", "--grace", "0", "--no-push").done()
    else:
        mask(how, *orders, "--no-push").done()
    mask("sync", "--full").done()
    assert remote_values(provider) == {}


def test_an_empty_prefix_looks_at_the_keys_of_the_base_only(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_KEY_PREFIX", "")
    orders = filled(mask, 3)
    mask("sync").done()
    stand(provider, "somebody-elses")
    stand(provider, orders[0])
    run = mask("drift", *JSON)
    assert [(row["order"], row["reason"]) for row in run.json] == [(orders[0], "changed")]
    mask("sync", "--full").done()
    assert mask("drift").code == ExitCode.DONE
    assert "somebody-elses" in remote_values(provider)
    assert provider.requests.count("GetKeyValueKeys") == 0


def test_a_clock_that_is_off_is_told(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(mask, 1)
    monkeypatch.setattr(provider.clock, "now", lambda: clock.now() + 90)
    assert "behind the provider's" in mask("sync").done().err
    assert "behind the provider's" in mask("drift").done().err


# Doctor


def runs(mask: Mask, *more: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = mask("doctor", "--offline", *more, *JSON).json
    return [check for check in found if check["check"] in ("runs", "pending")]


def test_doctor_tells_when_the_last_good_runs_were(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    filled(mask, 2)
    assert all("not run yet" in check["detail"] for check in runs(mask)[1:])
    mask("sync").done()
    mask("prune").done()
    good = [check for check in runs(mask) if check["check"] == "runs"]
    assert [check["result"] for check in good] == ["ok", "ok"]
    assert "sync last ended well: 2026-12-01T12:00:00Z" in good[0]["detail"]
    clock.pass_(60)
    mask("add", "99999", *PARTIES, "--no-push").done()
    provider.faults.add("error", code=332, times=0)
    mask("sync")
    bad = runs(mask)[1]
    assert bad["result"] == "warning"
    assert "12:00:00Z; the last one ended with 5" in bad["detail"]


def test_monitoring_is_not_told_that_all_is_well_when_cron_is_dead(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    assert provider
    monitoring = ("doctor", "--offline", "--exit-code")
    watched = ("--sync-limit", "1h", "--prune-limit", "2d")
    mask("list").done()
    # Without a limit, somebody who has no cron is left in peace.
    mask(*monitoring).done()
    assert mask(*monitoring, *watched).code == ExitCode.CONFIGURATION
    mask("sync").done()
    assert [check["result"] for check in runs(mask, *watched)] == ["ok", "ok", "failed"]
    mask("prune").done()
    mask(*monitoring, *watched).done()
    clock.pass_(3601)
    assert [check["result"] for check in runs(mask, *watched)] == ["ok", "failed", "ok"]
    assert mask(*monitoring, "--sync-limit", "1h").code == ExitCode.CONFIGURATION
    mask(*monitoring, "--prune-limit", "2d").done()
    clock.pass_(30 * DAY)
    mask(*monitoring).done()
    mask("add", "12345", *PARTIES, "--no-push").done()
    clock.pass_(901)
    assert mask(*monitoring).code == ExitCode.CONFIGURATION
    mask(*monitoring, "--pending-limit", "16m").done()


def test_a_run_that_does_not_end_well_again_and_again_does_not_pass_for_a_good_one(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    mask("sync").done()
    mask("add", "12345", *PARTIES, "--no-push").done()
    provider.faults.add("error", code=332, times=0)
    clock.pass_(7200)
    assert mask("sync").code == ExitCode.PARTLY
    found = runs(mask, "--sync-limit", "1h")[1]
    assert found["result"] == "failed"
    assert "the last one ended with 5" in found["detail"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (Terminated(), ExitCode.TERMINATED),
        (OutputClosed(), ExitCode.OUTPUT_CLOSED),
        (ValueError("a fault"), ExitCode.BUG),
    ],
    ids=lambda value: "" if isinstance(value, ExitCode) else type(value).__name__,
)
@pytest.mark.parametrize("name", ["sync", "prune"])
def test_no_way_out_of_a_run_is_forgotten(
    clock: FixedClock, name: str, error: BaseException, code: ExitCode
) -> None:
    context = AppContext()
    with context.running(name):
        pass
    clock.pass_(60)
    with pytest.raises(type(error)), context.running(name):
        raise error
    last = context.upkeep.last_run(name)
    context.close()
    assert last == LastRun(NOON + 60, code, NOON)


def test_doctor_fails_for_what_has_been_pending_for_long(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    assert provider
    filled(mask, 1)
    mask("sync").done()
    mask("delete", "00000", "--no-push").done()
    assert runs(mask)[0]["result"] == "ok"
    clock.pass_(901)
    late = runs(mask)[0]
    assert late["result"] == "failed"
    assert "1 pending, the oldest for 15m1s" in late["detail"]
    quiet = mask("doctor", "--offline", "--quiet", *JSON)
    assert quiet.json
    assert mask("doctor", "--offline", "--pending-limit", "1h", "--quiet").out == ""


def test_json_of_doctor_is_one_document(mask: Mask) -> None:
    assert isinstance(json.loads(mask("doctor", "--offline", *JSON).out), list)


def test_prune_does_not_get_round_the_limit_on_orphans(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    orders = filled(mask, 20)
    mask("sync").done()
    mask("delete", orders[0], "--no-push").done()
    mask.query("DELETE FROM mappings")
    mask("sync").failed(ExitCode.REFUSED, "would be deleted")

    run = mask("prune", *JSON)
    assert (run.code, run.json["deleted"], run.json["pending"]) == (ExitCode.REFUSED, 1, 19)
    assert "held back" in run.err
    assert len(remote_values(provider)) == 19
    mask("sync").failed(ExitCode.REFUSED, "would be deleted")
    mask("sync", "--force").done()
    assert remote_values(provider) == {}
