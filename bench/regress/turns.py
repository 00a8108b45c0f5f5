"""Turns: short blocks of iterations, one arm after the other, never two at the same time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.regress.launch import Worker
from bench.regress.procedure import Array

_BLOCK_S = 0.1  # a block takes at least this,
_ITERATIONS, _LONG_BLOCK_S = 10, 0.4  # and has so many iterations unless they take longer
_WARM_S = 0.02
_LAUNCH_S = 1.6  # both sides together, for one benchmark in one launch
_MIN_TURNS, _MAX_TURNS = 4, 8
_SIZING = 5


@dataclass(frozen=True)
class Arm:
    """Something that is timed in blocks.

    Attributes:
        worker: The process that runs it.
        benchmark: Which of the worker's benchmarks it is.
        delay: A phase and seconds by which to lengthen it, for calibration.
    """

    worker: Worker
    benchmark: int
    delay: tuple[str, float] | None = None

    def block(self, warm: int, iterations: int) -> list[list[float]]:
        """Seconds per phase of each iteration, after some that do not count."""
        return self.worker.block(self.benchmark, warm, iterations, self.delay)


@dataclass(frozen=True)
class Plan:
    """How one benchmark is measured in each launch, the same in all of them.

    Attributes:
        warm: Iterations at the start of a block that do not count.
        iterations: Iterations of a block that count.
        turns: Blocks of each arm; even, so that each arm is first as often as last.
    """

    warm: int
    iterations: int
    turns: int


def plan(iteration_s: float) -> Plan:
    """Size the blocks of a benchmark.

    A block averages over ten iterations where that is affordable: what an optimizer does only
    now and then, such as refreshing its curvature, is then in most of the blocks.

    Args:
        iteration_s: Seconds of one iteration.
    """
    wanted = min(_ITERATIONS, max(1, int(_LONG_BLOCK_S / iteration_s)))
    iterations = max(int(np.ceil(_BLOCK_S / iteration_s)), wanted)
    warm = max(1, int(np.ceil(_WARM_S / iteration_s)))
    turns = int(_LAUNCH_S / (2 * (warm + iterations) * iteration_s)) // 2 * 2
    return Plan(warm, iterations, min(max(turns, _MIN_TURNS), _MAX_TURNS))


def size(arms: Sequence[Arm]) -> Plan:
    """Run a few iterations and plan the blocks from them.

    Args:
        arms: Those that will take turns.
    """
    rows = [arm.block(_SIZING, _SIZING) for arm in arms]
    return plan(float(np.median(np.sum(rows, axis=-1))))


def take_turns(arms: Sequence[Arm], planned: Plan, *, last_first: bool = False) -> Array:
    """Measure every arm in every turn, in an order that is reversed from turn to turn.

    The first iterations of a process are like no others, and a block that follows one of the same
    process finds its caches warm (the iteration is 1.7 % faster, measured). So each process runs a
    few iterations beforehand, and a few of another one, which do not count, come between two
    blocks of the same process.

    Args:
        arms: Of two processes at least; those without delay come first.
        planned: How many of them, and how often.
        last_first: Begin with the last arm.

    Returns:
        Seconds, ``[turns, arms, iterations, phases]``.
    """
    first_of: dict[Worker, Arm] = {}
    for arm in arms:
        first_of.setdefault(arm.worker, arm)
    for arm in first_of.values():
        arm.block(0, planned.warm)
        previous = arm.worker
    blocks = []
    for turn in range(planned.turns):
        forwards = (turn % 2 == 0) != last_first
        measured = {}
        for number in range(len(arms)) if forwards else reversed(range(len(arms))):
            worker = arms[number].worker
            if worker is previous:
                other = next(arm for at, arm in first_of.items() if at is not worker)
                other.block(0, planned.warm)
            measured[number] = arms[number].block(planned.warm, planned.iterations)
            previous = worker
        blocks.append([measured[number] for number in range(len(arms))])
    return np.array(blocks, dtype=np.float64)
