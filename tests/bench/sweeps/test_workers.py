"""What becomes of calls on a pool of workers, and of the pool's mishaps."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

import pytest

from bench.errors import LostError, WorkersError
from bench.sweeps.workers import Finished, Lost, run_all
from optimizers import UsageError
from tests.bench.sweeps import deeds
from tests.bench.sweeps.deeds import calls, results


class Scripted:
    """A pool whose calls end when and as the test says: an outcome, or (seconds, outcome)."""

    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    shared, remote = True, True

    def __init__(self, width: int, ends: dict[int, list[Any]]) -> None:
        self.width, self._ends = width, ends
        self.began: list[int] = []

    def submit(self, _: Any, number: int) -> "Future[Any]":
        self.began.append(number)
        future: Future[Any] = Future()
        outcome, after_s = self._ends.get(number, [2 * number]).pop(0), 0.0
        if isinstance(outcome, tuple):
            after_s, outcome = outcome
        if isinstance(outcome, BaseException):
            end = partial(future.set_exception, outcome)
        else:
            end = partial(future.set_result, outcome)
        threading.Timer(after_s, end).start()
        return future

    def close(self, *, at_once: bool) -> None: ...


def test_what_was_lost_with_a_worker_is_told_and_the_rest_goes_on() -> None:
    pool = Scripted(2, {0: [BrokenProcessPool("a process died")], 1: [LostError("it vanished")]})
    found = list(run_all(pool, deeds.double, calls(3)))
    lost = {one.key: one.reason for one in found if isinstance(one, Lost)}
    assert lost[0].endswith("(killed, or out of memory): a process died")
    assert lost[1] == "it vanished"
    assert results(found) == {2: 4}


def test_calls_are_taken_when_there_are_any() -> None:
    """A call may have to wait for something that only others bring about."""
    open_to: list[int] = []

    def some() -> Iterator[tuple[int, tuple[int]] | None]:
        yield 0, (0,)
        while not open_to:
            yield None
        yield 1, (1,)

    pool = Scripted(2, {0: [(0.1, 7)]})
    found = run_all(pool, deeds.double, some())
    assert next(found) == Finished(0, 7)
    open_to.append(1)
    assert list(found) == [Finished(1, 2)]


def test_what_a_call_should_not_raise_is_its_own_misfortune() -> None:
    pool = Scripted(2, {1: [MemoryError("no room")]})
    found = list(run_all(pool, deeds.double, calls(3)))
    assert Lost(1, "MemoryError: no room") in found
    assert results(found) == {0: 0, 2: 4}


def test_what_is_in_flight_beside_a_refusal_is_kept() -> None:
    pool = Scripted(2, {0: [UsageError("wrong")], 1: [(0.2, 2)]})
    found = run_all(pool, deeds.double, calls(5))
    assert next(found) == Finished(1, 2)
    with pytest.raises(UsageError, match="wrong"):
        next(found)
    assert pool.began == [0, 1]


def test_a_cancelled_call_is_told() -> None:
    pool = Scripted(1, {0: [CancelledError()]})
    with pytest.raises(WorkersError, match="The scheduler cancelled the runs, or is gone"):
        list(run_all(pool, deeds.double, calls(1)))


def test_without_workers_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.sweeps.workers.PATIENCE_S", 0.05)

    class Leaving(Scripted):
        def submit(self, _: Any, number: int) -> "Future[Any]":
            self.width = 0
            return Future()

    with pytest.raises(WorkersError, match=r"There has been no worker for 0\.05 s"):
        list(run_all(Leaving(1, {}), deeds.double, calls(1)))
