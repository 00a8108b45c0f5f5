"""Workers of this machine: threads that wait for processes."""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from bench.sweeps import worker
from bench.training import processes

_WORKER_BYTES = 1.5 * 2**30  # what torch, its caches and mnist_cnn with exact curvature take


class LocalPool:
    """Workers of this machine, whose every run has a process of its own."""

    lost: tuple[type[BaseException], ...] = ()
    remote = False

    def __init__(self, jobs: int, launch: str, gpus: Sequence[str] = ()) -> None:
        """Make a pool.

        Args:
            jobs: How many runs at a time.
            launch: Of the conditions under which they take place.
            gpus: The GPUs that workers take in turn, as CUDA names them; may be none.
        """
        self._jobs, self._launch = jobs, launch
        self.shared = jobs > 1
        turns = itertools.cycle(gpus or [None])

        def start() -> None:
            worker.own.gpu = next(turns)

        self._executor = ThreadPoolExecutor(jobs, initializer=start)

    @property
    def width(self) -> int:
        """How many runs there are at a time."""
        return self._jobs

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Begin a call."""
        return self._executor.submit(function, *arguments)

    def close(self, *, at_once: bool) -> None:
        """End the processes; nobody else's."""
        if at_once:
            self._executor.shutdown(wait=False, cancel_futures=True)
            worker.forget(self._launch)
        self._executor.shutdown()
        worker.forget(self._launch)


def gpus(device: str) -> list[str]:
    """The GPUs that runs on this machine can spread over, as CUDA names them.

    Args:
        device: What the runs were asked to use: ``auto`` and ``cuda`` take any.
    """
    if device not in ("auto", "cuda"):
        return []
    named, count = os.environ.get("CUDA_VISIBLE_DEVICES"), processes.count_gpus()
    return named.split(",")[:count] if named else [str(index) for index in range(count)]


def default_jobs(device: str) -> int:
    """How many runs to do at a time on this machine: one per GPU, else per physical core.

    Args:
        device: What the runs were asked to use.
    """
    import psutil

    if found := gpus(device):
        return len(found)
    if device.startswith("cuda"):
        return 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2**16
    cores = min(psutil.cpu_count(logical=False) or 1, allowed)
    room = int(psutil.virtual_memory().available // _WORKER_BYTES)
    return max(1, min(cores, room))
