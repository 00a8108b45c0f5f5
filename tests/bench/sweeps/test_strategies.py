"""Which settings strategies ask for, and what they give up."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.runs import store
from bench.sweeps import strategies
from bench.sweeps.experiment import Arm, Experiment
from bench.sweeps.grid import Axis
from bench.sweeps.strategies import Batch, Judged, rungs
from optimizers import UsageError
from tests.bench.sweeps.inline import EXPERIMENT, swept


def test_halving_spends_a_third_and_keeps_the_best(tmp_path: Path) -> None:
    wide = replace(EXPERIMENT, grid=("lr=0.01:1:log6", "momentum=0,0.5"), seeds="2")
    everything, _, _ = swept(tmp_path / "grid", wide)
    experiment = replace(wide, strategy="halving")
    outcome, pool, _ = swept(tmp_path / "halving", experiment)
    budgets = [run.iterations for run in pool.ran]
    assert rungs(18) == [2, 6, 18]
    assert {budget: budgets.count(budget) for budget in budgets} == {2: 24, 6: 8, 18: 6}
    (found,), (full,) = outcome.swept, everything.swept
    assert [dropped.iterations for dropped in found.dropped] == [2] * 8 + [6]
    assert found.cells == 12
    assert len(found.trials) == 3
    for trial in found.trials:  # a run at the full budget is the one that the grid has
        assert trial in full.trials
    first = [run for run in store.load(tmp_path / "halving") if run.config["iterations"] == 2]
    scores: dict[str, list[float]] = {}
    for run in first:
        scores.setdefault(str(run.config["settings"]), []).append(run.evaluations[-1]["loss"])
    ranked = sorted(math.prod(losses) ** (1 / len(losses)) for losses in scores.values())
    dropped = [one.score for one in found.dropped if one.iterations == 2]
    assert sorted(dropped) == pytest.approx(ranked[4:])


def test_halving_needs_iterations_to_divide() -> None:
    with pytest.raises(UsageError, match=r"iterations=4 is not valid with halving"):
        rungs(4)


def test_tpe_asks_the_same_again_and_stays_within_the_ranges(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    experiment = replace(EXPERIMENT, strategy="tpe", trials=10)
    outcome, pool, _ = swept(tmp_path, experiment)
    assert len(pool.ran) == 20
    (found,) = outcome.swept
    assert found.scattered
    assert all(0.01 <= trial.settings["lr"] <= 1 for trial in found.trials)
    assert all(0 <= trial.settings["momentum"] <= 0.5 for trial in found.trials)
    assert len({trial.settings["momentum"] for trial in found.trials}) > 2
    _, pool, _ = swept(tmp_path, experiment)
    assert not pool.ran


ARM = Arm(label="sgd", optimizer="sgd", axes={"lr": Axis(tuple(range(1, 13)))})


def test_a_grid_is_one_batch_of_everything() -> None:
    strategy = strategies.start(Experiment(iterations=18), ARM)
    assert next(strategy) == Batch(settings=ARM.grid(), iterations=18)
    with pytest.raises(StopIteration):
        strategy.send([Judged(1.0, 1.0)] * 12)


def test_halving_keeps_a_third_at_least_three_in_the_order_of_the_grid() -> None:
    """The less the learning rate the better; the best diverges."""
    strategy = strategies.start(Experiment(iterations=18, strategy="halving"), ARM)
    batch = next(strategy)
    assert (len(batch.settings), batch.iterations, list(batch.dropped)) == (12, 2, [])
    judged = [Judged(math.nan, math.inf), *(Judged(-lr, lr) for lr in range(2, 13))]
    batch = strategy.send(judged)
    assert ([one["lr"] for one in batch.settings], batch.iterations) == ([2, 3, 4, 5], 6)
    assert [one.settings["lr"] for one in batch.dropped] == [1, *range(6, 13)]
    assert [one.score for one in batch.dropped][1:] == [-lr for lr in range(6, 13)]
    assert math.isnan(batch.dropped[0].score)
    assert {one.iterations for one in batch.dropped} == {2}
    batch = strategy.send([Judged(lr, -lr) for lr in range(2, 6)])
    assert ([one["lr"] for one in batch.settings], batch.iterations) == ([3, 4, 5], 18)
    assert [(one.settings["lr"], one.iterations) for one in batch.dropped] == [(2, 6)]


@pytest.mark.parametrize(
    ("iterations", "budgets"), [(5, [1, 2, 5]), (9, [1, 3, 9]), (201, [22, 67, 201])]
)
def test_budgets_are_a_ninth_a_third_and_all(iterations: int, budgets: list[int]) -> None:
    assert rungs(iterations) == budgets
