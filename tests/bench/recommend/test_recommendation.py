"""The recommendation's statistics against published values and slow references."""

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.recommend import recommendation
from bench.recommend.next_grid import next_grid
from bench.recommend.recommendation import recommend
from bench.recommend.rivals import rivals
from bench.recommend.swept import Dropped, Measure, Swept
from bench.statistics.dunnett import critical_value
from tests.bench.recommend import cases as cases


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


def test_logarithms_are_compared_only_if_every_score_has_one() -> None:
    positive = cases.line({0.1: (0.1, 0.4), 1.0: (0.2, 0.8)})
    assert positive.compares_logarithms
    assert positive.score(positive.trials[0]) == pytest.approx(0.2)
    assert positive.behind(positive.trials[1], positive.trials[0]) == pytest.approx(2.0)
    zero = cases.line({0.1: (0.0, 0.4), 1.0: (0.2, 0.8)})
    assert not zero.compares_logarithms
    assert zero.score(zero.trials[0]) == pytest.approx(0.2)
    assert zero.behind(zero.trials[1], zero.trials[0]) == pytest.approx(0.3)


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


@pytest.mark.parametrize(
    ("swept", "message"),
    [
        (cases.line({0.1: (), 1.0: ()}, of=3), "All 6 runs of sgd diverged"),
        (cases.line({0.1: (0.1,), 1.0: ()}, of=2), r"score of every seed \(3 diverged of 4 runs\)"),
        (cases.line({}), "No setting of sgd was trained"),
    ],
    ids=["all diverged", "none complete", "nothing"],
)
def test_without_a_complete_setting_nothing_is_recommended(swept: Swept, message: str) -> None:
    found = recommend(swept)
    assert found.chosen is found.best is None
    assert found.plateau == []
    assert len(found.warnings) == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(found.warnings[0])


def test_missing_runs_are_counted() -> None:
    swept = cases.line({0.01: (0.2, 0.3), 0.1: (0.1, 0.15)})
    holes = [
        cases.trial({"lr": 1.0}, 0.3, lost="failed", of=2),
        cases.trial({"lr": 10.0}, lost="not run", of=2),
    ]
    swept = Swept(label="sgd", optimizer="sgd", axes={"lr": (0.01, 0.1, 1.0, 10.0)},
                  measure=swept.measure, trials=[*swept.trials, *holes])  # fmt: skip
    assert recommend(swept).warnings[0] == (
        "3 runs of 2 settings of sgd are missing (1 failed, 2 not run): the picture is incomplete."
    )


def test_a_wide_plateau_says_how_many_seeds_would_tell_more() -> None:
    swept = cases.line({0.1: (0.10, 0.13), 0.2: (0.12, 0.11), 0.3: (0.11, 0.12), 0.4: (0.9, 0.8)})
    found = recommend(swept)
    assert len(found.plateau) == 3
    d = critical_value(3, 2)
    needed = math.ceil(2 * (d * found.noise / math.log(1.1)) ** 2)
    assert any(f"about {needed} seeds would tell one that is 10 % worse" in warning
               for warning in found.warnings)  # fmt: skip


def test_a_best_setting_at_the_edge_gives_the_grid_to_try_next() -> None:
    row = {10.0**k: (0.1 + 0.1 * (k + 6), 0.11 + 0.1 * (k + 6)) for k in range(-6, 1)}
    swept = cases.line(row, axis="damping", label="ggn")
    assert recommend(swept).warnings == [
        "The best setting of ggn has damping=1e-06, the smallest of the grid: better ones may lie "
        "below; sweep on with --grid damping=1e-09:0.001:log7."
    ]
    assert "--grid ggn.damping=1e-09:0.001:log7." in recommend(swept, with_label=True).warnings[0]


def test_zero_and_single_values_are_no_edge() -> None:
    zero = cases.line({0.0: (0.1, 0.11), 0.5: (0.3, 0.32), 0.9: (0.5, 0.52)}, axis="momentum")
    assert recommend(zero).warnings == []
    assert recommend(cases.line({0.1: (0.2, 0.3)})).warnings == [
        "Only 1 of 1 settings of sgd has a score of every seed: there is no other one to compare "
        "it with."
    ]


@pytest.mark.parametrize(
    ("values", "centre", "expected"),
    [
        ([10.0**k for k in range(-6, 1)], 1e-6, "1e-09:0.001:log7"),
        ([1e-3, 1e-2, 1e-1, 1.0], 1.0, "0.1:100:log4"),
        ([5, 10], 5, "2.5:5:log2"),
        ([1.0, 2.0, 3.0], 3.0, "2:4:lin3"),
        ([1.0, 2.0, 3.0], 1.0, "0.5,1,2"),
        ([1, 3, 10, 30], 30, "10,30,90,270"),
        ([0, 0.01, 0.1, 1], 1, "0.1,1,10,100"),
        ([0, 0.5, 2], 0, None),
        ([-2.0, 0.0, 1.0], 1.0, None),
    ],
)
def test_the_next_grid_has_the_edge_in_its_middle(
    values: list[float], centre: float, expected: str | None
) -> None:
    assert next_grid(values, centre) == expected


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


def test_rivals_are_paired_over_seeds() -> None:
    own = recommend(cases.line({0.1: (0.10, 0.20, 0.40)}, label="ggn"))
    other = recommend(cases.line({0.1: (0.20, 0.38, 0.84), 1.0: (0.9, 0.9, 0.9)}, label="sgd"))
    (found,) = rivals(own, [other])
    differences = np.log([0.10 / 0.20, 0.20 / 0.38, 0.40 / 0.84])
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found.effect == pytest.approx(math.exp(differences.mean()), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)), rel=1e-9)
    assert (found.verdict, found.own_cells, found.cells, found.seeds) == ("better", 1, 2, 3)


def test_the_best_rival_comes_first_and_one_seed_decides_nothing() -> None:
    own = recommend(cases.line({0.1: (0.9,)}, label="ggn", measure=cases.ACCURACY))
    good = recommend(cases.line({0.1: (0.95,)}, label="adam", measure=cases.ACCURACY))
    bad = recommend(cases.line({0.1: (0.5,)}, label="sgd", measure=cases.ACCURACY))
    lost = recommend(cases.line({0.1: ()}, label="lost", measure=cases.ACCURACY, of=1))
    found = rivals(own, [bad, lost, good])
    assert [rival.rival for rival in found] == ["adam", "sgd"]
    assert [rival.verdict for rival in found] == ["undecided", "undecided"]
    assert json.loads(json.dumps(found[0].to_json(), allow_nan=False))["low"] is None


def test_rivals_of_another_measure_are_refused() -> None:
    own = recommend(cases.line({0.1: (0.9, 0.8)}, label="ggn", measure=cases.ACCURACY))
    with pytest.raises(ValueError, match="ggn is judged by val_accuracy, sgd by val_loss"):
        rivals(own, [recommend(cases.line({0.1: (0.9, 0.8)}))])
