"""Dunnett's critical values against his table, Student's t and Monte Carlo."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.statistics.dunnett import critical_value


@pytest.mark.parametrize(
    ("degrees", "published"),
    [
        (5, [2.02, 2.44, 2.68, 2.85, 2.98, 3.08, 3.16, 3.24, 3.30]),
        (20, [1.72, 2.03, 2.19, 2.30, 2.39, 2.46, 2.51, 2.56, 2.60]),
    ],
)
def test_critical_values_are_those_of_dunnetts_table(degrees: int, published: list[float]) -> None:
    """Dunnett (1955), table 1a: one-sided, joint confidence 95 %, 1 to 9 comparisons."""
    found = [critical_value(comparisons, degrees) for comparisons in range(1, 10)]
    assert found == pytest.approx(published, abs=0.0051)


@pytest.mark.parametrize("degrees", [1, 2, 7, 300])
def test_of_one_comparison_the_critical_value_is_students(degrees: int) -> None:
    assert critical_value(1, degrees) == pytest.approx(stats.t.ppf(0.95, degrees), rel=1e-5)


@pytest.mark.parametrize(("comparisons", "degrees"), [(20, 16), (44, 2), (8, 60)])
def test_critical_values_hold_by_monte_carlo(comparisons: int, degrees: int) -> None:
    """In 200,000 draws the joint coverage is 95 % within four standard errors, 0.2 %."""
    generator = np.random.default_rng(0)
    best = generator.standard_normal((200_000, 1))
    others = generator.standard_normal((200_000, comparisons))
    scale = np.sqrt(generator.chisquare(degrees, 200_000) / degrees)
    largest = (others - best).max(axis=1) / (math.sqrt(2) * scale)
    assert np.mean(largest <= critical_value(comparisons, degrees)) == pytest.approx(
        0.95, abs=0.002
    )


@pytest.mark.parametrize(
    ("comparisons", "degrees", "confidence"), [(0, 5, 0.95), (3, 0, 0.95), (3, 5, 1.0)]
)
def test_impossible_critical_values_are_refused(
    comparisons: int, degrees: int, confidence: float
) -> None:
    with pytest.raises(ValueError, match="are not valid"):
        critical_value(comparisons, degrees, confidence)
