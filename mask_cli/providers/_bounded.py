"""Sockets that keep to the end of a whole exchange, however slowly its bytes come.

An HTTP library takes a time-out anew for each read, so an answer that drips is never over. Here
a time-out shrinks: `Share` is one that knows how much is left, and the socket asks it each time.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class Share(float):
    """Seconds that are left now, for whoever takes it as a number; `left` tells them later."""

    left: Callable[[], float]

    def __new__(cls, left: Callable[[], float], most: float) -> Self:
        """Return what is left, at most `most`."""
        share = super().__new__(cls, max(0.001, min(left(), most)))
        share.left = left
        return share


class BoundedSocket(ssl.SSLSocket):
    """What `SSLContext.sslsocket_class` makes; httpcore sets the time-out before every step."""

    def settimeout(self, value: float | None, /) -> None:
        """Set the time-out; of a Share what is left now, TimeoutError when that is nothing."""
        if isinstance(value, Share):
            value = value.left()
            if value <= 0:
                raise TimeoutError("the time for the exchange is over")
        super().settimeout(value)
