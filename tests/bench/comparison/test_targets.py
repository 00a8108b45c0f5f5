"""The choice of targets, against brute force."""

import math
from fractions import Fraction

import numpy as np
import pytest

from bench.comparison.targets import choose
from bench.runs.record import RunRecord
from tests.bench.records import evaluated, made_record


def series() -> list[Fraction]:
    """The 1-2-5 series from 1e-8 to 5e8."""
    return [digit * Fraction(10) ** power for power in range(-8, 9) for digit in (1, 2, 5)]


def told_apart(levels: list[float], runs: list[list[float]], better: str) -> tuple[float, ...]:
    """Levels that a run reaches and at most half of them have reached at once, easiest first."""

    def there(value: float, level: float) -> bool:
        return value <= level if better == "min" else value >= level

    kept = [
        level
        for level in sorted(levels, reverse=better == "min")
        if any(there(value, level) for run in runs for value in run)
        and sum(there(run[0], level) for run in runs) <= len(runs) / 2
    ]
    return tuple(kept)


def spread_out(levels: tuple[float, ...]) -> tuple[float, ...]:
    """Four of them from the first to the last."""
    if len(levels) <= 4:
        return levels
    return tuple(levels[round(third * (len(levels) - 1) / 3)] for third in range(4))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_targets_of_a_loss_are_of_the_series(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    runs = [(scale * generator.lognormal(0, 1.5, 6)).tolist() for _ in range(seed + 1)]
    expected = told_apart([float(level) for level in series()], runs, "min")
    records = [evaluated(run, "min") for run in runs]
    assert choose(records, "m") == spread_out(expected)
    assert choose(records, "m", most=100) == expected


@pytest.mark.parametrize("seed", range(10))
def test_targets_of_an_accuracy_are_of_the_series_of_its_error(seed: int) -> None:
    generator = np.random.default_rng(seed)
    runs = [(1 - 10 ** -generator.uniform(0, 3, 6)).tolist() for _ in range(seed + 1)]
    levels = [float(1 - error) for error in series() if error <= Fraction(1, 2)]
    expected = told_apart(levels, runs, "max")
    assert choose([evaluated(run) for run in runs], "m") == spread_out(expected)


@pytest.mark.parametrize(
    ("runs", "better", "expected"),
    [
        ([[0.1, 0.978], [0.1, 0.95]], "max", (0.5, 0.8, 0.9, 0.95)),
        ([[2.3, 0.16], [2.3, 0.3]], "min", (2.0, 1.0, 0.5, 0.2)),
        ([[0.1, 1.0], [0.1, 0.9]], "max", (0.5, 0.8, 0.9, 0.95)),
        ([[0.1, 1.0]], "max", (0.5,)),
        ([[-10.0, 0.0]], "max", (-8.0, -6.0, -4.0, -2.0)),
        ([[1234.0, -1.0]], "min", (990.0, 740.0, 490.0, 250.0)),
        ([[-100.0, -99.5]], "max", (-99.9, -99.8, -99.7, -99.6)),
    ],
    ids=["accuracy", "loss", "perfect", "perfect at once", "signed", "mixed", "narrow"],
)
def test_targets_by_hand(runs: list[list[float]], better: str, expected: tuple[float, ...]) -> None:
    assert choose([evaluated(run, better) for run in runs], "m") == expected


def test_what_most_runs_have_reached_at_iteration_0_is_no_target() -> None:
    """Of three runs, two begin at 0.6 and one at 0.1; with the fourth it is half of them."""
    records = [evaluated([start, 0.85]) for start in (0.6, 0.6, 0.1)]
    assert choose(records, "m") == (0.8,)
    assert choose([*records, evaluated([0.2, 0.3])], "m") == (0.5, 0.8)


def test_a_first_evaluation_after_iteration_0_is_no_start() -> None:
    assert choose([evaluated([0.6, 0.85], first=50)], "m") == (0.5, 0.8)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [made_record(evaluations=[], metrics={"m": "max"})],
        [evaluated([math.nan, math.inf], "min")],
        [evaluated([0.5, 0.5])],
        [evaluated([1.0, 1.0])],
        [evaluated([-3.0, -3.0])],
        [made_record()],
    ],
    ids=["no run", "no evaluation", "not finite", "constant", "perfect", "signed", "other metric"],
)
def test_without_progress_there_is_no_target(records: list[RunRecord]) -> None:
    assert choose(records, "m") == ()
