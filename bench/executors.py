"""Where the runs of a sweep take place: any ``concurrent.futures.Executor``, and its mishaps.

A worker process that is killed or runs out of memory breaks a process pool for everyone: all runs
in flight are lost. Then the pool is rebuilt and these runs are run again one at a time: the one
that breaks it once more is the culprit, and is given up; everything else goes on.
"""

import contextlib
import multiprocessing
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

from bench import environment
from optimizers.errors import UsageError

CONNECT_LIMIT_S = 10.0
_IDLE_BREAKS = 3
_WORKER_BYTES = 1.5 * 2**30  # what torch, its caches and mnist_cnn with exact curvature take

Key = TypeVar("Key")
Result = TypeVar("Result")


class WorkersError(RuntimeError):
    """The workers cannot go on; what is stored remains."""


class Pool(Protocol):
    """Workers that run one call at a time each.

    Attributes:
        breakage: Exceptions of a call whose worker died.
        shared: Whether several workers may share a machine.
    """

    breakage: tuple[type[BaseException], ...]
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
    """A call whose worker died every time."""

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
        WorkersError: The workers die before they do anything, or are out of reach.
        UsageError: A call raised it.
    """
    waiting, suspects = deque(calls), deque[tuple[Key, tuple[Any, ...]]]()
    running: dict[Future[Result], tuple[Key, tuple[Any, ...]]] = {}
    idle_breaks, broken = 0, False
    while waiting or suspects or running:
        if broken and not running:
            pool.rebuild()
            broken = False
        alone = bool(suspects)
        source, width = (suspects, 1) if alone else (waiting, pool.width)
        while source and len(running) < width and not broken:
            try:
                running[pool.submit(function, *source[0][1])] = source[0]
                source.popleft()
            except pool.breakage as error:  # a worker died while it had nothing to do
                broken, idle_breaks = True, idle_breaks + 1
                if idle_breaks > _IDLE_BREAKS:
                    raise WorkersError(
                        f"The workers die before they run anything: {error}"
                    ) from error
        if not running:
            continue
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            call = running.pop(future)
            try:
                result = future.result()
            except pool.breakage as error:
                broken = True
                if alone:
                    yield Lost(call[0], str(error) or type(error).__name__)
                else:
                    suspects.append(call)
            except CancelledError as error:
                raise WorkersError("The scheduler is gone, and its workers with it.") from error
            else:
                idle_breaks = 0
                yield Finished(call[0], result)


class LocalPool:
    """Spawned processes of this machine."""

    breakage: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __init__(self, jobs: int) -> None:
        """Make a pool; the processes start with the first calls."""
        self._jobs = jobs
        self.shared = jobs > 1
        self._executor = self._start()

    @property
    def width(self) -> int:
        """How many processes there are."""
        return self._jobs

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Begin a call."""
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
        from bench.sweeps import cell

        context = multiprocessing.get_context("spawn")  # a forked torch hangs
        return ProcessPoolExecutor(
            self._jobs,
            mp_context=context,
            initializer=cell.start_local_worker,
            initargs=(context.Value("i", 0),),
        )


def default_jobs(device: str) -> int:
    """How many runs to do at a time on this machine: one per GPU, else per physical core.

    Args:
        device: What the runs were asked to use.
    """
    import psutil

    if device != "cpu":
        import torch

        if count := torch.cuda.device_count():
            return count if device in ("auto", "cuda") else 1
    cores = psutil.cpu_count(logical=False) or 1
    room = int(psutil.virtual_memory().available // _WORKER_BYTES)
    return max(1, min(cores, room))


class DaskPool:
    """The workers of a Dask cluster, through ``Client.get_executor``.

    They need no file system in common with the client.
    """

    shared = True

    def __init__(self, address: str, *, gpu: bool) -> None:
        """Connect, and check the workers.

        Args:
            address: The scheduler's, as in ``tcp://host:8786``.
            gpu: Whether each run needs a GPU: then only workers with the resource ``GPU`` are
                used, one run per unit of it.

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
        self.breakage: tuple[type[BaseException], ...] = (KilledWorker,)
        self._gpu = gpu
        try:
            self._client = Client(address, timeout=CONNECT_LIMIT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError, ImportError) as error:
            raise UsageError(
                f"Scheduler '{address}' does not answer within {CONNECT_LIMIT_S:g} s: start one "
                "with 'dask scheduler' and give the address that it prints."
            ) from error
        try:
            self._check(address)
        except UsageError:
            self.close(at_once=True)
            raise
        resources = {"GPU": 1} if gpu else {}
        self._executor: Executor = self._client.get_executor(pure=False, resources=resources)

    @property
    def width(self) -> int:
        """How many workers there are now, by runs that they can do at a time."""
        return max(1, sum(self._slots().values()))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Begin a call."""
        return self._executor.submit(function, *arguments)

    def rebuild(self) -> None:
        """Nothing to do: Dask's nannies start their workers anew."""

    def close(self, *, at_once: bool) -> None:
        """Leave the cluster; it belongs to the user."""
        if at_once:
            with contextlib.suppress(AttributeError):
                self._executor.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _slots(self) -> Mapping[str, int]:
        if not self._gpu:
            return dict.fromkeys(self._client.nthreads(), 1)
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return {name: int(facts["resources"].get("GPU", 0)) for name, facts in workers.items()}

    def _check(self, address: str) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_LIMIT_S)
        except TimeoutError as error:
            raise UsageError(
                f"Scheduler '{address}' has no workers: start some with 'dask worker {address} "
                "--nworkers 2 --nthreads 1'."
            ) from error
        threads = self._client.nthreads()
        if self._gpu and not any(self._slots().values()):
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
