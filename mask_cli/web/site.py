"""What the webhook needs to know of the operator's settings; plain data, sent to every worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mask_cli.routing import Ask, Rules
from mask_cli.web.phrases import Phrases, load_phrases

if TYPE_CHECKING:
    from pathlib import Path

    from mask_cli.config import Settings


@dataclass(frozen=True, slots=True)
class Site:
    """One installation. No tokens: requests are not checked, only ever on loopback.

    `rules.numbers` is filled for each call. With `keep` False nothing is stored.
    """

    database: Path
    public_url: str
    rules: Rules
    phrases: Phrases = field(repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)
    ring_timeout: int = 30
    call_time_limit: int = 3_600
    recording: bool = False
    keep: bool = True
    report_secret: str | None = field(default=None, repr=False)

    def url(self, hook: str) -> str:
        """Return the public address of a hook."""
        return f"{self.public_url}/plivo/{hook}"


def site_of(
    settings: Settings, public_url: str, *, tokens: tuple[str, ...], keep: bool = True
) -> Site:
    """Return the site that the settings describe."""
    return Site(
        database=settings.database,
        public_url=public_url,
        rules=rules_of(settings),
        phrases=load_phrases(settings["phrases"], settings["order_digits"]),
        tokens=tokens,
        ring_timeout=settings["ring_timeout"],
        call_time_limit=settings["call_time_limit"],
        recording=settings["recording"] == "announced",
        keep=keep,
        report_secret=settings["voximplant.report_secret"],
    )


def rules_of(settings: Settings) -> Rules:
    """Return the routing rules of the settings; which numbers are ours is asked for each call."""
    return Rules(
        numbers=frozenset(),
        ask=Ask(settings["ask"]),
        order_digits=settings["order_digits"],
        attempts=settings["attempts"],
        operator=settings["operator"],
    )


def tokens_of(settings: Settings) -> tuple[str, ...]:
    """Return every token that may sign a request."""
    main = settings["plivo.auth_token"]
    return (*((main,) if main else ()), *(settings["plivo.extra_tokens"] or ()))
