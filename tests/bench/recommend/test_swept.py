"""What was swept: which settings compete, and how they are scored and compared."""

import math
from typing import Literal

import pytest

from bench.recommend.swept import Dropped, Measure, Swept
from tests.bench.recommend import cases


def test_logarithms_are_compared_only_if_every_score_has_one() -> None:
    positive = cases.line({0.1: (0.1, 0.4), 1.0: (0.2, 0.8)})
    assert positive.compares_logarithms
    assert positive.score(positive.trials[0]) == pytest.approx(0.2)
    assert positive.behind(positive.trials[1], positive.trials[0]) == pytest.approx(2.0)
    zero = cases.line({0.1: (0.0, 0.4), 1.0: (0.2, 0.8)})
    assert not zero.compares_logarithms
    assert zero.score(zero.trials[0]) == pytest.approx(0.2)
    assert zero.behind(zero.trials[1], zero.trials[0]) == pytest.approx(0.3)


def test_only_settings_with_a_score_of_every_seed_compete() -> None:
    """Seeds are those of any setting, of runs that were lost too."""
    trials = [
        cases.trial({"lr": 0.1}, 0.3, 0.4, 0.5),
        cases.trial({"lr": 0.2}, 0.1, 0.1, of=3),
        cases.trial({"lr": 0.3}, of=3),
    ]
    swept = Swept(
        label="sgd", optimizer="sgd", axes={"lr": (0.1, 0.2, 0.3, 0.4)}, measure=cases.LOSS,
        trials=trials, dropped=[Dropped(settings={"lr": 0.4}, iterations=22, score=0.9)],
    )  # fmt: skip
    assert swept.seeds == [0, 1, 2]
    assert swept.usable == trials[:1]
    assert swept.cells == 4
    assert math.isnan(swept.score(trials[2]))


def test_damping_is_the_first_of_the_numbers_and_switches_are_none() -> None:
    axes = {"lr": (0.1, 1), "nesterov": (True, False), "betas": ((0.9, 0.99),), "damping": (1,)}
    swept = Swept(label="x", optimizer="x", axes=axes, measure=cases.LOSS, trials=[])
    assert swept.numeric_axes == ["damping", "lr"]
    assert swept.usable == []


@pytest.mark.parametrize(
    ("better", "logarithmic", "behind"),
    [("min", True, 2.0), ("max", True, 0.5), ("min", False, 0.4), ("max", False, -0.4)],
)
def test_how_much_worse_a_setting_is_turns_with_what_is_better(
    better: Literal["min", "max"], logarithmic: bool, behind: float
) -> None:
    high, low = cases.trial({}, 0.8, 0.8), cases.trial({}, 0.4, 0.4)
    measure = Measure(name="m", better=better, logarithmic=logarithmic)
    swept = Swept(label="x", optimizer="x", axes={}, measure=measure, trials=[high, low])
    assert swept.behind(high, low) == pytest.approx(behind)
