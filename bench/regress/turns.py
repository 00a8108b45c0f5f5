"""Turns: short blocks of iterations, one arm after the other, never two at the same time."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.regress.course import LONGEST_PERIOD, Course, course
from bench.regress.launch import Worker
from bench.statistics.launches import MIN_LAUNCHES, Array

_BLOCK_S = 0.1  # a block takes at least this,
_ITERATIONS, _LONG_BLOCK_S = 10, 0.4  # and has so many iterations unless they take longer
_LONGER_S = 1.0  # beyond which there are fewer turns of a block that holds whole periods
_LONGEST = 1 / 12  # of the budget, that a block may take to hold a whole period
_WARM_S = 0.02
_LAUNCH_S = 1.6  # both sides together, for one benchmark in one launch
_MIN_TURNS, _MAX_TURNS = 4, 8
_FEW_TURNS, _SLOW_S = 2, 0.3  # turns where an iteration is slower than this
_SIZING, _SIZING_S = 5, 0.2
_SURVEYED = 2 * LONGEST_PERIOD + 100  # iterations, so that each period is seen twice,
_SURVEY = 0.12  # of the budget, that they may take on either side
_CHUNK, _CHUNK_S = 25, 0.4  # iterations of a survey before the other side goes on
_SKIPPED = 0.8  # of the budget, that a slow beginning may take in the least number of launches


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
        even: Whether blocks hold all work in the proportion in which it comes.
        iteration_s: Seconds of one iteration, which it was made for.
        period: Iterations after which work repeats itself; ``None`` if that is not known.
        longest_s: The longest block that may hold whole periods.
        skipped: Iterations of a slow beginning, which each process runs first.
    """

    warm: int
    iterations: int
    turns: int
    even: bool = True
    iteration_s: float = 0.0
    period: int | None = 1
    longest_s: float = 1.0
    skipped: int = 0

    @property
    def whole(self) -> int | None:
        """The period of which blocks hold whole ones, if they do."""
        return self.period if self.even else None

    def adapted(self, iteration_s: float) -> "Plan":
        """This plan, or a shorter one where iterations take far longer than it was made for."""
        if iteration_s <= 2 * self.iteration_s:
            return self
        return replace(plan(iteration_s, self.period, self.longest_s), skipped=self.skipped)


def plan(iteration_s: float, period: int | None = 1, longest_s: float = 1.0) -> Plan:
    """Size the blocks of a benchmark.

    Args:
        iteration_s: Seconds of one iteration.
        period: Iterations after which work repeats itself, such as refreshing a curvature: a block
            holds whole periods if that is affordable. ``None`` if it does not.
        longest_s: What is affordable.
    """
    wanted = min(_ITERATIONS, max(1, int(_LONG_BLOCK_S / iteration_s)))
    iterations = max(int(np.ceil(_BLOCK_S / iteration_s)), wanted)
    whole = int(np.ceil(iterations / (period or 1))) * (period or 1)
    even = period == 1 or (period is not None and whole * iteration_s <= longest_s)
    iterations = whole if even else iterations
    warm = max(1, int(np.ceil(_WARM_S / iteration_s)))
    turns = int(_LAUNCH_S / (2 * (warm + iterations) * iteration_s)) // 2 * 2
    least = _FEW_TURNS if iteration_s > _SLOW_S else _MIN_TURNS
    if iterations * iteration_s > _LONGER_S and even and period != 1:
        least = _FEW_TURNS if iterations * iteration_s <= _LAUNCH_S else 1
    turns = min(max(turns, least), _MAX_TURNS)
    return Plan(warm, iterations, turns, even, iteration_s, period, longest_s)


def size(arms: Sequence[Arm], budget_s: float) -> tuple[Plan, list[Course]]:
    """Survey the first iterations and plan the blocks from them.

    Args:
        arms: Those that will take turns, in processes whose blocks nobody counts yet.
        budget_s: Of the comparison that they are planned for.

    Returns:
        The plan, and what each arm was seen to do.
    """
    courses = [course(*seen) for seen in _survey(arms, _SURVEY * budget_s)]
    seconds = max(sum(row) for arm in arms for row in arm.block(0, 1))
    if seconds < _SIZING_S:
        rows = [arm.block(0, _SIZING) for arm in arms]
        seconds = float(np.median(np.sum(rows, axis=-1)))
    common = math.lcm(*(found.period or 0 for found in courses))
    planned = plan(seconds, common or None, _LONGEST * budget_s)
    skipped = max(found.settled for found in courses)
    affordable = 2 * MIN_LAUNCHES * skipped * seconds <= _SKIPPED * budget_s
    return replace(planned, skipped=skipped if affordable else 0), courses


def _survey(arms: Sequence[Arm], most_s: float) -> list[tuple[list[int], Array]]:
    """Operations and seconds of the first iterations of each arm, in turns of a few of them."""
    counts: list[list[int]] = [[] for _ in arms]
    rows: list[list[list[float]]] = [[] for _ in arms]
    spent_s, chunk = 0.0, 1
    while len(counts[0]) < _SURVEYED and spent_s < most_s:
        began = time.perf_counter()
        for number, arm in enumerate(arms):
            operations, seconds = arm.worker.survey(arm.benchmark, chunk)
            counts[number] += operations
            rows[number] += seconds
        taken_s = (time.perf_counter() - began) / len(arms)
        spent_s += taken_s
        chunk = max(1, min(_CHUNK, int(_CHUNK_S * chunk / taken_s)))
    return [(found, np.array(seconds)) for found, seconds in zip(counts, rows, strict=True)]


def take_turns(arms: Sequence[Arm], planned: Plan, *, last_first: bool = False) -> Array:
    """Measure every arm in every turn, in an order that is reversed from turn to turn.

    The first iterations of a process are like no others, least of all those of a slow beginning,
    which are skipped, and a block that follows one of the same
    process finds its caches warm and is a percent or two faster. So each process runs a few
    iterations beforehand, and a few of another one, which do not count, come between two blocks
    of the same process.

    Args:
        arms: Of two processes at least; the first of each process has no delay.
        planned: How many of them, and how often.
        last_first: Begin with the last arm.

    Returns:
        Seconds, ``[turns, arms, iterations, phases]``.
    """
    first_of: dict[Worker, Arm] = {}
    for arm in arms:
        first_of.setdefault(arm.worker, arm)
    for arm in first_of.values():
        arm.block(0, planned.skipped + planned.warm)
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
