"""The mark on a deployed scenario: it tells whether somebody else has changed the text since.

The first line holds the SHA-256 of what follows it, so every machine that deploys can check,
and no database is needed. Line ends and blanks at line ends do not count: a panel's editor may
change them by being opened.
"""

from __future__ import annotations

import re

from mask_cli.scenario.render import digest

_MARK = re.compile(r"// Deployed by mask, sha256 ([0-9a-f]{64})\n")


def marked(text: str) -> str:
    """Return a rendered scenario as it is uploaded."""
    return f"// Deployed by mask, sha256 {digest(_even(text))}\n{text}"


def is_untouched(text: str) -> bool:
    """Tell whether a text is one that was uploaded by mask, and as it was uploaded."""
    even = _even(text)
    found = _MARK.match(even)
    return found is not None and digest(even[found.end() :]) == found[1]


def same(one: str, other: str) -> bool:
    """Tell whether two texts are the same scenario."""
    return _even(one) == _even(other)


def _even(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"
