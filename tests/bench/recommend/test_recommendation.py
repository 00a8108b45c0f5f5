"""The recommendation's statistics against published values and slow references."""

import json
import math
from typing import Any

import numpy as np
import pytest

from bench.recommend import recommendation
from bench.recommend.recommendation import recommend
from bench.recommend.swept import Dropped, Measure, Swept
from bench.statistics.dunnett import critical_value
from tests.bench.recommend import cases as cases


def test_the_plateau_equals_a_calculation_by_hand() -> None:
    """Five settings in a row; the noise is pooled over the best three."""
    runs = {0.1: (1.0, 1.2), 0.2: (1.1, 1.1), 0.3: (1.2, 1.6), 0.4: (1.3, 1.5), 0.5: (9.0, 3.0)}
    plain = Measure(name="score", better="min")
    found = recommend(cases.line(runs, measure=plain))
    table = np.array(list(runs.values()))[:3]
    expected = 0.0
    for row in range(3):
        for column in range(2):
            fitted = table[row].mean() + table[:, column].mean() - table.mean()
            expected += (table[row, column] - fitted) ** 2
    noise = math.sqrt(expected / 2)
    assert found.noise == pytest.approx(noise, rel=1e-12)
    difference = critical_value(4, 2) * noise * math.sqrt(2 / 2)
    assert found.critical_difference == pytest.approx(difference, rel=1e-12)
    inside = [value for value, scores in runs.items() if np.mean(scores) - 1.1 <= difference]
    assert sorted(trial.settings["lr"] for trial in found.plateau) == inside


def test_what_all_runs_of_a_seed_share_is_no_noise() -> None:
    apart = {0.1: (0.10, 0.30), 0.2: (0.11, 0.33), 0.3: (0.12, 0.36)}
    found = recommend(cases.line(apart))
    assert found.noise == pytest.approx(0, abs=1e-12)
    assert [trial.settings for trial in found.plateau] == [{"lr": 0.1}]


def test_the_centre_of_a_plateau_wins_over_its_luckiest_cell() -> None:
    """Middle and end differ by far less than the noise: the end is best, the middle is taken."""
    row = {10.0**k: (0.2, 0.22, 0.21) for k in range(-6, 1)}
    row |= {1e-5: (0.100, 0.102, 0.104), 1e-4: (0.103, 0.098, 0.104), 1e-3: (0.097, 0.104, 0.1)}
    found = recommend(cases.line(row, axis="damping"))
    assert [trial.settings["damping"] for trial in found.plateau] == [1e-3, 1e-4, 1e-5]
    assert found.best is not None
    assert found.chosen is not None
    assert found.best.settings == {"damping": 1e-3}
    assert found.chosen.settings == {"damping": 1e-4}
    reach = found.ranges["damping"]
    assert (reach.low, reach.high) == (1e-5, 1e-3)
    assert reach.below is not None
    assert reach.above is not None
    assert (reach.below.why, reach.below.value) == ("worse", 1e-6)
    assert reach.above.behind == pytest.approx(found.swept.score(found.swept.trials[-1]) / 0.1003,
                                               rel=1e-3)  # fmt: skip


def test_the_order_of_the_grid_and_of_the_trials_does_not_matter() -> None:
    swept = cases.valley(noise=0.2)
    mixed = Swept(
        label="x", optimizer="x", measure=swept.measure, trials=swept.trials[::-1],
        axes={name: values[::-1] for name, values in swept.axes.items()},
    )  # fmt: skip
    one, other = recommend(swept), recommend(mixed)
    assert one.chosen == other.chosen
    assert one.plateau == other.plateau
    assert one.ranges == other.ranges


def test_larger_is_better_mirrors_smaller_is_better() -> None:
    scores = {0.1: (0.90, 0.92), 0.2: (0.95, 0.96), 0.3: (0.94, 0.96), 0.4: (0.5, 0.6)}
    up = recommend(cases.line(scores, measure=cases.ACCURACY))
    mirrored = {lr: tuple(-s for s in runs) for lr, runs in scores.items()}
    down = recommend(cases.line(mirrored, measure=Measure(name="loss", better="min")))
    assert [t.settings for t in up.plateau] == [t.settings for t in down.plateau]
    assert up.critical_difference == pytest.approx(down.critical_difference)
    assert up.swept.behind(up.swept.trials[0], up.swept.trials[1]) == pytest.approx(0.045)


def test_one_seed_gives_the_best_cell_and_says_that_it_may_be_luck() -> None:
    found = recommend(cases.valley(seeds=1))
    assert found.plateau == [found.best] == [found.chosen]
    assert math.isnan(found.noise)
    assert found.warnings[0].startswith("One seed cannot tell settings apart")


def test_a_single_complete_setting_is_taken_with_a_warning() -> None:
    found = recommend(cases.line({0.1: (0.2, 0.3), 1.0: (0.1,)}, of=2))
    assert found.chosen is not None
    assert found.chosen.settings == {"lr": 0.1}
    assert any("Only 1 of 2 settings" in warning for warning in found.warnings)


def test_settings_that_lost_a_run_do_not_compete_and_end_a_range() -> None:
    found = recommend(cases.line({0.01: (0.3, 0.31), 0.1: (0.2, 0.21), 1.0: (0.1,)}, of=2))
    assert found.chosen is not None
    assert found.chosen.settings == {"lr": 0.1}
    above = found.ranges["lr"].above
    assert above is not None
    assert (above.why, above.value, above.lost, above.seeds) == ("lost", 1.0, {"diverged": 1}, 2)


def test_what_successive_halving_dropped_ends_a_range() -> None:
    swept = cases.valley(halved=True)
    found = recommend(swept)
    ends = [stop for reach in found.ranges.values() for stop in (reach.below, reach.above)]
    assert any(stop and (stop.why, stop.iterations) == ("dropped", 22) for stop in ends)
    assert swept.cells == 21


def test_categories_are_one_step_apart_and_have_no_range() -> None:
    trials = [
        cases.trial({"lr": lr, "betas": betas}, score, score * 1.01)
        for lr, score in ((0.1, 0.2), (1.0, 0.3))
        for betas in ((0.9, 0.99), (0.9, 0.999))
    ]
    swept = Swept(label="adam", optimizer="adam", measure=cases.LOSS, trials=trials,
                  axes={"lr": (0.1, 1.0), "betas": ((0.9, 0.99), (0.9, 0.999))})  # fmt: skip
    assert recommendation._squared_steps(swept, trials).tolist() == [
        [0, 1, 1, 2], [1, 0, 2, 1], [1, 2, 0, 1], [2, 1, 1, 0]
    ]  # fmt: skip
    assert list(recommend(swept).ranges) == ["lr"]


def test_a_scattered_sweep_has_the_plateaus_extent_and_no_edges() -> None:
    found = recommend(cases.scattered())
    reach = found.ranges["damping"]
    values = [trial.settings["damping"] for trial in found.plateau]
    assert (reach.low, reach.high) == (min(values), max(values))
    assert reach.below is reach.above is None
    assert not any("grid" in warning for warning in found.warnings)


def test_damping_comes_first() -> None:
    assert list(recommend(cases.valley()).ranges) == ["damping", "lr"]


@pytest.mark.parametrize(
    "swept",
    [cases.valley(), cases.valley(seeds=1), cases.valley(halved=True), cases.scattered(),
     cases.line({0.1: (), 1.0: ()}, of=3)],
    ids=["grid", "one seed", "halved", "scattered", "all diverged"],
)  # fmt: skip
def test_a_recommendation_is_strict_json(swept: Swept) -> None:
    found = recommend(swept)
    text = json.dumps(found.to_json(), allow_nan=False)
    read: dict[str, Any] = json.loads(text)
    assert read["label"] == swept.label
    assert read["cells"] == len(read["trials"]) + len(read["dropped"])
    assert (read["chosen"] is None) == (found.chosen is None)


def test_a_dropped_setting_without_a_score_is_null() -> None:
    swept = cases.line({0.1: (0.1, 0.2), 1.0: (0.2, 0.3)})
    dropped = [Dropped(settings={"lr": 10.0}, iterations=22, score=math.nan)]
    swept = Swept(label="sgd", optimizer="sgd", axes={"lr": (0.1, 1.0, 10.0)},
                  measure=swept.measure, trials=swept.trials, dropped=dropped)  # fmt: skip
    assert recommend(swept).to_json()["dropped"][0]["score"] is None
