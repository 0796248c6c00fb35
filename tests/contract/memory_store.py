"""The in-memory twin of the SQLite store: the contract in its plainest words."""

from __future__ import annotations

import copy
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mask_cli.models import Mapping, PhoneNumber, RemoteItem, State, Target, needs_push
from mask_cli.store.base import AuditRow, ImportCounts, IncomingRow, Selection
from mask_cli.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Pending = tuple[str, Mapping | None, RemoteItem | None]


@dataclass
class _Data:
    """All there is; copied whole by `writing`, so that it can be undone."""

    mappings: dict[str, Mapping] = field(default_factory=dict)
    items: dict[tuple[str, str], RemoteItem] = field(default_factory=dict)
    applications: dict[tuple[str, str, str], str] = field(default_factory=dict)
    traces: set[tuple[str, str, str, int]] = field(default_factory=set)
    audit: list[AuditRow] = field(default_factory=list)
    revision: int = 0


class MemoryStore:
    def __init__(self) -> None:
        self._data = _Data()
        self._key = secrets.token_bytes(32)

    def close(self) -> None:
        pass

    @contextmanager
    def writing(self, *, keep: bool = True) -> Iterator[MemoryStore]:
        before = copy.deepcopy(self._data)
        try:
            yield self
        except BaseException:
            self._data = before
            raise
        if not keep:
            self._data = before

    def get(self, order: str) -> Mapping | None:
        return self._data.mappings.get(order)

    def put(self, mapping: Mapping) -> Mapping:
        self._data.revision += 1
        revision = self._data.revision
        stored = replace(mapping, revision=revision, mapping_id=mapping.mapping_id or revision)
        self._data.mappings[stored.order] = stored
        return stored

    def forget(self, order: str) -> bool:
        return self._data.mappings.pop(order, None) is not None

    def listed(
        self, selection: Selection, target: Target | None, now: int
    ) -> Iterator[tuple[Mapping, RemoteItem | None]]:
        fitting = [
            mapping
            for _, mapping in sorted(self._data.mappings.items())
            if selection.state in (None, mapping.state(now))
            and selection.courier in (None, mapping.courier)
            and selection.client in (None, mapping.client)
        ]
        for mapping in fitting[: selection.limit]:
            yield mapping, self.item(mapping.order, target) if target else None

    def free_order(self, start: str) -> str | None:
        space = 10 ** len(start)
        for step in range(space):
            order = str((int(start) + step) % space).zfill(len(start))
            if order not in self._data.mappings:
                return order
        return None

    def used_orders(self) -> int:
        return len(self._data.mappings)

    def active_orders(self, beginning: str, now: int, limit: int) -> list[str]:
        return [
            order
            for order, mapping in sorted(self._data.mappings.items())
            if order.startswith(beginning) and mapping.state(now) is State.ACTIVE
        ][:limit]

    def forget_expired(self, before: int, limit: int | None) -> Iterator[int]:
        due = [m.order for m in self._data.mappings.values() if m.expires_at <= before]
        for order in due[:limit]:
            yield int(self.forget(order))

    def count_expired(self, before: int) -> int:
        return sum(m.expires_at <= before for m in self._data.mappings.values())

    def item(self, order: str, target: Target) -> RemoteItem | None:
        return self._data.items.get((target.id, order))

    def put_item(self, item: RemoteItem, target: Target) -> None:
        self._data.items[target.id, item.order] = item

    def drop_item(self, order: str, target: Target) -> None:
        self._data.items.pop((target.id, order), None)

    def add_trace(self, order: str, target: Target, digest: str, expires_at: int) -> None:
        self._data.traces.add((target.id, order, digest, expires_at))

    def traces(self, order: str, target: Target) -> list[tuple[str, int]]:
        found = self._data.traces
        return sorted((d, at) for place, o, d, at in found if (place, o) == (target.id, order))

    def drop_traces(self, now: int) -> int:
        gone = {trace for trace in self._data.traces if trace[3] <= now}
        self._data.traces -= gone
        return len(gone)

    def drop_gone_items(self, target: Target, now: int) -> int:
        gone = [
            order
            for (place, order), item in self._data.items.items()
            if place == target.id and order not in self._data.mappings
            if item.intent is None and max(item.expires_at or 0, item.lease_until) <= now
        ]
        for order in gone:
            self.drop_item(order, target)
        return len(gone)

    def pending(
        self, target: Target, now: int, *, deletions_only: bool = False
    ) -> Iterator[Pending]:
        orders = set(self._data.mappings)
        orders |= {order for place, order in self._data.items if place == target.id}
        for order in orders:
            mapping, item = self.get(order), self.item(order, target)
            active = mapping is not None and mapping.expires_at > now
            if needs_push(mapping, item, now) and not (active and deletions_only):
                yield order, mapping, item

    def items_elsewhere(self, target: Target | None, now: int) -> int:
        here = target.id if target else None
        return sum(
            place != here and (item.expires_at or 0) > now
            for (place, _), item in self._data.items.items()
        )

    def known_application(self, endpoint: str, account: str, name: str) -> str | None:
        return self._data.applications.get((endpoint, account, name))

    def remember_application(
        self, endpoint: str, account: str, name: str, application_id: str | None
    ) -> None:
        self._data.applications.pop((endpoint, account, name), None)
        if application_id is not None:
            self._data.applications[endpoint, account, name] = application_id

    def digest_key(self) -> bytes:
        return self._key

    @contextmanager
    def staging(self) -> Iterator[MemoryStaging]:
        yield MemoryStaging(self)

    def add_audit(self, row: AuditRow) -> None:
        self._data.audit.append(row)

    def audit(self, order: str | None, limit: int | None) -> Iterator[AuditRow]:
        rows = [row for row in reversed(self._data.audit) if order in (None, row.order)]
        yield from rows[:limit]

    def prune_audit(self, before: int) -> int:
        kept = [row for row in self._data.audit if row.at >= before]
        gone = len(self._data.audit) - len(kept)
        self._data.audit = kept
        return gone


class MemoryStaging:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._rows: list[IncomingRow] = []
        self._texts: dict[int, str] = {}
        self._rejected: list[str] = []

    def add(self, rows: Sequence[IncomingRow]) -> None:
        self._rows += rows

    def keep(self, texts: Sequence[tuple[int, str]]) -> None:
        self._texts.update(texts)

    def text(self, line: int) -> str:
        return self._texts[line]

    def reject(self, text: str) -> None:
        self._rejected.append(text)

    def rejected(self) -> Iterator[str]:
        return iter(self._rejected)

    def take_duplicates(self, take: Callable[[IncomingRow], object]) -> None:
        first = {row.order: row for row in reversed(self._rows)}
        twice = [row for row in self._rows if first[row.order] is not row]
        self._rows = [row for row in self._rows if first[row.order] is row]
        for row in twice:
            take(row)

    def take_mixed_up(self, take: Callable[[IncomingRow], object]) -> None:
        shown = {row.virtual_number for row in self._rows} - {None}
        people = {number for row in self._rows for number in (row.courier, row.client)}
        for mapping, _ in self._store.listed(Selection(), None, 0):
            people |= {mapping.courier.e164, mapping.client.e164}
        both = shown & people
        mixed_up = [r for r in self._rows if both & {r.courier, r.client, r.virtual_number}]
        self._rows = [row for row in self._rows if row not in mixed_up]
        for row in mixed_up:
            take(row)

    def conflicts(self, now: int) -> Iterator[IncomingRow]:
        rows = [row for row in self._rows if (m := self._active(row, now)) and not _same(row, m)]
        return iter(sorted(rows, key=lambda row: row.line))

    def outlived(self, now: int) -> list[str]:
        kept = ((row.order, self._store.get(row.order)) for row in self._rows)
        return [order for order, m in kept if m and m.state(now) is State.EXPIRED]

    def audit(self, now: int, actor: str, *, replace: bool) -> int:
        found = [(row, self._told(row, now, overwrite=replace)) for row in sorted(self._rows)]
        for row, detail in found:
            if detail is not None:
                self._store.add_audit(AuditRow(now, actor, "import", row.order, detail))
        return sum(detail is not None for _, detail in found)

    def _told(self, row: IncomingRow, now: int, *, overwrite: bool) -> str | None:
        active, expires_at = self._active(row, now), row.expires_at
        if active is None:
            known = any(self._store.audit(row.order, 1))
            return f"until {format_time(expires_at)}" if known else None
        if not _same(row, active):
            return f"replaced, until {format_time(expires_at)}" if overwrite else None
        if not row.moves_expiry:
            expires_at = active.expires_at
        note = active.note if row.note is None else row.note
        after = active.changed(now, expires_at=expires_at, note=note)
        return f"until {format_time(expires_at)}" if after != active else None

    def apply(self, now: int, *, replace: bool) -> ImportCounts:
        counts = dict.fromkeys(("added", "updated", "unchanged", "skipped"), 0)
        for row in sorted(self._rows):
            counts[self._applied(row, now, overwrite=replace)] += 1
        return ImportCounts(**counts)

    def _active(self, row: IncomingRow, now: int) -> Mapping | None:
        mapping = self._store.get(row.order)
        return mapping if mapping and mapping.state(now) is State.ACTIVE else None

    def _applied(self, row: IncomingRow, now: int, *, overwrite: bool) -> str:
        active = self._active(row, now)
        if active is None or not _same(row, active):
            if active and not overwrite:
                return "skipped"
            self._store.put(_fresh(row, now))
            return "updated" if active else "added"
        expires_at = row.expires_at if row.moves_expiry else active.expires_at
        note = active.note if row.note is None else row.note
        after = active.changed(now, expires_at=expires_at, note=note)
        if after == active:
            return "unchanged"
        self._store.put(after)
        return "updated"


def _same(row: IncomingRow, mapping: Mapping) -> bool:
    virtual = mapping.virtual_number.e164 if mapping.virtual_number else None
    parties = (mapping.courier.e164, mapping.client.e164)
    return parties == (row.courier, row.client) and row.virtual_number in (None, virtual)


def _fresh(row: IncomingRow, now: int) -> Mapping:
    virtual = PhoneNumber(row.virtual_number) if row.virtual_number else None
    parties = PhoneNumber(row.courier), PhoneNumber(row.client)
    return Mapping(row.order, *parties, row.expires_at, now, now, virtual, row.note)
