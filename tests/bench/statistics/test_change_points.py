"""Change points that are changes, spikes that are not, and drifts that are called so."""

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy import stats

from bench.evidence import history_simulation as simulation
from bench.statistics.change_points import course


def noisy(levels: list[tuple[int, float]], scatter: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    values = np.concatenate([np.full(count, level) for count, level in levels])
    return values * np.exp(generator.normal(0, scatter, len(values)))


def changed(values: ArrayLike) -> list[int]:
    """Where the level changes."""
    return [change.first for change in course(values).changes]


def test_a_lasting_change_is_found_where_it_happened() -> None:
    assert changed(noisy([(12, 2.0), (10, 2.3)], 0.01, 0)) == [12]
    assert changed(noisy([(10, 2.0), (10, 2.3), (10, 2.0)], 0.01, 1)) == [
        10,
        20,
    ]


@pytest.mark.parametrize("position", [0, 7, 19])
@pytest.mark.parametrize("height", [1.2, 3.0, 50.0])
def test_one_spike_is_no_change_point(position: int, height: float) -> None:
    values = noisy([(20, 2.0)], 0.01, 2)
    values[position] *= height
    assert changed(values) == []


def test_two_spikes_in_a_row_are_none_either() -> None:
    values = noisy([(20, 2.0)], 0.01, 3)
    values[8:10] *= 1.5
    assert changed(values) == []


@pytest.mark.parametrize("levels", [(12, 3), (3, 12), (9, 3, 8)])
def test_three_points_are_no_change_wherever_they_are(levels: tuple[int, ...]) -> None:
    """Neither do they drag a neighbour into a segment that is long enough."""
    heights = [2.0, 2.4, 2.0] if len(levels) == 3 else [2.0, 2.4]
    for seed in range(20):
        values = noisy(list(zip(levels, heights, strict=True)), 0.005, seed)
        assert changed(values) == []


def test_four_points_are_a_change_where_they_begin() -> None:
    for seed in range(20):
        assert changed(noisy([(12, 2.0), (4, 2.4)], 0.01, seed)) == [12]


def test_noise_alone_rarely_makes_a_change_point() -> None:
    """At most 5 % of 200 series of 30 points with 3 % scatter."""
    found = sum(bool(changed(noisy([(30, 2.0)], 0.03, seed))) for seed in range(200))
    assert found <= 10


def test_five_percent_in_two_percent_of_scatter_is_found() -> None:
    """In at least 80 % of 100 series, within two points of where it happened."""
    found = 0
    for seed in range(100):
        changes = changed(noisy([(15, 2.0), (15, 2.1)], 0.02, seed))
        found += len(changes) == 1 and abs(changes[0] - 15) <= 2
    assert found >= 80


@pytest.mark.parametrize("noise", simulation.NOISE)
@pytest.mark.parametrize("sessions", [8, 12, 20])
def test_at_most_two_percent_of_series_without_a_change_show_one(noise: str, sessions: int) -> None:
    """Of 400; the bound is the 99.9th percentile of the count at 2 %."""
    found = simulation.simulate(400, (noise, "none", sessions))
    assert float(str(found["new"])) * 400 <= stats.binom.ppf(0.999, 400, 0.02)


def test_a_drift_is_a_drift_and_neither_is_a_step() -> None:
    generator = np.random.default_rng(0)
    line = np.linspace(0, np.log(1.2), 40) + generator.normal(0, 0.01, 40)
    found = course(np.exp(line))
    assert found.changes == []
    assert found.drift == pytest.approx(1.2, rel=0.03)
    assert course(noisy([(20, 2.0), (20, 2.4)], 0.01, 0)).drift is None
    assert course(noisy([(40, 2.0)], 0.01, 0)).drift is None


def test_where_a_change_may_lie_is_wider_the_more_points_scatter() -> None:
    """And holds where it was, in at least 90 % of 200 series."""
    held, widths = [], []
    for scatter in (0.005, 0.03):
        found = [
            course(noisy([(15, 2.0), (15, 2.2)], scatter, seed)).changes for seed in range(200)
        ]
        ones = [changes[0] for changes in found if len(changes) == 1]
        held.append(np.mean([one.earliest <= 15 <= one.latest for one in ones]))
        widths.append(np.mean([one.latest - one.earliest for one in ones]))
        assert len(ones) > 150
    assert min(held) >= 0.9
    assert widths[0] < 0.2 < widths[1]


def test_a_change_below_the_threshold_is_none() -> None:
    assert changed(noisy([(20, 2.0), (20, 2.02)], 0.001, 0)) == []


def test_few_points_have_no_change_point() -> None:
    assert changed([1.0, 1.0, 2.0, 2.0, 2.0]) == []
