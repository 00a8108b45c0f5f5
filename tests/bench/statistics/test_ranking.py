"""What is tied with the best: against SciPy, against a linear model, and how often it is right."""

import math
import statistics
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from bench.evidence import ranking_simulation
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
        worse = stats.ttest_rel(costs[1 - best], costs[best])
        other = "ba"[best]
        assert (found.leader, found.best, found.seeds) == ("ab"[best], "ab"[best], seeds)
        assert (found.tied, found.worse) == (
            ((), (other,)) if worse.pvalue < 0.05 else ((other,), ())
        )
        verdicts.add(found.tied == ())
    assert verdicts == {True, False}


@pytest.mark.parametrize(("labels", "seeds"), [(3, 2), (3, 5), (6, 3), (8, 10)])
def test_of_more_it_is_tukeys_comparison_with_variances_by_pair(labels: int, seeds: int) -> None:
    """Pair by pair, from its definition; the p-values are SciPy's."""
    generator, verdicts = np.random.default_rng([labels, seeds]), set()
    for _ in range(10):
        table = generator.normal(0, 1, (labels, seeds)) + generator.normal(0, 3, (labels, 1))
        table[-1] *= 2
        pairs = {
            (a, b): float(np.var([x - y for x, y in zip(table[a], table[b], strict=True)], ddof=1))
            for a in range(labels)
            for b in range(labels)
            if a != b
        }
        typical = [
            statistics.median(v for (a, _), v in pairs.items() if a == label)
            for label in range(labels)
        ]
        floor = statistics.median(typical)
        found = rank(by_label(table), better="min", logarithmic=False)
        assert found.best is not None
        best = ord(found.best) - ord("a")
        degrees = 2 * (seeds - 1)
        for label in set(range(labels)) - {best}:
            variance = max(pairs[best, label], floor)
            gap = float(table[label].mean() - table[best].mean())
            t = gap / math.sqrt(variance / seeds)
            jointly = stats.studentized_range.sf(t * math.sqrt(2), labels, degrees) < 0.05
            alone = 2 * stats.t.sf(t, degrees) < 0.05
            expected = "worse" if jointly else "behind" if alone else "tied"
            assert found.standing(chr(ord("a") + label)) == expected
            verdicts.add(expected)
    assert verdicts == {"worse", "behind", "tied"}


def _false(labels: int, seeds: int, draws: int) -> float:
    """How often one of equal labels is called worse; seeds differ more than labels do."""
    generator, false = np.random.default_rng([labels, seeds]), 0
    for _ in range(draws):
        table = np.exp(generator.normal(0, 0.2, (labels, seeds)) + generator.normal(0, 1, seeds))
        false += rank(by_label(table), better="min", logarithmic=True).worse != ()
    return false / draws


@pytest.mark.parametrize("seeds", [2, 5])
def test_of_two_equal_labels_one_is_called_worse_in_exactly_5_percent(seeds: int) -> None:
    """4,000 draws, and bounds of 4.5 standard errors."""
    assert abs(_false(2, seeds, 4000) - 0.05) < 4.5 * math.sqrt(0.95 * 0.05 / 4000)


@pytest.mark.parametrize(("labels", "seeds"), [(3, 3), (3, 10), (8, 5)])
def test_of_more_equal_labels_any_is_called_worse_in_at_most_5_percent(
    labels: int, seeds: int
) -> None:
    """2,000 draws; the bound is 4.5 standard errors above 5 %."""
    assert _false(labels, seeds, 2000) < 0.05 + 4.5 * math.sqrt(0.95 * 0.05 / 2000)


@pytest.mark.parametrize("labels", [4, 8])
def test_the_truly_best_is_called_worse_in_at_most_5_percent(labels: int) -> None:
    """2,000 draws; the bound is 4.5 standard errors above 5 %."""
    generator, draws = np.random.default_rng(labels), 2000
    means = np.linspace(0, 0.5, labels)[:, None]
    false = 0
    for _ in range(draws):
        table = means + generator.normal(0, 0.2, (labels, 5)) + generator.normal(0, 1, 5)
        false += "a" in rank(by_label(-table), better="max", logarithmic=False).worse
    assert false / draws < 0.05 + 4.5 * math.sqrt(0.95 * 0.05 / draws)


def test_stuck_runs_and_a_noisy_label_spoil_the_rule_before_and_not_this_one() -> None:
    """Equal labels with 1 run in 20 stuck; and a gap of 4 standard deviations beside noise."""
    stuck = ranking_simulation.simulate("stuck", 6, 5, 300)
    assert stuck["equal, old"] > 0.5
    assert stuck["equal, new"] < 0.05 + 4.5 * math.sqrt(0.95 * 0.05 / 300)
    normal = ranking_simulation.simulate("normal", 6, 5, 300)
    assert normal["one better, new"] > 0.9


def test_clearly_worse_labels_are_told_apart() -> None:
    """Ten standard deviations over five seeds: t is about 10 sqrt(5/2) = 15.8, critical 2.9.

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
