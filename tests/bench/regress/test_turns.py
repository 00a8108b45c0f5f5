"""Blocks: how long they are, in which order they run, and which periods of work they hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.regress.launch import Worker
from bench.regress.turns import Arm, Plan, period, plan, take_turns
from bench.statistics.launches import QUANTITIES, block_means, launch_effects
from tests.bench.regress.workers import setup, side


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


@pytest.mark.parametrize("every", [None, 100])
def test_a_period_that_is_unknown_or_takes_too_long_is_told(every: int | None) -> None:
    planned = plan(17e-3, every)
    assert (planned.iterations, planned.even) == (10, False)


def test_a_plan_is_made_again_where_iterations_take_far_longer() -> None:
    planned = plan(17e-3, 4)
    assert planned.adapted(30e-3) is planned
    assert planned.adapted(200e-3) == plan(200e-3, 4)


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


@pytest.mark.parametrize("every", [1, 2, 5, 13, 30])
@pytest.mark.parametrize("offset", [0, 3])
def test_a_period_that_is_seen_twice_is_found(every: int, offset: int) -> None:
    counts = [20 + 7 * ((n + offset) % every == 0) for n in range(2 * every + 3)]
    counts[0] += 100  # buffers are made
    assert period(counts) == every


def test_two_kinds_of_rare_work_have_a_common_period() -> None:
    assert period([10 + 2 * (n % 2 == 0) + 5 * (n % 3 == 0) for n in range(40)]) == 6


@pytest.mark.parametrize(
    "counts",
    [
        [10] * 20 + [30] + [10] * 15,  # once: it may come again after 16 or after 100
        [10, 11, 10, 13, 12, 10, 15, 11, 19, 10, 12, 14],  # at random
    ],
)
def test_no_period_is_made_up(counts: list[int]) -> None:
    assert period(counts) is None


def test_too_few_iterations_to_tell_count_as_alike() -> None:
    assert period([50, 10, 10]) == 1


@pytest.mark.parametrize(("every", "expected"), [(1, 1), (4, 4)])
def test_a_refreshed_curvature_shows_in_the_counts_of_a_worker(every: int, expected: int) -> None:
    request = setup(
        problem="mnist_logreg",
        optimizer="diag_ggn_exact",
        hyperparameters={"update_every": every},
    )
    with Worker(side(Path.cwd()), request) as worker:
        worker.ready()
        counts = worker.operations(0)
        assert len(worker.block(0, 1, 2)) == 2  # and it goes on
    assert len(counts) >= 2 * every + 3
    assert period(counts) == expected
