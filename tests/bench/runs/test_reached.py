"""When a run reached a target, against brute force and against what happened in between."""

import math

import numpy as np
import pytest

from bench.runs.reached import Moment, reach
from tests.bench.records import evaluated


@pytest.mark.parametrize(
    ("better", "target", "at", "after", "by"),
    [
        ("max", 0.5, 50, 0, 50),
        ("max", 0.3, 25, 0, 50),
        ("max", 0.6, 150, 100, 150),
        ("max", 0.1, 0, 0, 0),
        ("max", 0.95, math.inf, math.inf, math.inf),
        ("min", 0.4, 0, 0, 0),
        ("min", 0.05, math.inf, math.inf, math.inf),
    ],
    ids=["at it", "between", "after a NaN", "at once", "never", "at once, min", "never, min"],
)
def test_it_is_between_the_first_evaluation_that_meets_it_and_the_one_before(
    better: str, target: float, at: float, after: float, by: float
) -> None:
    """At the target is enough, NaN is not, and what comes after does not matter."""
    found = reach(evaluated([0.1, 0.5, math.nan, 0.9, 0.2], better), "m", target)
    told = [found.at, found.after, found.by]
    assert [one.iterations for one in told] == pytest.approx([at, after, by])
    assert [one.seconds for one in told] == pytest.approx([n / 100 for n in (at, after, by)])


@pytest.mark.parametrize("before", [math.inf, -math.inf, math.nan])
def test_without_a_finite_value_before_it_is_where_it_was_seen(before: float) -> None:
    found = reach(evaluated([before if before < 0 else 9.0, before, 1.0], "min"), "m", 2.0)
    if before < 0:  # minus infinity is beyond any target
        assert found.at == Moment(iterations=0, seconds=0)
    else:
        assert found.at == found.by == Moment(iterations=100, seconds=1)
        assert found.after == Moment(iterations=50, seconds=0.5)


def test_a_run_without_a_first_evaluation_may_have_been_there_from_the_beginning() -> None:
    found = reach(evaluated([0.5, 0.9], first=50.0), "m", 0.4)
    assert (found.after.iterations, found.at.iterations, found.by.iterations) == (0, 50, 50)


def test_a_run_that_shared_the_machine_has_iterations_and_no_seconds() -> None:
    record = evaluated([0.1, 0.5], shared=True)
    there, never = reach(record, "m", 0.5).at, reach(record, "m", 0.9).at
    assert (there.iterations, never.iterations) == (50, math.inf)
    assert math.isnan(there.seconds)
    assert math.isnan(never.seconds)


@pytest.mark.parametrize("seed", range(5))
def test_the_old_rule_is_late_by_half_an_interval_and_this_one_by_less_than_a_tenth(
    seed: int,
) -> None:
    """Losses that fall as powers of the iteration, evaluated every 50th, and when they cross."""
    generator = np.random.default_rng(seed)
    old, new = [], []
    for _ in range(300):
        power, scale = generator.uniform(0.3, 1.2), generator.uniform(1, 3)

        def loss(iteration: float, power: float = power, scale: float = scale) -> float:
            return float(scale * (1 + iteration / 10) ** -power)

        true = generator.uniform(60, 900)
        record = evaluated([loss(50 * index) for index in range(20)], "min")
        found = reach(record, "m", loss(true))
        assert found.after.iterations < true <= found.by.iterations
        old.append(found.by.iterations - true)
        new.append(found.at.iterations - true)
    assert 20 < np.mean(old) < 30
    assert 0 <= np.mean(new) < 2.5
    assert np.abs(new).mean() < np.mean(old) / 10
