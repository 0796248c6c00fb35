"""What is kept of calls, and what the webhook hands to the store; data and contract only.

Terms: a *call record* is one row a call; an *update* holds what one request told about it; the
*nonce* of a signed request is what makes a replay recognisable.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mask_cli.models import Mapping, PhoneNumber


class CallOutcome(StrEnum):
    """What came of a call, least telling first: a later word never replaces a more telling one."""

    ASKED = "asked"
    ABANDONED = "abandoned"
    MESSAGE = "message"
    DIALLED = "dialled"
    CANCELLED = "cancelled"
    FAILED = "failed"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    OPERATOR = "operator"
    CONNECTED = "connected"


class CallUpdate(NamedTuple):
    """What is now known of a call; None leaves what was known. No phone number is in it.

    `started_at` stays as first told, times that come twice too. `ended_at` turns a call that was
    still asking into an abandoned one, and one still ringing into a cancelled one.
    """

    provider: str
    call_id: str
    started_at: int
    mapping_id: int | None = None
    order: str | None = None
    role: str | None = None
    outcome: CallOutcome | None = None
    reason: str | None = None
    answered_at: int | None = None
    bridged_at: int | None = None
    ended_at: int | None = None
    seconds: int | None = None
    talked: int | None = None
    hangup_cause: str | None = None
    recording_url: str | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call as it is kept; times are UTC seconds, durations seconds."""

    provider: str
    call_id: str
    started_at: int
    mapping_id: int | None
    order: str | None
    role: str | None
    outcome: str | None
    reason: str | None
    answered_at: int | None
    bridged_at: int | None
    ended_at: int | None
    seconds: int | None
    talked: int | None
    hangup_cause: str | None
    recording_url: str | None


class NonceUse(NamedTuple):
    """A signed request and the answer it gets, sealed; `token` tells this use from every other."""

    nonce: str
    digest: str
    answer: str
    token: str
    at: int


class WrongOrder(NamedTuple):
    """A caller's wrong order number; the same attempt of the same call counts once."""

    caller: str
    call_id: str
    attempt: int
    at: int


class Guess(NamedTuple):
    """What an order number typed by a caller must keep to: fewer than `most` wrong ones before."""

    caller: str
    since: int
    most: int


@dataclass(frozen=True, slots=True)
class CallWrite:
    """What one request writes; all of it only if its nonce was not seen before.

    With a `guess` nothing of it is written either once the caller's wrong ones are too many:
    others may have been stored, by other processes too, since it was decided.
    """

    nonce: NonceUse | None = None
    update: CallUpdate | None = None
    wrong_order: WrongOrder | None = None
    guess: Guess | None = None


class SeenNonce(NamedTuple):
    """The earlier use of a nonce; its answer is None once it has been forgotten."""

    digest: str
    answer: str | None
    at: int


class Overtaken(Enum):
    """A write of which nothing was written: it has to be decided again."""

    OVERTAKEN = "overtaken"


OVERTAKEN = Overtaken.OVERTAKEN
Seen = SeenNonce | Overtaken | None
"""What became of a write: None when all of it was written."""


@dataclass(frozen=True, slots=True)
class CallSelection:
    """Which calls to list; None means any."""

    order: str | None = None
    outcome: str | None = None
    reason: str | None = None
    since: int | None = None
    until: int | None = None
    limit: int | None = None


class CallCount(NamedTuple):
    """How many calls of a day (UTC, or None for all days) had an outcome for a reason."""

    day: str | None
    outcome: str
    reason: str
    calls: int
    talked: int


class Calls(Protocol):
    """The calls of one store, and what the webhook has to look up."""

    def candidates(
        self, caller: PhoneNumber, called: PhoneNumber, order: str | None, now: int
    ) -> list[Mapping]:
        """Return active mappings of a caller that are reachable on a number, a few at most.

        With `order` only that order's. Several are a reason to ask, so a few are enough.
        """
        ...

    def ours(self, numbers: Sequence[PhoneNumber]) -> frozenset[PhoneNumber]:
        """Return which of these numbers are virtual numbers of ours."""
        ...

    def wrong_orders(self, caller: str, since: int) -> int:
        """Count a caller's wrong order numbers since a moment; `caller` is a keyed hash."""
        ...

    def commit(self, writes: Sequence[CallWrite], *, keep: bool = True) -> list[Seen]:
        """Write all in one transaction; for each tell whether its nonce had been seen.

        OVERTAKEN where a guess is one too many.
        """
        ...

    def add(self, updates: Sequence[CallUpdate], *, keep: bool = True) -> int:
        """Store those calls of which nothing is known here, in one transaction; count them."""
        ...

    def tidy(self, *, answers_before: int, nonces_before: int, attempts_before: int) -> bool:
        """Forget answers, nonces and attempts older than these moments, some at a time.

        Tells whether there may be more.
        """
        ...

    def get(self, call_id: str) -> CallRecord | None:
        """Return one call."""
        ...

    def listed(self, selection: CallSelection) -> Iterator[CallRecord]:
        """Yield calls, newest first."""
        ...

    def counted(self, selection: CallSelection, *, by_day: bool) -> Iterator[CallCount]:
        """Yield counts, by day, outcome and reason."""
        ...

    def prune(self, before: int) -> int:
        """Forget calls that started before a moment; return how many."""
        ...

    def count_before(self, before: int) -> int:
        """Count the calls that started before a moment."""
        ...
