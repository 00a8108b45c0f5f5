"""Times to targets and performance profiles as they are drawn."""

import math

import numpy as np

from bench.comparison.analysis import Profiles
from bench.report.figures import axes, targets
from bench.runs.record import RunRecord
from bench.statistics.profiles import profile
from tests.bench.comparison.cases import analysed
from tests.bench.records import made_record
from tests.bench.report.figures.seen import first, lines


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
    items = axes.items(one, axes.series([one]))
    figures = targets.times_to_targets(one, items, "stem")
    assert [figure.stem for figure in figures] == ["stem-target-iterations", "stem-target-seconds"]
    linear = figures[0].variants[1].draw()
    medians = [line.get_xydata()[0].tolist() for line in lines(linear) if line.get_marker() == "o"]
    missed = 2.625 * 1.15
    expected = [[0, 1.5], [1, 2.625], [2, missed]]
    np.testing.assert_allclose(medians, expected)
    whiskers = [line.get_ydata().tolist() for line in lines(linear) if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(whiskers, [[1.5, 2.4], [2.625, missed], [missed, missed]])
    assert "0.95 never" in figures[0].alt
    assert "never (∞)" in [text.get_text() for text in linear.axes[0].texts]


def test_profiles_are_steps_of_their_shares() -> None:
    times = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, math.inf], [1.0, 3.0]])
    found = Profiles(labels=["a", "b"], by_unit={"seconds": profile(times)}, left_out=[])
    records = [made_record(label=label, run_id=label) for label in ("a", "b")]
    known = axes.series([analysed(records)])
    (figure,) = targets.performance_profiles(found, known)
    a, b = lines(first([figure]))
    np.testing.assert_allclose(a.get_xydata()[:, 0], [1, 2, 3, 3.45])
    np.testing.assert_allclose(a.get_ydata(), [75, 100, 100, 100])
    np.testing.assert_allclose(b.get_ydata(), [25, 50, 75, 75])
    assert "a is the fastest in 75 % and gets there in 100 %" in figure.alt
