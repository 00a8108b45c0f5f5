"""One label at its recommended setting against others at theirs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bench.recommend.recommendation import Recommendation
from bench.recommend.swept import Measure
from bench.statistics.dunnett import CONFIDENCE
from bench.support.strict_json import with_nulls


@dataclass(frozen=True, kw_only=True)
class Rival:
    """One label's chosen setting against another label's, paired over seeds.

    Attributes:
        own: The label in question.
        rival: The other one.
        measure: What both are judged by.
        logarithmic: Whether ``effect`` is a ratio.
        own_score: Mean over the common seeds of the one (geometric if logarithmic).
        score: Mean of the other.
        effect: Own over rival, or own minus rival.
        low: Lower end of its interval; NaN with fewer than two common seeds.
        high: Upper end.
        seeds: How many seeds both have.
        own_cells: How many settings of the one were swept.
        cells: How many of the other.
        confidence: Of the interval.
        verdict: What the interval says of the one.
    """

    own: str
    rival: str
    measure: Measure
    logarithmic: bool
    own_score: float
    score: float
    effect: float
    low: float
    high: float
    seeds: int
    own_cells: int
    cells: int
    confidence: float
    verdict: Literal["better", "worse", "undecided"]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, ``None`` in the place of numbers that are not finite."""
        return with_nulls({**vars(self), "measure": vars(self.measure)})


def rivals(
    own: Recommendation, others: Sequence[Recommendation], *, confidence: float = CONFIDENCE
) -> list[Rival]:
    r"""Compare a label at its recommended setting with others at theirs, the best rival first.

    :math:`\bar\delta \pm t_{(1+c)/2,\,n-1}\, s_\delta/\sqrt n` of the differences over seeds, of
    logarithms where these are compared. Each interval is for its pair alone, whatever the others
    say; :func:`bench.statistics.ranking.rank` compares all pairs at once.

    Args:
        own: The label in question.
        others: Those to beat. Labels without a recommendation are left out.
        confidence: Probability c of each interval.

    Raises:
        ValueError: They are judged by different measures.
    """
    found = []
    for other in others:
        if other.swept.measure != own.swept.measure:
            raise ValueError(
                f"{own.swept.label} is judged by {own.swept.measure.name}, {other.swept.label} by "
                f"{other.swept.measure.name}: compare labels of the same measure."
            )
        if own.chosen is None or other.chosen is None:
            continue
        if seeds := sorted(own.chosen.scores.keys() & other.chosen.scores.keys()):
            found.append(_rival(own, other, seeds, confidence))
    sign = 1 if own.swept.measure.better == "min" else -1
    return sorted(found, key=lambda rival: sign * rival.score)


def _rival(own: Recommendation, other: Recommendation, seeds: list[int], c: float) -> Rival:
    from scipy.stats import t

    assert own.chosen is not None
    assert other.chosen is not None
    ours = np.array([own.chosen.scores[seed] for seed in seeds], dtype=float)
    theirs = np.array([other.chosen.scores[seed] for seed in seeds], dtype=float)
    logarithmic = own.swept.compares_logarithms and other.swept.compares_logarithms
    if logarithmic:
        ours, theirs = np.log(ours), np.log(theirs)
    differences = ours - theirs
    half = math.nan
    if len(seeds) > 1:
        spread = differences.std(ddof=1) / math.sqrt(len(seeds))
        half = float(t.ppf((1 + c) / 2, len(seeds) - 1) * spread)
    middle = float(differences.mean())
    lower = own.swept.measure.better == "min"
    verdict: Literal["better", "worse", "undecided"] = "undecided"
    if abs(middle) > half:
        verdict = "better" if (middle < 0) == lower else "worse"
    back = math.exp if logarithmic else float
    return Rival(
        own=own.swept.label,
        rival=other.swept.label,
        measure=own.swept.measure,
        logarithmic=logarithmic,
        own_score=back(float(ours.mean())),
        score=back(float(theirs.mean())),
        effect=back(middle),
        low=back(middle - half),
        high=back(middle + half),
        seeds=len(seeds),
        own_cells=own.swept.cells,
        cells=other.swept.cells,
        confidence=c,
        verdict=verdict,
    )
