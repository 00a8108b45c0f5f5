"""Which optimizers cannot be told from the best one: pure statistics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95

Array = NDArray[np.float64]
Better = Literal["min", "max"]
Standing = Literal["", "best", "tied", "behind", "worse", "lost"]

ONE_LABEL = "There is nothing to compare it with."
ALL_LOST = "Every optimizer has runs that failed or missed."
NO_COMMON_SEED = "The optimizers have no seed in common."
ONE_SEED = "One common seed cannot tell them apart."
OTHER_SESSIONS = "The optimizers ran in different sessions, whose times are not compared."
CLOCK_DISAGREES = (
    "By wall time another optimizer would be the first: the clock covers too little of it."
)
INFINITELY_GOOD = "Some values are infinitely good, so that their differences are unknown."


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What can be said of the order of labels.

    Attributes:
        leader: The label with the best mean over the common seeds, among those that lost no run,
            whether or not that can be told from chance; ``None`` if there is no such mean.
        best: The leader, if seeds can tell at all; else ``None``, and nothing is tied or worse.
        tied: Other labels that cannot be told from the best, the better mean first.
        behind: Labels that are probably behind the best: they would be worse if this pair alone had
            been compared.
        worse: Labels that are worse than the best, the better mean first; with 95 % none of them
            is falsely.
        lost: Labels that lost runs; they are worse than any that lost none.
        seeds: How many seeds the ranking is over.
        reason: Why nothing can be told, one sentence; empty if something can.
    """

    leader: str | None = None
    best: str | None = None
    tied: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    seeds: int = 0
    reason: str = ""

    @property
    def others(self) -> tuple[str, ...]:
        """The labels that are compared with the best, in the order of their standing."""
        return (*self.tied, *self.behind, *self.worse)

    def without_order(self, reason: str) -> "Ranking":
        """The same, but that nothing can be told of the order, and why."""
        return replace(self, best=None, tied=(), behind=(), worse=(), reason=reason)

    def standing(self, label: str) -> Standing:
        """Where a label stands; empty if nothing can be told of it."""
        if label == self.best:
            return "best"
        if label in self.tied:
            return "tied"
        if label in self.behind:
            return "behind"
        if label in self.worse:
            return "worse"
        return "lost" if label in self.lost else ""


def rank(
    values: Mapping[str, Mapping[int, float]],
    *,
    better: Better,
    logarithmic: bool,
    lost: Mapping[str, int] | None = None,
    confidence: float = CONFIDENCE,
) -> Ranking:
    r"""Find the best label and those that cannot be told from it.

    Labels that lost runs are set aside first. The others are compared over the seeds that all of
    them have, pairwise, since all labels of a seed start from the same parameters and see the same
    batches. With the mean costs :math:`\bar y_c` of k labels over n seeds, and the variance
    :math:`v_{bc}` of the differences of two of them, a label is worse than the best, b, if

    .. math::
        \bar y_c - \bar y_b > q_{k,\nu} \sqrt{\frac{\max(v_{bc}, v_0)}{2 n}},
        \qquad v_0 = \operatorname{med}_c \operatorname{med}_{a \ne c} v_{ac},

    with the studentised range :math:`q_{k,\nu}` on :math:`\nu = \min(2, k - 1)(n - 1)` degrees of
    freedom (Tukey's comparison of all pairs). It is probably behind if it would be for two labels,
    and else tied. Of two labels this is Student's paired test, two-sided. Labels with equal values
    are tied.

    A pair's own variance keeps a noisy label from hiding the others, and the floor keeps a pair
    whose few seeds happen to agree from being told apart: ``bench.evidence.ranking_simulation`` has
    both beside a variance that is pooled over the better half, as it was before. Of equal labels
    one is falsely worse in at most 6 % of comparisons (normal, heavy tails, skewed, 1 run in 20
    stuck; 7 % where one label is four times as noisy), where it was up to 46 to 99 %. Two or three
    seeds of many labels tell little apart.

    Source: Tukey, "The problem of multiple comparisons" (1953), with variances by pair as in Games
    and Howell, J. Educ. Stat. 1 (1976).

    Args:
        values: By label and seed; infinite where the run missed or diverged. Labels may lack seeds;
            those with neither values nor losses are passed over.
        better: Whether small or large values are better.
        logarithmic: Compare logarithms, and so ratios, if all compared values are positive.
        lost: How many runs each label lost otherwise; absent labels lost none.
        confidence: Probability that no label is falsely called worse.

    Returns:
        The ranking. If all labels but one lost runs, that one is best, given two seeds of it.

    Raises:
        ValueError: A value is NaN.
    """
    for label, by_seed in values.items():
        if any(map(math.isnan, by_seed.values())):
            raise ValueError(f"A value of '{label}' is NaN: leave out what was not measured.")
    missed = math.inf if better == "min" else -math.inf
    losses = dict(lost or {})
    labels = [label for label, by_seed in values.items() if by_seed or losses.get(label)]
    labels += [label for label, count in losses.items() if count and label not in values]
    losing = tuple(
        label for label in labels if losses.get(label) or missed in values.get(label, {}).values()
    )
    contenders = [label for label in labels if label not in losing]
    if not contenders:
        return Ranking(lost=losing, reason=ALL_LOST if len(labels) > 1 else ONE_LABEL)
    seeds = sorted(set.intersection(*(set(values[label]) for label in contenders)))
    found = Ranking(lost=losing, seeds=len(seeds))
    if not seeds:
        return replace(found, reason=NO_COMMON_SEED)
    costs = _costs([[values[label][seed] for seed in seeds] for label in contenders],
                   better, logarithmic=logarithmic)  # fmt: skip
    if not np.isfinite(costs).all():
        return replace(found, reason=INFINITELY_GOOD)
    by_mean = [contenders[index] for index in np.argsort(costs.mean(axis=1), kind="stable")]
    found = replace(found, leader=by_mean[0])
    if len(labels) < 2 or len(seeds) < 2:
        return replace(found, reason=ONE_LABEL if len(labels) < 2 else ONE_SEED)
    if len(contenders) < 2:
        return replace(found, best=by_mean[0])
    gap, alone, jointly = differences(costs, confidence)
    best = contenders.index(by_mean[0])

    def beyond(label: str) -> int:
        index = contenders.index(label)
        return int(gap[best, index] > alone[best, index]) + int(
            gap[best, index] > jointly[best, index]
        )

    tied, behind, worse = (
        tuple(label for label in by_mean[1:] if beyond(label) == steps) for steps in range(3)
    )
    return replace(found, best=by_mean[0], tied=tied, behind=behind, worse=worse)


def differences(costs: Array, confidence: float = CONFIDENCE) -> tuple[Array, Array, Array]:
    """Differences of labels' means, and how large they have to be; see :func:`rank`.

    Args:
        costs: ``[labels, seeds]``, at least two of either.
        confidence: The probability that none beyond the last of the three is false.

    Returns:
        How much larger the mean of the second label is than that of the first, what it has to be
        beyond if this pair alone is compared, and if all are: ``[labels, labels]`` each.
    """
    from scipy.stats import t

    labels, seeds = costs.shape
    between = costs[None, :, :] - costs[:, None, :]
    variances = between.var(axis=2, ddof=1)
    others = variances[~np.eye(labels, dtype=bool)].reshape(labels, labels - 1)
    scale = np.sqrt(np.maximum(variances, np.median(np.median(others, axis=1))) / seeds)
    degrees = min(2, labels - 1) * (seeds - 1)
    single = float(t.ppf((1 + confidence) / 2, degrees))
    joint = studentised_range(labels, degrees, confidence) / math.sqrt(2)
    return between.mean(axis=2), single * scale, max(single, joint) * scale


@lru_cache(maxsize=1024)
def studentised_range(labels: int, degrees: int, confidence: float = CONFIDENCE) -> float:
    """The quantile of the range of so many standard normal means over an estimated deviation."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(confidence, labels, degrees))


def _costs(values: Sequence[Sequence[float]], better: Better, *, logarithmic: bool) -> Array:
    """Scores where lower is better, ``[labels, seeds]``."""
    costs = np.array(values, dtype=float)
    if logarithmic and (costs > 0).all():
        costs = np.log(costs)
    return costs if better == "min" else -costs
