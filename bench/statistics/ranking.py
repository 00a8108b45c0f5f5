"""Which optimizers cannot be told from the best one: pure statistics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.statistics import dunnett
from bench.statistics import selection as plateau

Better = Literal["min", "max"]
Standing = Literal["", "best", "tied", "worse", "lost"]

ONE_LABEL = "There is nothing to compare it with."
ALL_LOST = "Every optimizer has runs that failed or missed."
NO_COMMON_SEED = "The optimizers have no seed in common."
ONE_SEED = "One common seed cannot tell them apart."
INFINITELY_GOOD = "Some values are infinitely good, so that their differences are unknown."


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What can be said of the order of labels.

    Attributes:
        leader: The label with the best mean over the common seeds, among those that lost no run,
            whether or not that can be told from chance; ``None`` if there is no such mean.
        best: The leader, if seeds can tell at all; else ``None``, and nothing is tied or worse.
        tied: Other labels that cannot be told from the best, the better mean first.
        worse: Labels that are worse than the best, the better mean first.
        lost: Labels that lost runs; they are worse than any that lost none.
        seeds: How many seeds the ranking is over.
        reason: Why nothing can be told, one sentence; empty if something can.
    """

    leader: str | None = None
    best: str | None = None
    tied: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    seeds: int = 0
    reason: str = ""

    def standing(self, label: str) -> Standing:
        """Where a label stands; empty if nothing can be told of it."""
        if label == self.best:
            return "best"
        if label in self.tied:
            return "tied"
        if label in self.worse:
            return "worse"
        return "lost" if label in self.lost else ""


def rank(
    values: Mapping[str, Mapping[int, float]],
    *,
    better: Better,
    logarithmic: bool,
    lost: Mapping[str, int] | None = None,
    confidence: float = dunnett.CONFIDENCE,
) -> Ranking:
    r"""Find the best label and those that cannot be told from it.

    Labels that lost runs are set aside first. The others are compared over the seeds that all of
    them have, pairwise, since all labels of a seed start from the same parameters and see the same
    batches. With the mean costs :math:`\bar y_c` over n seeds and the lowest, :math:`\bar y_b`, a
    label is tied if

    .. math::
        \bar y_c - \bar y_b \le d\, s \sqrt{2 / n},

    with the noise s within seeds and the one-sided Dunnett value d; see
    :func:`bench.statistics.selection.select` for both, its sources and its model. Then the label
    that is truly best is called best or tied with at least the given probability. Of two labels
    this is Student's paired test. Labels with equal values are tied.

    Args:
        values: By label and seed; infinite where the run missed or diverged. Labels may lack seeds;
            those with neither values nor losses are passed over.
        better: Whether small or large values are better.
        logarithmic: Compare logarithms, and so ratios, if all compared values are positive.
        lost: How many runs each label lost otherwise; absent labels lost none.
        confidence: Probability that the truly best label is best or tied.

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
    selection = plateau.select(costs, np.zeros((len(costs), len(costs))), confidence)
    members = {contenders[index] for index in np.flatnonzero(selection.members)}
    return replace(
        found,
        best=by_mean[0],
        tied=tuple(label for label in by_mean[1:] if label in members),
        worse=tuple(label for label in by_mean[1:] if label not in members),
    )


def _costs(
    values: Sequence[Sequence[float]], better: Better, *, logarithmic: bool
) -> NDArray[np.float64]:
    """Scores where lower is better, ``[labels, seeds]``."""
    costs = np.array(values, dtype=float)
    if logarithmic and (costs > 0).all():
        costs = np.log(costs)
    return costs if better == "min" else -costs
