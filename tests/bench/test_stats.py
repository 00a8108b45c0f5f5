"""Statistics against values worked out by hand or by SciPy."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench import stats
from bench.stats import Spread


def test_spread() -> None:
    assert stats.spread([3.0, 1.0, 2.0, 10.0]) == Spread(2.5, 1.0, 10.0, 4)
    assert stats.spread([]) is None


def test_final_loss_is_the_mean_of_the_last_twenty() -> None:
    assert stats.final_loss([100.0] * 80 + list(range(20))) == 9.5
    assert stats.final_loss([1.0, 3.0]) == 2.0


def test_per_iteration_is_total_over_iterations() -> None:
    """Every tenth iteration is dear: the median would hide it."""
    run = [1.0] * 9 + [11.0]
    assert stats.per_iteration([run, run]) == 2.0
    assert stats.per_iteration([[1.0], [4.0, 4.0]]) == 3.0
    assert math.isnan(stats.per_iteration([[]]))


def test_common_grid_ends_with_the_shortest_run() -> None:
    grid, (first, second) = stats.on_common_grid(
        [[0.0, 1.0, 2.0], [0.0, 4.0]], [[0.0, 10.0, 20.0], [0.0, 4.0]], points=3
    )
    np.testing.assert_allclose(grid, [0.0, 1.0, 2.0])
    np.testing.assert_allclose(first, [0.0, 10.0, 20.0])
    np.testing.assert_allclose(second, [0.0, 1.0, 2.0])


def test_a_run_cut_short_does_not_shorten_the_others() -> None:
    times, values = [[0.0, 2.0], [0.0, 0.5]], [[0.0, 2.0], [0.0, 0.5]]
    grid, (whole, cut) = stats.on_common_grid(times, values, 3, [True, False])
    np.testing.assert_allclose(grid, [0.0, 1.0, 2.0])
    np.testing.assert_allclose(whole, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(cut, [0.0, np.nan, np.nan])


def test_prediction_interval_against_the_formula() -> None:
    sample = [1.0, 2.0, 4.0]
    low, high = stats.prediction_interval(sample, 0.9)
    half = scipy_stats.t.ppf(0.95, 2) * np.std(sample, ddof=1) * math.sqrt(4 / 3)
    assert (low, high) == (pytest.approx(7 / 3 - half), pytest.approx(7 / 3 + half))


def test_prediction_interval_covers_at_its_level() -> None:
    """4,000 draws at 90 %: the bounds are 5 standard errors of a proportion wide."""
    generator = np.random.default_rng(0)
    draws = generator.standard_normal((4000, 11))
    inside = [
        low <= x <= high for *s, x in draws for low, high in [stats.prediction_interval(s, 0.9)]
    ]
    assert abs(np.mean(inside) - 0.9) < 5 * math.sqrt(0.9 * 0.1 / 4000)
