"""What results folders hold, and the part of it that a report was asked for."""

import warnings
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import errors
from bench.comparison import groups
from bench.comparison.groups import Group
from bench.errors import UsageError, unknown
from bench.regress import history
from bench.regress.baseline import Stored
from bench.runs import store
from bench.runs.record import RunRecord
from bench.sweeps import file as sweep_records
from bench.sweeps import outcome as outcomes
from bench.sweeps.file import SweepRecord
from bench.sweeps.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Material:
    """What results folders hold.

    Attributes:
        folders: The folders.
        records: All readable records, each execution once.
        sweeps: All readable sweeps.
        baselines: All readable files of the benchmark suite.
    """

    folders: Sequence[Path]
    records: Sequence[RunRecord]
    sweeps: Sequence[SweepRecord] = ()
    baselines: Sequence[Stored] = field(default_factory=list)

    @property
    def sweep_sessions(self) -> list[str]:
        """The sessions whose runs belong to sweeps."""
        return [sweep.experiment.name for sweep in self.sweeps]


def gather(folders: Sequence[Path]) -> Material:
    """Read results folders.

    What is damaged is named in a ``DamagedRecordWarning`` and left out.

    Raises:
        UsageError: A folder does not exist.
    """
    records: dict[str, RunRecord] = {}
    found: dict[str, SweepRecord] = {}
    baselines: list[Stored] = []
    for folder in folders:
        records |= {record.key: record for record in store.load(folder)}
        for path in sorted((folder / sweep_records.FOLDER).glob("*.json")):
            try:
                sweep = sweep_records.read(path)
            except UsageError as error:
                message = f"Skipped: {error}"
                warnings.warn(message, errors.DamagedRecordWarning, stacklevel=2)
                continue
            found.setdefault(sweep.experiment.name, sweep)
        baselines += history.baselines(folder)
    return Material(
        folders=list(folders),
        records=list(records.values()),
        sweeps=sorted(found.values(), key=lambda sweep: sweep.started_at, reverse=True),
        baselines=baselines,
    )


def selected(
    material: Material, problems: Sequence[str] = (), labels: Sequence[str] = ()
) -> tuple[list[RunRecord], list[Group], list[Outcome]]:
    """The records, comparisons and sweeps of some problems and optimizers.

    Args:
        material: All that there is.
        problems: Only these; all if empty.
        labels: Only these optimizers, as runs call them, or as the report does where one label
            stands for several settings, or several of them with commas between; all if empty.

    Returns:
        Records that timings over time are taken from, comparisons, and sweeps with finished runs.

    Raises:
        UsageError: A problem or label that no run has.
    """
    records = _of_problems(material.records, problems)
    found = groups.split(records, material.sweep_sessions)
    known = {record.label for record in records if record.role == "training"}
    known |= {record.label for group in found for record in group.training}
    labels = [name for text in labels for name in _named(text, known)]
    for label in labels:
        if label not in known:
            raise unknown("label", label, sorted(known))
    by_id: dict[str, list[RunRecord]] = {}
    for record in sorted(material.records, key=lambda record: record.started_at, reverse=True):
        by_id.setdefault(record.run_id, []).append(record)
    swept = [
        outcomes.gather(sweep, lambda run_id: by_id.get(run_id, []))
        for sweep in material.sweeps
        if not problems or sweep.experiment.problem in problems
    ]
    if labels:
        records = [r for r in records if r.role != "training" or r.label in labels]
        found = _only(found, labels)
        swept = [_of_labels(one, labels) for one in swept]
    return records, found, [one for one in swept if one.full]


def _named(text: str, known: Container[str]) -> list[str]:
    """The labels of a text: labels themselves may have commas."""
    if text in known:
        return [text]
    return [part.strip() for part in text.split(",") if part.strip()]


def _of_problems(records: Sequence[RunRecord], problems: Sequence[str]) -> list[RunRecord]:
    known = {str(record.config["problem"]) for record in records if record.role == "training"}
    for name in problems:
        if name not in known:
            raise unknown("problem", name, sorted(known))
    return [r for r in records if not problems or r.config["problem"] in problems]


def _only(found: Sequence[Group], labels: Sequence[str]) -> list[Group]:
    """Groups with the runs of some labels only: as runs call them, or as the report does."""
    kept = [
        replace(group, training=[r for r in group.training if _is_wanted(r.label, labels)])
        for group in found
    ]
    return [group for group in kept if group.training]


def _of_labels(outcome: Outcome, labels: Sequence[str]) -> Outcome:
    """A sweep with some labels only."""
    return replace(
        outcome,
        swept=[swept for swept in outcome.swept if swept.label in labels],
        full=[(cell, run) for cell, run in outcome.full if cell.label in labels],
        refused={name: text for name, text in outcome.refused.items() if name in labels},
    )


def _is_wanted(label: str, labels: Sequence[str]) -> bool:
    """Whether a label is one of these, or one of these with the settings that tell it apart."""
    return label in labels or any(label.startswith(f"{name} (") for name in labels)
