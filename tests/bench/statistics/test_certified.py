"""Certified steps to a target: by hand, and how often they are false, forwards and backwards."""

import math
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bench.statistics.certified import LEVEL, certified

Array = NDArray[np.float64]


def by_hand(values: list[list[float]], target: float, better: str) -> int | None:
    """From the last evaluation backwards, with scipy's own test."""
    first = None
    for index in reversed(range(len(values[0]))):
        column = [row[index] for row in values]
        side: Literal["greater", "less"] = "greater" if better == "max" else "less"
        if not stats.ttest_1samp(column, target, alternative=side).pvalue < LEVEL:
            break
        first = index
    return first


@pytest.mark.parametrize("better", ["min", "max"])
@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_a_t_test_at_each_evaluation_says(seed: int, better: str) -> None:
    generator = np.random.default_rng(seed)
    seeds = int(generator.integers(2, 8))
    curve = np.linspace(0, 1, 12) * (1 if better == "max" else -1)
    values = curve + 0.2 * generator.standard_normal((seeds, 12))
    target = 0.4 if better == "max" else -0.4
    assert certified(values, target, better) == by_hand(values.tolist(), target, better)


def test_what_falls_back_is_certified_from_there_on_only() -> None:
    values = np.array([[0.95, 0.95, 0.5, 0.95, 0.96], [0.96, 0.95, 0.6, 0.951, 0.96]])
    assert certified(values, 0.9, "max") == 3
    assert certified(values[:, :3], 0.9, "max") is None


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_certifies_nothing(lost: float) -> None:
    values = np.array([[0.9601, lost, 0.9601], [0.96, 0.96, 0.96]])
    assert certified(values, 0.9, "max") == 2
    assert certified(values[:, :2], 0.9, "max") is None


def test_seeds_that_agree_are_certain_past_the_target_and_not_at_it() -> None:
    values = np.array([[0.9, 0.91], [0.9, 0.91]])
    assert certified(values, 0.9, "max") == 1


def test_one_seed_needs_a_known_deviation() -> None:
    values = np.array([[0.5, 0.95, 0.95]])
    assert certified(values, 0.9, "max") is None
    assert certified(values, 0.9, "max", sigma=0.02) == 1
    assert certified(values, 0.9, "max", sigma=0.03) is None
    assert certified(values, 0.94, "max", sigma=0.0) == 1
    assert certified(np.empty((0, 3)), 0.9, "max") is None


def _forwards(passed: Array) -> Array:
    """The first evaluation that passes, whatever comes after it."""
    return np.where(passed.any(axis=1), passed.argmax(axis=1), -1)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
@pytest.mark.parametrize("seeds", [3, 10])
def test_tested_backwards_it_is_false_in_one_percent_and_forwards_in_many(
    seeds: int, correlation: float
) -> None:
    """Curves that cross the target at evaluation 30 of 40: told before that, it is false."""
    generator = np.random.default_rng(0)
    trials, evaluations, crossing = 4000, 40, 30
    curve = np.concatenate([np.full(crossing, -0.02), np.linspace(0.05, 5, evaluations - crossing)])
    noise = generator.standard_normal((trials, seeds, evaluations))
    for index in range(1, evaluations):  # of neighbouring evaluations of a run
        own = math.sqrt(1 - correlation**2) * noise[:, :, index]
        noise[:, :, index] = correlation * noise[:, :, index - 1] + own
    values = curve + noise
    backwards = [certified(one, 0.0, "max") for one in values]
    false = np.mean([found is not None and found < crossing for found in backwards])
    t = values.mean(1) / (values.std(1, ddof=1) / math.sqrt(seeds))
    ahead = _forwards(stats.t(seeds - 1).sf(t) < LEVEL)
    false_forwards = np.mean((ahead >= 0) & (ahead < crossing))
    assert false <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / trials)
    assert false_forwards > 0.05
