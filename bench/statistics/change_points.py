"""Where the level of a series changes for good, and whether it drifts instead."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from bench.statistics.launches import THRESHOLD, Array

MIN_SEGMENT = 4  # points on either side of a change: one spike, or two, are not one
CRITICAL = 4.7  # standard errors by which levels differ; see bench.evidence.history_simulation
_RANKS = 1.1e-3  # of the rank test
_CLEAR = 7.0  # standard errors, where points are too few for the rank test and levels do not mix
_PENALTY = 2.5
_CLIPPED = 3.0  # standard deviations from a level, beyond which a point is a spike
_RELATED = 0.8  # most that neighbours are taken to have in common
_USUAL, _WEIGHT = 0.3, 20  # what they usually have, and the points that this counts for
_NEARBY = 0.01  # of chi-square: too narrow at 0.05, since places are compared and not means
_PREFERRED = 2.0  # by which the BIC of a line has to be lower than that of levels


@dataclass(frozen=True)
class ChangePoint:
    """A change for good.

    Attributes:
        first: Index of the first point after it.
        earliest: The first index that it may be instead, by the scatter of the points.
        latest: The last one.
    """

    first: int
    earliest: int
    latest: int


@dataclass(frozen=True)
class Course:
    """What a series does.

    Attributes:
        changes: Where its level changes.
        drift: The last point over the first of a straight line (in logarithms), where that tells
            more than changes do; ``None`` where it does not.
    """

    changes: list[ChangePoint]
    drift: float | None = None


def course(values: ArrayLike, threshold: float = THRESHOLD) -> Course:
    r"""Whether a series of positive numbers changes its level, or drifts.

    Candidates come from PELT (Killick, Fearnhead and Eckley, JASA 107, 2012) on the logarithms,
    with absolute deviations from the median as cost and a penalty of :math:`2.5 \sigma \log n`.
    What remains is what differs from its neighbours by

    .. math::
        \frac{|\bar y_1 - \bar y_2|}{s \sqrt{(1/n_1 + 1/n_2)(1 + \rho)/(1 - \rho)}} > 4.7,

    with :math:`s` and the lag-one correlation :math:`\rho` of the deviations from all levels (drawn
    towards 0.3, the more the fewer there are) and spikes cut down to three standard deviations; by
    the rank test of Mann and Whitney (one-sided p below 0.0011); by more than the threshold; and
    for four points at least. A straight line is said instead where its BIC (Schwarz, 1978) is lower
    than that of levels by 2, its slope has as many standard errors and it leads further than the
    threshold.

    Args:
        values: By time.
        threshold: The smallest change of the level that counts, as a share.

    Returns:
        Nothing found where a value is not positive, or there are too few.
    """
    if len(series := np.asarray(values, dtype=float)) < 2 * MIN_SEGMENT or (series <= 0).any():
        return Course([])
    logs = np.log(series)
    edges = _confirmed(logs, _candidates(logs), float(np.log1p(threshold)))
    line, slope_z = _line(logs)
    slope = float(line[-1] - line[0])
    steps, spread, related = _levels(logs, edges)
    if abs(slope) > np.log1p(threshold) and slope_z > CRITICAL:
        singles = (_levels(logs, [0, at, len(logs)])[0] for at in range(2, len(logs) - 1))
        levels = [_bic(logs - steps, 2 * len(edges) - 3), *(_bic(logs - one, 3) for one in singles)]
        if _bic(logs - line, 2) + _PREFERRED < min(levels):
            return Course([], float(np.exp(slope)))
    inner = range(1, len(edges) - 1)
    return Course([_located(steps, logs, edges, at, spread, related) for at in inner])


def _candidates(logs: Array) -> list[int]:
    """Edges of the segments that PELT finds, those of the series among them."""
    import ruptures

    sigma = 1.4826 * np.median(np.abs(np.diff(logs))) / np.sqrt(2)
    penalty = _PENALTY * max(float(sigma), 1e-9) * np.log(len(logs))
    search = ruptures.Pelt(model="l1", min_size=2, jump=1).fit(logs)
    return [0, *(int(end) for end in search.predict(pen=penalty))]


def _confirmed(logs: Array, edges: list[int], least: float) -> list[int]:
    """The edges without those of segments that are too short, or too like their neighbours."""
    edges = list(edges)
    while len(edges) > 2:
        medians = np.array([np.median(logs[a:b]) for a, b in itertools.pairwise(edges)])
        steps, sizes = np.abs(np.diff(medians)), np.diff(edges)
        if sizes.min() < MIN_SEGMENT:  # too short a segment joins the neighbour that is more alike
            short = int(sizes.argmin())
            left = steps[short - 1] if short > 0 else np.inf
            right = steps[short] if short < len(steps) else np.inf
            del edges[short if left <= right else short + 1]
            continue
        levels, spread, related = _levels(logs, edges)
        means = levels[edges[:-1]]
        errors = spread * np.sqrt((1 / sizes[1:] + 1 / sizes[:-1]) * _inflation(related))
        gaps = np.abs(np.diff(means)) / errors
        neighbours = zip(edges, edges[1:], edges[2:], strict=False)
        needed = [_needed(logs[a:b], logs[b:c]) for a, b, c in neighbours]
        sure = np.minimum(gaps / needed, steps / least)
        if sure.min() > 1:
            break
        del edges[int(sure.argmin()) + 1]
    return edges


def _needed(before: Array, after: Array) -> float:
    """How many standard errors two levels have to differ by, for what the order of points says.

    The rank test of Mann and Whitney is not moved by a few spikes; where there are too few points
    for it, none of one level may lie within the other's.
    """
    if stats.mannwhitneyu(before, after).pvalue / 2 <= _RANKS:
        return CRITICAL
    apart = before.max() < after.min() or after.max() < before.min()
    return _CLEAR if apart else math.inf


def _levels(logs: Array, edges: list[int]) -> tuple[Array, float, float]:
    """The level of every point, with spikes cut down; their scatter and lag-one correlation."""
    parts = [logs[a:b] for a, b in itertools.pairwise(edges)]
    medians = np.concatenate([np.full(len(part), np.median(part)) for part in parts])
    limit = _CLIPPED * np.quantile(np.abs(logs - medians), 0.75) / stats.norm.ppf(0.875)
    clipped = np.clip(logs, medians - limit, medians + limit)
    means = [np.full(b - a, clipped[a:b].mean()) for a, b in itertools.pairwise(edges)]
    levels = np.concatenate(means)
    rest = clipped - levels
    free = len(logs) - len(parts)
    spread = max(float(np.sqrt((rest**2).sum() / free)), 1e-9)
    related = float((rest[1:] * rest[:-1]).sum() / max((rest**2).sum(), 1e-18))
    related += (1 + 3 * related) / len(logs)  # the bias of short series: Kendall, Biometrika 41
    related = (len(logs) * related + _WEIGHT * _USUAL) / (len(logs) + _WEIGHT)
    return levels, spread, min(max(related, 0.0), _RELATED)


def _inflation(related: float) -> float:
    """By what related neighbours make the variance of a mean larger."""
    return (1 + related) / (1 - related)


def _line(logs: Array) -> tuple[Array, float]:
    """A straight line through the series, and its slope in standard errors."""
    at = np.arange(len(logs)) - (len(logs) - 1) / 2
    slope, middle = np.polyfit(at, logs, 1)
    line: Array = middle + slope * at
    limit = _CLIPPED * np.quantile(np.abs(logs - line), 0.75) / stats.norm.ppf(0.875)
    slope, middle = np.polyfit(at, np.clip(logs, line - limit, line + limit), 1)
    line = middle + slope * at
    _, spread, related = _levels(logs - line, [0, len(logs)])
    error = spread * np.sqrt(_inflation(related) / (at**2).sum())
    return line, float(abs(slope) / error)


def _bic(rest: Array, free: int) -> float:
    """Of deviations, with spikes cut down, from a model of so many numbers."""
    limit = _CLIPPED * np.quantile(np.abs(rest), 0.75) / stats.norm.ppf(0.875)
    squares = np.minimum(rest**2, limit**2).sum()
    count = len(rest)
    return float(count * np.log(max(squares, 1e-18) / count) + free * np.log(count))


def _located(
    levels: Array, logs: Array, edges: list[int], at: int, spread: float, related: float
) -> ChangePoint:
    """Where a change may lie: moving it there costs less than chance would (95 %)."""
    start, first, end = edges[at - 1], edges[at], edges[at + 1]
    before, after = levels[start], levels[first]
    limit = _CLIPPED * spread
    part = np.clip(logs[start:end], min(before, after) - limit, max(before, after) + limit)
    gained = (part - before) ** 2 - (part - after) ** 2  # by a point's being after the change
    costs = np.concatenate([[0.0], np.cumsum(gained)])
    costs -= costs[first - start]
    allowed = stats.chi2.isf(_NEARBY, 1) * spread**2 * _inflation(related)
    near = np.flatnonzero(costs <= allowed) + start
    return ChangePoint(first, int(max(near.min(), start + 1)), int(min(near.max(), end - 1)))
