"""What a comparison says, in numbers: one row per label."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.errors import UsageError
from bench.runs.record import DONE, PHASE_COLUMNS, PHASES, RunRecord
from bench.runs.yardsticks import Yardsticks
from bench.statistics import intervals
from bench.statistics.intervals import Spread

CONDITIONS: Mapping[str, Callable[[RunRecord], object]] = {
    "problem": lambda record: record.config["problem"],
    "data": lambda record: record.data["name"],
    "data checksum": lambda record: record.data["checksum"],
    "split": lambda record: record.config["split"],
    "batch size": lambda record: record.config["batch_size"],
    "dtype": lambda record: record.config["dtype"],
    "device": lambda record: record.config["device"],
    "machine": lambda record: record.environment["fingerprint"],
    "allocator tuning": lambda record: record.environment["allocator"]["tuned"],
    "threads": lambda record: record.environment["threads"],
    "torch": lambda record: record.environment["versions"]["torch"],
    "metrics": lambda record: ", ".join(record.metrics),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One label of a comparison.

    Losses and metrics are over the completed runs, times over the completed and diverged ones that
    had the machine for themselves. Each is a median over seeds with its interval.

    Attributes:
        label: The label.
        optimizer: Its name in the registry.
        hyperparameters: The settings that were given or differ from the factory's defaults.
        split: What the metrics were evaluated on, ``"test"`` or ``"validation"``.
        final_loss: Mean of the last mini-batch losses of a run.
        metrics: Last evaluation by metric.
        iterations: How long the runs were.
        clocked_s: How long the runs took, without evaluation.
        target: What ended a run early, as in ``accuracy=0.97``; empty if nothing could.
        reached: How many runs reached the target.
        phase_s: Seconds per iteration by phase, of each run its total over its iterations; empty
            if nothing was timed.
        iteration_s: The same of all phases together.
        curvature: What the steps' curvature was, as (first, last observation): ``damping``, and the
            plain ``share`` and the gradient-``weighted_share`` of curvature in all parameters,
            medians over the completed runs; empty for an optimizer without a diagonal.
        plain_gradients: Seconds per iteration as a multiple of a plain gradient, measured right
            before and after the run.
        peak_memory_bytes: Peak memory of training, over the measurements.
        statuses: How many runs ended how.
        runs: The executions behind the row.
        seeds: Seed of each of them.
        values: What the medians are of, by quantity and run: ``train_loss``, the metrics by their
            names, ``data_s`` and the other phases, ``iteration_s``, ``plain_gradients``,
            ``iterations`` and ``clocked_s``.
    """

    label: str
    optimizer: str
    hyperparameters: Mapping[str, Any]
    split: str
    final_loss: Spread | None
    metrics: Mapping[str, Spread]
    iterations: Spread | None
    clocked_s: Spread | None
    target: str
    reached: int
    phase_s: Mapping[str, Spread]
    iteration_s: Spread | None
    curvature: Mapping[str, tuple[float, float]]
    plain_gradients: Spread | None
    peak_memory_bytes: Spread | None
    statuses: Mapping[str, int]
    runs: Sequence[str]
    seeds: Mapping[str, int]
    values: Mapping[str, Mapping[str, float]]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return asdict(self)


def summarise(
    training: Sequence[RunRecord],
    yardsticks: Sequence[RunRecord],
    memory: Mapping[str, Sequence[int]],
) -> list[Row]:
    """Condense a comparison, in the order in which its labels first appear.

    Args:
        training: Training records.
        yardsticks: Plain-gradient records of their sessions.
        memory: Peak memory by label, in bytes, of every run that measured it.

    Raises:
        UsageError: The records are not comparable.
    """
    require_comparable(training)
    around = Yardsticks(yardsticks)
    by_label: dict[str, list[RunRecord]] = {}
    for record in training:
        by_label.setdefault(record.label, []).append(record)
    return [
        _row(label, records, around, memory.get(label, ())) for label, records in by_label.items()
    ]


def require_comparable(records: Sequence[RunRecord]) -> None:
    """Refuse to compare unlike things.

    Raises:
        UsageError: The records differ in data, machine, device or the like; the fields are named.
    """
    found = {
        name: sorted({str(read(record)) for record in records}) for name, read in CONDITIONS.items()
    }
    differing = [f"{name} ({', '.join(values)})" for name, values in found.items() if values[1:]]
    if differing:
        raise UsageError(f"These runs cannot be compared: they differ in {'; '.join(differing)}.")


def _row(
    label: str, records: Sequence[RunRecord], yardsticks: Yardsticks, memory: Sequence[int]
) -> Row:
    completed = [record for record in records if record.status == "completed"]
    values = _values(records, yardsticks)

    def over(quantity: str) -> Spread | None:
        return intervals.spread(list(values[quantity].values()))

    metrics = {name: over(name) for name in records[0].metrics}
    phases = {phase: over(column) for phase, column in zip(PHASES, PHASE_COLUMNS, strict=True)}
    return Row(
        label=label,
        optimizer=records[0].config["optimizer"],
        hyperparameters=records[0].config["settings"],
        split=records[0].config["split"],
        final_loss=over("train_loss"),
        metrics={name: value for name, value in metrics.items() if value is not None},
        iterations=over("iterations"),
        clocked_s=over("clocked_s"),
        target="{}={:g}".format(*until) if (until := records[0].config["until"]) else "",
        reached=sum(record.target_reached for record in completed),
        phase_s={name: value for name, value in phases.items() if value is not None},
        iteration_s=over("iteration_s"),
        curvature=curvature(completed),
        plain_gradients=over("plain_gradients"),
        peak_memory_bytes=intervals.spread([float(count) for count in memory]),
        statuses=dict(Counter(record.status for record in records)),
        runs=[record.key for record in records],
        seeds={record.key: record.config["seed"] for record in records},
        values=values,
    )


def _final(record: RunRecord) -> dict[str, float]:
    """The last evaluation; what is NaN there is infinitely bad, since its model is useless."""
    last = record.evaluations[-1]
    worst = {"min": math.inf, "max": -math.inf}
    return {
        name: worst[better] if math.isnan(last[name]) else last[name]
        for name, better in record.metrics.items()
    }


def _values(records: Sequence[RunRecord], yardsticks: Yardsticks) -> dict[str, dict[str, float]]:
    """What each run contributes, by quantity and run; see :class:`Row`."""
    values: dict[str, dict[str, float]] = {
        name: {}
        for name in (
            "train_loss", *records[0].metrics, *PHASE_COLUMNS, "iteration_s", "plain_gradients",
            "iterations", "clocked_s",
        )
    }  # fmt: skip
    for record in records:
        found: dict[str, float] = {}
        if record.status == "completed" and len(record.values["loss"]):
            found["train_loss"] = intervals.final_loss(record.values["loss"])
            found["iterations"] = float(len(record.values["loss"]))
            if record.evaluations:
                found |= _final(record)
            if not record.shared:
                found["clocked_s"] = float(record.seconds.sum())
        if record.status in DONE and not record.shared and len(record.seconds):
            found |= {
                name: intervals.per_iteration([record.values[name]]) for name in PHASE_COLUMNS
            }
            found["iteration_s"] = intervals.per_iteration([record.seconds])
            found["plain_gradients"] = found["iteration_s"] / yardsticks.around(record)
        for name, value in found.items():
            if not math.isnan(value):
                values[name][record.key] = value
    return values


def curvature(records: Sequence[RunRecord]) -> dict[str, tuple[float, float]]:
    """Damping and effective curvature shares, overall, at the first and the last observation.

    Medians over the runs that have a diagonal; see :class:`Row`.
    """
    observed = [
        [row for row in record.curvature if row["layer"] == "all"]
        for record in records
        if record.curvature
    ]
    if not observed:
        return {}

    def median(name: str, index: int) -> float:
        return float(np.median([rows[index][name] for rows in observed]))

    names = ("damping", "share", "weighted_share")
    return {name: (median(name, 0), median(name, -1)) for name in names}
