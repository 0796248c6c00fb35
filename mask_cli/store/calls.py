"""Call records, nonces and attempts in SQLite.

A batch of requests is written by a handful of statements, whatever its size: rows travel as one
JSON text and are taken apart inside SQLite. Statements a row would each give up Python's lock
and have to win it back from the busy event loop, up to five milliseconds later.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mask_cli.models import Mapping, PhoneNumber
from mask_cli.store.calls_base import (
    OVERTAKEN,
    CallCount,
    CallOutcome,
    CallRecord,
    CallSelection,
    CallUpdate,
    CallWrite,
    NonceUse,
    Seen,
    SeenNonce,
    WrongOrder,
)
from mask_cli.store.columns import MAPPING, as_mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mask_cli.store.sqlite import SqliteStore

_ENOUGH = 20
"""Candidates that are looked at; two are already a reason to ask."""
_TIDIED, _PRUNED = 1_000, 5_000
"""Rows that one tidying, one transaction of a prune removes at most, so that no call waits."""

_COLUMNS = (
    "provider, call_id, started_at, mapping_id, order_number, role, outcome, reason, answered_at,"
    " bridged_at, ended_at, seconds, talked, hangup_cause, recording_url"
)
# Nothing but its end was told of a call that was given up before anything came of it.
_OUTCOME = f"coalesce(outcome, '{CallOutcome.ABANDONED}')"
_TOLD = _COLUMNS.replace(" outcome,", f" {_OUTCOME},")
_REACHABLE = "expires_at > ?2 AND (virtual_number IS NULL OR virtual_number = ?3)"
_CANDIDATES = (
    f"SELECT {MAPPING} FROM mappings WHERE courier = ?1 AND {_REACHABLE} UNION ALL"
    f" SELECT {MAPPING} FROM mappings WHERE client = ?1 AND {_REACHABLE} LIMIT {_ENOUGH}"
)
_NAMED = (
    f"SELECT {MAPPING} FROM mappings WHERE order_number = ?4 AND {_REACHABLE}"
    " AND ?1 IN (courier, client)"
)
_OURS = (
    "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM virtual_numbers"
    " WHERE number = value AND state <> 'released')"
    " OR EXISTS (SELECT 1 FROM mappings WHERE virtual_number = value)"
)


def _fields(names: Iterable[str]) -> str:
    return ", ".join(f"j.value ->> {place}" for place, _ in enumerate(names))


_PUT_NONCES = (
    "INSERT INTO nonces (nonce, digest, answer, token, at)"
    f" SELECT {_fields(NonceUse._fields)} FROM json_each(?) j WHERE true ON CONFLICT DO NOTHING"
)
_SEEN_NONCES = (
    "SELECT j.key, n.digest, n.answer, n.at FROM json_each(?) j"
    " JOIN nonces n ON n.nonce = j.value ->> 0 WHERE n.token <> j.value ->> 3"
)
_PUT_ATTEMPTS = (
    "INSERT OR IGNORE INTO caller_attempts (caller, call_id, attempt, at)"
    f" SELECT {_fields(WrongOrder._fields)} FROM json_each(?) j"
)
_RANKS = " ".join(f"WHEN '{outcome}' THEN {rank}" for rank, outcome in enumerate(CallOutcome))


def _rank(outcome: str) -> str:
    return f"CASE {outcome} {_RANKS} ELSE -1 END"


def _at_end(outcome: str, ended: str) -> str:
    """Return the outcome's SQL once the end of the call is known."""
    over = {CallOutcome.ASKED: CallOutcome.ABANDONED, CallOutcome.DIALLED: CallOutcome.CANCELLED}
    words = " ".join(f"WHEN '{before}' THEN '{after}'" for before, after in over.items())
    told = f"CASE {outcome} {words} ELSE {outcome} END"
    return f"CASE WHEN {ended} IS NULL THEN {outcome} ELSE {told} END"


_TELLING = (
    f"CASE WHEN {_rank('excluded.outcome')} >= {_rank('calls.outcome')}"
    " THEN excluded.outcome ELSE calls.outcome END"
)
_ENDED = "coalesce(calls.ended_at, excluded.ended_at)"
_INSERT_CALLS = (
    f"INSERT INTO calls ({_COLUMNS}) SELECT {_fields(CallUpdate._fields)}"
    " FROM json_each(?) j WHERE true ON CONFLICT (provider, call_id)"
)
_ADD_CALLS = f"{_INSERT_CALLS} DO NOTHING"
_PUT_CALLS = (
    f"{_INSERT_CALLS} DO UPDATE SET"
    " started_at = min(calls.started_at, excluded.started_at),"
    f" outcome = {_at_end(f'({_TELLING})', _ENDED)},"
    # The reason belongs to the outcome that won, the latest of equals.
    f" reason = CASE WHEN {_rank('excluded.outcome')} >= {_rank('calls.outcome')}"
    " THEN coalesce(excluded.reason, calls.reason)"
    " ELSE coalesce(calls.reason, excluded.reason) END,"
    + ", ".join(
        f" {name} = coalesce(excluded.{name}, calls.{name})"
        for name in ("mapping_id", "order_number", "role", "seconds", "talked", "hangup_cause")
    )
    + ","
    + ", ".join(
        f" {name} = coalesce(calls.{name}, excluded.{name})"
        for name in ("answered_at", "bridged_at", "ended_at", "recording_url")
    )
)


class SqliteCalls:
    """See `store.calls_base.Calls`; the room of one store."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def candidates(
        self, caller: PhoneNumber, called: PhoneNumber, order: str | None, now: int
    ) -> list[Mapping]:
        """Return active mappings of a caller that are reachable on a number, a few at most."""
        values: tuple[object, ...] = (caller.e164, now, called.e164)
        if order is None:
            rows = self._store.rows(_CANDIDATES, *values)
        else:
            rows = self._store.rows(_NAMED, *values, order)
        return [as_mapping(row) for row in rows]

    def ours(self, numbers: Sequence[PhoneNumber]) -> frozenset[PhoneNumber]:
        """Return which of these numbers are virtual numbers of ours."""
        rows = self._store.rows(_OURS, json.dumps([number.e164 for number in numbers]))
        return frozenset(PhoneNumber(number) for (number,) in rows)

    def wrong_orders(self, caller: str, since: int) -> int:
        """Count a caller's wrong order numbers since a moment."""
        row = self._store.row(
            "SELECT count(*) FROM caller_attempts WHERE caller = ? AND at > ?", caller, since
        )
        return int(row[0]) if row else 0

    def commit(self, writes: Sequence[CallWrite], *, keep: bool = True) -> list[Seen]:
        """Write all in one transaction; for each tell whether its nonce had been seen.

        OVERTAKEN where a guess is one too many.
        """
        with self._store.writing(keep=keep):
            if any(write.guess for write in writes):
                return self._guessed(writes)
            return self._written(writes)

    def _guessed(self, writes: Sequence[CallWrite]) -> list[Seen]:
        """Write what is no guess, or one within its limit, counted again where all see the same."""
        wrong: dict[str, int] = {}
        results: list[Seen] = [OVERTAKEN] * len(writes)
        kept = []
        for place, write in enumerate(writes):
            if guess := write.guess:
                caller = guess.caller
                if caller not in wrong:
                    wrong[caller] = self.wrong_orders(caller, guess.since)
                if wrong[caller] >= guess.most:
                    continue
                wrong[caller] += write.wrong_order is not None
            kept.append(place)
        for place, seen in zip(kept, self._written([writes[p] for p in kept]), strict=True):
            results[place] = seen
        return results

    def _written(self, writes: Sequence[CallWrite]) -> list[Seen]:
        seen = self._seen([write.nonce for write in writes])
        new = [write for write, old in zip(writes, seen, strict=True) if old is None]
        self._put(_PUT_CALLS, [write.update for write in new if write.update])
        self._put(_PUT_ATTEMPTS, [write.wrong_order for write in new if write.wrong_order])
        return seen

    def add(self, updates: Sequence[CallUpdate], *, keep: bool = True) -> int:
        """Store those calls of which nothing is known here, in one transaction; count them."""
        with self._store.writing(keep=keep):
            return self._store.execute(_ADD_CALLS, json.dumps(updates)) if updates else 0

    def _seen(self, uses: Sequence[NonceUse | None]) -> list[Seen]:
        """Store nonces; return for each the earlier use, None for a new one."""
        seen: list[Seen] = [None] * len(uses)
        places = [place for place, use in enumerate(uses) if use]
        given = json.dumps([uses[place] for place in places])
        if places and self._store.execute(_PUT_NONCES, given) < len(places):
            for key, digest, answer, at in self._store.rows(_SEEN_NONCES, given):
                seen[places[key]] = SeenNonce(digest, answer, at)
        return seen

    def _put(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._store.execute(sql, json.dumps(rows))

    def tidy(self, *, answers_before: int, nonces_before: int, attempts_before: int) -> bool:
        """Forget answers, nonces and attempts older than these moments, some at a time."""
        with self._store.writing():
            gone = self._store.execute(
                "UPDATE nonces SET answer = NULL WHERE nonce IN (SELECT nonce FROM nonces"
                " WHERE answer IS NOT NULL AND at < ? LIMIT ?)",
                answers_before,
                _TIDIED,
            )
            for table, key, before in (
                ("nonces", "nonce", nonces_before),
                ("caller_attempts", "rowid", attempts_before),
            ):
                found = self._store.execute(
                    f"DELETE FROM {table} WHERE {key} IN"
                    f" (SELECT {key} FROM {table} WHERE at < ? LIMIT ?)",
                    before,
                    _TIDIED,
                )
                gone = max(gone, found)
        return gone == _TIDIED

    def get(self, call_id: str) -> CallRecord | None:
        """Return one call."""
        row = self._store.row(f"SELECT {_TOLD} FROM calls WHERE call_id = ?", call_id)
        return CallRecord(*row) if row else None

    def listed(self, selection: CallSelection) -> Iterator[CallRecord]:
        """Yield calls, newest first."""
        where, values = _conditions(selection)
        limit = -1 if selection.limit is None else selection.limit
        sql = f"SELECT {_TOLD} FROM calls{where} ORDER BY started_at DESC, call_id LIMIT ?"
        for row in self._store.rows(sql, *values, limit):
            yield CallRecord(*row)

    def counted(self, selection: CallSelection, *, by_day: bool) -> Iterator[CallCount]:
        """Yield counts, by day, outcome and reason."""
        where, values = _conditions(selection)
        day = "date(started_at, 'unixepoch')" if by_day else "NULL"
        sql = (
            f"SELECT {day} AS day, {_OUTCOME} AS word, coalesce(reason, '')"
            f" AS why, count(*) AS calls, total(talked) FROM calls{where}"
            " GROUP BY day, word, why ORDER BY day, calls DESC, word, why"
        )
        for found, outcome, reason, calls, talked in self._store.rows(sql, *values):
            yield CallCount(found, outcome, reason, calls, int(talked))

    def prune(self, before: int) -> int:
        """Forget calls that started before a moment, in short transactions; return how many."""
        gone = 0
        while True:
            with self._store.writing():
                found = self._store.execute(
                    "DELETE FROM calls WHERE rowid IN"
                    " (SELECT rowid FROM calls WHERE started_at < ? LIMIT ?)",
                    before,
                    _PRUNED,
                )
            gone += found
            if found < _PRUNED:
                return gone

    def count_before(self, before: int) -> int:
        """Count the calls that started before a moment."""
        row = self._store.row("SELECT count(*) FROM calls WHERE started_at < ?", before)
        return int(row[0]) if row else 0


def _conditions(selection: CallSelection) -> tuple[str, list[object]]:
    found: list[tuple[str, object]] = [
        (clause, value)
        for clause, value in (
            ("order_number = ?", selection.order),
            (f"{_OUTCOME} = ?", selection.outcome),
            ("reason = ?", selection.reason),
            ("started_at >= ?", selection.since),
            ("started_at < ?", selection.until),
        )
        if value is not None
    ]
    if not found:
        return "", []
    return " WHERE " + " AND ".join(clause for clause, _ in found), [value for _, value in found]
