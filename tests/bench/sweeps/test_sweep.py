"""A sweep runs what is not stored, all of it or nothing, and goes on where it was."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import NotApplicableError
from bench.runs import store
from bench.sweeps import advice
from bench.sweeps import file as records
from bench.sweeps.experiment import Experiment
from bench.training import prepare, processes
from optimizers import UsageError
from tests.bench.sweeps.inline import EXPERIMENT, EXPERIMENT_CELLS, Here, swept


def test_every_setting_is_run_with_every_seed_and_stored(tmp_path: Path) -> None:
    outcome, pool, told = swept(tmp_path)
    assert len(pool.ran) == 12
    assert [run.seed for run in pool.ran] == [0] * 6 + [1] * 6
    assert {run.split for run in pool.ran} == {"validation"}
    (found,) = outcome.swept
    assert [trial.settings for trial in found.trials] == EXPERIMENT_CELLS
    assert all(trial.scores.keys() == {0, 1} and not trial.lost for trial in found.trials)
    stored = store.load(tmp_path)
    assert len(stored) == len({record.run_id for record in stored}) == 12
    assert all(record.shared and record.session == "s" for record in stored)
    assert len(told.ended) == 12


def test_what_is_stored_is_not_run_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, pool=Here(stops_after=5))
    assert len(store.load(tmp_path)) == 5
    _, pool, told = swept(tmp_path)
    assert (len(pool.ran), told.stored) == (7, [5])
    _, pool, told = swept(tmp_path)
    assert (len(pool.ran), told.stored) == (0, [12])
    assert len(store.load(tmp_path)) == 12
    _, pool, _ = swept(tmp_path, fresh=True)
    assert len(pool.ran) == 12


def test_a_rerun_that_is_stopped_takes_nothing_from_the_file(tmp_path: Path) -> None:
    experiment = replace(EXPERIMENT, strategy="halving")
    first, _, _ = swept(tmp_path, experiment)
    for path in (tmp_path / "runs").glob("*.parquet"):
        if store.read(path).config["iterations"] == 18:
            path.unlink()
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, experiment, pool=Here(stops_after=1))
    again = records.read(records.find(tmp_path, None))
    assert again.cells == first.record.cells
    assert again.dropped == first.record.dropped
    assert again.started_at == first.record.started_at


def test_cells_that_coincide_are_run_once(tmp_path: Path) -> None:
    experiment = replace(EXPERIMENT, optimizers=("one=sgd", "two=sgd"))
    outcome, pool, _ = swept(tmp_path, experiment)
    assert len(pool.ran) == 12
    one, two = outcome.swept
    assert [trial.scores for trial in one.trials] == [trial.scores for trial in two.trials]
    assert {run.label for cell, run in outcome.full if cell.label == "two"} == {"two"}


def test_a_run_whose_worker_dies_is_recorded_as_failed_and_tried_again(tmp_path: Path) -> None:
    outcome, _, told = swept(tmp_path, pool=Here(dies_on=0.1))
    assert {(cell.settings["lr"], run.status) for cell, run in outcome.failed} == {(0.1, "failed")}
    assert len(outcome.failed) == told.ended.count("failed") == 4
    assert outcome.failed[0][1].reason == "its process died"
    assert len(outcome.full) == 8
    outcome, pool, _ = swept(tmp_path)
    assert len(pool.ran) == 4
    assert not outcome.failed
    assert len(outcome.full) == 12


def test_a_time_is_measured_anew_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = Experiment(
        problem="quadratic", optimizers=("sgd",), grid=("lr=0.1,1",), seeds="1", iterations=40,
        objective="time_to(val_distance=0.5)",
    )  # fmt: skip
    outcome, _, _ = swept(tmp_path, experiment)
    (found,) = outcome.swept
    assert found.measure.unit == "s"
    assert all(score > 0 for trial in found.trials for score in trial.scores.values())
    assert not swept(tmp_path, experiment)[1].ran
    monkeypatch.setattr("bench.machine.environment.fingerprint", lambda _: "another")
    assert len(swept(tmp_path, experiment)[1].ran) == 2


def test_a_worker_with_other_code_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Here()
    pool.remote = True
    swept(tmp_path, pool=pool)
    assert pool.ran
    original = processes.sources
    monkeypatch.setattr(
        processes, "sources", lambda spec: {**original(spec), "bench.training.loop": "other"}
    )
    again = Here()
    again.remote = True
    with pytest.raises(UsageError, match=r"other code for 'sgd' .*: bench\.training\.loop differ"):
        swept(tmp_path, pool=again, fresh=True)
    assert not again.ran


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"grid": ("sgd.damping=1,2",)}, r"Unknown hyperparameter of sgd: 'damping'"),
        ({"grid": ("lr=-1,0.1",)}, r"Optimizer 'sgd' refuses its settings: .*-1"),
        ({"grid": ("lr=fast,slow",)}, r"sgd\.lr='fast' is not valid: it takes a number"),
        ({"problem": "nothing"}, r"Unknown problem 'nothing'"),
        ({"objective": "val_accuracy"}, r"the problem is evaluated by val_loss, val_distance"),
        ({"device": "cuda:99"}, r"Device 'cuda:99' is not available"),
    ],
)
def test_nothing_is_run_where_something_is_wrong(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    pool = Here()
    with pytest.raises(UsageError, match=message):
        swept(tmp_path, replace(EXPERIMENT, **fields), pool)
    assert not pool.ran
    assert not (tmp_path / "sweeps").exists()


def test_what_is_told_of_a_run_beforehand_is_in_its_record_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(prepared: prepare.Prepared) -> str:
        return "It is unchecked." if prepared.asked.hyperparameters.get("lr") == 0.1 else ""

    monkeypatch.setattr(prepare, "check", check)
    swept(tmp_path, replace(EXPERIMENT, grid=("lr=0.1,1",), seeds="1"))
    notes = {r.config["settings"]["lr"]: r.environment.get("note") for r in store.load(tmp_path)}
    assert notes == {0.1: "It is unchecked.", 1.0: None}


@pytest.mark.parametrize("strategy", ["grid", "halving"])
def test_what_is_not_applicable_is_stored_and_told_and_the_rest_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    def check(prepared: prepare.Prepared) -> None:
        if prepared.resolved.optimizer == "adam":
            raise NotApplicableError("not for this")

    monkeypatch.setattr(prepare, "check", check)
    experiment = replace(EXPERIMENT, optimizers=("adam", "sgd"), strategy=strategy,
                         grid=("lr=0.01:1:log3",), seeds="1")  # fmt: skip
    outcome, pool, told = swept(tmp_path, experiment)
    assert {run.optimizer for run in pool.ran} == {"sgd"}
    assert outcome.refused == {"adam": "adam: not applicable: not for this"}
    assert [found.label for found in outcome.swept] == ["sgd"]
    assert set(told.stored) == {0}
    assert "adam: not applicable: not for this" in told.refusals
    assert not outcome.failed
    (found,) = advice.advise(outcome)
    assert found.found.chosen is not None
