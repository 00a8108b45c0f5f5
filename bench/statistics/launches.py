"""The statistics of base against head: pure functions of block times.

A comparison is a number of *launches*. In each, both sides start a process and take turns on short
blocks of iterations. The effect of a launch is one number per quantity, the trimmed mean of the
logarithms of the ratios of neighbouring blocks, which bursts of other programs hardly move. A
process's memory layout shifts all of its blocks alike, so only launches are independent: intervals
are Student's t over the effects of the launches.

Intervals hold together for all quantities (Bonferroni) and for all looks at the growing data. The
error that a look may spend is fixed by how much of the time budget is gone
(:func:`spent`), and each look has the increment for itself: by the union bound, all intervals of a
comparison contain their true ratio with the stated confidence, whenever it stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Verdict = Literal["slower", "faster", "unchanged", "undecided"]
QUANTITIES = ("forward", "backward", "step", "total")

CONFIDENCE = 0.99
MIN_LAUNCHES = 5
THRESHOLD = 0.025
_TRIMMED = 0.25  # at either end
_LEAST_S = 1e-9  # a phase that takes no time at all is neither faster nor slower than another
_GROWTH = 1.5  # of the number of launches from look to look
_SPENDING_POWER = 2.0

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The ratio head / base of one quantity.

    Attributes:
        ratio: Geometric mean over launches, or the nearest that earlier looks left possible.
        low: Lower end of the interval, which holds together with all others of the comparison.
        high: Upper end.
        alone: The interval that would hold for this quantity alone at one look.
        launches: How many launches it rests on.
    """

    ratio: float
    low: float
    high: float
    alone: tuple[float, float]
    launches: int

    def within(self, earlier: "Estimate") -> "Estimate":
        """This estimate, cut down to what an earlier look left possible."""
        low, high = max(self.low, earlier.low), min(self.high, earlier.high)
        ratio = min(max(self.ratio, low), high)
        return self if low > high else replace(self, ratio=ratio, low=low, high=high)

    def verdict(self, threshold: float = THRESHOLD) -> Verdict:
        """What the interval and the size of the effect say together.

        ``slower``: the interval excludes 1 and the ratio exceeds ``1 + threshold``. ``faster``:
        likewise below ``1 / (1 + threshold)``. ``unchanged``: the whole interval lies between
        these two. Anything else is ``undecided``.
        """
        upper = 1 + threshold
        if self.low > 1 and self.ratio > upper:
            return "slower"
        if self.high < 1 and self.ratio < 1 / upper:
            return "faster"
        if 1 / upper <= self.low and self.high <= upper:
            return "unchanged"
        return "undecided"


def totals(blocks: Array) -> Array:
    """Seconds per iteration of each quantity.

    Args:
        blocks: Seconds per phase (data, forward, backward, step), ``[..., iterations, 4]``.

    Returns:
        ``[..., 4]``, in the order of ``QUANTITIES``.
    """
    phases = blocks.mean(axis=-2)
    total: Array = np.concatenate([phases[..., 1:], phases.sum(-1, keepdims=True)], axis=-1)
    return total


def launch_effect(base: Array, head: Array) -> Array:
    """Log ratio head / base of one launch, robust against bursts.

    The mean of ``log(head / base)`` over pairs of neighbouring blocks without the lowest and the
    highest quarter. Blocks hold whole periods of an optimizer's work (``bench.regress.turns``),
    so that no part of it is left out.

    Args:
        base: Seconds per iteration of the base's blocks, ``[blocks, quantities]``.
        head: Those of the head's blocks that were measured right beside them.

    Returns:
        ``[quantities]``.
    """
    ratios = np.maximum(head, _LEAST_S) / np.maximum(base, _LEAST_S)
    return np.asarray(stats.trim_mean(np.log(ratios), _TRIMMED, axis=0), dtype=np.float64)


def spent(fraction: float) -> float:
    r"""Share of the error that may be spent when a share of the budget is gone.

    The power family :math:`\alpha t^\rho` with :math:`\rho = 2`: little early, most at the end.
    Source: Kim and DeMets, Biometrika 74 (1987); error spending: Lan and DeMets, Biometrika 70
    (1983).
    """
    return float(min(max(fraction, 0.0), 1.0) ** _SPENDING_POWER)


def estimates(
    effects: Array, error: float, confidence: float = CONFIDENCE, *, against_one: bool = False
) -> list[Estimate]:
    r"""Student's t intervals over launches, :math:`\bar e \pm t_{1-\alpha/2m,\,n-1}\, s/\sqrt n`.

    Args:
        effects: Log ratios, ``[launches, quantities]`` for the whole family of m quantities.
        error: The probability :math:`\alpha` that any interval of this look may miss.
        confidence: Of the interval of a quantity alone.
        against_one: The base is one launch, the same in all ratios: one more draw of a population
            as wide as the head's, so that :math:`s\sqrt{1 + 1/n}` takes the place of
            :math:`s/\sqrt n`.
    """
    launches, family = effects.shape
    centre = effects.mean(axis=0)
    scale = effects.std(axis=0, ddof=1) * np.sqrt(1 / launches + (1 if against_one else 0))
    together = stats.t.isf(error / (2 * family), launches - 1) * scale
    alone = stats.t.isf((1 - confidence) / 2, launches - 1) * scale
    return [
        Estimate(
            ratio=float(np.exp(middle)),
            low=float(np.exp(middle - wide)),
            high=float(np.exp(middle + wide)),
            alone=(float(np.exp(middle - narrow)), float(np.exp(middle + narrow))),
            launches=launches,
        )
        for middle, wide, narrow in zip(centre, together, alone, strict=True)
    ]


def blamed(
    base_s: Sequence[float], ratios: Sequence[float], verdicts: Sequence[Verdict]
) -> str | None:
    """The phase that is slower and adds most time; ``None`` if none is slower.

    Args:
        base_s: Seconds of the base, in the order of ``QUANTITIES``.
        ratios: Head / base.
        verdicts: What follows.
    """
    added = {
        phase: seconds * (ratio - 1)
        for phase, seconds, ratio, verdict in zip(QUANTITIES, base_s, ratios, verdicts, strict=True)
        if phase != "total" and verdict == "slower"
    }
    return max(added, key=added.__getitem__) if added else None


class Monitor:
    """Decides when to look and when to stop; knows nothing but the data that it is shown.

    It looks at 5, 8, 12, 18, ... launches and once more when the budget is gone. It stops when
    every quantity has a verdict. Since the intervals of all looks hold together, so does their
    intersection, and what an early look showed is not lost at a later one.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        *,
        confidence: float = CONFIDENCE,
        min_launches: int = MIN_LAUNCHES,
        against_one: bool = False,
    ) -> None:
        """Monitor one comparison.

        Args:
            thresholds: Smallest change that counts, one for each quantity of the family.
            confidence: With which all intervals hold together.
            min_launches: Launches before the first look.
            against_one: The base is a single launch; see :func:`estimates`.
        """
        self._thresholds, self._confidence = list(thresholds), confidence
        self._min_launches = self._next = min_launches
        self._spent, self._against_one = 0.0, against_one
        self.estimates: list[Estimate] | None = None

    def stops(self, effects: Array, fraction: float, *, last: bool) -> bool:
        """Look if it is time to, and tell whether to stop.

        Args:
            effects: Log ratios so far, ``[launches, quantities]``.
            fraction: Share of the time budget that is gone.
            last: There is no time for another launch: what is left of the error is spent.
        """
        launches = len(effects)
        last = last and launches >= self._min_launches
        if launches < self._next and not last:
            return False
        self._next = int(np.ceil(launches * _GROWTH))
        now = 1.0 if last else max(self._spent, spent(fraction))
        error = (1 - self._confidence) * (now - self._spent)
        if error <= 0:
            return last
        self._spent = now
        found = estimates(effects, error, self._confidence, against_one=self._against_one)
        if self.estimates is not None:
            found = [new.within(old) for new, old in zip(found, self.estimates, strict=True)]
        self.estimates = found
        return last or "undecided" not in self.verdicts()

    def verdicts(self) -> list[Verdict]:
        """The verdicts of the last look."""
        assert self.estimates is not None
        return [
            estimate.verdict(threshold)
            for estimate, threshold in zip(self.estimates, self._thresholds, strict=True)
        ]
