"""Call records for people and programs: rows, statistics, export."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from mask_cli.store.calls_base import CallOutcome
from mask_cli.times import LATEST, format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mask_cli.records import Record
    from mask_cli.store.calls_base import CallCount, CallRecord, Calls, CallSelection

CALL_FIELDS = (
    "call",
    "provider",
    "order",
    "role",
    "outcome",
    "reason",
    "started_at",
    "answered_at",
    "bridged_at",
    "ended_at",
    "seconds",
    "talked",
    "hangup_cause",
    "recording_url",
)
STATS_FIELDS = ("by", "value", "calls", "connected", "talked")
_WIDEST_BAR = 20


def call_record(call: CallRecord) -> Record:
    """Return a call's record."""
    times = {
        # What somebody stored must not keep all others from being listed.
        name: None if at is None or not 0 <= at <= LATEST else format_time(at)
        for name, at in (
            ("started_at", call.started_at),
            ("answered_at", call.answered_at),
            ("bridged_at", call.bridged_at),
            ("ended_at", call.ended_at),
        )
    }
    values = {name: getattr(call, name) for name in CALL_FIELDS if hasattr(call, name)}
    return {name: {**values, "call": call.call_id, **times}[name] for name in CALL_FIELDS}


def statistics(calls: Calls, selection: CallSelection, *, bars: bool) -> list[Record]:
    """Return counts by day, outcome and reason, after one row for all; `talked` is in seconds."""
    counts = list(calls.counted(selection, by_day=True))
    rows = [_sum("all", "", counts)] if counts else []
    keys: tuple[tuple[str, Callable[[CallCount], str]], ...] = (
        ("day", lambda count: count.day or ""),
        ("outcome", lambda count: count.outcome),
        ("reason", lambda count: count.reason),
    )
    for by, key in keys:
        found = sorted({key(count) for count in counts})
        rows += [_sum(by, word, [c for c in counts if key(c) == word]) for word in found if word]
    if bars:
        most = max((row["calls"] for row in rows), default=1)
        for row in rows:
            row["bar"] = "█" * max(1, round(row["calls"] * _WIDEST_BAR / most))
    return rows


def export_calls(calls: Iterable[CallRecord], form: str, write: Callable[[str], object]) -> int:
    """Write calls as CSV or JSON Lines; return how many."""
    done = 0
    if form == "csv":
        write(_line(CALL_FIELDS))
    for call in calls:
        record = call_record(call)
        text = _line(record.values()) if form == "csv" else json.dumps(record) + "\n"
        write(text)
        done += 1
    return done


def _line(values: Iterable[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(["" if v is None else v for v in values])
    return buffer.getvalue()


def _sum(by: str, value: str, counts: list[CallCount]) -> Record:
    return {
        "by": by,
        "value": value,
        "calls": sum(count.calls for count in counts),
        "connected": sum(c.calls for c in counts if c.outcome == CallOutcome.CONNECTED),
        "talked": sum(count.talked for count in counts),
    }
