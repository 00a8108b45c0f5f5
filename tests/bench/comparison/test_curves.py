"""Curves against slow references: medians over seeds, common grids, runs that diverged."""

import math
from typing import Any

import numpy as np
import pytest

from bench.comparison.curves import MOST_SEEDS, SMOOTHING, Curve, loss_curves, metric_curves
from bench.runs.record import RunRecord
from tests.bench.comparison.cases import analysed
from tests.bench.records import made_record, made_yardstick


def losses(records: list[RunRecord], axis: str = "iterations") -> Curve:
    """The curve of the only label."""
    return loss_curves(analysed(records), ["sgd"], axis)["sgd"]


def metric(records: list[RunRecord], axis: str = "iterations") -> Curve:
    return metric_curves(analysed(records), ["sgd"], axis)["sgd"]


def run(seed: int, values: list[float], *, iterations: int = 0, **fields: Any) -> RunRecord:
    """A run that diverged if it has fewer losses than iterations."""
    status = "diverged" if len(values) < iterations else "completed"
    given = {"status": status, "iterations": iterations or len(values), **fields}
    return made_record(seed=seed, minutes=seed, losses=values, **given)


def smoothed(values: list[float]) -> list[float]:
    return [float(np.mean(values[max(0, n + 1 - SMOOTHING) : n + 1])) for n in range(len(values))]


def test_a_curve_is_the_median_of_trailing_means() -> None:
    table = np.random.default_rng(0).lognormal(size=(3, 25)).tolist()
    found = losses([run(seed, values) for seed, values in enumerate(table)])
    points = list(zip(*map(smoothed, table), strict=True))
    np.testing.assert_array_equal(found.x, np.arange(25))
    np.testing.assert_allclose(found.middle, [sorted(three)[1] for three in points], rtol=1e-12)
    np.testing.assert_allclose(found.low, [min(three) for three in points], rtol=1e-12)
    np.testing.assert_allclose(found.high, [max(three) for three in points], rtol=1e-12)
    for own, values in zip(found.runs, table, strict=True):
        np.testing.assert_allclose(own.y, smoothed(values), rtol=1e-12)
    assert found.diverged == []


def test_a_diverged_run_counts_as_worst_from_its_end_on() -> None:
    """Levels 1, 5 and 9: the median is 5 while all go on, and 9 once the run at 5 is lost.

    When the best is lost too, two of three are infinite, and so is the median: the curve ends.
    """
    found = losses(
        [
            run(0, [1.0] * 20 + [math.inf], iterations=40),
            run(1, [5.0] * 10 + [math.inf], iterations=40),
            run(2, [9.0] * 40),
        ]
    )
    np.testing.assert_array_equal(found.x, np.arange(20))
    np.testing.assert_array_equal(found.middle, [5.0] * 10 + [9.0] * 10)
    np.testing.assert_array_equal(found.high, [9.0] * 20)
    assert found.diverged == [(19.0, 1.0), (9.0, 5.0)]


@pytest.mark.parametrize(("better", "lost"), [("max", 0.2), ("min", 0.8)])
def test_of_a_metric_the_worst_is_on_the_side_that_it_is_bad(better: str, lost: float) -> None:
    """Of 0.2, 0.5 and 0.8, the one in the middle diverges after its first evaluation."""
    records = []
    for seed, value in enumerate((0.2, 0.5, 0.8)):
        evaluations = [{"iteration": n, "seconds": n / 100, "m": value} for n in (0.0, 3.0)]
        if seed == 1:
            evaluations.pop()
        values = [1.0] * (2 if seed == 1 else 3)
        records.append(
            run(seed, values, iterations=3, evaluations=evaluations, metrics={"m": better})
        )
    found = metric(records)
    np.testing.assert_array_equal(found.x, [0.0, 3.0])
    np.testing.assert_array_equal(found.middle, [0.5, lost])


def test_in_seconds_runs_are_interpolated_where_all_are() -> None:
    """At 10 ms and at 40 ms an iteration: from the first point of the slow to the fast one's end.

    Of an even number of runs the median is the mean of the middle two.
    """
    falling = [float(12 - n) for n in range(12)]
    found = losses([run(0, falling), run(1, falling, phase_s=(0.01,) * 4)], "seconds")
    grid = np.linspace(0.04, 0.12, 120)
    both = [
        np.interp(grid, np.arange(1, 13) * iteration_s, smoothed(falling))
        for iteration_s in (0.01, 0.04)
    ]
    np.testing.assert_allclose(found.x, grid, rtol=1e-12)
    np.testing.assert_allclose(found.middle, np.mean(both, axis=0), rtol=1e-12)
    np.testing.assert_allclose([found.low, found.high], both, rtol=1e-12)


def test_gradient_equivalents_are_seconds_over_the_plain_gradient() -> None:
    records = [run(0, [3.0, 2.0, 1.0]), made_yardstick(-1, 0.004)]
    seconds, gradients = (losses(records, axis) for axis in ("seconds", "gradients"))
    np.testing.assert_allclose(gradients.x, seconds.x / 0.004)
    np.testing.assert_allclose(gradients.middle, seconds.middle, rtol=1e-12)
    assert loss_curves(analysed(records[:1]), ["sgd"], "gradients") == {}


@pytest.mark.parametrize("axis", ["seconds", "gradients"])
def test_a_run_that_shared_the_machine_has_no_place_in_time(axis: str) -> None:
    records = [run(0, [3.0, 2.0, 1.0], shared=True), made_yardstick(-1, 0.004)]
    one = analysed(records)
    assert loss_curves(one, ["sgd"], axis) == metric_curves(one, ["sgd"], axis) == {}
    assert len(losses(records).x) == 3


def test_evaluations_that_all_have_are_medians_where_they_are() -> None:
    """At the median of their seconds, without interpolation."""
    times = [(0.0, 1.0, 2.0), (0.0, 2.0, 6.0), (0.0, 3.0, 4.0)]
    values = [(0.1, 0.5, 0.9), (0.2, 0.3, 0.8), (0.0, 0.4, 0.7)]
    records = [
        run(seed, [1.0] * 3, evaluations=[
            {"iteration": float(n), "seconds": second, "loss": 1.0, "accuracy": value}
            for n, (second, value) in enumerate(zip(*both, strict=True))
        ])
        for seed, both in enumerate(zip(times, values, strict=True))
    ]  # fmt: skip
    found = metric(records, "seconds")
    np.testing.assert_array_equal(found.x, [0.0, 2.0, 4.0])
    np.testing.assert_array_equal(found.middle, [0.1, 0.4, 0.8])


def test_a_long_run_is_thinned_and_keeps_its_ends() -> None:
    """Many seeds, too: their median is of all, the single runs that are kept are the first."""
    records = [run(seed, [float(seed)] * 1000) for seed in range(15)]
    found = losses(records)
    assert len(found.x) == 120
    assert (found.x[0], found.x[-1]) == (0, 999)
    np.testing.assert_array_equal(found.middle, np.full(120, 7.0))
    assert [own.y[0] for own in found.runs] == list(range(MOST_SEEDS))
    assert all((len(own.x), own.x[0], own.x[-1]) == (120, 0, 999) for own in found.runs)


def test_beyond_zero_only_what_a_logarithmic_axis_has_is_left() -> None:
    found = losses([run(0, [3.0, 2.0, 1.0]), run(1, [4.0, math.inf], iterations=3)])
    left = found.beyond_zero()
    np.testing.assert_array_equal(left.x, found.x[1:])
    assert [own.x.tolist() for own in left.runs] == [[1.0, 2.0], []]
    assert found.diverged == [(0.0, 4.0)]
    assert left.diverged == []


def test_what_is_shown_is_all_that_is_finite() -> None:
    found = losses([run(0, [3.0, 2.0, 1.0]), run(1, [5.0, 1e308, 4.0])])
    assert (found.shown.min(), found.shown.max()) == (2.0, 5.0)
    assert np.isfinite(found.shown).all()
