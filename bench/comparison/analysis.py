"""What a group of runs says: its rows, the best first, times to targets, and what is tied."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.comparison import targets
from bench.comparison.groups import Group
from bench.comparison.quantities import Quantity, to_target
from bench.comparison.summary import COVERED, Row, summarise
from bench.runs.reached import Moment, Reach, reach
from bench.runs.record import DONE, RunRecord
from bench.runs.yardsticks import Yardsticks
from bench.statistics import intervals
from bench.statistics.certified import certified
from bench.statistics.intervals import Spread
from bench.statistics.profiles import Profile, profile
from bench.statistics.ranking import CLOCK_DISAGREES, OTHER_SESSIONS, Ranking, rank

Target = tuple[str, float]
_TIMES = ("s", "seconds", "samples per second")  # units of what differs from session to session


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What a group of runs says.

    Attributes:
        group: The runs.
        rows: One per label, the best by ``metric`` first, those that lost runs after them, those
            that are not applicable last.
        metric: What optimizers are ranked by: the first held-out metric other than the loss.
        better: Whether small or large values of it are better.
        targets: Levels of the metric, easiest first.
        target: The hardest of them that at least half of the labels reach in the median; the
            easiest if none is; ``None`` without targets.
        reached: When each run reached each target, by target and label, then by run. Failed and
            interrupted runs that had not reached it are left out: nobody knows whether they would.
        plain_gradient_s: Seconds of a plain gradient around each run; NaN if unknown.
        rankings: What is best and what cannot be told from it, by key of a quantity: those of
            ``Row.values`` that are better one way, and ``to_target``.
        records: The training records by label.
        sigma: Standard deviation of the metric between seeds, if it is known.
    """

    group: Group
    rows: Sequence[Row]
    metric: str
    better: str
    targets: Sequence[float]
    target: float | None
    reached: Mapping[float, Mapping[str, Mapping[str, Reach]]]
    plain_gradient_s: Mapping[str, float]
    rankings: Mapping[str, Ranking]
    records: Mapping[str, Sequence[RunRecord]]
    sigma: float | None = None

    @property
    def labels(self) -> list[str]:
        """The labels that are compared, in the order of the rows."""
        return [row.label for row in self.rows if row.applies]

    @property
    def split(self) -> str:
        """What the metric was evaluated on."""
        return self.rows[0].split

    @property
    def quantities(self) -> dict[str, Quantity]:
        """All quantities that the runs may tell, by key."""
        return self.rows[0].quantities

    @property
    def ranked(self) -> Quantity:
        """What the rows are in the order of: ``metric``, or the training loss without one."""
        key = f"{self.split}_{self.metric}"
        evaluated = any(key in row.spreads for row in self.rows)
        return self.quantities[key if evaluated else "train_loss"]

    def to(self, target: float, unit: str = "seconds") -> Quantity:
        """What it took to a target, as a quantity; see :meth:`time_to`."""
        return to_target(self.metric, target, unit)

    def time_to(self, target: float, label: str, unit: str) -> dict[str, float]:
        """What each run of a label needed to reach a target, infinite if it never did.

        It is interpolated between two evaluations; see :func:`bench.runs.reached.reach`.

        Args:
            target: One of ``targets``.
            label: One of ``labels``.
            unit: ``iterations``, ``seconds`` or ``gradients`` (gradient-equivalents). Runs whose
                times are no timings, or without a plain gradient, are left out of the last two.
        """
        moments = {run: reach.at for run, reach in self.reached[target][label].items()}
        return self._told(moments, unit)

    def _told(self, moments: Mapping[str, Moment], unit: str) -> dict[str, float]:
        """Moments by run in a unit, without those that it does not have."""
        found = {}
        for run, moment in moments.items():
            value = moment.iterations if unit == "iterations" else moment.seconds
            if unit == "gradients":
                value /= self.plain_gradient_s[run]  # NaN without one, also of a miss
            if not math.isnan(value):
                found[run] = value
        return found

    def spread_to(self, target: float, label: str, unit: str) -> Spread | None:
        """The median of :meth:`time_to` with its interval."""
        return intervals.spread(list(self.time_to(target, label, unit).values()))

    def bracket_to(self, target: float, label: str, unit: str) -> tuple[float, float] | None:
        """Between what the median of :meth:`time_to` is for certain, whatever is between.

        These are the medians of the evaluations before the target was met, and of those that first
        meet it.
        """
        reached = self.reached[target][label]
        low = self._told({run: reach.after for run, reach in reached.items()}, unit)
        high = self._told({run: reach.by for run, reach in reached.items()}, unit)
        first, last = intervals.spread(list(low.values())), intervals.spread(list(high.values()))
        return None if first is None or last is None else (first.median, last.median)

    def certified_to(self, target: float, label: str) -> tuple[float, str]:
        """From which iteration on all of a label's runs are past a target, with certainty.

        See :func:`bench.statistics.certified.certified`.

        Returns:
            The iteration, or NaN and why there is none.
        """
        records = self.records[label]
        if any(record.config["until"] for record in records):
            return math.nan, "its runs end at a target, and not after a fixed budget"
        if any(record.status != "completed" for record in records):
            return math.nan, "it lost runs"
        if len(records) < 2 and self.sigma is None:
            return math.nan, "one seed tells no spread"
        at = [[row["iteration"] for row in record.evaluations] for record in records]
        if any(other != at[0] for other in at):
            return math.nan, "its runs were not evaluated at the same iterations"
        values = [[row[self.metric] for row in record.evaluations] for record in records]
        found = certified(values, target, self.better, sigma=self.sigma)
        return (math.nan, "it is not past it for certain") if found is None else (at[0][found], "")


def analyse(group: Group, wanted: Sequence[Target] = (), *, sigma: float | None = None) -> Analysis:
    """Condense a group.

    Args:
        group: At least one run.
        wanted: Targets as (metric, level). Those of a metric that optimizers are not ranked by here
            are passed over; where none is left, targets are what the runs were to reach and what
            tells them apart (:func:`bench.comparison.targets.choose`).
        sigma: Standard deviation of the metric between seeds, if it is known.
    """
    yardsticks = Yardsticks(group.yardsticks)
    rows = summarise(group.training, group.yardsticks, group.memory)
    metrics = group.first.metrics
    metric = next((name for name in metrics if name != "loss"), next(iter(metrics), ""))
    better = metrics.get(metric, "min")
    until = [record.config["until"] for record in group.training if record.config["until"]]
    levels = {float(level) for name, level in wanted if name == metric}
    if not levels:
        levels = {float(level) for name, level in until if name == metric}
        levels |= set(targets.choose(group.training, metric))
    ordered = tuple(sorted(levels, reverse=better == "min"))
    by_label: dict[str, list[RunRecord]] = {}
    for record in group.training:
        by_label.setdefault(record.label, []).append(record)
    reached = {
        level: {
            label: {
                record.key: there
                for record in records
                if (there := reach(record, metric, level)).at.iterations < math.inf
                or record.status in DONE
            }
            for label, records in by_label.items()
        }
        for level in ordered
    }
    found = Analysis(
        group=group,
        rows=rows,
        metric=metric,
        better=better,
        targets=ordered,
        target=None,
        reached=reached,
        plain_gradient_s={record.key: yardsticks.around(record) for record in group.training},
        rankings={},
        records=by_label,
        sigma=sigma,
    )
    target = _hardest(found)
    sessions = {
        frozenset(record.session for record in by_label[row.label]) for row in rows if row.applies
    }
    rankings = {
        key: _ranking(
            rows, {row.label: row.values.get(key, {}) for row in rows}, quantity, len(sessions) > 1
        )
        for key, quantity in found.quantities.items()
        if quantity.better
    }
    if target is not None:
        seconds = {row.label: found.time_to(target, row.label, "seconds") for row in rows}
        quantity = found.to(target)
        ranking = _ranking(rows, seconds, quantity, len(sessions) > 1)
        by_wall = _ranking(rows, _by_wall(rows, seconds), quantity, len(sessions) > 1)
        if ranking.best is not None and by_wall.leader not in (ranking.leader, None):
            ranking = ranking.without_order(CLOCK_DISAGREES)
        rankings[quantity.key] = ranking
    found = replace(found, target=target, rankings=rankings)
    return replace(found, rows=_ordered(found))


def _by_wall(
    rows: Sequence[Row], seconds: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Clocked seconds as wall time, where the clock covers too little of it to be that."""
    share = {row.label: 1.0 if row.clocked is None else row.clocked for row in rows}
    if min(share.values()) >= COVERED:
        share = dict.fromkeys(share, 1.0)
    return {
        label: {run: value / share[label] for run, value in by_run.items()}
        for label, by_run in seconds.items()
    }


def _hardest(found: Analysis) -> float | None:
    def reaching(level: float) -> int:
        spreads = [found.spread_to(level, label, "iterations") for label in found.labels]
        return sum(spread is not None and math.isfinite(spread.median) for spread in spreads)

    usual = [level for level in found.targets if 2 * reaching(level) >= len(found.labels)]
    return usual[-1] if usual else next(iter(found.targets), None)


def _ordered(found: Analysis) -> list[Row]:
    """Rows in the order of the ranking, those that it does not rank by medians."""
    quantity = found.ranked
    ranking = found.rankings[quantity.key]
    first = [label for label in (ranking.best, *ranking.others) if label]

    def key(row: Row) -> tuple[bool, bool, int, float]:
        spread = row.spreads.get(quantity.key)
        sign = -1.0 if quantity.better == "max" else 1.0
        value = sign * spread.median if spread else math.inf
        place = first.index(row.label) if row.label in first else len(first)
        return not row.applies, row.label in ranking.lost, place, value

    return sorted(found.rows, key=key)


def _lost(row: Row) -> int:
    """How many runs did not complete, of those that could be."""
    done = ("completed", "not_applicable")
    return sum(count for status, count in row.statuses.items() if status not in done)


def _ranking(
    rows: Sequence[Row],
    values: Mapping[str, Mapping[str, float]],
    quantity: Quantity,
    apart: bool,
) -> Ranking:
    """What is best, of values by label and run; a label that lost runs never is.

    Nothing is best by times of labels that ran apart, in different sessions.
    """
    by_seed = {
        row.label: {row.seeds[run]: value for run, value in values[row.label].items()}
        for row in rows
        if values[row.label]
    }
    found = rank(
        by_seed,
        better="max" if quantity.better == "max" else "min",
        logarithmic=quantity.ratio,
        lost={row.label: _lost(row) for row in rows},
    )
    if apart and quantity.unit in _TIMES and found.others:
        return found.without_order(OTHER_SESSIONS)
    return found


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """Performance profiles over all comparisons, targets and seeds.

    Attributes:
        labels: The optimizers that took part everywhere.
        by_unit: The profile by unit: ``iterations``, and ``seconds`` where they are timings.
        left_out: Optimizers that lack runs somewhere.
    """

    labels: Sequence[str]
    by_unit: Mapping[str, Profile]
    left_out: Sequence[str]


def profiles(analyses: Sequence[Analysis]) -> Profiles | None:
    """Performance profiles of the optimizers that ran everywhere; ``None`` if there are not two.

    An instance is a group, a target and a seed that all of them have. Targets are those of the
    groups, so that the profiles depend on them.
    """
    having = [one for one in analyses if one.targets]
    if not having or sum(len(one.targets) for one in having) < 2:
        return None
    labels = [label for label in having[0].labels if all(label in other.labels for other in having)]
    everybody = dict.fromkeys(label for one in having for label in one.labels)
    if len(labels) < 2:
        return None
    by_unit = {}
    for unit in ("iterations", "seconds"):
        times = _instances(having, labels, unit)
        if len(times) > 1:
            by_unit[unit] = profile(times)
    if not by_unit:
        return None
    return Profiles(
        labels=labels,
        by_unit=by_unit,
        left_out=[label for label in everybody if label not in labels],
    )


def _instances(
    analyses: Sequence[Analysis], labels: Sequence[str], unit: str
) -> NDArray[np.float64]:
    """What each label needed, infinite if it never got there, ``[instances, labels]``."""
    rows = []
    for one in analyses:
        seeds = {run: seed for row in one.rows for run, seed in row.seeds.items()}
        for level in one.targets:
            times = [
                {seeds[run]: value for run, value in one.time_to(level, label, unit).items()}
                for label in labels
            ]
            common = set.intersection(*(set(by_seed) for by_seed in times))
            rows += [[by_seed[seed] for by_seed in times] for seed in sorted(common)]
    return np.array(rows, dtype=float).reshape(-1, len(labels))
