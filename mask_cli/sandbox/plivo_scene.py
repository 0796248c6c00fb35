"""What an emulated call is played from, and what comes of it; data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mask_cli.models import PhoneNumber

Form = Sequence[tuple[str, str]]


class Behaviour(StrEnum):
    """What a callee does; HANGS_UP answers first."""

    ANSWERS = "answers"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    REJECTS = "rejects"
    HANGS_UP = "hangs-up"


class Verdict(StrEnum):
    """How the call ended, in a word that can be asserted on."""

    CONNECTED = "connected"
    NOT_CONNECTED = "not_connected"
    MESSAGE = "message"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Press:
    """Keys of the caller: at that second of the call, or at the next prompt for input."""

    keys: str = field(repr=False)
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """The addresses that the called number's application has."""

    answer_url: str
    answer_method: str = "POST"
    hangup_url: str | None = None
    hangup_method: str = "POST"
    fallback_url: str | None = None
    fallback_method: str = "POST"


@dataclass(frozen=True, slots=True)
class Scene:
    """Who calls whom and what people do; `rented` are caller IDs that the platform accepts.

    `behaviours` are by the digits of the number dialled, `behaviour` is everybody else's.
    """

    caller: str = field(repr=False)
    called: str = field(repr=False)
    presses: tuple[Press, ...] = ()
    behaviour: Behaviour = Behaviour.ANSWERS
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict, repr=False)
    hang_up_at: float | None = None
    talk: float = 20.0
    rented: frozenset[str] = field(default=frozenset(), repr=False)
    started_at: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Leg:
    """Who was dialled and what that phone showed; a code says why it did not ring or ended."""

    number: PhoneNumber | None
    caller_id: PhoneNumber | None
    caller_name: str = field(repr=False)
    status: str = ""
    cause: str = ""
    code: int = 0
    connected: bool = False
    talked: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the transcript: at that second, who did or heard what."""

    at: float
    who: str
    what: str
    text: str = ""
    number: PhoneNumber | None = None
    caller_id: PhoneNumber | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the call; `problem` says why a document was refused."""

    call_uuid: str
    verdict: Verdict
    code: int
    source: str
    seconds: float
    events: tuple[Event, ...]
    legs: tuple[Leg, ...]
    problem: str | None = None

    def heard(self) -> list[str]:
        """Return what was said to the caller, in turn."""
        return [e.text for e in self.events if (e.who, e.what) == ("caller", "hears")]


class CallOver(Exception):
    """The call has ended, for a cause with that code, by whom `source` says."""

    def __init__(self, code: int, source: str) -> None:
        super().__init__(code)
        self.code = code
        self.source = source
