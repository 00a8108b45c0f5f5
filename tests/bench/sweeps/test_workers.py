"""Pools of workers, and what becomes of their mishaps. The processes are real."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.errors import WorkersError
from bench.machine import environment
from bench.sweeps.dask import DaskPool
from bench.sweeps.local import LocalPool, default_jobs, gpus
from bench.sweeps.worker import start_local_worker
from bench.sweeps.workers import Finished, Lost, run_all
from optimizers import UsageError
from tests.bench.sweeps import deeds


@pytest.fixture(scope="module")
def pool() -> Iterator[LocalPool]:
    made = LocalPool(2, start_local_worker, [])
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
    with pytest.raises(UsageError, match=r"[01] is not valid"):
        list(run_all(pool, deeds.refuse, calls(2)))


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


@pytest.mark.parametrize(
    ("cores", "allowed", "room_gib", "jobs"),
    [(8, 64, 100, 8), (8, 2, 100, 2), (8, 64, 4, 2), (None, 64, 0, 1)],
)
def test_as_many_jobs_as_cores_affinity_and_memory_allow(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, allowed: int, room_gib: int, jobs: int
) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda logical: cores)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(allowed)), raising=False)
    available = SimpleNamespace(available=room_gib * 2**30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: available)
    assert default_jobs("cpu") == jobs


def test_several_gpus_are_spread_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus("auto") == gpus("cuda") == ["0", "1"]
    assert gpus("cpu") == gpus("cuda:1") == []
    assert default_jobs("auto") == 2
    assert default_jobs("cuda:1") == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert gpus("auto") == ["3", "5"]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
def test_a_scheduler_that_does_not_answer_is_told(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.sweeps.dask.CONNECT_LIMIT_S", 0.5)
    with pytest.raises(UsageError, match=f"Scheduler '{address}' does not answer within 0.5 s"):
        DaskPool(address, "auto")


class Client:
    """What ``DaskPool`` asks a client of Dask, with answers made up."""

    def __init__(
        self, *, versions: Any = None, threads: int = 1, resources: dict[str, float] | None = None
    ) -> None:
        self._versions = environment.library_versions() if versions is None else versions
        self._threads, self._resources = threads, resources or {}

    def wait_for_workers(self, *_: Any, **__: Any) -> None: ...

    def nthreads(self) -> dict[str, int]:
        return {"tcp://worker": self._threads}

    def scheduler_info(self, **_: Any) -> dict[str, Any]:
        return {"workers": {"tcp://worker": {"resources": self._resources}}}

    def run(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"tcp://worker": self._versions}


def checked(client: Client, device: str = "auto") -> DaskPool:
    pool = object.__new__(DaskPool)
    vars(pool).update(_client=client, _gpu=False)
    pool._check("tcp://scheduler", device)
    return pool


@pytest.mark.parametrize(
    ("client", "device", "message"),
    [
        (
            Client(versions={"torch": "1.0"}),
            "cpu",
            r"Worker 'tcp://worker' has other libraries, .*torch \(1\.0, here .*Install the same",
        ),
        (
            Client(versions=ModuleNotFoundError("No module named 'bench'")),
            "cpu",
            r"Worker 'tcp://worker' cannot run optbench: No module named 'bench'",
        ),
        (Client(threads=4), "cpu", r"runs 4 calls at a time in one process.*--nthreads 1"),
        (Client(), "cuda", r"No worker of 'tcp://scheduler' has a GPU to give: .*GPU=1"),
    ],
    ids=["versions", "no optbench", "threads", "no GPU"],
)
def test_workers_that_cannot_be_used_are_told(client: Client, device: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        checked(client, device)


def test_as_many_runs_at_a_time_as_workers_or_their_gpus() -> None:
    assert checked(Client(), "auto").width == 1
    assert checked(Client(resources={"GPU": 2}), "auto").width == 2
    assert checked(Client(resources={"GPU": 2}), "cuda").width == 2
    assert checked(Client(resources={"GPU": 2}), "cpu").width == 1
