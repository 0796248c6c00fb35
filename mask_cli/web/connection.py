"""uvicorn's connection, but a response leaves in one piece.

uvicorn writes the head and the body of a response apart: two system calls and two packets, a
fifth of the event loop's time for documents as small as ours.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    Written = bytes | bytearray | memoryview[int]


class Gathering:
    """A transport that writes once in a turn of the event loop; in all else the one it wraps."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Written] = []

    def write(self, data: Written) -> None:
        """Write it together with whatever follows before anything else happens."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Close when all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._transport.write(b"".join(waiting))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (the transport's)
        return getattr(self._transport, name)


class Connection(HttpToolsProtocol):
    """One client's connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(cast("asyncio.Transport", Gathering(transport)))
