"""What is tied with the best: against SciPy, against a linear model, and how often it is right."""

import math
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from bench.statistics import ranking
from bench.statistics.ranking import Ranking, rank


def by_label(table: np.ndarray, first_seed: int = 0) -> dict[str, dict[int, float]]:
    """Values of labels a, b, ... from ``[labels, seeds]``."""
    return {
        chr(ord("a") + index): {first_seed + seed: float(value) for seed, value in enumerate(row)}
        for index, row in enumerate(table)
    }


@pytest.mark.parametrize("better", ["min", "max"])
@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_of_two_labels_it_is_students_paired_test(
    better: Literal["min", "max"], logarithmic: bool, seeds: int
) -> None:
    generator = np.random.default_rng(seeds)
    verdicts = set()
    for shift in np.linspace(-1, 1, 41):
        table = np.exp(generator.normal(0, 0.3, (2, seeds)) + np.array([[0], [shift]]))
        found = rank(by_label(table), better=better, logarithmic=logarithmic)
        compared = np.log(table) if logarithmic else table
        costs = compared if better == "min" else -compared
        best = int(costs.mean(axis=1).argmin())
        worse = stats.ttest_rel(costs[1 - best], costs[best], alternative="greater")
        other = "ba"[best]
        assert (found.leader, found.best, found.seeds) == ("ab"[best], "ab"[best], seeds)
        assert (found.tied, found.worse) == (
            ((), (other,)) if worse.pvalue < 0.05 else ((other,), ())
        )
        verdicts.add(found.tied == ())
    assert verdicts == {True, False}


def test_of_three_labels_it_is_dunnetts_test_in_the_additive_model() -> None:
    """Noise by least squares; a label is worse if its t is beyond where both of two t hold at 95 %.

    Two comparisons with the same label correlate by one half. SciPy integrates that distribution to
    1e-5; a draw as close as that to the border would tell nothing, but there is none.
    """
    seeds, generator, verdicts = 4, np.random.default_rng(0), set()
    degrees = 2 * (seeds - 1)
    joint = stats.multivariate_t(shape=[[1, 0.5], [0.5, 1]], df=degrees, seed=0)
    columns = [(np.arange(3 * seeds) // seeds) == label for label in range(3)]
    columns += [(np.arange(3 * seeds) % seeds) == seed for seed in range(1, seeds)]
    design = np.stack(columns, axis=1).astype(float)
    for _ in range(40):
        table = generator.normal(0, 1, (3, seeds)) + generator.normal(0, 1.5, (3, 1))
        found = rank(by_label(table), better="min", logarithmic=False)
        solution, (residual,), *_ = np.linalg.lstsq(design, table.ravel())
        best = int(solution[:3].argmin())
        assert found.best == "abc"[best]
        for label in set(range(3)) - {best}:
            t = (solution[label] - solution[best]) / math.sqrt(2 * residual / degrees / seeds)
            level = float(joint.cdf([t, t], maxpts=100_000))
            assert abs(level - 0.95) > 1e-4
            assert ("abc"[label] in found.worse) == (level > 0.95)
            verdicts.add(level > 0.95)
    assert verdicts == {True, False}


@pytest.mark.parametrize(("labels", "seeds"), [(2, 2), (2, 5), (3, 3), (3, 10)])
def test_one_of_equal_labels_is_left_out_in_exactly_5_percent(labels: int, seeds: int) -> None:
    """The hardest case: all truly equal. 4,000 draws, and bounds of 4.5 standard errors.

    Of two or three labels all are pooled, so that the probability is exact. Seeds differ more than
    labels do.
    """
    generator, draws = np.random.default_rng([labels, seeds]), 4000
    kept = 0
    for _ in range(draws):
        table = np.exp(generator.normal(0, 0.2, (labels, seeds)) + generator.normal(0, 1, seeds))
        found = rank(by_label(table), better="min", logarithmic=True)
        kept += "a" in (found.best, *found.tied)
    assert abs(kept / draws - 0.95) < 4.5 * math.sqrt(0.95 * 0.05 / draws)


@pytest.mark.parametrize("labels", [4, 8])
def test_the_truly_best_is_best_or_tied_in_at_least_95_percent(labels: int) -> None:
    """2,000 draws; the bound is 4.5 standard errors below 95 %."""
    generator, draws = np.random.default_rng(labels), 2000
    means = np.linspace(0, 0.5, labels)[:, None]
    kept = 0
    for _ in range(draws):
        table = means + generator.normal(0, 0.2, (labels, 5)) + generator.normal(0, 1, 5)
        found = rank(by_label(-table), better="max", logarithmic=False)
        kept += "a" in (found.best, *found.tied)
    assert kept / draws > 0.95 - 4.5 * math.sqrt(0.95 * 0.05 / draws)


def test_clearly_worse_labels_are_told_apart() -> None:
    """Ten standard deviations over five seeds: t is about 10 sqrt(5/2) = 15.8, critical 2.2.

    To miss that, the noise would have to be estimated five times too large: chi-squared of 8
    degrees above 8 * 25, less than 1e-38. So all of 500 draws are told apart.
    """
    generator = np.random.default_rng(0)
    for _ in range(500):
        table = np.array([[0.0], [0.0], [10.0]]) + generator.normal(0, 1, (3, 5))
        found = rank(by_label(table), better="min", logarithmic=False)
        assert found.worse[-1:] == ("c",)


@pytest.mark.parametrize("better", ["min", "max"])
def test_equal_values_are_tied(better: Literal["min", "max"]) -> None:
    """As of two estimates of a curvature that are the same: no noise at all, and no warning."""
    one = {0: 0.1, 1: 0.7, 2: 0.3}
    assert rank({"x": one, "y": dict(one)}, better=better, logarithmic=True) == Ranking(
        leader="x", best="x", tied=("y",), seeds=3
    )


def test_a_difference_without_noise_is_told() -> None:
    found = rank({"x": {0: 1.0, 1: 2.0}, "y": {0: 2.0, 1: 3.0}}, better="min", logarithmic=False)
    assert found == Ranking(leader="x", best="x", worse=("y",), seeds=2)


def test_only_common_seeds_are_compared() -> None:
    """Seed 9 would make b the better one by far."""
    found = rank(
        {"a": {0: 1.0, 1: 1.1, 2: 1.2}, "b": {0: 2.0, 1: 2.1, 2: 2.2, 9: 1e-9}},
        better="min",
        logarithmic=False,
    )
    assert found == Ranking(leader="a", best="a", worse=("b",), seeds=3)


def test_labels_come_in_the_order_of_their_means() -> None:
    table = np.array([[5.0, 5.1], [1.0, 1.1], [9.0, 9.2], [7.0, 7.1]])
    found = rank(by_label(table), better="min", logarithmic=False)
    assert (found.best, *found.tied, *found.worse) == ("b", "a", "d", "c")


@pytest.mark.parametrize(
    ("better", "miss"), [("min", math.inf), ("max", -math.inf)], ids=["min", "max"]
)
def test_a_label_that_lost_a_run_is_never_best(better: Literal["min", "max"], miss: float) -> None:
    """However good its other runs are."""
    good, usual = (0.1, 0.5) if better == "min" else (0.5, 0.1)
    found = rank(
        {
            "lucky": {0: good, 1: good, 2: miss},
            "one": {0: usual, 1: usual, 2: usual},
            "two": {0: usual, 1: usual, 2: usual},
            "diverged": {0: good, 1: good},
        },
        better=better,
        logarithmic=False,
        lost={"diverged": 1, "failed": 3, "one": 0},
    )
    assert found == Ranking(
        leader="one", best="one", tied=("two",), lost=("lucky", "diverged", "failed"), seeds=3
    )


def test_the_only_label_that_lost_nothing_is_best() -> None:
    values = {"x": {0: 1.0, 1: 1.0}, "y": {0: 0.5, 1: math.inf}}
    found = rank(values, better="min", logarithmic=True)
    assert found == Ranking(leader="x", best="x", lost=("y",), seeds=2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Ranking(reason=ranking.ONE_LABEL)),
        ({"x": {}}, Ranking(reason=ranking.ONE_LABEL)),
        ({"x": {0: 1.0, 1: 2.0}}, Ranking(leader="x", seeds=2, reason=ranking.ONE_LABEL)),
        ({"x": {0: math.inf}}, Ranking(lost=("x",), reason=ranking.ONE_LABEL)),
        ({"x": {0: 2.0}, "y": {0: 1.0}}, Ranking(leader="y", seeds=1, reason=ranking.ONE_SEED)),
        (
            {"x": {0: 2.0}, "y": {0: math.inf}},
            Ranking(leader="x", lost=("y",), seeds=1, reason=ranking.ONE_SEED),
        ),
        ({"x": {0: 2.0}, "y": {1: 1.0}}, Ranking(reason=ranking.NO_COMMON_SEED)),
        (
            {"x": {0: 2.0, 1: math.inf}, "y": {0: math.inf, 1: 1.0}},
            Ranking(lost=("x", "y"), reason=ranking.ALL_LOST),
        ),
        (
            {"x": {0: -math.inf, 1: 1.0}, "y": {0: 1.0, 1: 1.0}},
            Ranking(seeds=2, reason=ranking.INFINITELY_GOOD),
        ),
    ],
    ids=[
        "nothing", "no value", "one label", "one label that lost", "one seed",
        "one seed and a loss", "no common seed", "all lost", "infinitely good",
    ],
)  # fmt: skip
def test_nothing_is_called_best_where_nothing_can_be_told(
    values: dict[str, dict[int, float]], expected: Ranking
) -> None:
    assert rank(values, better="min", logarithmic=False) == expected


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="A value of 'x' is NaN: leave out what was not measured"):
        rank({"x": {0: math.nan}}, better="min", logarithmic=False)


def test_values_that_are_not_all_positive_are_compared_as_they_are() -> None:
    table = np.array([[0.0, 0.1, 0.2], [1.0, 1.2, 1.1]])
    plain, logarithmic = (
        rank(by_label(table), better="min", logarithmic=flag) for flag in (False, True)
    )
    assert plain == logarithmic
