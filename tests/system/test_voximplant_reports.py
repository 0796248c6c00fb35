"""Call reports of the real scenario, sent to the real server; and the history that fills gaps."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from mask_cli.call_import import import_sessions
from mask_cli.config import load_settings
from mask_cli.errors import ConfigurationError
from mask_cli.models import DAY, PhoneNumber
from mask_cli.providers.voximplant_records import RemoteLeg, RemoteSession
from mask_cli.sandbox.scenario_bench import COURIER, ORDER, Bench
from mask_cli.sandbox.simulate_voximplant import BEHAVIOURS, NOW, SECRET, typed
from mask_cli.scenario.render import template
from mask_cli.scenario.report import HEADER, LONGEST_BODY, OUTCOMES, sign
from mask_cli.store.calls import SqliteCalls
from mask_cli.store.calls_base import CallSelection, CallUpdate, CallWrite
from mask_cli.store.sqlite import SqliteStore
from mask_cli.web.server import Factory, in_background, listening
from mask_cli.web.serving import checked_site
from mask_cli.web.site import site_of
from mask_cli.web.voximplant import OUTCOMES as KEPT
from mask_cli.web.voximplant import Refused, received, update_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mask_cli.sandbox.simulate_voximplant import Transcript
    from mask_cli.store.calls_base import CallRecord

PATH = "/voximplant/calls"
LATER = NOW + 60


def reported(**given: Any) -> Transcript:
    return Bench(template()).call(*typed(ORDER), **given)


def body(**changes: object) -> bytes:
    report = reported().reports[0] | changes
    return json.dumps(report).encode()


class Server:
    def __init__(self, port: int, database: Path) -> None:
        self.port, self.database = port, database

    def post(self, sent: bytes, proof: str | None, method: str = "POST") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, PATH, sent, {HEADER: proof} if proof else {})
            return connection.getresponse().status
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        with urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def kept(self) -> list[CallRecord]:
        store = SqliteStore(self.database)
        try:
            return list(SqliteCalls(store).listed(CallSelection()))
        finally:
            store.close()


@contextmanager
def served(folder: Path, **environment: str) -> Iterator[Server]:
    database = folder / "mask.db"
    SqliteStore(database).close()
    settings = load_settings(
        environment={
            "HOME": str(folder),
            "MASK_DATABASE": str(database),
            "MASK_VOXIMPLANT_REPORT_SECRET": SECRET,
            **environment,
        }
    )
    with listening("127.0.0.1", 0) as opened:
        port = opened.getsockname()[1]
        site = site_of(settings, f"http://127.0.0.1:{port}", tokens=("token",))
        with in_background(Factory(site, lambda: LATER, alone=False), opened):
            yield Server(port, database)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served(tmp_path) as running:
        yield running


def test_what_the_scenario_reports_is_kept_once(server: Server) -> None:
    (request,) = reported().requests
    for _ in range(2):
        assert server.post(request["body"].encode(), request["headers"][HEADER]) == 200
    (call,) = server.kept()
    assert (call.provider, call.order, call.role) == ("voximplant", ORDER, "courier")
    assert (call.outcome, call.reason) == ("connected", "courier_to_client")
    assert (call.started_at, call.seconds, call.talked) == (NOW, 54, 30)
    assert COURIER not in repr(call)


def test_a_call_that_reached_nobody_keeps_why(server: Server) -> None:
    (request,) = reported(party=BEHAVIOURS["busy"]).requests
    assert server.post(request["body"].encode(), request["headers"][HEADER]) == 200
    (call,) = server.kept()
    assert (call.outcome, call.hangup_cause, call.talked) == ("busy", "busy (486)", 0)


@pytest.mark.parametrize(
    ("party", "typing", "kept"),
    [
        ("busy", (ORDER, "#"), ("busy", "courier_to_client")),
        ("no-answer", (ORDER, "#"), ("no_answer", "courier_to_client")),
        ("rejects", (ORDER, "#"), ("failed", "courier_to_client")),
        ("busy", ("#",), ("message", "operator")),
    ],
)
def test_an_operator_who_did_not_answer_does_not_hide_why_the_party_was_not_reached(
    party: str, typing: tuple[str, ...], kept: tuple[str, str]
) -> None:
    call = Bench(template()).call(
        *typed(*typing),
        operator=PhoneNumber("+14155550100"),
        party=BEHAVIOURS[party],
        operator_does=BEHAVIOURS["busy"],
    )
    update = update_of(call.reports[0], LATER)
    assert (update.outcome, update.reason) == kept


def test_nobody_else_can_report(server: Server) -> None:
    sent = body()
    proofs = (
        None,
        "",
        "t=1,v1=",
        sign("another secret", sent, LATER),
        sign(SECRET, sent, LATER).replace("v1=", "v1=0"),
        sign(SECRET, sent + b" ", LATER),
    )
    assert [server.post(sent, proof) for proof in proofs] == [403] * len(proofs)
    assert server.kept() == []


def test_an_old_report_is_not_taken_again_as_a_new_one(server: Server) -> None:
    sent = body()
    assert server.post(sent, sign(SECRET, sent, LATER - 301)) == 403
    assert server.post(sent, sign(SECRET, sent, LATER + 301)) == 403
    assert server.kept() == []


def test_other_methods_and_endless_bodies_are_refused(server: Server) -> None:
    assert server.post(b"", None, "GET") == 405
    long = b"x" * (LONGEST_BODY + 1)
    assert server.post(long, sign(SECRET, long, LATER)) == 413
    assert server.post(b"x" * (1 << 20), "t=1,v1=") == 413


@pytest.mark.parametrize("sent", [b"[" * 16_000, b'{"a":' * 3_000, b"9" * 5_000, b"\xff"])
def test_a_report_that_cannot_be_read_is_refused_and_no_fault(server: Server, sent: bytes) -> None:
    assert server.post(sent, sign(SECRET, sent, LATER)) == 400
    assert server.post(sent, sign("another", sent, LATER)) == 403
    assert server.metric("mask_faults_total") == 0


def test_a_fault_of_our_own_in_a_report_alarms_and_is_no_server_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(COURIER)

    monkeypatch.setattr("mask_cli.web.voximplant.verify", broken)
    sent = body()
    assert server.post(sent, sign(SECRET, sent, LATER)) == 400
    assert server.metric("mask_faults_total") == 1


def test_when_nothing_can_be_stored_the_scenario_is_told_to_try_again(server: Server) -> None:
    server.database.rename(server.database.with_suffix(".away"))
    sent = body()
    assert server.post(sent, sign(SECRET, sent, LATER)) == 503
    server.database.with_suffix(".away").rename(server.database)
    assert server.post(sent, sign(SECRET, sent, LATER)) == 200
    assert len(server.kept()) == 1


def test_without_a_secret_no_report_is_believed(tmp_path: Path) -> None:
    with served(tmp_path, MASK_VOXIMPLANT_REPORT_SECRET="") as running:
        sent = body()
        assert running.post(sent, sign("", sent, LATER)) == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"session": "x" * 65},
        {"session": "a b"},
        {"order": "12a"},
        {"order": 12345},
        {"started_at": "now"},
        {"ended_at": -1},
        {"talk_seconds": True},
        {"recording_url": "http://elsewhere"},
        {"recording_url": "https://elsewhere/\ud800"},
        {"recording_url": "https://elsewhere/\nx"},
        *(
            {name: at}
            for name in ("started_at", "answered_at", "bridged_at", "ended_at")
            for at in (0, LATER - 3 * DAY, LATER + 3 * DAY, 2**39, 1e300)
        ),
        {"legs": "none"},
        {"outcome": "fine"},
        {"role": "operator"},
    ],
)
def test_a_signed_report_with_a_field_of_a_wrong_kind_is_refused(changes: dict[str, Any]) -> None:
    sent = body(**changes)
    with pytest.raises(Refused) as raised:
        received(SECRET, sign(SECRET, sent, LATER), sent, LATER)
    assert raised.value.status == 400


@pytest.mark.parametrize("code", [14156667777, 10**20, True, "486"])
def test_a_code_that_is_none_of_the_platforms_is_not_kept(code: object) -> None:
    """It could be somebody's number."""
    report = reported(party=BEHAVIOURS["busy"]).reports[0]
    legs = [{**leg, "code": code} for leg in report["legs"]]
    assert update_of({**report, "legs": legs}, LATER).hangup_cause == "busy"


def test_a_report_without_times_is_kept_all_the_same() -> None:
    sent = body(started_at=None, answered_at=None, ended_at=None)
    update = received(SECRET, sign(SECRET, sent, LATER), sent, LATER)
    assert (update.started_at, update.seconds) == (LATER, None)


def test_every_word_of_the_scenario_has_one_among_those_kept() -> None:
    assert KEPT.keys() == OUTCOMES


def test_voximplant_alone_needs_no_plivo_token_and_lets_nobody_be_plivo(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "MASK_DATABASE": str(tmp_path / "mask.db")}
    with pytest.raises(ConfigurationError):
        checked_site(load_settings(environment=environment), "127.0.0.1", 1, insecure=False)
    environment["MASK_VOXIMPLANT_REPORT_SECRET"] = SECRET
    first, second = (
        checked_site(load_settings(environment=environment), "127.0.0.1", 1, insecure=False)
        for _ in range(2)
    )
    assert first.tokens
    assert first.tokens != second.tokens


# The history


def session(number: int, mark: str | None, **leg: Any) -> RemoteSession:
    legs = (
        RemoteLeg(incoming=True, successful=True, seconds=54, cost=0.01),
        RemoteLeg(incoming=False, successful=True, seconds=41, cost=0.01, **leg),
    )
    return RemoteSession(str(number), NOW, 54, mark, "Normal termination", legs)


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[SqliteCalls]:
    store = SqliteStore(tmp_path / "calls.db")
    yield SqliteCalls(store)
    store.close()


def test_gaps_are_filled_and_reports_stay_as_they_were(calls: SqliteCalls) -> None:
    sessions = [
        session(1, "mask connected courier_to_client courier"),
        session(2, "mask busy client_to_courier client"),
        session(3, "somebody else's"),
        session(4, None),
        session(5, "mask nonsense x y"),
    ]
    counts = import_sessions(sessions, calls)
    assert (counts.imported, counts.known, counts.foreign) == (2, 0, 3)
    counts = import_sessions(sessions, calls)
    assert (counts.imported, counts.known, counts.foreign) == (0, 2, 3)
    kept = {call.call_id: call for call in calls.listed(CallSelection())}
    assert (kept["1"].outcome, kept["1"].role, kept["1"].talked) == ("connected", "courier", 41)
    assert (kept["2"].outcome, kept["2"].talked) == ("busy", 0)


def test_a_report_that_comes_while_the_history_is_read_keeps_its_durations(
    calls: SqliteCalls, tmp_path: Path
) -> None:
    """Pages take seconds to come, and calls go on ending meanwhile."""
    told = body(session="1", talk_seconds=30)
    server = SqliteStore(tmp_path / "calls.db")

    def arriving() -> Iterator[RemoteSession]:
        yield session(1, "mask connected courier_to_client courier")
        report = received(SECRET, sign(SECRET, told, LATER), told, LATER)
        SqliteCalls(server).commit([CallWrite(update=report)])
        yield session(2, "mask busy client_to_courier client")

    counts = import_sessions(arriving(), calls)
    server.close()
    assert (counts.imported, counts.known) == (1, 1)
    reported_call = calls.get("1")
    assert reported_call is not None
    assert (reported_call.talked, reported_call.order) == (30, ORDER)


@pytest.mark.parametrize("attempt", range(3))
def test_reports_and_imports_that_race_leave_each_call_as_it_was_reported(
    calls: SqliteCalls, tmp_path: Path, attempt: int
) -> None:
    """Two connections, in threads, begin at once and write the same calls in their own order."""
    numbers = list(range(400))
    ready = threading.Barrier(2)

    def report() -> None:
        server = SqliteStore(tmp_path / "calls.db")
        ready.wait()
        chance = random.Random(attempt)  # noqa: S311 (repeatable, not secret)
        for number in chance.sample(numbers, len(numbers)):
            told = CallUpdate("voximplant", str(number), NOW, order=ORDER, seconds=60, talked=30)
            SqliteCalls(server).commit([CallWrite(update=told)])
        server.close()

    def history() -> Iterator[RemoteSession]:
        ready.wait()
        for number in numbers:
            time.sleep(0.0005)
            yield session(number, "mask connected courier_to_client courier")

    reporting = threading.Thread(target=report)
    reporting.start()
    counts = import_sessions(history(), calls)
    reporting.join()
    assert counts.imported + counts.known == len(numbers)
    kept = list(calls.listed(CallSelection()))
    assert len(kept) == len(numbers)
    assert {(call.order, call.seconds, call.talked) for call in kept} == {(ORDER, 60, 30)}


def test_more_sessions_than_a_batch_are_counted_once_each(calls: SqliteCalls) -> None:
    sessions = [session(n, "mask busy client_to_courier client") for n in range(1_201)]
    counts = import_sessions([*sessions, sessions[0], session(1, None)], calls)
    assert (counts.imported, counts.known, counts.foreign) == (1_201, 1, 1)
    assert len(list(calls.listed(CallSelection()))) == 1_201


def test_a_dry_run_counts_and_stores_nothing(calls: SqliteCalls) -> None:
    counts = import_sessions([session(1, "mask abandoned ask_order -")], calls, dry_run=True)
    assert counts.imported == 1
    assert list(calls.listed(CallSelection())) == []
