"""Threads that lose no task, no error and no time limit."""

from __future__ import annotations

import threading
import time

import pytest

from mask_cli.sync.crew import Crew, Done, Pace


def drained(crew: Crew[int, int]) -> list[Done[int, int]]:
    found: list[Done[int, int]] = []
    while crew.outstanding:
        crew.results(1.0, into=found)
    return found


def test_every_task_comes_back_once() -> None:
    crew: Crew[int, int] = Crew(lambda n: n * n, 4)
    for n in range(100):
        crew.give(n)
    done = drained(crew)
    assert sorted(each.task for each in done) == list(range(100))
    assert all(each.outcome() == each.task**2 for each in done)
    crew.dismiss()
    assert crew.results(1.0) == []


def test_no_more_run_at_once_than_were_asked_for() -> None:
    running, most, lock = [0], [0], threading.Lock()

    def work(n: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.005)
        with lock:
            running[0] -= 1
        return n

    crew: Crew[int, int] = Crew(work, 3)
    for n in range(20):
        crew.give(n)
    drained(crew)
    crew.dismiss()
    assert most[0] == 3


def test_an_error_is_raised_where_its_result_is_used_and_not_in_the_thread() -> None:
    crew: Crew[int, int] = Crew(lambda n: 1 // n, 1)
    crew.give(0)
    crew.give(1)
    failed, good = drained(crew)
    crew.dismiss()
    with pytest.raises(ZeroDivisionError):
        failed.outcome()
    assert good.outcome() == 1


def test_waiting_for_results_ends() -> None:
    over = threading.Event()
    crew: Crew[int, bool] = Crew(lambda _: over.wait(5), 1)
    crew.give(1)
    assert crew.results(0.01) == []
    assert crew.outstanding == 1
    started = time.monotonic()
    crew.dismiss(0.05)
    assert time.monotonic() - started < 1
    over.set()


def test_a_pace_is_shared_and_kept() -> None:
    pace, halted = Pace(100), threading.Event()
    started = time.monotonic()
    threads = [threading.Thread(target=lambda: [pace.wait(halted) for _ in range(5)]) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started >= 0.09


def test_a_halt_ends_the_waiting_for_a_turn() -> None:
    pace, halted = Pace(0.01), threading.Event()
    assert pace.wait(halted)
    halted.set()
    started = time.monotonic()
    assert not pace.wait(halted)
    assert time.monotonic() - started < 1
    assert not Pace().wait(halted)
