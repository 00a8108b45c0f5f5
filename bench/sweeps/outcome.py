"""What a sweep found: from its file and the records of its runs."""

import math
import statistics
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.recommend.swept import NOT_RUN, Swept, Trial
from bench.runs import settings as options
from bench.runs.record import DONE, RunRecord
from bench.runs.settings import setting_key
from bench.support.text import plural
from bench.sweeps.experiment import Arm, Cell
from bench.sweeps.file import SweepRecord


@dataclass(frozen=True, kw_only=True, repr=False)
class Outcome:
    """A sweep with its results.

    Attributes:
        record: The sweep's file.
        swept: What was found, by label, of those that are not refused.
        full: Records of the runs at the full budget, by cell.
        failed: Records of the runs that failed, at any budget, by cell.
        refused: Of labels that are not applicable at any setting, a sentence that says why.
    """

    record: SweepRecord
    swept: Sequence[Swept]
    full: Sequence[tuple[Cell, RunRecord]] = field(default_factory=list)
    failed: Sequence[tuple[Cell, RunRecord]] = field(default_factory=list)
    refused: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Which sweep it is, and how much of it there is."""
        labels = ", ".join([*(swept.label for swept in self.swept), *self.refused.values()])
        runs = f"{plural(len(self.full), 'finished run')}, {len(self.failed)} failed"
        return f"<Sweep {self.record.experiment.name}: {labels}; {runs}>"

    @property
    def shared(self) -> bool:
        """Whether runs shared a machine, so that their times are no timings."""
        return any(record.shared for _, record in self.full)

    def of(self, label: str, settings: Mapping[str, Any]) -> list[RunRecord]:
        """The full runs of one setting."""
        wanted = label, setting_key(settings)
        return [record for cell, record in self.full if cell.key == wanted]


def gather(record: SweepRecord, executions: Callable[[str], Iterable[RunRecord]]) -> Outcome:
    """Join a sweep's file with the records of its runs.

    Args:
        record: The sweep's file.
        executions: The executions of a run, newest first, such as ``store.Index(...).executions``.
    """
    experiment = record.experiment
    machine = record.fingerprint if experiment.judged_by.timed else None
    run_ids = dict.fromkeys(run_id for _, run_id in record.cells)
    found = {run_id: _latest(executions(run_id), machine) for run_id in run_ids}
    runs = [(cell, found[run_id]) for cell, run_id in record.cells]
    full = [(cell, run) for cell, run in runs if cell.iterations == experiment.iterations]
    refused: dict[str, str] = {}
    for arm in record.arms:
        own = [run for cell, run in runs if cell.label == arm.label]
        if own and all(run is not None and run.refusal for run in own):
            refused[arm.label] = next(run.relabelled(arm.label).refusal for run in own if run)
    return Outcome(
        record=record,
        swept=[_swept(record, arm, full) for arm in record.arms if arm.label not in refused],
        full=[
            (cell, run.relabelled(cell.label))
            for cell, run in full
            if run is not None and run.status in DONE
        ],
        failed=[(cell, run) for cell, run in runs if run is not None and run.status == "failed"],
        refused=refused,
    )


def _latest(executions: Iterable[RunRecord], machine: str | None) -> RunRecord | None:
    """The newest finished execution of a run, or else the newest of any.

    Args:
        executions: Of the run, newest first.
        machine: Where times matter, the fingerprint of the machine on which to have been; then one
            that had it for itself comes first.
    """
    here = [run for run in executions if machine in (None, run.environment["fingerprint"])]
    done = [run for run in here if run.status in DONE]
    alone = [run for run in done if not run.shared] if machine else []
    return next(iter([*alone, *done, *here]), None)


def _swept(record: SweepRecord, arm: Arm, full: Sequence[tuple[Cell, RunRecord | None]]) -> Swept:
    """What was found of one label."""
    experiment, objective = record.experiment, record.experiment.judged_by
    starts = [objective.untrained(run) for cell, run in full if run and cell.label == arm.label]
    starts = [value for value in starts if math.isfinite(value)]
    scores: dict[Hashable, dict[int, float]] = {}
    lost: dict[Hashable, dict[int, str]] = {}
    settings: dict[Hashable, Mapping[str, Any]] = {}
    seeds = set(options.parse_seeds(experiment.seeds))
    for cell, run in full:
        if cell.label != arm.label:
            continue
        settings.setdefault(key := cell.key, cell.settings)
        score = NOT_RUN if run is None else objective.score(run)
        if isinstance(score, str):
            lost.setdefault(key, {})[cell.seed] = score
        elif math.isfinite(score):
            scores.setdefault(key, {})[cell.seed] = score
        else:
            lost.setdefault(key, {})[cell.seed] = "diverged"
    trials = [
        Trial(
            settings=values,
            scores=scores.get(key, {}),
            lost=lost.get(key, {})
            | dict.fromkeys(seeds - scores.get(key, {}).keys() - lost.get(key, {}).keys(), NOT_RUN),
        )
        for key, values in settings.items()
    ]
    pending = {seed for trial in trials for seed, reason in trial.lost.items() if reason == NOT_RUN}
    if pending < seeds:  # judged by the seeds that are complete
        trials = [_without(trial, pending) for trial in trials]
    else:
        pending = set()
    scattered = experiment.strategy == "tpe"
    return Swept(
        label=arm.label,
        optimizer=arm.optimizer,
        axes={
            name: _occurring(name, trials) if scattered else axis.values
            for name, axis in arm.axes.items()
        },
        measure=experiment.judged_by.measure(record.metrics),
        trials=trials,
        dropped=record.dropped.get(arm.label, ()),
        scattered=scattered,
        pending=sorted(pending),
        untrained=statistics.fmean(starts) if starts else math.nan,
    )


def _without(trial: Trial, seeds: set[int]) -> Trial:
    return Trial(
        settings=trial.settings,
        scores={seed: score for seed, score in trial.scores.items() if seed not in seeds},
        lost={seed: reason for seed, reason in trial.lost.items() if seed not in seeds},
    )


def _occurring(name: str, trials: Sequence[Trial]) -> tuple[Any, ...]:
    values = [trial.settings[name] for trial in trials]
    once = dict(zip(map(setting_key, values), values, strict=True)).values()
    try:
        return tuple(sorted(once))
    except TypeError:
        return tuple(once)
