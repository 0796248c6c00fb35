"""Group commit: requests that come while one transaction is written share the next one."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from mask_cli.errors import MaskError
from mask_cli.web.database import Database
from mask_cli.web.decision import ATTEMPTS_WINDOW
from mask_cli.web.guard import NONCE_SECONDS, REPEAT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mask_cli.store.calls_base import Calls, CallWrite, Seen

    Waiting = tuple[CallWrite, asyncio.Future[Seen]]

LOCK_PATIENCE = 3.0
"""Seconds to wait for another writer: the platform waits fifteen for its document."""
_MOST = 500
_MOVE_PAUSE = 0.02
"""Seconds between two moves of the log, while there are commits: a longer log takes longer to
reach the disk, and the calls of that moment wait."""
_TIDY_EVERY, _TIDY_AGAIN = 20.0, 0.1
"""Seconds after which old answers and nonces are forgotten; sooner while there are many."""


def tidied(calls: Calls, now: int) -> bool:
    """Forget what no request needs any more, some at a time; tell whether there may be more."""
    return calls.tidy(
        answers_before=now - REPEAT_SECONDS,
        nonces_before=now - NONCE_SECONDS,
        attempts_before=now - ATTEMPTS_WINDOW,
    )


class GroupWriter:
    """One thread that writes for all requests of a worker.

    Another one moves the write-ahead log into the file, beside it: where a commit does that, too,
    the calls of that moment wait for the disk.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], int],
        trouble: Callable[[Exception], None],
        *,
        keep: bool,
    ) -> None:
        self._database = Database(path, timeout=LOCK_PATIENCE)
        self._now = now
        self._trouble = trouble
        self._keep = keep
        self._queue: queue.SimpleQueue[list[Waiting] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._mover = threading.Thread(target=self._move, name="log-mover", daemon=True)
        self._written = threading.Event()
        self._over = threading.Event()
        self._log = Database(path, timeout=0)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._coming: list[Waiting] = []
        self._tidied = 0.0
        self._under_way: Counter[str] = Counter()

    def start(self) -> None:
        """Begin; inside the event loop that will wait for the results."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._mover.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        self._queue.put(None)
        self._thread.join()
        self._over.set()
        self._written.set()
        self._mover.join()

    def under_way(self, caller: str) -> int:
        """Count a caller's wrong order numbers that are not stored yet."""
        return self._under_way[caller]

    async def write(self, write: CallWrite) -> Seen:
        """Store it with whatever else waits; tell what became of it."""
        assert self._loop is not None, "started before the first request"  # noqa: S101 (an invariant)
        future: asyncio.Future[Seen] = self._loop.create_future()
        caller = write.wrong_order.caller if write.wrong_order else None
        if caller:
            self._under_way[caller] += 1
        try:
            if not self._coming:
                # What comes in the same turn of the event loop is handed over together.
                self._loop.call_soon(self._hand_over)
            self._coming.append((write, future))
            return await future
        finally:
            if caller:
                self._under_way[caller] -= 1
                self._under_way += Counter()

    def _hand_over(self) -> None:
        coming, self._coming = self._coming, []
        self._queue.put(coming)

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._next()
            if batch:
                self._commit(batch)
            if self._keep and time.monotonic() - self._tidied > _TIDY_EVERY:
                self._tidy()
        self._database.close()

    def _next(self) -> tuple[list[Waiting], bool]:
        """Return what waits, at least one unless it is time to tidy; False once it is over."""
        batch: list[Waiting] = []
        try:
            item = self._queue.get(timeout=_TIDY_EVERY)
            while item is not None:
                batch += item
                if len(batch) >= _MOST:
                    return batch, True
                item = self._queue.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _commit(self, batch: list[Waiting]) -> None:
        result: list[Seen] | Exception
        try:
            result = self._database.calls().commit([w for w, _ in batch], keep=self._keep)
            self._written.set()
        except Exception as error:  # noqa: BLE001 (whoever waits has to be told, whatever it is)
            result = error
            self._database.close()
        assert self._loop is not None, "set by start"  # noqa: S101 (an invariant)
        self._loop.call_soon_threadsafe(_deliver, batch, result)

    def _move(self) -> None:
        while self._written.wait() and not self._over.wait(_MOVE_PAUSE):
            self._written.clear()
            # The same trouble is told where it makes a difference: by whoever reads or writes.
            with suppress(MaskError):
                self._log.move_log()
        self._log.close()

    def _tidy(self) -> None:
        self._tidied = time.monotonic()
        try:
            if tidied(self._database.calls(), self._now()):
                self._tidied -= _TIDY_EVERY - _TIDY_AGAIN
        except Exception as error:  # noqa: BLE001 (the thread has to live on)
            self._database.close()
            self._trouble(error)


def _deliver(batch: list[Waiting], result: list[Seen] | Exception) -> None:
    for place, (_, future) in enumerate(batch):
        if future.done():
            continue  # its request was cancelled
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result[place])
