"""Periods of work are found from counted operations, exactly or not at all."""

import sys
from pathlib import Path

import pytest

from bench.regress.launch import Side, Worker
from bench.regress.turns import period


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
    side = Side(name="here", python=sys.executable, paths=(Path.cwd(),), folder=Path.cwd())
    benchmark = {
        "problem": "mnist_logreg", "optimizer": "diag_ggn_exact", "eval_every": 0, "seed": 0,
        "hyperparameters": {"update_every": every},
    }  # fmt: skip
    with Worker(side, {"tuned": False, "benchmarks": [benchmark]}) as worker:
        worker.ready()
        counts = worker.operations(0)
        assert len(worker.block(0, 1, 2)) == 2  # and it goes on
    assert len(counts) >= 2 * every + 3
    assert period(counts) == expected
