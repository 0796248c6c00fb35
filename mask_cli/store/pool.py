"""The pool of virtual numbers in SQLite: which there are, who had them, who gets one now."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mask_cli.allocation import Allocation, Claims, PoolNumber, choose
from mask_cli.errors import BadData
from mask_cli.models import Mapping, PhoneNumber, keyed_digest
from mask_cli.store.base import VirtualNumber
from mask_cli.store.claims import Ledgers
from mask_cli.store.columns import MAPPING, as_mapping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mask_cli.store.sqlite import SqliteStore


_COLUMNS = "number, provider, application, state, added_at, used"
_OTHERS = (
    "SELECT virtual_number, 1 AS cooling, NULL AS given_up FROM releases WHERE {} IN (?2, ?3)"
    " AND pair <> ?1 AND released_at > ?4"
)
_RELEASES = (
    "SELECT virtual_number, sum(cooling), max(given_up) FROM ("
    "SELECT virtual_number, 0 AS cooling, released_at AS given_up FROM releases WHERE pair = ?1"
    f" UNION ALL {_OTHERS.format('courier')} UNION ALL {_OTHERS.format('client')}"
    ") GROUP BY virtual_number"
)
_MEETING = (
    "EXISTS (SELECT 1 FROM mappings WHERE {} IN (?1, ?2) AND expires_at > ?3"
    " AND order_number <> ?4 AND (virtual_number = ?5 OR virtual_number IS NULL))"
)
_MEET = f"SELECT {_MEETING.format('courier')} OR {_MEETING.format('client')}"


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
    ) -> Allocation:
        """Choose the number for an order; `allocation.allocate` tells how."""
        ledgers = Ledgers(self._store, now=now, cool_off=cool_off, order=order)
        return self._chosen(courier, client, ledgers, now - cool_off)

    def _chosen(
        self, courier: PhoneNumber, client: PhoneNumber, ledgers: Ledgers, cooled: int
    ) -> Allocation:
        rows = self._store.rows("SELECT number, used FROM virtual_numbers WHERE state = 'active'")
        pool = [PoolNumber(PhoneNumber(number), used) for number, used in rows]
        if not pool:
            return choose(pool, Claims({}, {}), None)
        claims, given_up = ledgers.claims(courier, client)
        own = [(at, number) for number, at in given_up.items()]
        for number, cooling, at in self._releases_of(courier, client, cooled):
            claims.cooling[number] = claims.cooling.get(number, 0) + cooling
            if at is not None and number is not None:
                own.append((at, number))
        return choose(pool, claims, max(own)[1] if own else None)

    def bind_since(self, revision: int, now: int, cool_off: int) -> dict[str, int]:
        """Give numbers to the mappings without one from a revision on; count the reasons.

        The mapping's own revision stays: its number is not pushed anywhere. Those that wait for
        their number stand in nobody's way.
        """
        ledgers = Ledgers(self._store, now=now, cool_off=cool_off, unbound_from=revision)
        reasons: Counter[str] = Counter()
        rows = self._store.rows(
            f"SELECT {MAPPING} FROM mappings WHERE revision >= ? AND virtual_number IS NULL",
            revision,
        )
        for mapping in [as_mapping(row) for row in rows]:
            chosen = self._chosen(mapping.courier, mapping.client, ledgers, now - cool_off)
            reasons[chosen.reason] += 1
            self._store.execute(
                "UPDATE mappings SET virtual_number = ? WHERE order_number = ?",
                chosen.number.e164 if chosen.number else None,
                mapping.order,
            )
            ledgers.bound(mapping, chosen.number)
        return dict(reasons)

    def parties_meet(self, mapping: Mapping, now: int) -> bool:
        """Tell whether a party of the mapping has another active one on the same number."""
        number = mapping.virtual_number
        if number is None:
            return False
        parties = (mapping.courier.e164, mapping.client.e164)
        row = self._store.row(_MEET, *parties, now, mapping.order, number.e164)
        return bool(row and row[0])

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

    def _releases_of(
        self, courier: PhoneNumber, client: PhoneNumber, since: int
    ) -> list[tuple[PhoneNumber | None, int, int | None]]:
        """Return by number how many of others cool off, and when the pair itself gave it up."""
        pair = self._pair(courier, client)
        rows = self._store.rows(_RELEASES, pair, self._hash(courier), self._hash(client), since)
        return [(PhoneNumber(number) if number else None, *counts) for number, *counts in rows]

    def _hash(self, number: PhoneNumber) -> str:
        if self._key is None:
            self._key = self._store.digest_key()
        return keyed_digest(self._key, number.e164)

    def _pair(self, courier: PhoneNumber, client: PhoneNumber) -> str:
        """Hash two people whatever their roles: a pair comes back to its number."""
        if self._key is None:
            self._key = self._store.digest_key()
        return keyed_digest(self._key, " ".join(sorted((courier.e164, client.e164))))
