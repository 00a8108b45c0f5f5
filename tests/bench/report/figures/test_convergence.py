"""Curves, bands and crosses show the numbers that they say."""

import math
from typing import Any

import numpy as np
import pytest

from bench.report.figures import axes as drawing
from bench.report.figures import convergence
from bench.runs.record import RunRecord
from tests.bench.comparison.cases import analysed
from tests.bench.records import made_record
from tests.bench.report.figures.seen import first, lines, losses, three


def test_curves_are_medians_with_their_range() -> None:
    drawn = first(losses(analysed(three())))
    (line,) = lines(drawn)
    np.testing.assert_array_equal(line.get_ydata(), [2.0, 2.0, 2.0])
    (band,) = drawn.axes[0].collections
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert (heights.min(), heights.max()) == (1.0, 9.0)
    (single,) = lines(drawn, "seeds")
    assert np.isnan(np.asarray(single.get_ydata(), dtype=float)).sum() == 3  # a gap after each


def test_losses_are_trailing_means() -> None:
    values = np.random.default_rng(0).lognormal(size=40)
    one = analysed([made_record(losses=values.tolist())])
    (line,) = lines(first(losses(one)))
    expected = [values[max(0, n - 9) : n + 1].mean() for n in range(40)]
    np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)


def test_the_other_axes_are_seconds_and_gradient_equivalents() -> None:
    yardstick = made_record(role="plain_gradient", label="plain", minutes=-1)
    figures = losses(analysed([made_record(), yardstick]))
    assert [figure.stem for figure in figures] == [
        "stem-loss-iterations", "stem-loss-seconds", "stem-loss-gradients",
    ]  # fmt: skip
    ends = [float(np.asarray(lines(first(figures, n))[0].get_xdata())[-1]) for n in range(3)]
    # 10 ms an iteration, 5 ms a plain gradient
    np.testing.assert_allclose(ends, [2, 0.03, 6.0])


def test_runs_that_shared_the_machine_are_drawn_against_iterations_only() -> None:
    assert len(losses(analysed(three(shared=True)))) == 1


@pytest.mark.parametrize(
    ("values", "scales"),
    [
        ([3.0, 2.0, 1.0], {("linear", "log"), ("linear", "linear"), ("log", "log"),
                           ("log", "linear")}),
        ([3.0, -4.0, 1.0], {("linear", "linear"), ("log", "linear")}),
        ([3.0], {("linear", "log"), ("linear", "linear")}),
    ],
    ids=["positive", "negative", "one iteration"],
)  # fmt: skip
def test_axes_are_logarithmic_where_they_can(
    values: list[float], scales: set[tuple[str, str]]
) -> None:
    figure = losses(analysed([made_record(losses=values)]))[0]
    assert {(variant.x, variant.y) for variant in figure.variants} == scales
    for variant in figure.variants:
        axes = variant.draw().axes[0]
        assert (axes.get_xscale(), axes.get_yscale()) == (variant.x, variant.y)


def test_a_diverged_run_is_marked_at_its_last_finite_loss() -> None:
    record = made_record(losses=[2.0, 4.0, math.inf], status="diverged", diverged_at=2)
    cross = lines(first(losses(analysed([record]))))[-1]
    assert cross.get_marker() == "x"
    np.testing.assert_array_equal(cross.get_xydata(), [[1.0, 3.0]])


def test_diverged_runs_do_not_spoil_the_axis() -> None:
    """It ends a little above what lives, with crosses at its edge for the others."""
    lost = [2.0, 1e9, 1e12, math.inf]
    records = [
        made_record(losses=[3.0, 2.0, 1.0, 0.5]),
        made_record(label="lost", run_id="lost", losses=lost, status="diverged", diverged_at=3),
    ]
    one = analysed(records)
    (figure, *_) = losses(one)
    for variant in figure.variants:
        drawn = variant.draw()
        low, high = drawn.axes[0].get_ylim()
        assert 1.4 < low < 1.625 < 3.0 < high < 3.6  # of means of 3, 2, 1 and 0.5
        (cross,) = (line for line in lines(drawn) if line.get_marker() == "x")
        assert cross.get_ydata()[0] == high
        assert not cross.get_clip_on()
        ticks = [tick for tick in drawn.axes[0].get_yticks() if low <= tick <= high]
        assert len(ticks) >= 1
        assert variant.y == "log" or len(ticks) > 2


def test_a_metric_is_drawn_at_its_evaluations() -> None:
    one = analysed([made_record()])
    figures = convergence.metrics(one, drawing.items(one, drawing.series([one])), "stem")
    (line,) = lines(first(figures))
    np.testing.assert_array_equal(line.get_xydata(), [[0.0, 0.1], [3.0, 0.9]])


@pytest.mark.parametrize(("count", "shown"), [(20, 20), (25, 25), (26, 13), (100, 25)])
def test_of_many_evaluations_some_are_marked(count: int, shown: int) -> None:
    evaluations = [
        {"iteration": float(n), "seconds": n / 100, "loss": 1.0, "accuracy": n / 1000}
        for n in range(count)
    ]
    one = analysed([made_record(losses=[1.0] * count, evaluations=evaluations)])
    line = lines(first(convergence.metrics(one, drawing.items(one, drawing.series([one])), "stem")))
    assert len(line[-1].get_xdata()[:: line[-1].get_markevery()]) == shown


def evaluated(seed: int, every: int, **fields: Any) -> RunRecord:
    """A run of 60 iterations whose accuracy grows by a hundredth in each."""
    evaluations = [
        {"iteration": float(n), "seconds": n / 100, "loss": 1.0, "accuracy": n / 100}
        for n in range(0, 61, every)
    ]
    return made_record(
        seed=seed, minutes=seed, losses=[1.0] * 60, evaluations=evaluations, **fields
    )


def metric_line(records: list[RunRecord], number: int = 0) -> Any:
    one = analysed(records)
    figures = convergence.metrics(one, drawing.items(one, drawing.series([one])), "stem")
    (line,) = [x for x in lines(first(figures, number)) if x.get_marker() != "x"]
    return line


@pytest.mark.parametrize("number", [0, 1], ids=["iterations", "seconds"])
def test_runs_evaluated_at_different_iterations_are_compared_where_they_stand(number: int) -> None:
    line = metric_line([evaluated(0, 30), evaluated(1, 10)], number)
    x, y = line.get_xdata(), line.get_ydata()
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(y, x / 100 if number == 0 else x, atol=1e-12)


def test_a_logarithmic_axis_begins_with_the_first_point_beyond_zero() -> None:
    one = analysed([evaluated(0, 30), evaluated(1, 30)])
    figures = convergence.metrics(one, drawing.items(one, drawing.series([one])), "stem")
    (variant,) = [variant for variant in figures[0].variants if variant.x == "log"]
    drawn = variant.draw()
    for line in (*lines(drawn), *lines(drawn, "seeds")):
        x = np.asarray(line.get_xdata(), dtype=float)
        assert (x[np.isfinite(x)] > 0).all()
    (band,) = drawn.axes[0].collections
    assert np.asarray(band.get_paths()[0].vertices)[:, 0].min() == 30


def test_a_nan_in_between_does_not_shift_what_follows() -> None:
    hole = evaluated(1, 10)
    hole.evaluations[2]["accuracy"] = math.nan
    line = metric_line([evaluated(0, 10), hole])
    np.testing.assert_allclose(line.get_xdata(), range(0, 61, 10))
    np.testing.assert_allclose(line.get_ydata(), np.arange(7) / 10)


def test_a_diverged_run_is_infinitely_bad_from_there_on() -> None:
    ends = [[5.0] * 40, [5.0] * 10 + [math.inf], [5.0] * 20 + [math.inf]]
    records = [
        made_record(
            seed=seed, minutes=seed, losses=values, iterations=40,
            status="completed" if len(values) == 40 else "diverged",
        )
        for seed, values in enumerate(ends)
    ]  # fmt: skip
    line = next(x for x in lines(first(losses(analysed(records)))) if x.get_marker() != "x")
    assert line.get_xdata()[-1] == 19  # two of three are lost from there on


def test_losses_beyond_reason_are_not_drawn_and_spoil_nothing() -> None:
    values = [1.0, 1e308, *[2.0] * 30]
    (line,) = lines(first(losses(analysed([made_record(losses=values)]))))
    assert np.asarray(line.get_ydata()).max() <= 2.0
    assert np.asarray(line.get_ydata())[-1] == 2.0


def test_the_last_evaluation_of_a_diverged_run_counts_whenever_others_had_theirs() -> None:
    quick = evaluated(0, 30)
    quick.evaluations.pop()
    for row in quick.evaluations:
        row["seconds"] /= 10
    lost = made_record(
        seed=0, losses=[1.0] * 40, iterations=60, status="diverged",
        evaluations=quick.evaluations,
    )  # fmt: skip
    line = metric_line([lost, evaluated(1, 30)], 1)
    np.testing.assert_allclose(line.get_ydata(), [0.0, 0.3])  # later one of two is lost
