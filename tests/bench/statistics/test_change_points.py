"""Change points that are changes, and spikes that are not."""

import numpy as np
import pytest

from bench.statistics import change_points


def noisy(levels: list[tuple[int, float]], scatter: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    values = np.concatenate([np.full(count, level) for count, level in levels])
    return values * np.exp(generator.normal(0, scatter, len(values)))


def test_a_lasting_change_is_found_where_it_happened() -> None:
    assert change_points.change_points(noisy([(12, 2.0), (10, 2.3)], 0.01, 0)) == [12]
    assert change_points.change_points(noisy([(10, 2.0), (10, 2.3), (10, 2.0)], 0.01, 1)) == [
        10,
        20,
    ]


@pytest.mark.parametrize("position", [0, 7, 19])
@pytest.mark.parametrize("height", [1.2, 3.0, 50.0])
def test_one_spike_is_no_change_point(position: int, height: float) -> None:
    values = noisy([(20, 2.0)], 0.01, 2)
    values[position] *= height
    assert change_points.change_points(values) == []


def test_two_spikes_in_a_row_are_none_either() -> None:
    values = noisy([(20, 2.0)], 0.01, 3)
    values[8:10] *= 1.5
    assert change_points.change_points(values) == []


@pytest.mark.parametrize("levels", [(12, 3), (3, 12), (9, 3, 8)])
def test_three_points_are_no_change_wherever_they_are(levels: tuple[int, ...]) -> None:
    """Neither do they drag a neighbour into a segment that is long enough."""
    heights = [2.0, 2.4, 2.0] if len(levels) == 3 else [2.0, 2.4]
    for seed in range(20):
        values = noisy(list(zip(levels, heights, strict=True)), 0.005, seed)
        assert change_points.change_points(values) == []


def test_four_points_are_a_change_where_they_begin() -> None:
    for seed in range(20):
        assert change_points.change_points(noisy([(12, 2.0), (4, 2.4)], 0.01, seed)) == [12]


def test_noise_alone_rarely_makes_a_change_point() -> None:
    """At most 5 % of 200 series of 30 points with 3 % scatter."""
    found = sum(
        bool(change_points.change_points(noisy([(30, 2.0)], 0.03, seed))) for seed in range(200)
    )
    assert found <= 10


def test_five_percent_in_two_percent_of_scatter_is_found() -> None:
    """In at least 90 % of 100 series, within two points of where it happened."""
    found = 0
    for seed in range(100):
        changes = change_points.change_points(noisy([(15, 2.0), (15, 2.1)], 0.02, seed))
        found += len(changes) == 1 and abs(changes[0] - 15) <= 2
    assert found >= 90


def test_a_change_below_the_threshold_is_none() -> None:
    assert change_points.change_points(noisy([(20, 2.0), (20, 2.02)], 0.001, 0)) == []


def test_few_points_have_no_change_point() -> None:
    assert change_points.change_points([1.0, 1.0, 2.0, 2.0, 2.0]) == []
