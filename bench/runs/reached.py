"""When a run reached a target: between which two of its evaluations, and about where."""

import math
from dataclasses import dataclass

from bench.runs.record import RunRecord, reaches


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A moment of a run.

    Attributes:
        iterations: Updates done by then; infinite if it never came.
        seconds: Clocked seconds by then; infinite if it never came, NaN if they are no timings.
    """

    iterations: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Reach:
    """When a run reached a target; see :func:`reach`.

    Attributes:
        at: The moment, as far as it can be told.
        after: The last evaluation before the target was met; the run's beginning without one.
        by: The first evaluation that meets it.
    """

    at: Moment
    after: Moment
    by: Moment


def reach(record: RunRecord, metric: str, target: float) -> Reach:
    r"""When a run reached a target, between the evaluation that first meets it and the one before.

    A run is seen at its evaluations only. With the metric :math:`m_0` at the one before and
    :math:`m_1` at the first that is at the target :math:`m` or beyond, the moment is

    .. math::
        t = t_0 + \frac{m - m_0}{m_1 - m_0} (t_1 - t_0),

    as if the metric had gone straight from one to the other; it is :math:`t_1` where there is no
    finite :math:`m_0`. What is certain is :math:`t_0 < t \le t_1`.

    Args:
        record: A training run.
        metric: One of its metrics.
        target: The level to reach.

    Returns:
        The moment and both evaluations. The seconds of a run that shared the machine with others
        are NaN.
    """
    better, before = record.metrics[metric], {"iteration": 0.0, "seconds": 0.0, metric: math.nan}
    for row in record.evaluations:
        if reaches(row[metric], target, better):
            share = (target - before[metric]) / (row[metric] - before[metric] or math.nan)
            share = share if 0 <= share <= 1 else 1.0  # also if it is NaN
            between = {
                name: before[name] + share * (row[name] - before[name])
                for name in ("iteration", "seconds")
            }
            return Reach(
                at=_moment(record, row if share == 1.0 else between),
                after=_moment(record, row if row["iteration"] == 0 else before),
                by=_moment(record, row),
            )
        before = row
    never = _moment(record, {"iteration": math.inf, "seconds": math.inf})
    return Reach(at=never, after=never, by=never)


def _moment(record: RunRecord, row: dict[str, float]) -> Moment:
    seconds = math.nan if record.shared else row["seconds"]
    return Moment(iterations=row["iteration"], seconds=seconds)
