"""Statistics over records: pure functions of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

FINAL_WINDOW = 20


@dataclass(frozen=True)
class Spread:
    """A median with the range that it comes from.

    Attributes:
        median: Median over runs.
        low: Smallest value.
        high: Largest value.
        count: How many runs.
    """

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    """Median and range; ``None`` of nothing."""
    if not values:
        return None
    return Spread(float(np.median(values)), min(values), max(values), len(values))


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
