"""A phase is timed in the state that training leaves it in."""

import time

import pytest
import torch

from bench.suite import rounds
from bench.suite.rounds import PhaseRounds, synchronised_timer


class Log:
    """Stands in for a training, and notes which phase runs when."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __getattr__(self, phase: str) -> object:
        return lambda: self.ran.append(phase)


@pytest.mark.parametrize(
    ("phase", "before", "between"),
    [
        ("forward", ["draw"], ["backward", "step", "judge", "draw"]),
        ("backward", ["draw", "forward"], ["step", "judge", "draw", "forward"]),
        ("step", ["draw", "forward", "backward"], ["judge", "draw", "forward", "backward"]),
    ],
)
def test_each_round_sets_up_what_comes_before(
    phase: str, before: list[str], between: list[str]
) -> None:
    log = Log()
    timed = PhaseRounds(log, phase)  # type: ignore[arg-type]
    timed.set_up()
    assert log.ran == before
    for _ in range(2):
        log.ran.clear()
        timed.run()
        assert log.ran == [phase]
        log.ran.clear()
        timed.set_up()
        assert log.ran == between


def test_an_iteration_is_timed_without_what_is_outside_the_clock() -> None:
    log = Log()
    timed = PhaseRounds(log, "iteration")  # type: ignore[arg-type]
    timed.set_up()
    assert log.ran == []
    timed.run()
    assert log.ran == ["draw", "forward", "backward", "step"]
    log.ran.clear()
    timed.set_up()
    assert log.ran == ["judge"]


def test_the_timer_reads_the_clock_after_the_device_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: order.append("synchronize"))

    def clock() -> float:
        order.append("clock")
        return 1.5

    monkeypatch.setattr(rounds.time, "perf_counter", clock)
    assert synchronised_timer() == 1.5
    assert order == ["synchronize", "clock"]


@pytest.mark.gpu
def test_the_timer_sees_work_that_was_only_enqueued() -> None:
    matrix = torch.randn(4096, 4096, device="cuda")
    for _ in range(3):
        matrix @ matrix
    synchronised_timer()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start = synchronised_timer()
    begin.record()
    for _ in range(20):
        matrix @ matrix
    end.record()
    enqueued = time.perf_counter() - start
    took = synchronised_timer() - start
    device_s = begin.elapsed_time(end) * 1e-3
    assert enqueued < took
    assert took == pytest.approx(device_s, rel=0.1, abs=1e-3)
