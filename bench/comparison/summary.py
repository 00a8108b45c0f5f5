"""What a comparison says, in numbers: one row per label."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.comparison import quantities
from bench.comparison.quantities import Quantity, of_problem, of_record
from bench.errors import UsageError
from bench.runs import conditions
from bench.runs.record import RunRecord
from bench.runs.yardsticks import Yardsticks
from bench.statistics import intervals
from bench.statistics.intervals import Spread
from bench.support.numbers import duration
from bench.support.text import plain


@dataclass(frozen=True, kw_only=True)
class Row:
    """One label of a comparison.

    Attributes:
        label: The label.
        optimizer: Its name in the registry.
        hyperparameters: The settings that were given or differ from the factory's defaults.
        split: What the metrics were evaluated on, ``"test"`` or ``"validation"``.
        metrics: The problem's metrics, and which way is better.
        spreads: By key of :mod:`bench.comparison.quantities`, the median over seeds with its
            interval; a quantity that no run tells is absent. Peak memory is over its measurements.
        values: What the medians are of, by quantity and run.
        target: What ended a run early, as in ``accuracy=0.97``; empty if nothing could.
        reached: How many runs reached the target.
        curvature: What the steps' curvature was, as (first, last observation): ``damping``, and the
            plain ``share`` and the gradient-``weighted_share`` of curvature in all parameters,
            medians over the completed runs; empty for an optimizer without a diagonal.
        statuses: How many runs ended how.
        refusal: A sentence that its optimizer is not for this problem, and why; empty if it is.
        clocked: How much of the wall time of its iterations the clock covers, the median over runs;
            ``None`` if it is not known.
        spoilt: A sentence on iterations that took so long that its times say something else; see
            :func:`spoilt`. Empty where there are none.
        runs: The executions behind the row.
        seeds: Seed of each of them.
    """

    label: str
    optimizer: str
    hyperparameters: Mapping[str, Any]
    split: str
    metrics: Mapping[str, str]
    spreads: Mapping[str, Spread]
    values: Mapping[str, Mapping[str, float]]
    target: str
    reached: int
    curvature: Mapping[str, tuple[float, float]]
    statuses: Mapping[str, int]
    refusal: str
    clocked: float | None
    spoilt: str
    runs: Sequence[str]
    seeds: Mapping[str, int]

    @property
    def quantities(self) -> dict[str, Quantity]:
        """All quantities that its runs may tell, by key."""
        return of_problem(self.metrics, self.split)

    @property
    def applies(self) -> bool:
        """Whether there was anything to run; else it takes no part in what is compared."""
        return self.statuses.keys() != {"not_applicable"}

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
    found = conditions.differing(records)
    differing = [f"{name} ({', '.join(values)})" for name, values in found.items()]
    if differing:
        raise UsageError(f"These runs cannot be compared: they differ in {'; '.join(differing)}.")


def _row(
    label: str, records: Sequence[RunRecord], yardsticks: Yardsticks, memory: Sequence[int]
) -> Row:
    completed = [record for record in records if record.status == "completed"]
    first = records[0]
    known = of_record(first)
    values: dict[str, dict[str, float]] = {key: {} for key in known if known[key].read}
    for record in records:
        for key, value in quantities.values(record, yardsticks.around(record)).items():
            values[key][record.key] = value
    told = {key: list(by_run.values()) for key, by_run in values.items()}
    told["peak_memory_bytes"] = [float(count) for count in memory]
    spreads = {key: intervals.spread(found) for key, found in told.items()}
    return Row(
        label=label,
        optimizer=first.config["optimizer"],
        hyperparameters=first.config["settings"],
        split=first.config["split"],
        metrics=dict(first.metrics),
        spreads={key: spread for key, spread in spreads.items() if spread is not None},
        values=values,
        target="{}={:g}".format(*until) if (until := first.config["until"]) else "",
        reached=sum(record.target_reached for record in completed),
        curvature=curvature(completed),
        statuses=dict(Counter(record.status for record in records)),
        refusal=next((record.refusal for record in reversed(records) if record.refusal), ""),
        clocked=_clocked(records),
        spoilt=spoilt(records),
        runs=[record.key for record in records],
        seeds={record.key: record.config["seed"] for record in records},
    )


COVERED = 0.95  # of wall time by the clock; below it is told


def _clocked(records: Sequence[RunRecord]) -> float | None:
    if any(one.shared for one in records):
        return None
    known = [share for one in records if not math.isnan(share := one.clocked_share)]
    return statistics.median(known) if known else None


def uncovered(rows: Sequence[Row]) -> str:
    """A sentence on whose wall time the clock covers less than 95 %; nothing if it does."""
    told = [
        f"{100 * row.clocked:.0f} % of {plain(row.label)}'s"
        for row in rows
        if row.clocked is not None and row.clocked < COVERED
    ]
    if not told:
        return ""
    return (
        f"The clock covers {', '.join(told)} wall time of iterations: between the phases are "
        "Python, what the harness keeps, and on a GPU the waiting for it."
    )


_LONG, _LONG_S = 20.0, 0.01
_FEW, _FEW_SHARE = 3, 0.02


def spoilt(records: Sequence[RunRecord]) -> str:
    """What to know of the times of a label's runs: the longest iteration, if it is no work.

    An iteration is long beyond 20 times the median of its run; 10 ms at least, below which a busy
    system does that to it. Long ones that come at equal distances all through a run, or that are
    more than 2 % of its iterations and more than three, are an optimizer's own work.

    Returns:
        A sentence, or nothing.
    """
    found = [(record, at) for record in records if len(at := _long_iterations(record))]
    if not found:
        return ""
    worst, at = max(found, key=lambda item: item[0].seconds.max())
    seconds = worst.seconds
    median, longest = float(np.median(seconds)), float(seconds.max())
    if len(at) == 1:
        what, up_to, them = f"iteration {worst.values['iteration'][at[0]]}", "", "it"
    else:
        first = worst.values["iteration"][at[0]]
        what, up_to, them = f"{len(at)} iterations from {first} on", "up to ", "them"
    text = (
        f"{plain(worst.label)}, seed {worst.config['seed']}: {what} took {up_to}"
        f"{duration(longest)}, {longest / median:.0f} times the median of {duration(median)} "
        f"(a compile?); the mean of {duration(intervals.per_iteration([seconds]))} includes {them}"
    )
    others = len(found) - 1
    return f"{text}; so in {others} more of its runs." if others else f"{text}."


def _long_iterations(record: RunRecord) -> NDArray[np.intp]:
    """Where a run has iterations that are long and no work; see :func:`spoilt`."""
    nowhere, seconds, count = np.array([], dtype=np.intp), record.seconds, len(record.seconds)
    if not quantities.is_timed(record) or not (median := float(np.median(seconds))) > 0:
        return nowhere
    at = np.flatnonzero(seconds > max(_LONG * median, _LONG_S))
    if len(at) > max(_FEW, _FEW_SHARE * count):
        return nowhere
    distances = np.unique(np.diff(at))
    regular = len(distances) == 1 and at[0] <= distances[0] and at[-1] + distances[0] >= count
    return nowhere if regular else at


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
