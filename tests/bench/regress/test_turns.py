"""Blocks: how long they are, in which order they run, and which periods of work they hold."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.regress.turns import Arm, Plan, plan, size, take_turns
from bench.statistics.launches import QUANTITIES, block_means, launch_effects


@pytest.mark.parametrize("iteration_s", [2e-4, 2e-3, 17e-3, 35e-3, 140e-3, 3.0])
def test_blocks_are_long_enough_and_each_arm_is_first_as_often_as_last(iteration_s: float) -> None:
    planned = plan(iteration_s)
    assert planned.turns % 2 == 0
    assert planned.turns >= (4 if iteration_s < 0.3 else 2)
    assert planned.warm >= 1
    assert planned.iterations * iteration_s >= 0.1 or planned.iterations >= 10


@pytest.mark.parametrize(("every", "iterations"), [(1, 10), (4, 12), (5, 10), (30, 30)])
def test_blocks_hold_whole_periods(every: int, iterations: int) -> None:
    planned = plan(17e-3, every)
    assert (planned.iterations, planned.even) == (iterations, True)
    assert planned.turns >= 4


def test_a_long_period_takes_long_blocks_where_the_budget_affords_them() -> None:
    planned = plan(15e-3, 200, longest_s=5.0)
    assert (planned.iterations, planned.even, planned.turns) == (200, True, 1)
    planned = plan(15e-3, 90, longest_s=5.0)
    assert (planned.iterations, planned.even, planned.turns) == (90, True, 2)
    assert not plan(15e-3, 400, longest_s=5.0).even


@pytest.mark.parametrize("every", [None, 100])
def test_a_period_that_is_unknown_or_takes_too_long_is_told(every: int | None) -> None:
    planned = plan(17e-3, every)
    assert (planned.iterations, planned.even) == (10, False)


def test_a_plan_is_made_again_where_iterations_take_far_longer() -> None:
    planned = plan(17e-3, 4)
    assert planned.adapted(30e-3) is planned
    assert planned.adapted(200e-3) == plan(200e-3, 4)
    skipping = replace(plan(17e-3, 4, 3.0), skipped=70)
    assert skipping.adapted(200e-3) == replace(plan(200e-3, 4, 3.0), skipped=70)


def test_ten_iterations_where_that_is_affordable() -> None:
    assert plan(17e-3).iterations == 10
    assert plan(3.0).iterations == 1


class Recorded:
    """A worker that notes what it is asked for; a benchmark takes as many seconds as its number."""

    def __init__(self, name: str, order: list[str]) -> None:
        self.name, self.order = name, order

    def block(
        self, benchmark: int, warm: int, iterations: int, delay: tuple[str, float] | None = None
    ) -> list[list[float]]:
        if (warm, iterations) == (2, 3):
            self.order.append(f"{self.name.upper()}{benchmark}")
        else:
            assert (warm, iterations, delay) == (0, 2, None)
            self.order.append(self.name)
        return [[benchmark + (delay[1] if delay else 0.0)] * 4] * iterations


def arms(order: list[str], *places: tuple[str, int, float]) -> list[Arm]:
    workers: dict[str, Any] = {name: Recorded(name, order) for name, _, _ in places}
    return [
        Arm(workers[name], benchmark, ("step", delay) if delay else None)
        for name, benchmark, delay in places
    ]


@pytest.mark.parametrize(
    ("last_first", "expected"),
    [(False, "ab A1 B2 a B2 A1 b A1 B2 a B2 A1"), (True, "ab a B2 A1 b A1 B2 a B2 A1 b A1 B2")],
)
def test_the_order_is_reversed_from_turn_to_turn_and_no_block_follows_one_of_its_own_process(
    last_first: bool, expected: str
) -> None:
    order: list[str] = []
    two = arms(order, ("a", 1, 0.0), ("b", 2, 0.0))
    blocks = take_turns(two, Plan(warm=2, iterations=3, turns=4), last_first=last_first)
    assert "".join(order) == expected.replace(" ", "")
    assert blocks.shape == (4, 2, 3, 4)
    assert blocks[:, :, 0, 0].tolist() == [[1.0, 2.0]] * 4


def test_a_slow_beginning_is_skipped_by_each_process_before_its_first_block() -> None:
    order: list[tuple[str, int, int]] = []

    class Noted:
        def __init__(self, name: str) -> None:
            self.name = name

        def block(self, _: int, warm: int, iterations: int, delay: Any) -> list[list[float]]:
            order.append((self.name, warm, iterations))
            return [[1.0] * 4] * iterations

    workers: list[Any] = [Noted("a"), Noted("b")]
    two = [Arm(worker, 0) for worker in workers]
    take_turns(two, Plan(warm=2, iterations=3, turns=2, skipped=50))
    assert order[:3] == [("a", 0, 52), ("b", 0, 52), ("a", 2, 3)]
    assert max(iterations for _, _, iterations in order[2:]) == 3


class Surveyed:
    """A worker with a made-up course: its seconds by iteration, all in the step."""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self._seconds, self.done, self.chunks = seconds, 0, list[int]()

    def survey(self, _: int, iterations: int) -> tuple[list[int], list[list[float]]]:
        self.chunks.append(iterations)
        return [7] * iterations, self.block(0, 0, iterations)

    def block(self, _: int, warm: int, iterations: int, delay: Any = None) -> list[list[float]]:
        first = self.done + warm
        self.done = first + iterations
        return [[0.0, 0.004, 0.006, self._seconds(n)] for n in range(first, self.done)]


def test_a_plan_follows_from_a_survey_of_both_sides_in_turns() -> None:
    """Rare work of one side every 40th, and a slow beginning of the other."""
    one: Any = Surveyed(lambda n: 0.001 + 0.02 * (n % 40 == 39))
    other: Any = Surveyed(lambda n: 0.001 + 0.01 * (n < 150))
    planned, courses = size([Arm(one, 0), Arm(other, 0)], 60.0)
    assert (planned.period, planned.iterations, planned.even) == (40, 40, True)
    assert (planned.skipped, [course.settled for course in courses]) == (150, [0, 150])
    assert [course.seen for course in courses] == [1101] * 2
    assert one.chunks == other.chunks
    assert max(one.chunks) == 25
    planned, _ = size([Arm(one, 0), Arm(other, 0)], 10.0)  # 10 launches of 150 iterations of 11 ms
    assert planned.skipped == 0


class Periodic:
    """A worker each k-th iteration of which does more."""

    def __init__(self, every: int, extra_s: float) -> None:
        self._every, self._extra_s, self._done = every, extra_s, 0

    def block(
        self, benchmark: int, warm: int, iterations: int, delay: tuple[str, float] | None = None
    ) -> list[list[float]]:
        rows = []
        for _ in range(warm + iterations):
            rare_s = self._extra_s if self._done % self._every == 0 else 0.0
            rows.append([0.001, 0.005, 0.010 + rare_s, 0.001])
            self._done += 1
        return rows[warm:]


@pytest.mark.parametrize("every", [2, 5, 13, 14, 26, 30])
def test_work_that_is_rare_counts_as_often_as_it_comes(every: int) -> None:
    """What comes in every k-th iteration takes three times as long: the exact ratio is found.

    By the trimmed mean as by the mean.
    """
    workers: list[Any] = [Periodic(every, 0.02), Periodic(every, 0.06)]
    two = [Arm(worker, 0) for worker in workers]
    planned = plan(17e-3, every)
    blocks = block_means(take_turns(two, planned), planned.whole)
    true = (0.010 + 0.06 / every) / (0.010 + 0.02 / every)
    effects = launch_effects(blocks[:, :, 0], blocks[:, :, 1])[:, QUANTITIES.index("backward")]
    assert np.exp(effects) == pytest.approx([true, true], rel=1e-12)


def test_arms_of_one_process_are_kept_apart_by_the_other_process() -> None:
    order: list[str] = []
    four = arms(order, ("a", 1, 0.0), ("b", 2, 0.0), ("b", 2, 0.5), ("b", 2, 1.0))
    blocks = take_turns(four, Plan(warm=2, iterations=3, turns=2))
    assert "".join(order) == "abA1B2aB2aB2aB2aB2aB2A1"
    assert blocks[:, :, 0, 0].tolist() == [[1.0, 2.0, 2.5, 3.0]] * 2
