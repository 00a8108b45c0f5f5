"""Pools of workers, and what becomes of their mishaps. The processes are real."""

from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.executors import (
    DaskPool,
    Finished,
    LocalPool,
    Lost,
    WorkersError,
    default_jobs,
    run_all,
)
from optimizers import UsageError
from tests.bench.sweeps import deeds


@pytest.fixture(scope="module")
def pool() -> Iterator[LocalPool]:
    made = LocalPool(2)
    yield made
    made.close(at_once=False)


def calls(count: int) -> list[tuple[int, tuple[int]]]:
    return [(number, (number,)) for number in range(count)]


def results(found: list[Any]) -> dict[int, int]:
    return {one.key: one.result for one in found if isinstance(one, Finished)}


def test_every_call_comes_back_once(pool: LocalPool) -> None:
    found = list(run_all(pool, deeds.double, calls(20)))
    assert len(found) == 20
    assert results(found) == {number: 2 * number for number in range(20)}


def test_a_culprit_is_given_up_and_the_rest_goes_on(pool: LocalPool, tmp_path: Path) -> None:
    deed = partial(deeds.die, folder=str(tmp_path), culprit=3, always=True)
    found = list(run_all(pool, deed, calls(9)))
    assert [one.key for one in found if isinstance(one, Lost)] == [3]
    assert results(found) == {number: 2 * number for number in range(9) if number != 3}


def test_who_died_by_chance_is_run_again(pool: LocalPool, tmp_path: Path) -> None:
    deed = partial(deeds.die, folder=str(tmp_path), culprit=3, always=False)
    found = list(run_all(pool, deed, calls(9)))
    assert results(found) == {number: 2 * number for number in range(9)}
    ran = [int(path.name.split("-")[1]) for path in tmp_path.glob("ran-*")]
    again = {number for number in ran if ran.count(number) > 1}
    assert len(again) <= 1  # at most the one that was in flight beside it, and had ended


def test_what_a_call_refuses_ends_it(pool: LocalPool) -> None:
    with pytest.raises(UsageError, match="0 is not valid"):
        list(run_all(pool, deeds.refuse, calls(2)))


class Dead:
    """A pool whose workers die as soon as they are started."""

    breakage: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    shared, width = False, 1

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


def test_one_job_per_core_or_less() -> None:
    assert default_jobs("cpu") >= 1


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
def test_a_scheduler_that_does_not_answer_is_told(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.executors.CONNECT_LIMIT_S", 0.5)
    with pytest.raises(UsageError, match=f"Scheduler '{address}' does not answer within 0.5 s"):
        DaskPool(address, gpu=False)
