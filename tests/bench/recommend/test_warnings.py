"""What is said before a recommendation is relied on: what is lacking, unclear or at an edge."""

import math
import re
from dataclasses import replace

import pytest

from bench.recommend.recommendation import recommend
from bench.recommend.swept import Measure, Swept
from bench.recommend.wording import sentence
from bench.statistics.dunnett import critical_value
from tests.bench.recommend import cases


@pytest.mark.parametrize(
    ("swept", "message"),
    [
        (cases.line({0.1: (), 1.0: ()}, of=3), "All 6 runs of sgd diverged"),
        (cases.line({0.1: (0.1,), 1.0: ()}, of=2), r"score of every seed \(3 diverged of 4 runs\)"),
        (cases.line({}), "No setting of sgd was trained"),
        (
            cases.line({0.1: (0.1,)}, of=2, lost="not applicable"),
            r"score of every seed \(1 not applicable of 2 runs\)",
        ),
        (
            cases.line({0.1: ()}, of=2, lost="not applicable"),
            "All 2 runs of sgd are not applicable",
        ),
    ],
    ids=["all diverged", "none complete", "nothing", "some refused", "all refused"],
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
    needed = 2 * (d * found.noise / math.log(1.1)) ** 2
    said = f"about {math.ceil(needed)} seeds would tell one that is 10 % worse"
    assert any(said in warning for warning in found.warnings)
    noisy = cases.line({0.1: (0.1, 0.3), 0.2: (0.32, 0.11), 0.3: (0.11, 0.3), 0.4: (0.9, 0.8)})
    (warning,) = (text for text in recommend(noisy).warnings if "seeds would tell" in text)
    told = re.search(r"about (\d+) seeds", warning)
    assert told is not None
    assert int(told[1]) > 1000  # two digits of it
    assert told[1].endswith("00")


def test_a_wide_plateau_has_no_ranges() -> None:
    """Three of four settings in it: that says how little is known, and not how far one may go."""
    wide = cases.line({0.1: (0.10, 0.13), 0.2: (0.12, 0.11), 0.3: (0.11, 0.12), 0.4: (0.9, 0.8)})
    assert "may be" not in sentence(recommend(wide))
    narrow = cases.line({0.1: (0.1, 0.1), 0.2: (0.5, 0.52), 0.3: (0.6, 0.61), 0.4: (0.9, 0.8)})
    assert "may be" in sentence(recommend(narrow)) or len(recommend(narrow).plateau) == 1


@pytest.mark.parametrize(
    ("measure", "untrained", "told"),
    [
        (cases.LOSS, 0.15, False),
        (cases.LOSS, 0.1, True),
        (cases.LOSS, math.nan, False),
        (cases.ACCURACY, 0.05, False),
        (cases.ACCURACY, 0.99, True),
    ],
)
def test_a_best_that_is_no_better_than_no_training_is_said(
    measure: Measure, untrained: float, told: bool
) -> None:
    swept = cases.line({0.1: (0.11, 0.13), 0.2: (0.5, 0.52), 0.3: (0.6, 0.6)}, measure=measure)
    swept = replace(swept, untrained=untrained)
    start = "No setting of sgd is better than the untrained model: the best ends with"
    assert any(text.startswith(start) for text in recommend(swept).warnings) == told


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
