"""The settings that cannot be told from the best, and the centre of them: pure statistics."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.statistics.dunnett import CONFIDENCE, Array, critical_value

SHARE_PER_STEP, AVOIDANCE = 0.25, 1.0
_MIN_POOLED = 3


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The plateau among cells, as indices and on the scale of the costs.

    Attributes:
        best: The cell with the lowest mean.
        chosen: The recommended cell.
        members: Which cells are in the plateau, ``[cells]``.
        noise: Standard deviation within cells, seeds' shares taken out; NaN if unknown.
        critical: One-sided Dunnett critical value; NaN if unknown.
        difference: Critical difference of two means; NaN if unknown.
    """

    best: int
    chosen: int
    members: NDArray[np.bool_]
    noise: float
    critical: float
    difference: float


def select(
    costs: Array,
    squared_steps: Array,
    confidence: float = CONFIDENCE,
    *,
    lost_steps: Array | None = None,
    avoidance: float = AVOIDANCE,
) -> Selection:
    r"""The plateau of cells, and its centre.

    The model is :math:`y_{cs} = \mu_c + b_s + e_{cs}`: seeds are blocks, since all cells of a seed
    start from the same parameters and see the same batches. The variance of :math:`e` is pooled
    over the better half of the cells by mean (at least three), because cells near divergence are
    noisier. Normal means and deviations are independent, so that choosing cells by mean leaves the
    variance unbiased.

    A cell is in the plateau if its mean is not above the lowest by more than
    :math:`d\, s \sqrt{2/n}`, with the one-sided Dunnett value d. Then the truly best cell is in it
    with at least the given probability: Gupta, "On some multiple decision (selection and ranking)
    rules", Technometrics 7 (1965); equivalently Hsu, "Simultaneous confidence intervals for all
    distances from the best", Ann. Statist. 9 (1981). This needs a best cell that is no noisier than
    the pooled ones: if it is three times as noisy, at the brink of divergence, it can be missed.

    The centre is where the plateau is densest. Members count by how far they are from its border,
    :math:`w_c = 1 - (\bar y_c - \min \bar y) / (d\, s \sqrt{2/n})`, and the member is chosen that
    has the largest

    .. math::
        \sum_{c'} w_{c'}\, 4^{-\delta^2(c, c')} - \kappa \sum_{l} 4^{-\delta^2(c, l)}

    around it, with the distance :math:`\delta` in grid steps: a direct neighbour counts a quarter.
    The second sum is over the cells l that lost runs, so that neighbours of divergence are shunned;
    kappa = 1 was chosen on half of the scenarios. On the other half it takes mean regret from 0.043
    (kappa = 0) to 0.025 of log loss and its 95 % quantile over scenarios from 0.22 to 0.08; where
    the best setting lies right at a cliff, it costs 0.03 to 0.09. Ties go to the better mean.

    ``bench.evidence.damping_simulation`` is why. Against the lowest mean this rule has a third less
    regret over its scenarios and nowhere more than 0.015 more (of log loss). It chooses a setting
    within 5 % of the best at least as often in every scenario with a valley along lr / damping, a
    bowl or a brink of divergence, and up to 0.2 less often where the best one is at a knee or at
    the grid's edge, so that its plateau is lopsided. The plateau's medoid, all members alike, keeps
    farther from the brink and has less regret there, but at knees and edges it leaves the good
    settings as soon as noise widens the plateau: up to 0.87 less often in one, up to 0.17 more
    regret. A larger weight of neighbours is nearer to the medoid, a smaller one nearer to the
    lowest mean, in gains and losses alike.

    Also tried, and worse in the same places: only the part of the plateau that is connected to the
    best (steps in one axis tear valleys along lr / damping apart), weighted medoids, the member
    with the best worst neighbour or farthest from cells outside, and means smoothed over
    neighbours, by a Gaussian process, or by a quadratic fit.

    Args:
        costs: Scores where lower is better, ``[cells, seeds]``.
        squared_steps: Squared distances between cells in grid steps, ``[cells, cells]``.
        confidence: Probability that the truly best cell is in the plateau.
        lost_steps: Squared distances to the cells that lost runs, ``[cells, lost]``, if there are.
        avoidance: The factor kappa.

    Returns:
        The selection. With one seed or one cell nothing can be told apart: the plateau is the best
        cell alone.
    """
    cells, seeds = costs.shape
    means = costs.mean(axis=1)
    best = int(means.argmin())
    members = np.zeros(cells, dtype=bool)
    members[best] = True
    if cells < 2 or seeds < 2:
        return Selection(best=best, chosen=best, members=members, noise=math.nan,
                         critical=math.nan, difference=math.nan)  # fmt: skip
    pooled = np.argsort(means, kind="stable")[: max(_MIN_POOLED, (cells + 1) // 2)]
    kept = costs[pooled]
    residuals = kept - kept.mean(axis=1, keepdims=True) - kept.mean(axis=0) + kept.mean()
    degrees = (len(pooled) - 1) * (seeds - 1)
    noise = math.sqrt(float((residuals**2).sum()) / degrees)
    critical = critical_value(cells - 1, degrees, confidence)
    difference = critical * noise * math.sqrt(2 / seeds)
    gaps = means - means[best]
    members = gaps <= difference
    weights = np.where(members, 1 - gaps / difference if difference else 1.0, 0.0)
    density = SHARE_PER_STEP**squared_steps @ weights
    if lost_steps is not None:
        density -= avoidance * (SHARE_PER_STEP**lost_steps).sum(axis=1)
    density = np.round(density, 9)
    candidates = np.flatnonzero(members)
    chosen = candidates[np.lexsort((means[candidates], -density[candidates]))[0]]
    return Selection(best=best, chosen=int(chosen), members=members, noise=noise,
                     critical=critical, difference=difference)  # fmt: skip
