"""Where the runs of a sweep take place: any ``concurrent.futures.Executor``, and its mishaps.

What is lost with its process is lost alone: everything else goes on.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    wait,
)
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from bench.errors import LostError, UsageError, WorkersError

PATIENCE_S = 60.0
_IDLE_S = 0.2
_DIED = "The worker died whenever it ran this (killed, or out of memory)"

Key = TypeVar("Key")
Result = TypeVar("Result")


class Pool(Protocol):
    """Workers that run one call at a time each.

    Attributes:
        lost: Exceptions of a call whose worker died every time that it was tried.
        shared: Whether several workers may share a machine.
        remote: Whether workers have files of their own, which may hold other code.
    """

    lost: tuple[type[BaseException], ...]
    shared: bool
    remote: bool

    @property
    def width(self) -> int:
        """How many workers there are now."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Begin a call on a free worker."""

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
    pool: Pool,
    function: Callable[..., Result],
    calls: Iterable[tuple[Key, tuple[Any, ...]] | None],
) -> Iterator[Finished[Key, Result] | Lost[Key]]:
    """Run calls on a pool, at most one per worker in flight.

    Args:
        pool: The workers.
        function: What runs there; picklable, like its arguments and its result.
        calls: A key and the arguments of each call, taken when a worker is free; ``None`` for
            none just now.

    Yields:
        What became of each call, as it comes.

    Raises:
        WorkersError: The workers are out of reach, or one raised it.
        UsageError: A call raised it; what was in flight beside it is yielded first.
    """
    waiting, more = iter(calls), True
    running: dict[Future[Result], Key] = {}
    refusal: UsageError | WorkersError | None = None
    while running or (more and refusal is None):
        idle = False
        while more and not idle and refusal is None and len(running) < pool.width:
            try:
                call = next(waiting)
            except StopIteration:
                more = False
                continue
            idle = call is None
            if call is not None:
                running[pool.submit(function, *call[1])] = call[0]
        if not running:
            if more and refusal is None:
                if not pool.width:
                    raise WorkersError(f"There has been no worker for {PATIENCE_S:g} s.")
                time.sleep(_IDLE_S)
            continue
        done, _ = wait(
            running, timeout=_IDLE_S if idle else PATIENCE_S, return_when=FIRST_COMPLETED
        )
        if not done and not idle and not pool.width:
            raise WorkersError(f"There has been no worker for {PATIENCE_S:g} s.")
        for future in done:
            key = running.pop(future)
            try:
                result = future.result()
            except pool.lost as error:
                yield Lost(key, f"{_DIED}: {error or type(error).__name__}")
            except LostError as error:
                yield Lost(key, error.whole)
            except (UsageError, WorkersError) as error:
                refusal = refusal or error
            except CancelledError as error:
                raise WorkersError("The scheduler cancelled the runs, or is gone.") from error
            except Exception as error:  # such as a result that cannot be sent
                yield Lost(key, f"{type(error).__name__}: {error}")
            else:
                yield Finished(key, result)
    if refusal is not None:
        raise refusal
