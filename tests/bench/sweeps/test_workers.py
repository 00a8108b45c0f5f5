"""What becomes of calls on a pool of workers, and of the pool's mishaps."""

import threading
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

import pytest

from bench.errors import WorkersError
from bench.sweeps.workers import Finished, Lost, run_all
from optimizers import UsageError
from tests.bench.sweeps import deeds
from tests.bench.sweeps.deeds import calls, results


class Dead:
    """A pool whose workers die as soon as they are started."""

    breakage: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    blames, shared, width = False, False, 1

    def __init__(self) -> None:
        self.rebuilt = 0

    def submit(self, *_: Any) -> "Future[Any]":
        raise BrokenProcessPool("a child process terminated abruptly")

    def rebuild(self) -> None:
        self.rebuilt += 1

    def close(self, *, at_once: bool) -> None: ...


def test_workers_that_never_live_are_told() -> None:
    dead = Dead()
    with pytest.raises(WorkersError, match="The workers die before they run anything"):
        list(run_all(dead, deeds.double, calls(2)))
    assert dead.rebuilt == 3


class Scripted:
    """A pool whose calls end when and as the test says: an outcome, or (seconds, outcome)."""

    breakage: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    shared = True

    def __init__(self, width: int, ends: dict[int, list[Any]], *, blames: bool = False) -> None:
        self.width, self.blames, self._ends = width, blames, ends
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

    def rebuild(self) -> None: ...

    def close(self, *, at_once: bool) -> None: ...


DEATH = BrokenProcessPool("a process died")


def test_who_ran_beside_the_culprit_is_not_blamed_though_it_breaks_later() -> None:
    pool = Scripted(2, {0: [(0.0, DEATH), DEATH], 1: [(0.2, DEATH), 2]})
    found = list(run_all(pool, deeds.double, calls(3)))
    assert [one.key for one in found if isinstance(one, Lost)] == [0]
    assert results(found) == {1: 2, 2: 4}


def test_a_pool_that_knows_the_culprit_is_believed() -> None:
    pool = Scripted(2, {0: [DEATH]}, blames=True)
    found = list(run_all(pool, deeds.double, calls(3)))
    assert [one.key for one in found if isinstance(one, Lost)] == [0]
    assert pool.began == [0, 1, 2]


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
