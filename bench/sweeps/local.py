"""Workers of this machine: spawned processes."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

_WORKER_BYTES = 1.5 * 2**30  # what torch, its caches and mnist_cnn with exact curvature take


class LocalPool:
    """Spawned processes of this machine."""

    breakage: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    blames = False

    def __init__(self, jobs: int, start: Callable[..., None], *arguments: Any) -> None:
        """Make a pool; the processes start with the first calls.

        Args:
            jobs: How many processes.
            start: Called in each of them first, with a counter of the processes that were started
                (``multiprocessing.Value``) and the arguments.
            arguments: Of ``start``.
        """
        self._jobs, self._initializer, self._arguments = jobs, start, arguments
        self.shared = jobs > 1
        self._executor = self._start()

    @property
    def width(self) -> int:
        """How many processes there are."""
        return self._jobs

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Begin a call, and a process for it if there is none free."""
        with _interrupts_held():
            return self._executor.submit(function, *arguments)

    def rebuild(self) -> None:
        """Replace the broken processes."""
        self._executor.shutdown()
        self._executor = self._start()

    def close(self, *, at_once: bool) -> None:
        """Stop the processes; nobody else's."""
        if at_once:
            # Not 'active_children', which has other people's too; 3.14 has 'kill_workers' for it.
            for process in list((self._executor._processes or {}).values()):
                process.kill()
        self._executor.shutdown(cancel_futures=at_once)

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # a forked torch hangs
        return ProcessPoolExecutor(
            self._jobs,
            mp_context=context,
            initializer=self._initializer,
            initargs=(context.Value("i", 0), *self._arguments),
        )


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for a moment: processes started meanwhile never see it, the client does."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # processes inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if held:
            raise KeyboardInterrupt


def gpus(device: str) -> list[str]:
    """The GPUs that runs on this machine can spread over, as CUDA names them.

    Args:
        device: What the runs were asked to use: ``auto`` and ``cuda`` take any.
    """
    if device not in ("auto", "cuda"):
        return []
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
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
