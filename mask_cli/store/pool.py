"""The pool of virtual numbers in SQLite: which there are, who had them, who gets one now."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from mask_cli.allocation import Allocation, PoolNumber, Release, allocate
from mask_cli.errors import BadData
from mask_cli.models import Mapping, PhoneNumber, keyed_digest
from mask_cli.store.base import VirtualNumber
from mask_cli.store.columns import MAPPING, as_mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mask_cli.store.sqlite import SqliteStore


_COLUMNS = "number, provider, application, state, added_at, used"


class SqlitePool:
    """The room of one store; what changes anything belongs inside its `writing()`."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._key: bytes | None = None

    def is_empty(self) -> bool:
        """Tell whether no number may be given out."""
        return self._store.row("SELECT 1 FROM virtual_numbers WHERE state = 'active'") is None

    def numbers(self) -> list[VirtualNumber]:
        """Return the pool, by number."""
        rows = self._store.rows(f"SELECT {_COLUMNS} FROM virtual_numbers ORDER BY number")
        return [VirtualNumber(PhoneNumber(row[0]), *row[1:]) for row in rows]

    def get(self, number: PhoneNumber) -> VirtualNumber | None:
        """Return a number of the pool."""
        row = self._store.row(
            f"SELECT {_COLUMNS} FROM virtual_numbers WHERE number = ?", number.e164
        )
        return VirtualNumber(PhoneNumber(row[0]), *row[1:]) if row else None

    def put(
        self, number: PhoneNumber, provider: str | None, application: str | None, now: int
    ) -> None:
        """Make a number active, of this application; what is bound to it stays counted."""
        self.refuse_party(number)
        self._store.execute(
            "INSERT INTO virtual_numbers (number, provider, application, state, added_at, used)"
            " VALUES (?1, ?2, ?3, 'active', ?4,"
            " (SELECT count(*) FROM mappings WHERE virtual_number = ?1))"
            " ON CONFLICT (number) DO UPDATE SET provider = coalesce(?2, provider),"
            " application = coalesce(?3, application), state = 'active'",
            number.e164,
            provider,
            application,
            now,
        )

    def refuse_party(self, number: PhoneNumber) -> None:
        """Raise BadData for a person's number: in the pool it would be shown to everybody."""
        row = self._store.row(
            "SELECT EXISTS (SELECT 1 FROM mappings WHERE courier = ?1)"
            " OR EXISTS (SELECT 1 FROM mappings WHERE client = ?1)",
            number.e164,
        )
        if row and row[0]:
            raise BadData(f"{number} is a party of an order, not a virtual number")

    def set_state(self, number: PhoneNumber, state: str) -> None:
        """Quarantine, release or activate a number."""
        self._store.execute(
            "UPDATE virtual_numbers SET state = ? WHERE number = ?", state, number.e164
        )

    def is_ours(self, number: PhoneNumber) -> bool:
        """Tell whether a called number is one of ours: in the pool, or bound to a mapping."""
        row = self._store.row(
            "SELECT EXISTS (SELECT 1 FROM virtual_numbers WHERE number = ?1"
            " AND state <> 'released')"
            " OR EXISTS (SELECT 1 FROM mappings WHERE virtual_number = ?1)",
            number.e164,
        )
        return bool(row and row[0])

    def allocated(
        self,
        courier: PhoneNumber,
        client: PhoneNumber,
        *,
        order: str,
        now: int,
        cool_off: int,
        unbound_from: int | None = None,
    ) -> Allocation:
        """Choose the number for an order; `allocation.allocate` tells how.

        Mappings of a running import that wait for their number stand in nobody's way:
        those from revision `unbound_from` on.
        """
        rows = self._store.rows("SELECT number, used FROM virtual_numbers WHERE state = 'active'")
        pool = [PoolNumber(PhoneNumber(number), used) for number, used in rows]
        if not pool:
            return allocate(courier, client, pool, [], [], now=now, cool_off=cool_off)
        mappings = [
            # What the order itself had is given up now, and cools off like any other's.
            replace(mapping, expires_at=min(mapping.expires_at, now))
            if mapping.order == order
            else mapping
            for mapping in self._mappings_of(courier, client)
            if not (
                unbound_from is not None
                and mapping.virtual_number is None
                and mapping.revision >= unbound_from
            )
        ]
        releases = self._releases_of(courier, client, now - cool_off)
        return allocate(courier, client, pool, mappings, releases, now=now, cool_off=cool_off)

    def bind_since(self, revision: int, now: int, cool_off: int) -> dict[str, int]:
        """Give numbers to the mappings without one from a revision on; count the reasons.

        The mapping's own revision stays: its number is not pushed anywhere.
        """
        reasons: Counter[str] = Counter()
        rows = self._store.rows(
            f"SELECT {MAPPING} FROM mappings WHERE revision >= ? AND virtual_number IS NULL",
            revision,
        )
        for mapping in [as_mapping(row) for row in rows]:
            chosen = self.allocated(
                mapping.courier,
                mapping.client,
                order=mapping.order,
                now=now,
                cool_off=cool_off,
                unbound_from=revision,
            )
            reasons[chosen.reason] += 1
            self._store.execute(
                "UPDATE mappings SET virtual_number = ? WHERE order_number = ?",
                chosen.number.e164 if chosen.number else None,
                mapping.order,
            )
        return dict(reasons)

    def parties_meet(self, mapping: Mapping, now: int) -> bool:
        """Tell whether a party of the mapping has another active one on the same number."""
        number = mapping.virtual_number
        return number is not None and any(
            other.expires_at > now
            and other.order != mapping.order
            and other.virtual_number in (number, None)
            for other in self._mappings_of(mapping.courier, mapping.client)
        )

    def release(self, mappings: Iterable[Mapping], now: int) -> None:
        """Keep that these mappings give up their numbers: late calls must not meet strangers."""
        self._store.executemany(
            "INSERT INTO releases (pair, courier, client, virtual_number, released_at)"
            " VALUES (?,?,?,?,?)",
            [self._released(mapping, now) for mapping in mappings],
        )

    def prune_releases(self, before: int) -> int:
        """Forget releases older than a moment; return how many."""
        return self._store.execute("DELETE FROM releases WHERE released_at < ?", before)

    def _released(self, mapping: Mapping, now: int) -> tuple[object, ...]:
        return (
            self._pair(mapping.courier, mapping.client),
            self._hash(mapping.courier),
            self._hash(mapping.client),
            mapping.virtual_number.e164 if mapping.virtual_number else None,
            min(now, mapping.expires_at),
        )

    def _mappings_of(self, *parties: PhoneNumber) -> Iterator[Mapping]:
        both = [party.e164 for party in parties]
        rows = self._store.rows(
            f"SELECT {MAPPING} FROM mappings WHERE courier IN (?1, ?2)"
            f" UNION SELECT {MAPPING} FROM mappings WHERE client IN (?1, ?2)",
            *both,
        )
        return (as_mapping(row) for row in rows)

    def _releases_of(self, courier: PhoneNumber, client: PhoneNumber, since: int) -> list[Release]:
        pair = self._pair(courier, client)
        columns = "virtual_number, released_at, pair"
        rows = self._store.rows(
            f"SELECT {columns} FROM releases WHERE pair = ?1"
            f" UNION ALL SELECT {columns} FROM releases WHERE courier IN (?2, ?3)"
            " AND pair <> ?1 AND released_at > ?4"
            f" UNION ALL SELECT {columns} FROM releases WHERE client IN (?2, ?3)"
            " AND pair <> ?1 AND released_at > ?4",
            pair,
            self._hash(courier),
            self._hash(client),
            since,
        )
        return [
            Release(PhoneNumber(number) if number else None, at, same_pair=whose == pair)
            for number, at, whose in rows
        ]

    def _hash(self, number: PhoneNumber) -> str:
        if self._key is None:
            self._key = self._store.digest_key()
        return keyed_digest(self._key, number.e164)

    def _pair(self, courier: PhoneNumber, client: PhoneNumber) -> str:
        """Hash two people whatever their roles: a pair comes back to its number."""
        if self._key is None:
            self._key = self._store.digest_key()
        return keyed_digest(self._key, " ".join(sorted((courier.e164, client.e164))))
