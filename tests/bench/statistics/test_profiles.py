"""Performance profiles against counting in exact numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest

from bench.statistics.profiles import profile


@pytest.mark.parametrize("seed", range(20))
def test_profiles_equal_counting_in_exact_numbers(seed: int) -> None:
    """Small whole times, so that ratios coincide, with misses and zeros."""
    generator = np.random.default_rng(seed)
    table = generator.integers(0 if seed % 2 else 1, 9, (12, 3)).astype(float)
    table[generator.random(table.shape) < 0.3] = math.inf
    never = Fraction(10**9)

    def ratio(time: float, least: float) -> Fraction:
        if time == least:
            return Fraction(1)
        return never if math.isinf(time) or least == 0 else Fraction(int(time), int(least))

    solved = [row for row in table.tolist() if min(row) < math.inf]
    ratios = [[ratio(time, min(row)) for time in row] for row in solved]
    steps = sorted({found for row in ratios for found in row if found < never})
    shares = [
        [sum(row[solver] <= step for row in ratios) / len(ratios) for solver in range(3)]
        for step in steps
    ]
    found = profile(table)
    np.testing.assert_allclose(found.ratios, [float(step) for step in steps], rtol=1e-15)
    np.testing.assert_allclose(found.shares, shares, rtol=1e-15)
    assert (found.instances, found.unsolved) == (len(ratios), 12 - len(ratios))


def test_a_profile_by_hand() -> None:
    """The first solver wins once, ties at zero once and loses once; one instance is too hard."""
    inf = math.inf
    found = profile([[1.0, 3.0], [0.0, 0.0], [inf, 2.0], [inf, inf], [0.0, 5.0]])
    np.testing.assert_array_equal(found.ratios, [1.0, 3.0])
    np.testing.assert_array_equal(found.shares, [[0.75, 0.5], [0.75, 0.75]])
    assert (found.instances, found.unsolved) == (4, 1)


@pytest.mark.parametrize("times", [np.empty((0, 2)), np.full((3, 2), math.inf)])
def test_a_profile_of_nothing_is_zero(times: np.ndarray) -> None:
    found = profile(times)
    np.testing.assert_array_equal(found.ratios, [1.0])
    np.testing.assert_array_equal(found.shares, [[0.0, 0.0]])
    assert (found.instances, found.unsolved) == (0, len(times))


def test_a_ratio_beyond_all_floats_is_a_miss() -> None:
    found = profile([[1e-300, 1e300]])
    np.testing.assert_array_equal(found.shares, [[1.0, 0.0]])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([[1.0, math.nan]], "A time is negative or NaN"),
        ([[1.0, -1.0]], "A time is negative or NaN"),
        ([1.0, 2.0], r"times has shape \(2,\)"),
        ([[], []], r"times has shape \(2, 0\)"),
    ],
)
def test_impossible_times_are_refused(times: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        profile(times)
