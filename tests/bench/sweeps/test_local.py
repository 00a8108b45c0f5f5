"""Workers of this machine. The processes are real."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from bench.sweeps import local
from bench.sweeps.local import LocalPool, default_jobs, gpus
from bench.sweeps.worker import start_local_worker
from bench.sweeps.workers import Lost, run_all
from optimizers import UsageError
from tests.bench.sweeps import deeds
from tests.bench.sweeps.deeds import calls, results


@pytest.fixture(scope="module")
def pool() -> Iterator[LocalPool]:
    made = LocalPool(2, start_local_worker, [])
    yield made
    made.close(at_once=False)


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


def test_ctrl_c_is_held_while_a_process_starts() -> None:
    """It comes afterwards, whoever dealt with it before deals with it again."""
    before, done = signal.getsignal(signal.SIGINT), []

    def begin() -> None:
        with local._interrupts_held():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_pool_that_ends_at_once_takes_its_own_processes_with_it_and_nobody_elses() -> None:
    other = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    other.start()
    pool = LocalPool(2, start_local_worker, [])
    try:
        pids = {pool.submit(os.getpid).result(timeout=60) for _ in range(2)}
        endless = pool.submit(time.sleep, 600)
        pool.close(at_once=True)
        with pytest.raises((BrokenProcessPool, CancelledError)):
            endless.result(timeout=60)
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert other.is_alive()
    finally:
        other.kill()
        other.join()


def test_several_processes_share_the_machine() -> None:
    one, two = (LocalPool(jobs, start_local_worker, []) for jobs in (1, 2))
    assert (one.width, one.shared) == (1, False)
    assert (two.width, two.shared) == (2, True)
