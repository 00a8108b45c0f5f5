"""Where the runs of a sweep take place: any ``concurrent.futures.Executor``, and its mishaps.

A worker process that is killed or runs out of memory breaks a process pool for everyone: all runs
in flight are lost. Then the pool is rebuilt and these runs are run again one at a time: the one
that breaks it once more is the culprit, and is given up; everything else goes on.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from bench.machine import environment
from optimizers.errors import UsageError

CONNECT_LIMIT_S = 10.0
PATIENCE_S = 60.0
_LEAVE_S = 5.0
_IDLE_BREAKS = 3
_DIED = "The worker process died while it ran this and nothing else (killed, or out of memory)"
_WORKER_BYTES = 1.5 * 2**30  # what torch, its caches and mnist_cnn with exact curvature take

Key = TypeVar("Key")
Result = TypeVar("Result")


class WorkersError(RuntimeError):
    """The workers cannot go on; what is stored remains."""


class Pool(Protocol):
    """Workers that run one call at a time each.

    Attributes:
        breakage: Exceptions of a call whose worker died.
        blames: Whether such an exception tells which call it was; otherwise it hits every call in
            flight.
        shared: Whether several workers may share a machine.
    """

    breakage: tuple[type[BaseException], ...]
    blames: bool
    shared: bool

    @property
    def width(self) -> int:
        """How many workers there are now."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Begin a call on a free worker."""

    def rebuild(self) -> None:
        """Make the pool whole again after a worker died."""

    def close(self, *, at_once: bool) -> None:
        """Let the workers go; ``at_once`` without waiting for what they do."""


@dataclass(frozen=True)
class Finished(Generic[Key, Result]):
    """A call that came back."""

    key: Key
    result: Result


@dataclass(frozen=True)
class Lost(Generic[Key]):
    """A call that did not come back: its worker died, every time, or raised what it should not."""

    key: Key
    reason: str


def run_all(
    pool: Pool, function: Callable[..., Result], calls: Sequence[tuple[Key, tuple[Any, ...]]]
) -> Iterator[Finished[Key, Result] | Lost[Key]]:
    """Run calls on a pool, at most one per worker in flight.

    Args:
        pool: The workers.
        function: What runs there; picklable, like its arguments and its result.
        calls: A key and the arguments of each call.

    Yields:
        What became of each call, as it comes.

    Raises:
        WorkersError: The workers die before they do anything, are out of reach, or one raised it.
        UsageError: A call raised it; what was in flight beside it is yielded first.
    """
    waiting, suspects = deque(calls), deque[tuple[Key, tuple[Any, ...]]]()
    running: dict[Future[Result], tuple[tuple[Key, tuple[Any, ...]], bool]] = {}
    idle_breaks, broken = 0, False
    refusal: UsageError | WorkersError | None = None
    while running or (refusal is None and (waiting or suspects)):
        if broken and not running:
            pool.rebuild()
            broken = False
        # Suspects run while nothing else does, so that it is clear who breaks the pool.
        alone = bool(suspects)
        source, width = (suspects, 1) if alone else (waiting, pool.width)
        while source and len(running) < width and not broken and refusal is None:
            try:
                running[pool.submit(function, *source[0][1])] = (source[0], alone)
                source.popleft()
            except pool.breakage as error:  # a worker died while it had nothing to do
                broken, idle_breaks = True, idle_breaks + 1
                if idle_breaks > _IDLE_BREAKS:
                    message = f"The workers die before they run anything: {error}"
                    raise WorkersError(message) from error
        if not running:
            continue
        done, _ = wait(running, timeout=PATIENCE_S, return_when=FIRST_COMPLETED)
        if not done and not pool.width:
            raise WorkersError(f"There has been no worker for {PATIENCE_S:g} s.")
        for future in done:
            call, was_alone = running.pop(future)
            try:
                result = future.result()
            except pool.breakage as error:
                broken = True
                if was_alone or pool.blames:
                    yield Lost(call[0], f"{_DIED}: {error or type(error).__name__}")
                else:
                    suspects.append(call)
            except (UsageError, WorkersError) as error:
                refusal = refusal or error
            except CancelledError as error:
                raise WorkersError("The scheduler cancelled the runs, or is gone.") from error
            except Exception as error:  # such as a result that cannot be sent
                yield Lost(call[0], f"{type(error).__name__}: {error}")
            else:
                idle_breaks = 0
                yield Finished(call[0], result)
    if refusal is not None:
        raise refusal


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
        """Stop the processes."""
        if at_once:
            for process in multiprocessing.active_children():
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


class DaskPool:
    """The workers of a Dask cluster, through ``Client.get_executor``.

    They need no file system in common with the client. Where a worker dies, Dask tries the call on
    others before it gives it up, so that it is known who is to blame.
    """

    blames = True
    shared = True

    def __init__(self, address: str, device: str) -> None:
        """Connect, and check the workers.

        Args:
            address: The scheduler's, as in ``tcp://host:8786``.
            device: What the runs were asked to use. On ``cuda``, and on ``auto`` where workers
                offer the resource ``GPU``, only these are used, one run per unit of it.

        Raises:
            UsageError: Dask is not installed, the scheduler does not answer, there is no worker
                that can be used, or one has other library versions.
        """
        try:
            from distributed import Client, KilledWorker
        except ImportError as error:
            raise UsageError(
                "--scheduler needs Dask: pip install 'distributed', or optbench's extra 'dask'."
            ) from error
        # What it logs of a lost connection, tracebacks included, is told here in one line.
        for name in ("distributed", "distributed.client", "distributed.utils"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.breakage: tuple[type[BaseException], ...] = (KilledWorker,)
        self._executor: Executor | None = None
        self._gpu = False
        try:
            self._client = Client(address, timeout=CONNECT_LIMIT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError, ImportError) as error:
            raise UsageError(
                f"Scheduler '{address}' does not answer within {CONNECT_LIMIT_S:g} s: start one "
                "with 'dask scheduler' and give the address that it prints."
            ) from error
        try:
            self._check(address, device)
        except BaseException:
            self.close(at_once=True)
            raise
        resources = {"GPU": 1} if self._gpu else {}
        self._executor = self._client.get_executor(pure=False, resources=resources)

    @property
    def width(self) -> int:
        """How many runs the workers of now can do at a time."""
        try:
            return sum(self._slots().values())
        except (OSError, TimeoutError) as error:
            raise WorkersError(f"The scheduler is out of reach: {error}") from error

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Begin a call."""
        assert self._executor is not None
        return self._executor.submit(function, *arguments)

    def rebuild(self) -> None:
        """Nothing to do: Dask's nannies start their workers anew."""

    def close(self, *, at_once: bool) -> None:
        """Leave the cluster, which belongs to the user; calls that wait there are cancelled."""
        with contextlib.suppress(OSError, TimeoutError):  # the scheduler may be gone
            try:
                if self._executor is not None:
                    self._executor.shutdown(wait=not at_once)
            finally:
                self._client.close(timeout=_LEAVE_S)

    def _slots(self) -> Mapping[str, int]:
        if not self._gpu:
            return dict.fromkeys(self._client.nthreads(), 1)
        return self._gpu_slots()

    def _gpu_slots(self) -> Mapping[str, int]:
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return {name: int(facts["resources"].get("GPU", 0)) for name, facts in workers.items()}

    def _check(self, address: str, device: str) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_LIMIT_S)
        except TimeoutError as error:
            raise UsageError(
                f"Scheduler '{address}' has no workers: start some with 'dask worker {address} "
                "--nworkers 2 --nthreads 1'."
            ) from error
        threads = self._client.nthreads()
        offered = any(self._gpu_slots().values())
        self._gpu = device.startswith("cuda") or (device == "auto" and offered)
        if self._gpu and not offered:
            raise UsageError(
                f"No worker of '{address}' has a GPU to give: start them with --resources 'GPU=1'."
            )
        for worker, count in threads.items():
            if count > 1:
                raise UsageError(
                    f"Worker '{worker}' runs {count} calls at a time in one process, which would "
                    "mix up their random numbers: start it with --nthreads 1 (and more --nworkers)."
                )
        answers = self._client.run(environment.library_versions, on_error="return")
        expected = environment.library_versions()
        for worker, found in answers.items():
            if isinstance(found, BaseException):
                raise UsageError(f"Worker '{worker}' cannot run optbench: {found}.")
            differing = [
                f"{name} ({found.get(name, 'none')}, here {version})"
                for name, version in expected.items()
                if found.get(name) != version
            ]
            if differing:
                raise UsageError(
                    f"Worker '{worker}' has other libraries, with which losses may differ: "
                    f"{'; '.join(differing)}. Install the same versions there."
                )
