"""Plain gradients: how long one takes, which count for a run, and how steady they were."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.runs import yardsticks
from bench.runs.spec import RunSpec
from bench.runs.yardsticks import Yardsticks, plain_gradient_s, yardstick_blocks_s, yardstick_spec
from tests.bench.records import made_record
from tests.bench.records import made_yardstick as yardstick


@pytest.mark.parametrize("seed", range(5))
def test_the_yardsticks_around_a_run_are_its_sessions_last_before_and_first_after(
    seed: int,
) -> None:
    """Against a look at all of them, in any order, with some that start together with runs."""
    generator = np.random.default_rng(seed)

    def times(count: int) -> list[tuple[float, str]]:
        minutes = generator.permutation(60)[:count]
        return [(float(minute), "ab"[generator.integers(2)]) for minute in minutes]

    yardsticks = [yardstick(m, float(generator.uniform(1, 9)), session=s) for m, s in times(12)]
    index = Yardsticks(yardsticks)
    for minutes, session in [*times(40), (30.0, "c")]:
        run = made_record(minutes=minutes, session=session)
        own = [other for other in yardsticks if other.session == session]
        before = [other for other in own if other.started_at <= run.started_at]
        after = [other for other in own if other.started_at > run.started_at]
        near = [
            *sorted(before, key=lambda other: other.started_at)[-1:],
            *sorted(after, key=lambda other: other.started_at)[:1],
        ]
        expected = plain_gradient_s(near) if near else math.nan
        np.testing.assert_equal(index.around(run), expected)


def test_an_empty_yardstick_is_passed_over() -> None:
    empty = made_record(role="plain_gradient", losses=[], minutes=1)
    index = Yardsticks([yardstick(0, 0.5), empty])
    assert index.around(made_record(minutes=2)) == 0.5


def test_a_plain_gradient_is_the_mean_of_what_is_warm_and_a_block_its_median() -> None:
    """Of ten iterations the first five are warm-up; data and step are no part of it."""
    record = yardstick(0, 1.0)
    forward = np.array([9.0] * 5 + [1.0, 2.0, 3.0, 4.0, 90.0])
    record = replace(record, values={**record.values, "forward_s": forward, "step_s": forward})
    assert plain_gradient_s([record]) == 20.0 + 0.5
    other = yardstick(1, 0.25)
    whole = len(other.values["loss"])
    count = whole - min(5, whole // 2)
    mean = (5 * 20.5 + count * 0.25) / (5 + count)
    assert plain_gradient_s([record, other]) == pytest.approx(mean)
    short = made_record(losses=[1.0] * 4, phase_s=(0.0, 1.0, 1.0, 0.0))
    assert plain_gradient_s([short]) == 2.0
    assert yardstick_blocks_s([record, made_record(losses=[]), short]) == [3.5, 2.0]


def test_the_yardstick_of_a_run_is_the_same_model_without_its_optimizer() -> None:
    spec = RunSpec(problem="quadratic", optimizer="sgd", hyperparameters={"lr": 1}, seed=3,
                   dtype="float64", batch_size=7, until=("loss", 0.1))  # fmt: skip
    found = yardstick_spec(spec)
    assert (found.role, found.optimizer) == ("plain_gradient", yardsticks.PLAIN_GRADIENT)
    assert (found.iterations, found.seconds, found.until) == (None, yardsticks.YARDSTICK_S, None)
    assert (found.eval_every, found.curvature_every, found.hyperparameters) == (0, 0, {})
    same = ("problem", "seed", "dtype", "batch_size", "device", "split")
    assert all(getattr(found, name) == getattr(spec, name) for name in same)


def test_stability_is_told_from_the_yardsticks() -> None:
    steady = [yardstick(minute, 0.001 + 0.00001 * minute) for minute in range(4)]
    assert yardsticks.steadiness(steady).sentence.startswith(
        "Timings were steady: the plain gradient took 1 to"
    )
    shaken = [*steady, yardstick(5, 0.0015)]
    told = yardsticks.steadiness(shaken)
    assert told.unsteady
    assert "may be unstable" in told.sentence
    assert "Ratios below 1.50 mean little" in told.sentence
    assert not yardsticks.steadiness(steady).unsteady
    few = yardsticks.steadiness(steady[:1])
    assert not few.unsteady
    assert "too few" in few.sentence
