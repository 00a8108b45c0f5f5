"""A sweep: what is not stored yet is run, what is stored is reused, all is noted in its file."""

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bench.errors import UsageError, WorkersError
from bench.recommend.swept import Measure
from bench.runs import claims, conditions, store
from bench.runs import settings as options
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.support.text import shorten
from bench.sweeps import file as records
from bench.sweeps import strategies, worker
from bench.sweeps.experiment import Arm, Cell, Experiment, arms
from bench.sweeps.file import SweepRecord
from bench.sweeps.strategies import Batch, Judged
from bench.sweeps.workers import Lost, Pool, run_all
from bench.training import processes
from bench.training.tasks import Conditions, Known


class Observer(Protocol):
    """Is told how a sweep goes."""

    def planned(self, runs: Sequence[tuple[Cell, RunRecord]], stored: int) -> None:
        """These runs come next, with what is known of them; so many others are stored.

        Those that cannot begin are neither.
        """

    def reused(self, cell: Cell, record: RunRecord, score: float | str) -> None:
        """A run was stored before, or cannot begin, as its record says."""

    def finished(self, cell: Cell, record: RunRecord, score: float | str) -> None:
        """A run ended and is stored."""


@dataclass(frozen=True, kw_only=True)
class Sweeper:
    """Runs a sweep.

    Attributes:
        experiment: What is swept.
        pool: The workers.
        conditions: Under which runs take place.
        results: The results folder.
        data_root: Where the workers find data.
        fresh: Run everything, whatever is stored.
        observer: Is told how it goes.
    """

    experiment: Experiment
    pool: Pool
    conditions: Conditions
    results: Path
    data_root: str | None
    fresh: bool
    observer: Observer

    def run(self, *, yaml: str = "", command: str = "") -> SweepRecord:
        """Run it, or what is left of it.

        Finished runs are stored one by one, by this process only.

        Args:
            yaml: Text of the file that defines it, if there is one.
            command: The command line.

        Raises:
            UsageError: A run cannot begin; nothing was run then.
            WorkersError: The workers cannot go on.
        """
        labels = {arm.label: arm for arm in arms(self.experiment, self._facts)}
        store.require_writable(self.results)
        before = records.existing(self.results, self.experiment)
        record = SweepRecord(
            experiment=self.experiment,
            yaml=yaml,
            command=command,
            arms=list(labels.values()),
            threads=self.conditions.threads,
            started_at=before.started_at if before else datetime.now(UTC),
        )
        started = {
            label: strategies.start(self.experiment, arm, self._facts)
            for label, arm in labels.items()
        }
        batches = {label: next(strategy) for label, strategy in started.items()}
        while batches:
            judged = self._run_batches(record, before, labels, batches)
            batches = {}
            for label, settings in judged.items():
                try:
                    batches[label] = started[label].send(settings)
                except StopIteration:
                    continue
        record.save(self.results)
        return record

    def _run_batches(
        self,
        record: SweepRecord,
        before: SweepRecord | None,
        labels: Mapping[str, Arm],
        batches: Mapping[str, Batch],
    ) -> dict[str, list[Judged]]:
        """Run the present batch of every label, and judge its settings."""
        seeds = options.parse_seeds(self.experiment.seeds)
        cells = [
            Cell(label=label, settings=settings, seed=seed, iterations=batch.iterations)
            for label, batch in batches.items()
            for settings in batch.settings
            for seed in seeds
        ]
        specs = [self._spec(labels[cell.label], cell) for cell in cells]
        known = self._identify(specs)
        blanks = [one.blank for one in known]
        record.metrics = blanks[0].metrics
        record.fingerprint = blanks[0].environment["fingerprint"]
        measure = self.experiment.judged_by.measure(record.metrics)
        for label, batch in batches.items():
            record.dropped.setdefault(label, []).extend(batch.dropped)
        record.cells += [(cell, blank.run_id) for cell, blank in zip(cells, blanks, strict=True)]
        if not record.within(before):  # a file that knows more already stays as it is
            record.save(self.results)
        scores = self._run(cells, specs, known)
        judged: dict[str, list[Judged]] = {label: [] for label in batches}
        for first in range(0, len(cells), len(seeds)):
            own = [scores[index] for index in range(first, first + len(seeds))]
            judged[cells[first].label].append(_judge(own, measure))
        return judged

    def _facts(self, optimizer: str) -> options.Facts:
        spec = replace(self.experiment.base(self.data_root), optimizer=optimizer)
        facts: options.Facts = self.pool.submit(worker.describe, spec, self.conditions).result()
        return facts

    def _spec(self, arm: Arm, cell: Cell) -> RunSpec:
        experiment, whole = self.experiment, cell.iterations == self.experiment.iterations
        return replace(
            experiment.base(self.data_root),
            optimizer=arm.optimizer,
            label=cell.label,
            groups=arm.groups,
            step=arm.step,
            hyperparameters={**arm.fixed, **cell.settings},
            seed=cell.seed,
            iterations=cell.iterations,
            eval_every=experiment.judged_by.eval_every(cell.iterations),
            curvature_every=experiment.curvature_every if whole else 0,  # nobody reads it
        )

    def _identify(self, specs: Sequence[RunSpec]) -> list[Known]:
        """What is known of runs before they begin; it warms all workers up."""
        size = math.ceil(len(specs) / max(1, self.pool.width))
        parts = [specs[first : first + size] for first in range(0, len(specs), size)]
        known: dict[int, list[Known]] = {}
        calls = [(index, (part, self.conditions)) for index, part in enumerate(parts)]
        for done in run_all(self.pool, worker.identify, calls):
            if isinstance(done, Lost):
                raise WorkersError(f"The runs could not be prepared: {done.reason}.")
            if self.pool.remote:
                _require_same_code(parts[done.key], done.result)
            known[done.key] = done.result
        return [one for index in range(len(parts)) for one in known[index]]

    def _run(
        self, cells: Sequence[Cell], specs: Sequence[RunSpec], known: Sequence[Known]
    ) -> list[float | str]:
        """Run what is not stored, seed by seed; the score of every cell, or why it has none."""
        objective, blanks = self.experiment.judged_by, [one.blank for one in known]
        stored: dict[str, RunRecord] = {}
        todo: dict[str, int] = {}  # by run id: cells may coincide
        for index in sorted(range(len(cells)), key=lambda index: cells[index].seed):
            run_id = blanks[index].run_id
            if run_id in stored or run_id in todo:
                continue
            if blanks[index].error:  # it cannot begin
                stored[run_id] = store.note(blanks[index], self.results)
                continue
            found = None if self.fresh else self._stored(blanks[index], timed=objective.timed)
            if found is None:
                todo[run_id] = index
            else:
                stored[run_id] = found
        reused = sum(not record.error for record in stored.values())
        self.observer.planned([(cells[i], blanks[i]) for i in todo.values()], reused)
        for cell, blank in zip(cells, blanks, strict=True):
            if blank.run_id in stored:
                record = stored[blank.run_id]
                self.observer.reused(cell, record, objective.score(record))
        claimed: dict[int, claims.Claim] = {}

        def calls() -> Iterator[tuple[int, tuple[Any, ...]] | None]:
            waiting = deque(todo.items())
            while waiting:
                run_id, index = waiting.popleft()
                claim = claims.claim(self.results, run_id)
                if claim is None:  # another client runs it
                    waiting.append((run_id, index))
                    yield None
                    continue
                found = None if self.fresh else self._stored(blanks[index], timed=objective.timed)
                if found is None:
                    claimed[index] = claim
                    yield index, (specs[index], run_id, self.conditions)
                else:
                    claim.release()
                    stored[run_id] = found
                    self.observer.finished(cells[index], found, objective.score(found))

        try:
            for done in run_all(self.pool, worker.run, calls()):
                if isinstance(done, Lost):
                    now = datetime.now(UTC)
                    record = replace(blanks[done.key], started_at=now, error=done.reason)
                else:
                    record = known[done.key].told(done.result)
                store.save(record, self.results)
                claimed.pop(done.key).release()
                stored[blanks[done.key].run_id] = record
                self.observer.finished(cells[done.key], record, objective.score(record))
        finally:
            for claim in claimed.values():
                claim.release()
        return [objective.score(stored[blank.run_id]) for blank in blanks]

    def _stored(self, blank: RunRecord, *, timed: bool) -> RunRecord | None:
        """A stored execution of a run; where its times matter, one under the same conditions."""
        under = conditions.values(blank, "times") if timed else None
        return store.find(self.results, blank.run_id, under, shared=self.conditions.shared)


def _require_same_code(specs: Sequence[RunSpec], known: Sequence[Known]) -> None:
    """Refuse a worker that would run other code under the names of this client's.

    Raises:
        UsageError: It would, or what it runs cannot be imported here.
    """
    checked: set[str] = set()
    for spec, one in zip(specs, known, strict=True):
        if one.blank.error or str(spec.optimizer) in checked:
            continue
        checked.add(str(spec.optimizer))
        mine = processes.sources(spec)
        names = {*mine, *one.sources}
        if differing := sorted(n for n in names if mine.get(n) != one.sources.get(n)):
            raise UsageError(
                f"A worker would run other code for '{spec.label}' than this client: "
                f"{shorten(', '.join(differing), 200)} differ. Bring the same files there, and "
                "restart the workers."
            )


def _judge(scores: Sequence[float | str], measure: Measure) -> Judged:
    """The mean of a setting's scores, if every run has a finite one: geometric for losses."""
    numbers = [score for score in scores if not isinstance(score, str) and math.isfinite(score)]
    if len(numbers) < len(scores):
        return Judged(math.nan, math.inf)
    if measure.logarithmic and min(numbers) > 0:
        mean = math.exp(sum(map(math.log, numbers)) / len(numbers))
    else:
        mean = sum(numbers) / len(numbers)
    return Judged(mean, mean if measure.better == "min" else -mean)
