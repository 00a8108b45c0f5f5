"""The phase clock, under a timer whose time we set."""

from collections.abc import Iterable, Sequence

import pytest
import torch

from bench.training.clock import BACKWARD, FORWARD, STEP, CudaTimer, PhaseClock, phase_clock


class FakeTimer:
    """Time passes only when it is told to; every mark is counted."""

    def __init__(self) -> None:
        self.now = 0.0
        self.marks = 0
        self.waited: list[float] = []
        self.released: list[float] = []

    def mark(self) -> float:
        self.marks += 1
        return self.now

    def synchronize(self, mark: float) -> None:
        self.waited.append(mark)

    def seconds(self, start: float, end: float) -> float:
        return end - start

    def release(self, marks: Iterable[float]) -> None:
        self.released += marks


def iterate(clock: PhaseClock[float], timer: FakeTimer, times: Sequence[float]) -> None:
    """One iteration whose phases take the given times."""
    clock.start()
    timer.now += times[0]
    for phase, seconds in zip((FORWARD, BACKWARD, STEP), times[1:], strict=True):
        clock.switch(phase)
        timer.now += seconds
    clock.stop()


def test_phases_are_told_apart_and_share_their_boundaries() -> None:
    timer = FakeTimer()
    clock = PhaseClock(timer)
    iterate(clock, timer, [1, 2, 4, 8])
    assert timer.marks == 5  # four phases, five boundaries
    timer.now += 100  # evaluation between iterations: outside the clock
    iterate(clock, timer, [16, 32, 64, 128])
    assert clock.read() == [[1, 2, 4, 8], [16, 32, 64, 128]]


def test_reading_hands_over_once_and_waits_once() -> None:
    timer = FakeTimer()
    clock = PhaseClock(timer)
    for _ in range(3):
        iterate(clock, timer, [1, 1, 1, 1])
    assert timer.waited == []
    assert len(clock.read()) == 3
    assert timer.waited == [12]
    assert len(timer.released) == timer.marks == 15
    assert clock.read() == []
    assert timer.waited == [12]


def test_nested_phases_are_exclusive() -> None:
    """A closure runs forward and backward inside the step, twice, and the step around it."""
    timer = FakeTimer()
    clock = PhaseClock(timer)
    clock.start()
    timer.now += 1
    clock.switch(STEP)
    for _ in range(2):
        timer.now += 10
        outer = clock.switch(FORWARD)
        assert outer == STEP
        timer.now += 100
        clock.switch(BACKWARD)
        timer.now += 1000
        clock.switch(outer)
    timer.now += 10
    clock.stop()
    assert clock.read() == [[1, 200, 2000, 30]]


def test_an_iteration_left_unfinished_is_forgotten() -> None:
    timer = FakeTimer()
    clock = PhaseClock(timer)
    clock.start()
    timer.now += 5
    clock.switch(FORWARD)
    iterate(clock, timer, [1, 2, 3, 4])
    assert clock.read() == [[1, 2, 3, 4]]


def test_on_the_cpu_phases_add_up_to_the_time_between_the_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter([1_000, 2_500, 3_000, 7_000, 7_500])
    monkeypatch.setattr("time.perf_counter_ns", lambda: next(ticks))
    clock = phase_clock(torch.device("cpu"))
    clock.start()
    for phase in (FORWARD, BACKWARD, STEP):
        clock.switch(phase)
    clock.stop()
    (row,) = clock.read()
    assert row == pytest.approx([1.5e-6, 0.5e-6, 4e-6, 0.5e-6])


@pytest.mark.gpu
def test_cuda_events_time_device_work_and_are_reused() -> None:
    """A hundred products of large matrices take longer on the device than none."""
    device = torch.device("cuda", 0)
    timer = CudaTimer(device)
    clock = PhaseClock(timer)
    matrix = torch.randn(2048, 2048, device=device)
    for _ in range(2):
        clock.start()
        clock.switch(FORWARD)
        for _ in range(100):
            matrix @ matrix
        clock.switch(BACKWARD)
        clock.switch(STEP)
        clock.stop()
        (row,) = clock.read()
    assert row[1] > 10 * max(row[2], 1e-6)
    assert len(timer._spare) == 5
