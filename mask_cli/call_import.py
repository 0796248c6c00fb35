"""Fill gaps in the calls kept here from Voximplant's own history; no number in it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mask_cli.scenario.report import OUTCOMES as WORDS
from mask_cli.scenario.report import REASONS, ROLES
from mask_cli.store.calls_base import CallUpdate
from mask_cli.web.voximplant import OUTCOMES, PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mask_cli.providers.voximplant_records import RemoteSession
    from mask_cli.store.calls_base import Calls

_MARK = "mask"
_BATCH = 500


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What an import of calls found."""

    imported: int = 0
    known: int = 0
    foreign: int = 0


def import_sessions(
    sessions: Iterable[RemoteSession], calls: Calls, *, dry_run: bool = False
) -> ImportCounts:
    """Store the calls that are not here yet.

    A call that was reported, before or meanwhile, stays as it was reported: that told more.
    `foreign` counts sessions that mask's scenario did not mark.
    """
    imported = known = foreign = 0
    found = iter(sessions)
    while batch := list(islice(found, _BATCH)):
        updates = [update for update in map(update_of, batch) if update is not None]
        added = calls.add(updates, keep=not dry_run)
        imported += added
        known += len(updates) - added
        foreign += len(batch) - len(updates)
    return ImportCounts(imported, known, foreign)


def update_of(session: RemoteSession) -> CallUpdate | None:
    """Return the row of a session, None when its mark is not that of mask's scenario."""
    words = (session.custom_data or "").split()
    if len(words) != 4 or words[0] != _MARK or words[1] not in WORDS:  # noqa: PLR2004 (the mark)
        return None
    _, outcome, reason, role = words
    other = [leg for leg in session.legs if not leg.incoming and leg.successful]
    connected = outcome in ("connected", "operator")
    urls = [leg.recording_url for leg in session.legs if leg.recording_url]
    return CallUpdate(
        PROVIDER,
        session.session_id,
        session.started_at,
        role=role if role in ROLES else None,
        outcome=OUTCOMES[outcome],
        reason=reason if reason in REASONS else None,
        ended_at=session.started_at + session.seconds,
        seconds=session.seconds,
        # How long the other leg lasted: a little more than they heard each other.
        talked=max((leg.seconds for leg in other), default=0) if connected else 0,
        hangup_cause=outcome,
        recording_url=urls[0] if urls else None,
    )
