"""How calls of the SDK are made, and answers read, by all that speaks to Voximplant."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mask_cli.errors import BadData, MaskError, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_EVERYTHING = "all"
"""What the platform takes for every application, key or number: never sent."""


def pages(
    fetch: Callable[[int, int], object],
    read: Callable[[object], T],
    name: Callable[[T], str],
    size: int,
) -> Iterator[T]:
    """Yield what all pages hold, each once, until a page is shorter than asked for."""
    seen: set[str] = set()
    for offset in range(0, 10**12, size):
        page = fetch(size, offset)
        if not isinstance(page, list):
            raise odd("listing")
        fresh = [item for item in map(read, page) if name(item) not in seen]
        yield from fresh
        seen.update(map(name, fresh))
        if len(page) < size:
            return
        if not fresh:
            # Whole pages of what was shown before: it does not move on.
            raise odd("listing")


def called(call: Callable[..., object], **arguments: object) -> object:
    """Call a method of the SDK; what it trips over in an answer is an odd answer."""
    try:
        return call(**arguments)
    except MaskError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise odd("answer", unsure=not call.__name__.startswith("get_")) from error


def result_of(call: Callable[..., object], **arguments: object) -> object:
    """Call a method of the SDK and return what its envelope holds."""
    envelope = called(call, **arguments)
    return envelope.get("result") if isinstance(envelope, dict) else None


def odd(what: str, *, unsure: bool = False) -> ProviderUnavailable:
    """Return the error for an answer that is not the documented one."""
    return ProviderUnavailable(f"Voximplant's {what} is not the documented one", unsure=unsure)


def refuse_everything(text: str, what: str) -> None:
    """Raise BadData for the word that the platform takes for all there is."""
    if text.strip().lower() == _EVERYTHING:
        raise BadData(f"'{_EVERYTHING}' is not the name of one {what}")
