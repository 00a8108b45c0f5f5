"""Statistics against values worked out by hand or by SciPy."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.statistics import intervals
from bench.statistics.intervals import Spread


def exact_interval(count: int) -> tuple[int, Fraction]:
    """Rank of the interval's lower end and its coverage, by counting in whole numbers."""

    def coverage(rank: int) -> Fraction:
        return 1 - 2 * Fraction(sum(math.comb(count, i) for i in range(rank)), 2**count)

    enough = [k for k in range(1, (count + 1) // 2 + 1) if coverage(k) >= Fraction(95, 100)]
    rank = max(enough, default=1)
    return rank, coverage(rank)


@pytest.mark.parametrize("count", [*range(1, 71), 200, 501])
def test_the_interval_of_a_median_has_its_exact_ranks_and_coverage(count: int) -> None:
    rank, coverage = exact_interval(count)
    values = np.random.default_rng(count).permutation(np.arange(1.0, count + 1))
    found = intervals.spread(values.tolist())
    assert found is not None
    assert (found.median, found.count) == (np.median(values), count)
    assert (found.low, found.high) == (rank, count + 1 - rank)
    assert found.coverage == pytest.approx(float(coverage), abs=1e-13)


def test_of_few_values_the_interval_is_their_range() -> None:
    assert intervals.spread([3.0, 1.0, 2.0, 10.0]) == Spread(
        median=2.5, low=1.0, high=10.0, count=4, coverage=0.875
    )
    assert intervals.spread([3, 1, 2]) == Spread(
        median=2.0, low=1.0, high=3.0, count=3, coverage=0.75
    )
    assert intervals.spread([7.0]) == Spread(median=7.0, low=7.0, high=7.0, count=1, coverage=0.0)
    assert intervals.spread([]) is None


@pytest.mark.parametrize("count", [3, 6, 9, 25])
def test_the_interval_holds_the_median_as_often_as_it_says(count: int) -> None:
    """4,000 draws of a skewed population, whose median is log 2, and bounds of 4.5 errors."""
    generator, draws = np.random.default_rng(count), 4000
    found = [intervals.spread(row) for row in generator.exponential(size=(draws, count)).tolist()]
    held = sum(one is not None and one.low <= math.log(2) <= one.high for one in found)
    coverage = float(exact_interval(count)[1])
    assert abs(held / draws - coverage) < 4.5 * math.sqrt(coverage * (1 - coverage) / draws)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, math.inf], (math.inf, 1.0, math.inf)),
        ([math.inf, 1.0, math.inf], (math.inf, 1.0, math.inf)),
        ([math.inf, 1.0, 2.0], (2.0, 1.0, math.inf)),
        ([math.inf, math.inf], (math.inf, math.inf, math.inf)),
        ([-math.inf, 0.5], (-math.inf, -math.inf, 0.5)),
        ([1.5e308, 1.5e308], (1.5e308, 1.5e308, 1.5e308)),
    ],
)
def test_a_miss_is_an_infinite_value(
    values: list[float], expected: tuple[float, float, float]
) -> None:
    found = intervals.spread(values)
    assert found is not None
    assert (found.median, found.low, found.high) == expected


def test_values_without_a_median_are_refused() -> None:
    with pytest.raises(ValueError, match="A value is NaN, which has no rank"):
        intervals.spread([1.0, math.nan])
    with pytest.raises(ValueError, match="The middle values are -inf and inf"):
        intervals.spread([-math.inf, math.inf])


@pytest.mark.parametrize("runs", [1, 2, 7, 40])
def test_a_band_is_the_spread_of_the_runs_that_are_there(runs: int) -> None:
    """Runs end one after another, some points are infinite, and at the last there is no run."""
    generator = np.random.default_rng(runs)
    curves = generator.standard_normal((runs, 30))
    curves[generator.random(curves.shape) < 0.1] = np.inf
    curves[np.arange(30) >= generator.integers(1, 30, runs)[:, None]] = np.nan
    median, low, high = intervals.median_band(curves)
    for point, column in enumerate(curves.T):
        found = intervals.spread(column[~np.isnan(column)].tolist())
        band = (median[point], low[point], high[point])
        if found is None:
            assert np.isnan(band).all()
        else:
            assert band == (found.median, found.low, found.high)
    assert np.isnan(median[-1])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_a_band_of_nothing_is_nan(shape: tuple[int, int]) -> None:
    for line in intervals.median_band(np.empty(shape)):
        assert line.shape == (shape[1],)
        assert np.isnan(line).all()


def test_a_band_has_no_median_between_both_infinities() -> None:
    median, low, high = intervals.median_band([[-math.inf], [math.inf]])
    assert np.isnan(median[0])
    assert (low[0], high[0]) == (-math.inf, math.inf)


def test_final_loss_is_the_mean_of_the_last_twenty() -> None:
    assert intervals.final_loss([100.0] * 80 + list(range(20))) == 9.5
    assert intervals.final_loss([1.0, 3.0]) == 2.0


def test_per_iteration_is_total_over_iterations() -> None:
    """Every tenth iteration is dear: the median would hide it."""
    run = [1.0] * 9 + [11.0]
    assert intervals.per_iteration([run, run]) == 2.0
    assert intervals.per_iteration([[1.0], [4.0, 4.0]]) == 3.0
    assert math.isnan(intervals.per_iteration([[]]))


def test_common_grid_ends_with_the_shortest_run() -> None:
    grid, (first, second) = intervals.on_common_grid(
        [[0.0, 1.0, 2.0], [0.0, 4.0]], [[0.0, 10.0, 20.0], [0.0, 4.0]], points=3
    )
    np.testing.assert_allclose(grid, [0.0, 1.0, 2.0])
    np.testing.assert_allclose(first, [0.0, 10.0, 20.0])
    np.testing.assert_allclose(second, [0.0, 1.0, 2.0])


def test_a_run_cut_short_does_not_shorten_the_others() -> None:
    times, values = [[0.0, 2.0], [0.0, 0.5]], [[0.0, 2.0], [0.0, 0.5]]
    grid, (whole, cut) = intervals.on_common_grid(times, values, 3, [True, False])
    np.testing.assert_allclose(grid, [0.0, 1.0, 2.0])
    np.testing.assert_allclose(whole, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(cut, [0.0, np.nan, np.nan])


def test_prediction_interval_against_the_formula() -> None:
    sample = [1.0, 2.0, 4.0]
    low, high = intervals.prediction_interval(sample, 0.9)
    half = scipy_stats.t.ppf(0.95, 2) * np.std(sample, ddof=1) * math.sqrt(4 / 3)
    assert (low, high) == (pytest.approx(7 / 3 - half), pytest.approx(7 / 3 + half))


def test_prediction_interval_covers_at_its_level() -> None:
    """4,000 draws at 90 %: the bounds are 5 standard errors of a proportion wide."""
    generator = np.random.default_rng(0)
    draws = generator.standard_normal((4000, 11))
    inside = [
        low <= x <= high for *s, x in draws for low, high in [intervals.prediction_interval(s, 0.9)]
    ]
    assert abs(np.mean(inside) - 0.9) < 5 * math.sqrt(0.9 * 0.1 / 4000)
