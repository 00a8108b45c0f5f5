"""Figures show the numbers they say: curves, bands, crosses, times to targets, profiles, bars."""

import math
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawn
from matplotlib.patches import Rectangle

from bench.comparison import groups
from bench.comparison.analysis import Analysis, Profiles, analyse
from bench.report.document import Figure
from bench.report.figures import axes as drawing
from bench.report.figures import convergence, phase_bars, targets
from bench.runs.record import RunRecord
from bench.statistics.profiles import profile
from tests.bench.records import made_record


def analysed(records: list[RunRecord], **options: Any) -> Analysis:
    (group,) = groups.split(records)
    return analyse(group, **options)


def first(figures: list[Figure], number: int = 0) -> Drawn:
    return figures[number].variants[0].draw()


def losses(one: Analysis) -> list[Figure]:
    return convergence.losses(one, drawing.items(one, drawing.series([one])), "stem")


def lines(drawn: Drawn, part: str = "line") -> list[Any]:
    return [line for line in drawn.axes[0].lines if str(line.get_gid()).endswith(f":{part}")]


def three(**fields: Any) -> list[RunRecord]:
    return [
        made_record(seed=seed, minutes=seed, losses=[value] * 3, **fields)
        for seed, value in enumerate([1.0, 2.0, 9.0])
    ]


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


def test_a_metric_is_drawn_at_its_evaluations() -> None:
    one = analysed([made_record()])
    figures = convergence.metrics(one, drawing.items(one, drawing.series([one])), "stem")
    (line,) = lines(first(figures))
    np.testing.assert_array_equal(line.get_xydata(), [[0.0, 0.1], [3.0, 0.9]])


def test_forty_optimizers_look_different() -> None:
    records = [made_record(label=f"{n}", run_id=f"{n}", problem=f"{n // 10}") for n in range(40)]
    found = drawing.series([analyse(group) for group in groups.split(records)])
    assert len({(one.colour, one.marker, one.dash) for one in found}) == 40


def test_times_to_targets_show_medians_and_misses() -> None:
    def run(seed: int, end: float) -> RunRecord:
        evaluations = [
            {"iteration": 0.0, "seconds": 0.0, "loss": 2.0, "accuracy": 0.1},
            {"iteration": 3.0, "seconds": 0.03, "loss": 1.0, "accuracy": end},
        ]
        return made_record(seed=seed, minutes=seed, evaluations=evaluations)

    one = analysed(
        [run(0, 0.9), run(1, 0.9), run(2, 0.6)],
        wanted=[("accuracy", 0.5), ("accuracy", 0.8), ("accuracy", 0.95)],
    )
    items = drawing.items(one, drawing.series([one]))
    figures = targets.times_to_targets(one, items, "stem")
    assert [figure.stem for figure in figures] == ["stem-target-iterations", "stem-target-seconds"]
    linear = figures[0].variants[1].draw()
    medians = [line.get_xydata()[0].tolist() for line in lines(linear) if line.get_marker() == "o"]
    missed = 3.0 * 1.15
    assert medians == [[0.0, 3.0], [1.0, 3.0], [2.0, pytest.approx(missed)]]
    whiskers = [line.get_ydata().tolist() for line in lines(linear) if len(line.get_xdata()) == 2]
    assert whiskers == [[3, 3], [3, pytest.approx(missed)], [pytest.approx(missed)] * 2]
    assert "0.95 never" in figures[0].alt
    assert "never (∞)" in [text.get_text() for text in linear.axes[0].texts]


def test_profiles_are_steps_of_their_shares() -> None:
    times = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, math.inf], [1.0, 3.0]])
    found = Profiles(labels=["a", "b"], by_unit={"seconds": profile(times)}, left_out=[])
    records = [made_record(label=label, run_id=label) for label in ("a", "b")]
    known = drawing.series([analysed(records)])
    (figure,) = targets.performance_profiles(found, known)
    a, b = lines(first([figure]))
    np.testing.assert_allclose(a.get_xydata()[:, 0], [1, 2, 3, 3.45])
    np.testing.assert_allclose(a.get_ydata(), [75, 100, 100, 100])
    np.testing.assert_allclose(b.get_ydata(), [25, 50, 75, 75])
    assert "a is the fastest in 75 % and gets there in 100 %" in figure.alt


def test_bars_are_medians_of_phases() -> None:
    records = [
        made_record(seed=seed, minutes=seed, phase_s=(0.001, 0.002, backward, 0.004))
        for seed, backward in enumerate([0.003, 0.005, 0.010])
    ]
    one = analysed(records)
    figure = phase_bars.phase_bars(one, drawing.items(one, drawing.series([one])), "stem")
    assert figure is not None
    patches = first([figure]).axes[0].patches
    bars = [patch.get_width() for patch in patches if isinstance(patch, Rectangle)]
    np.testing.assert_allclose(bars, [1, 2, 5, 4])
    assert phase_bars.phase_bars(analysed(three(shared=True)), [], "stem") is None


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


def test_labels_that_begin_with_an_underscore_are_in_the_key() -> None:
    records = [made_record(label=label, run_id=label) for label in ("_a", "b")]
    (key,) = first(losses(analysed(records))).legends
    assert {text.get_text() for text in key.texts} == {"_a", "b"}


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
