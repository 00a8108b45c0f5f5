"""Turns: short blocks of iterations, one arm after the other, never two at the same time."""

from collections.abc import Callable, Sequence
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

Arm = Callable[[int, int], list[list[float]]]


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


def size(workers: Sequence[Worker], benchmark: int) -> Plan:
    """Run a few iterations and plan the blocks from them.

    Args:
        workers: The workers that will take turns.
        benchmark: Which of their benchmarks.
    """
    rows = [worker.block(benchmark, _SIZING, _SIZING) for worker in workers]
    return plan(float(np.median(np.sum(rows, axis=-1))))


def take_turns(arms: Sequence[Arm], planned: Plan, *, last_first: bool = False) -> Array:
    """Measure every arm in every turn, in an order that is reversed from turn to turn.

    A block that follows one of the same process finds its caches warm. In ABBAABBA that happens to
    B more often than to A, so that callers let the other arm begin in every second launch.

    Args:
        arms: Each measures a block of given warm and counted iterations.
        planned: How many of them, and how often.
        last_first: Begin with the last arm.

    Returns:
        Seconds, ``[turns, arms, iterations, phases]``.
    """
    blocks = []
    for turn in range(planned.turns):
        forwards = (turn % 2 == 0) != last_first
        order = range(len(arms)) if forwards else reversed(range(len(arms)))
        measured = {arm: arms[arm](planned.warm, planned.iterations) for arm in order}
        blocks.append([measured[arm] for arm in range(len(arms))])
    return np.array(blocks, dtype=np.float64)
