"""Threads that wait for answers side by side; what they bring back is for one thread to use.

They are daemons: a request that nobody waits for any more does not keep the program.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Done(Generic[Task, Result]):
    """A task with its result, or the error that it raised."""

    task: Task
    result: Result | None = None
    error: BaseException | None = None

    def outcome(self) -> Result | None:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.result


class Crew(Generic[Task, Result]):
    """Up to `size` threads that call `work`; each is started when there is a task for it."""

    def __init__(self, work: Callable[[Task], Result], size: int) -> None:
        self._work = work
        self._size = size
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done[Task, Result]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.outstanding = 0
        """How many tasks were given and not handed back."""

    def give(self, task: Task) -> None:
        """Have a task done."""
        self.outstanding += 1
        self._tasks.put(task)
        if len(self._threads) < min(self._size, self.outstanding):
            self._threads.append(threading.Thread(target=self._run, name="crew", daemon=True))
            self._threads[-1].start()

    def results(
        self, timeout: float, gather: float = 0.0, into: list[Done[Task, Result]] | None = None
    ) -> list[Done[Task, Result]]:
        """Return what is done, waiting for the first of it; `gather` waits for more to come.

        With `into` it is added there one by one: a signal that comes between loses nothing.
        """
        found = [] if into is None else into
        wait = max(0.0, timeout)
        with suppress(queue.Empty):
            while self.outstanding:
                found.append(self._done.get(timeout=wait) if wait else self._done.get_nowait())
                self.outstanding -= 1
                if wait and gather and self.outstanding:
                    time.sleep(gather)
                wait = 0.0
        return found

    def dismiss(self, patience: float = 2.0) -> None:
        """Let the threads end after what they are doing; wait for that, but not for ever.

        Their connections are closed after this: a thread should not have one in hand then.
        """
        end = time.monotonic() + patience
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            done: Done[Task, Result]
            try:
                done = Done(task, self._work(task))
            except BaseException as error:  # noqa: BLE001 (it is raised where results are used)
                done = Done(task, error=error)
            self._done.put(done)


@dataclass(slots=True)
class Pace:
    """At most `rate` requests a second, whoever makes them; None is no limit."""

    rate: float | None = None
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, halted: threading.Event, requests: int = 1) -> bool:
        """Wait for a turn; False when `halted` was set meanwhile."""
        if self.rate:
            with self._lock:
                turn = max(self._next, time.monotonic())
                self._next = turn + requests / self.rate
            halted.wait(turn - time.monotonic())
        return not halted.is_set()
