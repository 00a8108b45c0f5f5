"""Sweeps of a small problem, with workers in this process."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bench.errors import LostError, UsageError
from bench.runs import store
from bench.runs.record import RunRecord
from bench.sweeps import file as records
from bench.sweeps import outcome as outcomes
from bench.sweeps.experiment import Cell, Experiment
from bench.sweeps.outcome import Outcome
from bench.sweeps.sweep import Sweeper
from bench.sweeps.worker import run as run_cell
from bench.training.tasks import Conditions

CONDITIONS = Conditions(session="s", shared=True, isolated=False)
EXPERIMENT = Experiment(
    problem="quadratic", optimizers=("sgd",), grid=("lr=0.01:1:log3", "momentum=0,0.5"),
    seeds="2", iterations=18,
)  # fmt: skip
EXPERIMENT_CELLS = [{"lr": lr, "momentum": m} for lr in (0.01, 0.1, 1.0) for m in (0, 0.5)]


class Here:
    """A worker in this process."""

    lost: tuple[type[BaseException], ...] = ()
    shared, remote, width = True, False, 1

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
                future.set_exception(LostError("its process died"))
                return future
        try:
            future.set_result(function(*arguments))
        except UsageError as error:
            future.set_exception(error)
        return future

    def close(self, *, at_once: bool) -> None: ...


class Told:
    """Notes what an observer is told."""

    def __init__(self) -> None:
        self.to_do: list[int] = []
        self.stored: list[int] = []
        self.ended: list[float | str] = []
        self.refusals: set[str] = set()

    def planned(self, runs: Any, stored: int) -> None:
        self.to_do.append(len(runs))
        self.stored.append(stored)

    def reused(self, cell: Cell, record: RunRecord, score: float | str) -> None:
        self.refusals.add(record.refusal)

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
