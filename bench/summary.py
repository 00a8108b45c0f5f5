"""What a comparison says, in numbers: one row per label."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench import stats
from bench.record import DONE, PHASE_COLUMNS, PHASES, RunRecord
from bench.stats import Spread
from optimizers.errors import UsageError

YARDSTICK_WARMUP = 5
_COMPARABLE = {
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
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One label of a comparison.

    Losses and metrics are over the completed runs, times over the completed and diverged ones.

    Attributes:
        label: The label.
        optimizer: Its name in the registry.
        hyperparameters: The settings that were given or differ from the factory's defaults.
        split: What the metrics were evaluated on, ``"test"`` or ``"validation"``.
        final_loss: Mean of the last mini-batch losses of a run, over seeds.
        metrics: Last evaluation by metric, over seeds.
        iterations: How long the runs were, over seeds.
        clocked_s: How long the runs took, without evaluation, over seeds.
        target: What ended a run early, as in ``accuracy=0.97``; empty if nothing could.
        reached: How many runs reached the target.
        phase_s: Seconds per iteration by phase: total over iterations, all seeds.
        iteration_s: Their sum.
        curvature: What the steps' curvature was, as (first, last observation): ``damping``, and the
            plain ``share`` and the gradient-``weighted_share`` of curvature in all parameters,
            medians over the completed runs; empty for an optimizer without a diagonal.
        plain_gradients: Seconds per iteration as a multiple of a plain gradient, measured right
            before and after the run, over seeds.
        peak_memory_bytes: Peak memory of training, if measured.
        statuses: How many runs ended how.
        runs: The executions behind the row.
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
    phase_s: Mapping[str, float]
    iteration_s: float
    curvature: Mapping[str, tuple[float, float]]
    plain_gradients: Spread | None
    peak_memory_bytes: int | None
    statuses: Mapping[str, int]
    runs: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return asdict(self)


def summarise(
    training: Sequence[RunRecord],
    yardsticks: Sequence[RunRecord],
    memory: Mapping[str, int],
) -> list[Row]:
    """Condense a comparison, in the order in which its labels first appear.

    Args:
        training: Training records.
        yardsticks: Plain-gradient records of their sessions.
        memory: Peak memory by label, in bytes.

    Raises:
        UsageError: The records are not comparable.
    """
    require_comparable(training)
    labels = dict.fromkeys(record.label for record in training)
    return [
        _row(label, [r for r in training if r.label == label], yardsticks, memory.get(label))
        for label in labels
    ]


def require_comparable(records: Sequence[RunRecord]) -> None:
    """Refuse to compare unlike things.

    Raises:
        UsageError: The records differ in data, machine, device or the like; the fields are named.
    """
    found = {
        name: sorted({str(read(record)) for record in records})
        for name, read in _COMPARABLE.items()
    }
    differing = [f"{name} ({', '.join(values)})" for name, values in found.items() if values[1:]]
    if differing:
        raise UsageError(f"These runs cannot be compared: they differ in {'; '.join(differing)}.")


def yardstick_blocks_s(yardsticks: Sequence[RunRecord]) -> list[float]:
    """Seconds per plain gradient of each yardstick run: forward and backward, warmed up."""
    return [plain_gradient_s([record]) for record in yardsticks if len(record.seconds)]


def _adjacent(record: RunRecord, yardsticks: Sequence[RunRecord]) -> list[RunRecord]:
    """The session's yardsticks right before and right after a run: drift hits them alike."""
    own = [o for o in yardsticks if o.session == record.session and len(o.seconds)]
    before = [other for other in own if other.started_at <= record.started_at]
    after = [other for other in own if other.started_at > record.started_at]
    return [
        *sorted(before, key=lambda other: other.started_at)[-1:],
        *sorted(after, key=lambda other: other.started_at)[:1],
    ]


def plain_gradient_s(yardsticks: Sequence[RunRecord]) -> float:
    """Seconds of a plain gradient: forward and backward, warmed up.

    The median over iterations: nothing happens only every k-th time, and bursts do not count.
    """
    gradients = [r.values["forward_s"] + r.values["backward_s"] for r in yardsticks]
    warm = [run[min(YARDSTICK_WARMUP, len(run) // 2) :] for run in gradients]
    return float(np.median(np.concatenate(warm)))


def _row(
    label: str,
    records: Sequence[RunRecord],
    yardsticks: Sequence[RunRecord],
    memory_bytes: int | None,
) -> Row:
    completed = [record for record in records if record.status == "completed"]
    timed = [record for record in records if record.status in DONE and len(record.seconds)]
    metrics = {
        name: stats.spread([r.evaluations[-1][name] for r in completed if r.evaluations])
        for name in records[0].metrics
    }
    costs = [
        stats.per_iteration([record.seconds]) / plain_gradient_s(around)
        for record in timed
        if (around := _adjacent(record, yardsticks))
    ]
    phases = zip(PHASES, PHASE_COLUMNS, strict=True)
    return Row(
        label=label,
        optimizer=records[0].config["optimizer"],
        hyperparameters=records[0].config["settings"],
        split=records[0].config["split"],
        final_loss=stats.spread([stats.final_loss(r.values["loss"]) for r in completed]),
        metrics={name: value for name, value in metrics.items() if value is not None},
        iterations=stats.spread([float(len(record.seconds)) for record in completed]),
        clocked_s=stats.spread([float(record.seconds.sum()) for record in completed]),
        target="{}={:g}".format(*until) if (until := records[0].config["until"]) else "",
        reached=sum(record.target_reached for record in completed),
        phase_s={
            phase: stats.per_iteration([record.values[column] for record in timed] or [[]])
            for phase, column in phases
        },
        iteration_s=stats.per_iteration([record.seconds for record in timed] or [[]]),
        curvature=curvature(completed),
        plain_gradients=stats.spread(costs),
        peak_memory_bytes=memory_bytes,
        statuses=dict(Counter(record.status for record in records)),
        runs=[record.key for record in records],
    )


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
