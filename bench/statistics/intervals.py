"""Statistics over records: pure functions of numbers."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

FINAL_WINDOW = 20
COVERAGE = 0.95


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A median with an interval that holds the population's median; see :func:`spread`.

    Attributes:
        median: Median over runs.
        low: Lower end of the interval, one of the values.
        high: Upper end of the interval, one of the values.
        count: How many runs.
        coverage: Probability that the interval holds the population's median, whatever the
            continuous distribution; of a discrete one at least.
    """

    median: float
    low: float
    high: float
    count: int
    coverage: float


def spread(values: Sequence[float]) -> Spread | None:
    r"""The median with a distribution-free interval of it; ``None`` of nothing.

    Of n values in order, the interval is :math:`[x_{(k)}, x_{(n+1-k)}]`. It holds the population's
    median with probability

    .. math::
        P(k, n) = 1 - 2 \sum_{i=0}^{k-1} \binom{n}{i} 2^{-n},

    and k is the largest rank for which that is at least 95 %. Fewer than six values have none: k is
    1 then, the interval is their range, and its coverage is :math:`1 - 2^{1-n}`: 75 % of three
    values, 94 % of five, none of one.

    Source: David and Nagaraja, *Order Statistics*, 3rd ed. (2003), section 7.1.

    Args:
        values: One per run; infinite where a run missed. The median of an even count is infinite if
            either of the middle two is.

    Raises:
        ValueError: A value is NaN, or the middle two are minus and plus infinity.
    """
    ordered = sorted(map(float, values))
    if any(map(math.isnan, ordered)):
        raise ValueError("A value is NaN, which has no rank: leave out what was not measured.")
    if not ordered:
        return None
    count = len(ordered)
    rank, coverage = _median_interval(count)
    median = ordered[(count - 1) // 2] / 2 + ordered[count // 2] / 2
    if math.isnan(median):
        raise ValueError("The middle values are -inf and inf, which have no median.")
    return Spread(
        median=median,
        low=ordered[rank - 1],
        high=ordered[count - rank],
        count=count,
        coverage=coverage,
    )


def median_band(
    curves: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The median with its interval at each point of several curves, as :func:`spread` has it.

    Args:
        curves: One curve per run, NaN where it has ended, ``[runs, points]``. The interval at a
            point is that of the runs which are there.

    Returns:
        The median and both ends of the interval, ``[points]``; NaN where there is no run.
    """
    ordered = np.sort(np.asarray(curves, dtype=float).T, axis=1)  # [points, runs], NaN last
    counts = np.count_nonzero(~np.isnan(ordered), axis=1)
    here = np.flatnonzero(counts)
    kept, known = ordered[here], counts[here]
    ranks = np.array([_median_interval(int(count))[0] for count in known], dtype=int)

    def at(index: NDArray[np.int_]) -> NDArray[np.float64]:
        return np.take_along_axis(kept, index[:, None], axis=1)[:, 0]

    median, low, high = (np.full(len(ordered), np.nan) for _ in range(3))
    with np.errstate(invalid="ignore"):  # of minus and plus infinity there is no median: NaN
        median[here] = at((known - 1) // 2) / 2 + at(known // 2) / 2
    low[here], high[here] = at(ranks - 1), at(known - ranks)
    return median, low, high


@lru_cache(maxsize=4096)
def _median_interval(count: int) -> tuple[int, float]:
    """Rank k of the lower end of the median's interval, and its coverage; see :func:`spread`."""
    from scipy.special import bdtr

    def outside(rank: int) -> float:
        return 2 * float(bdtr(rank - 1, count, 0.5))

    ranks = range(1, count // 2 + 1)
    rank = max(1, bisect_right(ranks, 1 - COVERAGE, key=outside))
    return rank, 1 - outside(rank)


def final_loss(losses: ArrayLike) -> float:
    """Mean of the last ``FINAL_WINDOW`` mini-batch losses (of all, if there are fewer)."""
    return float(np.mean(np.asarray(losses)[-FINAL_WINDOW:]))


def per_iteration(seconds: Sequence[ArrayLike]) -> float:
    """Total seconds over total iterations of several runs.

    A median would hide what happens only every k-th iteration, such as a refresh of the curvature.

    Args:
        seconds: Seconds per iteration, one array per run.
    """
    pooled = np.concatenate([np.asarray(run, dtype=float) for run in seconds])
    return float(pooled.mean()) if len(pooled) else float("nan")


def on_common_grid(
    times: Sequence[ArrayLike],
    values: Sequence[ArrayLike],
    points: int,
    complete: Sequence[bool] | None = None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Interpolate several curves at the same times, up to where the shortest complete one ends.

    Args:
        times: Ascending seconds, one array per run.
        values: The values at these times.
        points: Length of the grid.
        complete: Which runs were not cut short; all if ``None``. The others do not shorten the
            grid, unless none is complete.

    Returns:
        The grid, and each run's values on it, NaN where the run had ended.
    """
    runs = [np.asarray(run, dtype=float) for run in times]
    ends = [
        run[-1] for run, whole in zip(runs, complete or [True] * len(runs), strict=True) if whole
    ]
    start = max(run[0] for run in runs)
    end = min(ends) if ends else max(run[-1] for run in runs)
    grid = np.linspace(start, max(start, end), points)
    curves = [
        np.interp(grid, run, np.asarray(value), right=np.nan)
        for run, value in zip(runs, values, strict=True)
    ]
    return grid, curves


def prediction_interval(sample: ArrayLike, confidence: float) -> tuple[float, float]:
    r"""Where one more draw from the same normal population falls.

    :math:`\bar x \pm t_{(1+c)/2,\,n-1}\, s \sqrt{1 + 1/n}`.

    Args:
        sample: The draws so far, at least two.
        confidence: Probability c that the next one lies inside.
    """
    from scipy.stats import t

    values = np.asarray(sample, dtype=float)
    count = len(values)
    half = t.ppf((1 + confidence) / 2, count - 1) * values.std(ddof=1) * np.sqrt(1 + 1 / count)
    return float(values.mean() - half), float(values.mean() + half)
