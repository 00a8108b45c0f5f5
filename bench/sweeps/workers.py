"""Where the runs of a sweep take place: any ``concurrent.futures.Executor``, and its mishaps.

A worker process that is killed or runs out of memory breaks a process pool for everyone: all runs
in flight are lost. Then the pool is rebuilt and these runs are run again one at a time: the one
that breaks it once more is the culprit, and is given up; everything else goes on.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    wait,
)
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from bench.errors import UsageError, WorkersError

PATIENCE_S = 60.0
_IDLE_BREAKS = 3
_DIED = "The worker process died while it ran this and nothing else (killed, or out of memory)"

Key = TypeVar("Key")
Result = TypeVar("Result")


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
