"""The phase clock: how the time of an iteration divides into data, forward, backward and step."""

import time
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

import torch

from bench.runs.record import PHASES

DATA, FORWARD, BACKWARD, STEP = range(len(PHASES))

Mark = TypeVar("Mark")


class Timer(Protocol[Mark]):
    """Takes marks now and tells the time between them later."""

    def mark(self) -> Mark:
        """Mark this moment without waiting for anything."""

    def synchronize(self, mark: Mark) -> None:
        """Wait until the moment of a mark has passed on the device."""

    def seconds(self, start: Mark, end: Mark) -> float:
        """Seconds between two marks that have passed."""

    def release(self, marks: Iterable[Mark]) -> None:
        """Take marks back that are no longer needed."""


class CpuTimer:
    """``time.perf_counter_ns``."""

    def __init__(self) -> None:
        """Time work on the CPU; a mark is nanoseconds now, read without a call in between."""
        self.mark = time.perf_counter_ns

    def synchronize(self, mark: int) -> None:
        """Nothing to wait for: work on the CPU is done when its call returns."""

    def seconds(self, start: int, end: int) -> float:
        """Seconds between two marks."""
        return (end - start) * 1e-9

    def release(self, marks: Iterable[int]) -> None:
        """Nothing to take back."""


class CudaTimer:
    """CUDA events on the device's current stream; they are reused, and read without waiting."""

    def __init__(self, device: torch.device) -> None:
        """Time work on one CUDA device."""
        self._device = device
        self._spare: list[torch.cuda.Event] = []

    def mark(self) -> torch.cuda.Event:
        """Record an event behind the work enqueued so far."""
        event = self._spare.pop() if self._spare else torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event

    def synchronize(self, mark: torch.cuda.Event) -> None:
        """Wait until the device has reached an event."""
        mark.synchronize()

    def seconds(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        """Seconds of device time between two events."""
        return start.elapsed_time(end) * 1e-3

    def release(self, marks: Iterable[torch.cuda.Event]) -> None:
        """Keep events for later marks."""
        self._spare.extend(marks)


class PhaseClock(Generic[Mark]):
    """Splits each iteration into phases that share their boundaries.

    At any moment of an iteration exactly one phase runs, so times are exclusive. A closure inside
    ``step`` nests by switching and switching back::

        outer = clock.switch(FORWARD)
        ...
        clock.switch(outer)

    Marks are only taken; ``read`` turns them into seconds, one synchronisation for many
    iterations.
    """

    def __init__(self, timer: Timer[Mark]) -> None:
        """Start with no iteration."""
        self._timer, self._mark = timer, timer.mark
        self._phase = DATA
        self._current: list[tuple[int, Mark]] = []
        self._finished: list[tuple[list[tuple[int, Mark]], Mark]] = []

    def start(self) -> None:
        """Begin an iteration in the phase ``data``; one left unfinished is forgotten."""
        self._phase = DATA
        self._current = [(DATA, self._mark())]

    def switch(self, phase: int) -> int:
        """End the running phase and begin another at the same mark.

        Returns:
            The phase that ran, to switch back to.
        """
        self._current.append((phase, self._mark()))
        previous, self._phase = self._phase, phase
        return previous

    def stop(self) -> None:
        """End the iteration."""
        self._finished.append((self._current, self._mark()))

    def read(self) -> list[list[float]]:
        """Hand over the iterations finished since the last call.

        Returns:
            Per iteration, the seconds of each phase in the order of ``PHASES``.
        """
        if self._finished:
            self._timer.synchronize(self._finished[-1][1])
        rows = [self._row(marks, end) for marks, end in self._finished]
        self._timer.release(
            mark for marks, end in self._finished for mark in (*(mark for _, mark in marks), end)
        )
        self._finished.clear()
        return rows

    def _row(self, marks: list[tuple[int, Mark]], end: Mark) -> list[float]:
        row, seconds = [0.0] * len(PHASES), self._timer.seconds
        phase, start = marks[0]
        for following, stop in marks[1:]:
            row[phase] += seconds(start, stop)
            phase, start = following, stop
        row[phase] += seconds(start, end)
        return row


def phase_clock(device: torch.device) -> PhaseClock[int] | PhaseClock[torch.cuda.Event]:
    """The clock for a device: events on CUDA, ``perf_counter_ns`` elsewhere."""
    if device.type == "cuda":
        return PhaseClock(CudaTimer(device))
    return PhaseClock(CpuTimer())
