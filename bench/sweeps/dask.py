"""Workers of a Dask cluster."""

import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import (
    Executor,
    Future,
)
from typing import Any

from bench.errors import LostError, UsageError, WorkersError
from bench.machine import environment

CONNECT_LIMIT_S = 10.0
_LEAVE_S = 5.0


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function on a worker."""
    from distributed import get_worker

    try:
        return function(*arguments)
    except (UsageError, WorkersError, LostError) as error:
        error.args = (f"{error} (On worker {get_worker().address}.)",)
        raise


class DaskPool:
    """The workers of a Dask cluster, through ``Client.get_executor``.

    They need no file system in common with the client. Where a worker dies, Dask tries the call on
    others before it gives it up.
    """

    shared = remote = True

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
        # What it logs of a lost connection or of Ctrl-C, tracebacks included, is told here in one
        # line; the last is where it fails itself when Ctrl-C comes before a call to it began.
        logs = ("distributed", "distributed.client", "distributed.utils", "tornado.application")
        for name in logs:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.lost: tuple[type[BaseException], ...] = (KilledWorker,)
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
        """Begin a call; an error that it raises says on which worker."""
        assert self._executor is not None
        return self._executor.submit(_called, function, *arguments)

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
