"""Workers of this machine: threads, whose runs have processes."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.errors import LostError, UsageError
from bench.runs.record import RunRecord
from bench.sweeps import worker
from bench.sweeps.local import LocalPool, default_jobs, gpus
from bench.sweeps.workers import Lost, run_all
from bench.training import processes, tasks
from tests.bench.sweeps import deeds
from tests.bench.sweeps.deeds import calls, results
from tests.bench.sweeps.inline import CONDITIONS, EXPERIMENT


@pytest.fixture
def pool() -> Iterator[LocalPool]:
    made = LocalPool(2, "launch")
    yield made
    made.close(at_once=False)


def test_every_call_comes_back_once(pool: LocalPool) -> None:
    found = list(run_all(pool, deeds.double, calls(20)))
    assert len(found) == 20
    assert results(found) == {number: 2 * number for number in range(20)}


def test_what_is_lost_is_given_up_and_the_rest_goes_on(pool: LocalPool) -> None:
    found = list(run_all(pool, deeds.lose, calls(9)))
    assert [one for one in found if isinstance(one, Lost)] == [Lost(3, "its process died")]
    assert results(found) == {number: 2 * number for number in range(9) if number != 3}


def test_what_a_call_refuses_ends_it(pool: LocalPool) -> None:
    with pytest.raises(UsageError, match=r"[01] is not valid"):
        list(run_all(pool, deeds.refuse, calls(2)))


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
    monkeypatch.setattr(processes, "count_gpus", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus("auto") == gpus("cuda") == ["0", "1"]
    assert gpus("cpu") == gpus("cuda:1") == []
    assert default_jobs("auto") == 2
    assert default_jobs("cuda:1") == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert gpus("auto") == ["3", "5"]


def test_workers_take_the_gpus_in_turn() -> None:
    pool, meet = LocalPool(3, "launch", ["3", "5"]), threading.Barrier(3)

    def mine() -> str | None:
        meet.wait()
        return worker.own.gpu

    found = [pool.submit(mine) for _ in range(3)]
    assert sorted(str(one.result()) for one in found) == ["3", "3", "5"]
    pool.close(at_once=False)


def test_a_pool_that_ends_at_once_ends_what_goes_on() -> None:
    conditions = replace(CONDITIONS, isolated=True, launch="mine")
    spec = replace(EXPERIMENT.base(None), optimizer="sgd", iterations=10**9)
    pool = LocalPool(1, "mine")
    (known,) = pool.submit(worker.identify, [spec], conditions).result()
    begun = threading.Event()

    def endless() -> RunRecord:
        processes = worker._processes(conditions)
        arguments = (spec, known.blank.run_id, conditions)
        record: RunRecord = processes.call(tasks.run, spec, *arguments, told=lambda _: begun.set())
        return record

    run = pool.submit(endless)
    assert begun.wait(60)
    pool.close(at_once=True)
    with pytest.raises(LostError):
        run.result(timeout=60)


def test_several_workers_share_the_machine() -> None:
    one, two = (LocalPool(jobs, "launch") for jobs in (1, 2))
    assert (one.width, one.shared) == (1, False)
    assert (two.width, two.shared) == (2, True)
