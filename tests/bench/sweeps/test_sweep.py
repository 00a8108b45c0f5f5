"""Sweeps of a small problem, with workers in this process."""

import json
import math
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.errors import WorkersError
from bench.recommend.recommendation import recommend
from bench.runs import store
from bench.runs.record import RunRecord
from bench.sweeps import file as records
from bench.sweeps import outcome as outcomes
from bench.sweeps.experiment import Cell, Experiment
from bench.sweeps.outcome import Outcome
from bench.sweeps.strategies import rungs
from bench.sweeps.sweep import Sweeper
from bench.sweeps.worker import Conditions, identify
from bench.sweeps.worker import run as run_cell
from optimizers import UsageError

CONDITIONS = Conditions(session="s", threads=None, shared=True, tuned=False)
EXPERIMENT = Experiment(
    problem="quadratic", optimizers=("sgd",), grid=("lr=0.01:1:log3", "momentum=0,0.5"),
    seeds="2", iterations=18,
)  # fmt: skip


class Here:
    """A worker in this process."""

    breakage: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    blames, shared, width = False, True, 1

    def __init__(self, dies_on: float | None = None, stops_after: int | None = None) -> None:
        self.ran: list[Any] = []
        self._dies_on, self._left = dies_on, stops_after

    def submit(self, function: Any, *arguments: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        if function is run_cell:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left = None if self._left is None else self._left - 1
            self.ran.append(arguments[0])
            if arguments[0].hyperparameters.get("lr") == self._dies_on:
                future.set_exception(BrokenProcessPool("a process died"))
                return future
        try:
            future.set_result(function(*arguments))
        except UsageError as error:
            future.set_exception(error)
        return future

    def rebuild(self) -> None: ...

    def close(self, *, at_once: bool) -> None: ...


class Told:
    """Notes what an observer is told."""

    def __init__(self) -> None:
        self.to_do: list[int] = []
        self.stored: list[int] = []
        self.ended: list[float | str] = []

    def planned(self, runs: Any, stored: int) -> None:
        self.to_do.append(len(runs))
        self.stored.append(stored)

    def reused(self, cell: Cell, score: float | str) -> None: ...

    def finished(self, cell: Cell, record: RunRecord, score: float | str) -> None:
        self.ended.append(score)


def swept(
    results: Path, experiment: Experiment = EXPERIMENT, pool: Here | None = None, **options: Any
) -> tuple[Outcome, Here, Told]:
    pool, told = pool or Here(), Told()
    sweeper = Sweeper(
        experiment=experiment, pool=pool, conditions=CONDITIONS, results=results, data_root=None,
        fresh=options.pop("fresh", False), observer=told,
    )  # fmt: skip
    outcome = outcomes.gather(sweeper.run(**options), store.Index(results).executions)
    return outcome, pool, told


def read_back(results: Path) -> Outcome:
    record = records.read(records.find(results, None))
    return outcomes.gather(record, store.Index(results).executions)


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


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


EXPERIMENT_CELLS = [{"lr": lr, "momentum": m} for lr in (0.01, 0.1, 1.0) for m in (0, 0.5)]


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


def test_an_interrupted_sweep_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, pool=Here(stops_after=7))
    outcome = read_back(tmp_path)
    (found,) = outcome.swept
    assert len(outcome.full) == 7
    assert found.pending == [1]
    assert all(trial.scores.keys() == {0} and not trial.lost for trial in found.trials)
    assert any("Seed 1 is left out" in text for text in recommend(found).warnings)


def test_records_that_are_loaded_serve_as_well_and_are_asked_for_once(tmp_path: Path) -> None:
    outcome, _, _ = swept(tmp_path)
    loaded = {record.run_id: [record] for record in store.load(tmp_path)}
    asked: list[str] = []

    def executions(run_id: str) -> list[RunRecord]:
        asked.append(run_id)
        return loaded.get(run_id, [])

    again = outcomes.gather(outcome.record, executions)
    assert sorted(asked) == sorted(loaded)
    assert again.swept == outcome.swept
    assert [run.key for _, run in again.full] == [run.key for _, run in outcome.full]
    assert len(again.full) == 12


def test_a_sweep_interrupted_in_its_first_seed_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, pool=Here(stops_after=2))
    (found,) = read_back(tmp_path).swept
    assert found.pending == []
    assert [dict(trial.lost) for trial in found.trials][1:3] == [
        {1: "not run"},
        {0: "not run", 1: "not run"},
    ]


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


def test_the_file_of_a_sweep_tells_all_about_it(tmp_path: Path) -> None:
    outcome, _, _ = swept(tmp_path, yaml="grid: x", command="optbench sweep x.yaml")
    again = records.read(tmp_path / "sweeps" / f"{EXPERIMENT.name}.json")
    assert again == outcome.record
    assert (again.yaml, again.command) == ("grid: x", "optbench sweep x.yaml")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:100], "is not a readable sweep"),
        (lambda text: "[]", "is not a readable sweep"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 9'), "version 9"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, damage: Any, message: str) -> None:
    swept(tmp_path)
    path = records.find(tmp_path, None)
    path.write_text(damage(path.read_text()))
    with pytest.raises(UsageError, match=message):
        records.read(path)


def test_sweeps_are_found_by_name_file_or_age(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no sweep in"):
        records.find(tmp_path, None)
    swept(tmp_path)
    path = tmp_path / "sweeps" / f"{EXPERIMENT.name}.json"
    assert records.find(tmp_path, None) == records.find(tmp_path, EXPERIMENT.name) == path
    assert records.find(tmp_path, str(path)) == path
    with pytest.raises(UsageError, match=f"Unknown sweep 'x'.*Known: {EXPERIMENT.name}"):
        records.find(tmp_path, "x")


def test_a_run_whose_worker_dies_is_recorded_as_failed_and_tried_again(tmp_path: Path) -> None:
    outcome, _, told = swept(tmp_path, pool=Here(dies_on=0.1))
    assert {(cell.settings["lr"], run.status) for cell, run in outcome.failed} == {(0.1, "failed")}
    assert len(outcome.failed) == told.ended.count("failed") == 4
    assert "worker process died" in outcome.failed[0][1].reason
    assert outcome.failed[0][1].error.endswith(": a process died")
    assert len(outcome.full) == 8
    outcome, pool, _ = swept(tmp_path)
    assert len(pool.ran) == 4
    assert not outcome.failed
    assert len(outcome.full) == 12


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


def test_divergence_is_data(tmp_path: Path) -> None:
    experiment = Experiment(
        problem="quadratic", optimizers=("sgd",), grid=("lr=0.1,1e30",), seeds="1", iterations=20
    )
    (found,) = swept(tmp_path, experiment)[0].swept
    assert [dict(trial.lost) for trial in found.trials] == [{}, {0: "diverged"}]


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


def test_a_worker_that_would_run_something_else_refuses() -> None:
    spec = EXPERIMENT.base(None)
    (blank,) = identify([spec], CONDITIONS)
    assert blank.status == "failed"
    assert len(blank.values["loss"]) == 0
    with pytest.raises(WorkersError, match=r"would run something else .*It has python"):
        run_cell(spec, "0" * 16, CONDITIONS)


def test_threads_of_a_worker_are_part_of_what_it_runs() -> None:
    spec = EXPERIMENT.base(None)
    one, two = (
        identify([spec], Conditions(session="s", threads=n, shared=True, tuned=False))[0]
        for n in (1, 2)
    )
    assert one.run_id != two.run_id
    assert (one.environment["threads"], two.environment["threads"]) == (1, 2)


def test_json_of_a_sweep_is_strict(tmp_path: Path) -> None:
    swept(tmp_path)
    text = records.find(tmp_path, None).read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
