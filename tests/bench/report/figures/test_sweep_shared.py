"""What the figures of a sweep share: the order of settings, names of axes and scores, ticks."""

import math

import pytest
from matplotlib.figure import Figure

from bench.recommend.recommendation import recommend
from bench.recommend.swept import Dropped, Measure, Swept, Trial
from bench.report.figures import sweep_shared
from tests.bench.recommend import cases


@pytest.mark.parametrize("measure", [cases.LOSS, cases.ACCURACY], ids=["loss", "accuracy"])
def test_settings_are_ordered_by_what_they_are_worth(measure: Measure) -> None:
    """Complete ones by score, then dropped ones, the latest first, then those that lost runs."""
    good, poor = (0.1, 0.9) if measure is cases.LOSS else (0.9, 0.1)
    expected: list[Trial | Dropped] = [
        cases.trial({"lr": 1}, good, good),
        cases.trial({"lr": 2}, poor, poor),
        Dropped(settings={"lr": 3}, iterations=67, score=poor),
        Dropped(settings={"lr": 4}, iterations=22, score=good),
        cases.trial({"lr": 5}, good, of=2),
        cases.trial({"lr": 6}, of=2),
    ]
    swept = cases.line({1.0: (good,)}, measure=measure)
    mixed = [expected[place] for place in (4, 1, 5, 3, 0, 2)]
    assert sorted(mixed, key=lambda cell: sweep_shared.rank(swept, cell)) == expected


def test_numbers_of_an_axis_ascend_and_words_stay_as_they_were_given() -> None:
    axes = {"lr": (1, 0.1, 10), "kind": ("b", "a")}
    swept = Swept(label="x", optimizer="x", axes=axes, measure=cases.LOSS, trials=[])
    assert sweep_shared.values(swept, "lr") == [0.1, 1, 10]
    assert sweep_shared.values(swept, "kind") == ["b", "a"]


def test_a_score_is_named_with_its_unit() -> None:
    seconds = Measure(name="time_to(val_accuracy=0.9)", better="min", unit="s")
    assert sweep_shared.with_unit(cases.line({}, measure=seconds)) == (
        "time_to(val_accuracy=0.9) (s)"
    )
    assert sweep_shared.with_unit(cases.line({})) == "val_loss"


@pytest.mark.parametrize(
    ("swept", "told"),
    [
        (cases.line({0.1: (0.1, 0.2)}), " (geometric mean of 2 seeds)"),
        (cases.line({0.1: (0.1, 0.2)}, measure=cases.ACCURACY), " (mean of 2 seeds)"),
        (cases.line({0.1: (0.1,)}), " (one seed)"),
        (cases.line({0.1: ()}, of=2), ""),
    ],
    ids=["logarithms", "differences", "one seed", "nothing"],
)
def test_what_a_score_is_a_mean_of(swept: Swept, told: str) -> None:
    assert sweep_shared.over(recommend(swept)) == told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.00012345, "0.0001234"),
        (1, "1"),
        (True, "True"),
        ((0.9, 0.99), "0.9,0.99"),
        ("adam", "adam"),
    ],
)
def test_a_tick_is_what_one_would_type(value: object, shown: str) -> None:
    assert sweep_shared.tick(value) == shown


@pytest.mark.parametrize(("low", "high", "least"), [(1.0, 2.0, 2), (0.1, 3.0, 3), (1e-6, 1.0, 4)])
def test_an_axis_has_several_plain_numbers_however_far_it_reaches(
    low: float, high: float, least: int
) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    sweep_shared.plain_log(axes.yaxis, low, high)
    figure.draw_without_rendering()
    texts = [label.get_text().replace("−", "-") for label in axes.get_yticklabels()]
    shown = [float(text) for text in texts if text]
    within = [value for value in shown if low <= value <= high or math.isclose(value, high)]
    assert len(within) >= least
    assert not any(label.get_text() for label in axes.get_yticklabels(minor=True))
