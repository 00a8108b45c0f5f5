"""What a survey shows: periods by calls and by time, slow beginnings, growth, and no more."""

from pathlib import Path

import numpy as np
import pytest

from bench.regress.course import Course, course, period, recurring
from bench.regress.launch import Worker
from bench.statistics.launches import Array
from tests.bench.regress.workers import setup, side

ITERATIONS = 400


def noise(seed: int, iterations: int = ITERATIONS) -> Array:
    """Seconds of iterations of mnist_cnn, with bursts of other programs in one of 200."""
    generator = np.random.default_rng(seed)
    seconds = np.array([0.2, 6.8, 7.8, 0.6]) * 1e-3
    rows = seconds * np.exp(generator.normal(0, 0.06, (iterations, 4)))
    rows[:, 1:] += (generator.random((iterations, 3)) < 0.0017) * generator.exponential(
        0.02, (iterations, 3)
    )
    return rows


def surveyed(rows: Array) -> Course:
    return course([12] * len(rows), rows)


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_neither_work_nor_a_beginning_nor_growth(seed: int) -> None:
    rows = noise(seed)
    rows *= np.linspace(1, 1.1, len(rows))[:, None]  # a machine that gets slower
    assert surveyed(rows) == Course(seen=ITERATIONS, period=1)


@pytest.mark.parametrize("every", [2, 10, 37, 130, 200])
@pytest.mark.parametrize("phase", [1, 2, 3])
def test_work_that_no_call_shows_is_found_by_its_time(every: int, phase: int) -> None:
    rows = noise(every)
    rows[every - 1 :: every, phase] += 8 * np.median(rows[:, phase])
    assert surveyed(rows).period == every


def test_work_at_random_iterations_has_no_period() -> None:
    rows = noise(1)
    rows[np.random.default_rng(0).random(ITERATIONS) < 0.04, 3] += 0.02
    assert surveyed(rows).period is None


def test_periods_by_calls_and_by_time_have_a_common_one() -> None:
    rows = noise(2)
    rows[::6, 3] += 0.02
    counts = [12 + 5 * (n % 4 == 0) for n in range(ITERATIONS)]
    assert course(counts, rows).period == 12


@pytest.mark.parametrize(("share", "phase"), [(0.3, 3), (0.3, 1), (1.0, 2)])
@pytest.mark.parametrize("first", [50, 300])
def test_a_slow_beginning_is_found_with_its_end(first: int, share: float, phase: int) -> None:
    rows = noise(3)
    rows[:first, phase] += share * 0.0154
    found = surveyed(rows)
    assert abs(found.settled - first) <= 20
    assert found.slowness == pytest.approx(1 + share, rel=0.1)
    assert (found.period, found.growth) == (1, None)


@pytest.mark.parametrize("every", [1, 20])
def test_other_work_at_the_start_is_left_out_like_a_slow_beginning(every: int) -> None:
    """Shampoo and its kind begin with plain steps, and precondition later."""
    counts = [30 + (n < 25) * n % 7 + 50 * (n % every == 0) for n in range(ITERATIONS)]
    found = course(counts, noise(7))
    assert (found.settled, found.period) == (30, every)
    assert course([12] * 300 + [13] * 100, noise(7)).period is None  # not in the first half


def test_a_compilation_ends_the_beginning_even_if_it_is_one_iteration() -> None:
    rows = noise(4)
    rows[24, 3] += 3.0
    found = surveyed(rows)
    assert found.settled == 25
    assert found.slowness > 5
    rows[224, 3] += 3.0  # it comes again, so that it is no beginning
    assert surveyed(rows).settled == 0


def test_a_phase_that_grows_is_named_with_what_it_takes_early_and_late() -> None:
    rows = noise(5)
    rows[:, 3] *= np.linspace(1, 2, ITERATIONS)
    growth = surveyed(rows).growth
    assert growth is not None
    assert growth.quantity == "step"
    assert (growth.early, growth.late) == (50, 350)
    assert growth.early_s == pytest.approx(0.6e-3 * 1.125, rel=0.05)
    assert growth.late_s == pytest.approx(0.6e-3 * 1.875, rel=0.05)


def test_of_a_few_iterations_nothing_is_said() -> None:
    rows = noise(6, 5)
    rows[0] *= 10
    assert surveyed(rows) == Course(seen=5, period=1)
    assert recurring(np.array([])) == 1


@pytest.mark.parametrize("every", [1, 2, 5, 13, 30])
@pytest.mark.parametrize("offset", [0, 3])
def test_a_period_that_is_seen_twice_is_found(every: int, offset: int) -> None:
    counts = [20 + 7 * ((n + offset) % every == 0) for n in range(2 * every + 3)]
    counts[0] += 100  # buffers are made
    assert period(counts) == every


def test_two_kinds_of_rare_work_have_a_common_period() -> None:
    assert period([10 + 2 * (n % 2 == 0) + 5 * (n % 3 == 0) for n in range(40)]) == 6


@pytest.mark.parametrize(
    "counts",
    [
        [10] * 20 + [30] + [10] * 15,  # once: it may come again after 16 or after 100
        [10, 11, 10, 13, 12, 10, 15, 11, 19, 10, 12, 14],  # at random
    ],
)
def test_no_period_is_made_up(counts: list[int]) -> None:
    assert period(counts) is None


def test_too_few_iterations_to_tell_count_as_alike() -> None:
    assert period([50, 10, 10]) == 1


@pytest.mark.parametrize(("every", "expected"), [(1, 1), (4, 4)])
def test_a_refreshed_curvature_shows_in_the_counts_of_a_worker(every: int, expected: int) -> None:
    request = setup(
        problem="mnist_logreg",
        optimizer="diag_ggn_exact",
        hyperparameters={"update_every": every},
    )
    with Worker(side(Path.cwd()), request) as worker:
        worker.ready()
        counts = worker.survey(0, 20)[0]
        assert len(worker.block(0, 1, 2)) == 2  # and it goes on
    assert len(counts) >= 2 * every + 3
    assert period(counts) == expected
