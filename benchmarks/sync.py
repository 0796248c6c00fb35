"""`sync` and `drift` against an emulated provider some milliseconds away.

The provider runs in this process, what is measured in others; its own log tells how many
requests there were, how many at once, and over how many connections.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.harness import BenchmarkError, Figure, Run, in_turn, run
from benchmarks.workbench import MASK, remove
from mask_cli.models import RemoteItem, Target, keyed_digest, remote_expiry, remote_value
from mask_cli.sandbox.voximplant import ACCOUNT_ID, VoximplantSandbox
from mask_cli.sandbox.voximplant_kvs import Stored
from mask_cli.store.base import Selection
from mask_cli.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.workbench import Workbench

PENDING, MOST_PENDING = 10_000, 100_000
LOOP = 100
"""Items that the plain SDK writes one after another: all would take a quarter of an hour."""
SYNC_AWAY, DRIFT_AWAY = 0.05, 0.02
KEYS = 100_000
JOBS, PAGE = 16, 50
_SDK = (
    "import sys, time; from voximplant.apiclient import VoximplantAPI\n"
    "api = VoximplantAPI(sys.argv[1], endpoint=sys.argv[2])\n"
    "for n in range(int(sys.argv[3])):\n"
    "    api.set_key_value_item(key=f'loop:{n}', value='x', application_id=1, ttl=86400)\n"
)


@dataclass(frozen=True)
class Provider:
    """The emulated provider, and how programs are run against it."""

    bench: Workbench
    sandbox: VoximplantSandbox

    def mask(self, database: Path, *arguments: str) -> Run:
        """Run `mask` on a database, with this provider."""
        env = {**self.bench.environment(database), **self.sandbox.environment()}
        return run((*MASK, *arguments), env)

    def sdk(self) -> Run:
        """Write LOOP items with the plain SDK."""
        env = {**self.bench.environment(self.bench.folder / "unused"), **self.sandbox.environment()}
        place = (str(self.sandbox.credentials_file), self.sandbox.endpoint, str(LOOP))
        return run((MASK[0], "-c", _SDK, *place), env)


@contextmanager
def provider(bench: Workbench, away: float) -> Iterator[Provider]:
    """Run a provider that answers after `away` seconds."""
    with VoximplantSandbox() as sandbox:
        if away:
            sandbox.faults.add("latency", times=0, seconds=away)
        yield Provider(bench, sandbox)


def sync(bench: Workbench) -> list[Figure]:
    """Push what is pending."""
    with provider(bench, SYNC_AWAY) as far:
        figures = _against_the_sdk(bench, far)
    with provider(bench, 0.0) as near:
        return [*figures, _memory(bench, near)]


def _against_the_sdk(bench: Workbench, far: Provider) -> list[Figure]:
    log = far.sandbox.requests
    at_once: list[int] = []
    connections: list[int] = []

    def ours(_: int) -> Run:
        store = bench.fresh(bench.store(PENDING), "sync.db")
        log.clear()
        done = far.mask(store, "sync", "--quiet")
        if log.count("SetKeyValueItem") != PENDING or log.count() != PENDING:
            raise BenchmarkError(f"{log.count()} requests for {PENDING} orders")
        at_once.append(log.most_at_once())
        connections.append(log.connections())
        return done

    runs = in_turn(min(bench.pairs, 3), bench.budget, ours, lambda _: far.sdk())
    remove(bench.folder / "sync.db")
    ratios = [(theirs.seconds / LOOP) / (mine.seconds / PENDING) for mine, theirs in runs]
    mine, theirs = (median(pair[i].seconds for pair in runs) for i in (0, 1))
    detail = f"{PENDING} in {mine:.1f} s, the loop's {LOOP} in {theirs:.1f} s, {len(runs)} pairs"
    return [
        Figure(
            "sync", "plain SDK's loop", median(ratios), "x speed", 20, at_least=True, detail=detail
        ),
        Figure("sync", "requests in flight", max(at_once), "at most", JOBS),
        Figure("sync", "connections used", max(connections), "in all", JOBS),
    ]


def _memory(bench: Workbench, near: Provider) -> Figure:
    peaks = []
    for rows in (PENDING, MOST_PENDING):
        store = bench.fresh(bench.store(rows), "sync.db")
        peaks.append(near.mask(store, "sync", "--quiet").megabytes)
        remove(store)
    detail = f"{peaks[0]:.1f} MB at {PENDING}, {peaks[1]:.1f} MB at {MOST_PENDING}"
    return Figure(
        "sync", "peak with a tenth of the orders", peaks[1] / peaks[0], "x", 1.1, detail=detail
    )


def drift(bench: Workbench) -> list[Figure]:
    """Compare a provider that agrees with the store."""
    with provider(bench, DRIFT_AWAY) as far:
        database = bench.fresh(bench.store(KEYS), "drift.db")
        _agree(database, far.sandbox)
        far.sandbox.requests.clear()
        done = far.mask(database, "drift", "--quiet")
        requests = far.sandbox.requests.count()
        remove(database)
    bound = KEYS / PAGE / JOBS * DRIFT_AWAY
    detail = f"{KEYS} keys, {requests} requests; pages / jobs x latency = {bound:.1f} s"
    return [
        Figure("drift", "all keys compared", done.seconds, "s", None, detail=detail),
        Figure("drift", "requests over pages", requests / (KEYS / PAGE), "x", 1.1),
        Figure("drift", "peak memory", done.megabytes, "MB", None),
    ]


def _agree(database: Path, sandbox: VoximplantSandbox) -> None:
    """Let base and provider hold every order, as after a sync."""
    target = Target(sandbox.endpoint, str(ACCOUNT_ID), "1", "order:")
    now = sandbox.clock.now()
    with closing(SqliteStore(database)) as store:
        key = store.digest_key()
        mappings = [mapping for mapping, _ in store.listed(Selection(), None, now)]
        with store.writing():
            for mapping in mappings:
                value, until = remote_value(mapping), remote_expiry(mapping, now)
                digest = keyed_digest(key, value)
                item = RemoteItem(
                    mapping.order, mapping.mapping_id, mapping.revision, digest, until
                )
                store.put_item(item, target)
                sandbox.store().set(Stored(target.key(mapping.order), value, until))
