"""The statistics of base against head: pure functions of block times.

A comparison is a number of *launches*. In each, both sides start a process and take turns on short
blocks of iterations. The effect of a launch is the logarithm of a ratio, for each quantity in two
ways (``KINDS``). The *trimmed mean* leaves out the fastest and the slowest iterations of a block,
and then the lowest and the highest ratios of neighbouring blocks: bursts of other programs hardly
move it. The *mean* leaves out nothing, so that work which is rare and comes at random is in it. A
process's memory layout shifts all of its blocks alike, so only launches are independent: intervals
are Student's t over the effects of the launches.

Intervals hold together for all quantities, in both ways, and for all looks at the growing data
(Bonferroni; most of the error is the trimmed mean's). The error that a look may spend is fixed by
how much of the time budget is gone (:func:`spent`), and each look has the increment for itself: by
the union bound, all intervals of a comparison contain their true ratio with the stated confidence,
whenever it stops. That a line is unchanged is shown by two one-sided tests of the trimmed mean,
whose error is spent over the looks likewise, but by each line for itself. The mean has to show it
too, with an error of 20 %: it scatters too much for less. So work at random iterations that makes
up just the threshold is called unchanged in up to a third of comparisons, and in up to 7 % if it is
twice that (``bench.evidence.verdict_simulation``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Verdict = Literal["slower", "faster", "unchanged", "undecided", "failed"]
QUANTITIES = ("forward", "backward", "step", "total")
KINDS = ("trimmed mean", "mean")  # of the effects of a launch

CONFIDENCE = 0.99
UNCHANGED_ERROR = 0.05  # of a line: that a change as large as the threshold is called unchanged
_UNCHANGED_MEAN_ERROR = 0.2  # likewise by the mean, at a look
MIN_LAUNCHES = 5
THRESHOLD = 0.025
_SHARES = {1: (1.0,), 2: (0.9, 0.1)}  # of the error, by the number of kinds
_TRIMMED_ITERATIONS = 0.2  # at either end
_TRIMMED_BLOCKS = 0.25
_LEAST_S = 1e-9  # a phase that takes no time at all is neither faster nor slower than another
_GROWTH = 1.5  # of the number of launches from look to look
_SPENDING_POWER = 2.0

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The ratio head / base of one quantity.

    Attributes:
        ratio: Geometric mean over launches.
        low: Lower end of the interval, which holds together with all others of the comparison.
            It is as wide on either side of the ratio, in logarithms.
        high: Upper end.
        alone: The interval that would hold for this quantity alone at one look.
        launches: How many launches it rests on.
        kind: Of the effects that it is made of; one of ``KINDS``.
    """

    ratio: float
    low: float
    high: float
    alone: tuple[float, float]
    launches: int
    kind: str = KINDS[0]

    @property
    def detectable(self) -> float:
        """The smallest change whose interval would exclude 1, as a share."""
        return self.high / self.ratio - 1

    def alarm(self, threshold: float) -> Literal["slower", "faster"] | None:
        """``slower``: the interval excludes 1 and the ratio exceeds ``1 + threshold``.

        ``faster``: likewise below ``1 / (1 + threshold)``.
        """
        if self.low > 1 and self.ratio > 1 + threshold:
            return "slower"
        if self.high < 1 and self.ratio < 1 / (1 + threshold):
            return "faster"
        return None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a look says of one quantity.

    Attributes:
        verdict: ``slower`` or ``faster`` as :meth:`Estimate.alarm` has it; ``unchanged`` if two
            one-sided tests reject a change as large as the threshold; or ``undecided``; or
            ``failed``, where a launch has no number.
        trimmed: The estimate by the trimmed mean.
        mean: That by the mean, where there are both.
        by_mean: Whether the verdict rests on the mean: only that alarms, or it contradicts.
    """

    verdict: Verdict
    trimmed: Estimate
    mean: Estimate | None = None
    by_mean: bool = False

    @property
    def estimate(self) -> Estimate:
        """What the verdict rests on."""
        return self.mean if self.by_mean and self.mean is not None else self.trimmed


def of_phases(iterations: Array) -> Array:
    """Each quantity of each iteration.

    Args:
        iterations: Seconds per phase (data, forward, backward, step), ``[..., 4]``.

    Returns:
        ``[..., 4]``, in the order of ``QUANTITIES``.
    """
    total = iterations.sum(-1, keepdims=True)
    quantities: Array = np.concatenate([iterations[..., 1:], total], axis=-1)
    return quantities


def block_means(iterations: Array, period: int | None) -> Array:
    """Seconds per iteration of a block by the trimmed mean and by the mean.

    The trimmed mean leaves out a fifth of the iterations at either end, among those at the same
    position in the period: what an optimizer does only now and then is trimmed among its like, and
    not left out.

    Args:
        iterations: Seconds per phase, ``[..., iterations, 4]``.
        period: Iterations after which work repeats itself, of which the block holds whole ones;
            ``None`` if that is not known: then nothing is left out.

    Returns:
        ``[kinds, ..., quantities]``.
    """
    values = of_phases(iterations)
    mean = values.mean(axis=-2)
    if period is None:
        return np.stack([mean, mean])
    *outer, count, quantities = values.shape
    apart = values.reshape(*outer, count // period, period, quantities)
    trimmed = stats.trim_mean(apart, _TRIMMED_ITERATIONS, axis=-3).mean(axis=-2)
    return np.stack([trimmed, mean])


def launch_effects(base: Array, head: Array) -> Array:
    """Log ratios head / base of one launch, by each of the ``KINDS``.

    The *trimmed mean* of ``log(head / base)`` over pairs of neighbouring blocks is that without the
    lowest and the highest quarter; the *mean* is the log ratio of the means over all blocks.

    Args:
        base: Seconds per iteration of the base's blocks, ``[kinds, blocks, quantities]``; see
            :func:`block_means`.
        head: Those of the head's blocks that were measured right beside them.

    Returns:
        ``[kinds, quantities]``.
    """
    base, head = np.maximum(base, _LEAST_S), np.maximum(head, _LEAST_S)
    trimmed = stats.trim_mean(np.log(head[0] / base[0]), _TRIMMED_BLOCKS, axis=0)
    return np.stack([trimmed, np.log(head[1].mean(axis=0) / base[1].mean(axis=0))])


def spent(fraction: float) -> float:
    r"""Share of the error that may be spent when a share of the budget is gone.

    The power family :math:`\alpha t^\rho` with :math:`\rho = 2`: little early, most at the end.
    Source: Kim and DeMets, Biometrika 74 (1987); error spending: Lan and DeMets, Biometrika 70
    (1983).
    """
    return float(min(max(fraction, 0.0), 1.0) ** _SPENDING_POWER)


def estimates(
    effects: Array,
    error: float,
    confidence: float = CONFIDENCE,
    *,
    against_one: bool = False,
    kind: str = KINDS[0],
) -> list[Estimate]:
    r"""Student's t intervals over launches, :math:`\bar e \pm t_{1-\alpha/2m,\,\nu}\, s/\sqrt n`.

    Args:
        effects: Log ratios, ``[launches, quantities]`` for the whole family of m quantities.
        error: The probability :math:`\alpha` that any interval of this look may miss.
        confidence: Of the interval of a quantity alone.
        against_one: The base is one launch; see :func:`_spread`.
        kind: Of the effects.
    """
    launches, family = effects.shape
    centre, (scale, freedom) = effects.mean(axis=0), _spread(effects, against_one=against_one)
    together = stats.t.isf(error / (2 * family), freedom) * scale
    alone = stats.t.isf((1 - confidence) / 2, freedom) * scale
    return [
        Estimate(
            ratio=float(np.exp(middle)),
            low=float(np.exp(middle - wide)),
            high=float(np.exp(middle + wide)),
            alone=(float(np.exp(middle - narrow)), float(np.exp(middle + narrow))),
            launches=launches,
            kind=kind,
        )
        for middle, wide, narrow in zip(centre, together, alone, strict=True)
    ]


def unchanged(
    effects: Array, thresholds: Sequence[float], error: float, *, against_one: bool = False
) -> list[bool]:
    r"""Whether two one-sided t tests reject a change as large as the threshold, line by line.

    That is :math:`|\bar e| + t_{1-\alpha,\,\nu}\, s/\sqrt n < \ln(1 + \text{threshold})`: a true
    change of the threshold or more passes with probability :math:`\alpha` at most. Source:
    Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15 (1987).

    Args:
        effects: Log ratios, ``[launches, quantities]``.
        thresholds: One for each quantity.
        error: The probability :math:`\alpha`, of each line by itself.
        against_one: The base is one launch; see :func:`_spread`.
    """
    scale, freedom = _spread(effects, against_one=against_one)
    reach = np.abs(effects.mean(axis=0)) + stats.t.isf(error, freedom) * scale
    return (reach < np.log1p(thresholds)).tolist()


def _spread(effects: Array, *, against_one: bool) -> tuple[Array, float]:
    r"""Standard errors of the mean effects, and their degrees of freedom.

    Where the base is one launch, the same in all ratios, it is one more draw of a population as
    wide as the head's: :math:`s\sqrt{1 + 1/n}` takes the place of :math:`s/\sqrt n`. Such
    comparisons have many lines and few launches. So no line's variance is taken to be less than the
    mean of all lines', and to have :math:`2(n - 1)` degrees of freedom. Where lines scatter alike,
    normal noise has intervals narrower by a quarter to two fifths than with each line's own
    variance; where they do not, they are 0.8 to 1.6 times as wide. Alarms are false in 1.1 % under
    normal noise, and elsewhere (with one draw as base: up to 12 %) as rarely as with each line's
    own or far more rarely (``bench.evidence.verdict_simulation``).
    """
    launches = len(effects)
    variance, freedom = effects.var(axis=0, ddof=1), launches - 1
    if not against_one:
        return np.sqrt(variance / launches), freedom
    variance = np.maximum(variance, variance.mean())
    return np.sqrt(variance * (1 + 1 / launches)), 2 * freedom


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
    every quantity has a verdict. Each look is for itself: intervals of different looks are not cut
    down to what they have in common. A line that a look decided stays so, with the estimate of that
    look, until a later look decides it anew.
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
            against_one: The base is a single launch; see :func:`_spread`.
        """
        self._thresholds, self._confidence = list(thresholds), confidence
        self._min_launches = self._next = min_launches
        self._spent, self._against_one = 0.0, against_one
        self.judged: list[Judged] = []

    def stops(self, effects: Array, fraction: float, *, last: bool) -> bool:
        """Look if it is time to, and tell whether to stop.

        Args:
            effects: Log ratios so far, ``[launches, kinds, quantities]``: of all ``KINDS``, or of
                one.
            fraction: Share of the time budget that is gone.
            last: There is no time for another launch: what is left of the error is spent.
        """
        launches = len(effects)
        last = last and launches >= self._min_launches
        if launches < self._next and not last:
            return False
        self._next = int(np.ceil(launches * _GROWTH))
        now = 1.0 if last else max(self._spent, spent(fraction))
        share = now - self._spent
        if share <= 0:
            return last
        self._spent = now
        found = self._look(effects, share)
        if self.judged:
            found = [
                old if new.verdict == "undecided" != old.verdict else new
                for old, new in zip(self.judged, found, strict=True)
            ]
        self.judged = found
        return last or "undecided" not in self.verdicts()

    def _look(self, effects: Array, share: float) -> list[Judged]:
        """Judge every line with a share of the errors."""
        kinds = effects.shape[1]
        by_kind = [
            estimates(
                effects[:, at],
                (1 - self._confidence) * share * part,
                self._confidence,
                against_one=self._against_one,
                kind=KINDS[at],
            )
            for at, part in enumerate(_SHARES[kinds])
        ]
        errors = (UNCHANGED_ERROR * share, _UNCHANGED_MEAN_ERROR)[:kinds]
        alike = [
            unchanged(effects[:, at], self._thresholds, error, against_one=self._against_one)
            for at, error in enumerate(errors)
        ]
        means = by_kind[1] if kinds > 1 else [None] * len(self._thresholds)
        lines = zip(by_kind[0], means, map(all, zip(*alike, strict=True)), strict=True)
        return [
            _judge(*line, threshold)
            for line, threshold in zip(lines, self._thresholds, strict=True)
        ]

    def verdicts(self) -> list[Verdict]:
        """The verdicts so far."""
        return [one.verdict for one in self.judged]


def _judge(trimmed: Estimate, mean: Estimate | None, alike: bool, threshold: float) -> Judged:
    """Put together what is known of one line.

    A mean that alarms goes before the trimmed mean, unless both say the same: it holds all work.
    """
    if np.isnan(trimmed.ratio):
        return Judged(verdict="failed", trimmed=trimmed, mean=mean)
    alarm = trimmed.alarm(threshold)
    said = None if mean is None else mean.alarm(threshold)
    if mean is not None and said is not None and said != alarm:
        return Judged(verdict=said, trimmed=trimmed, mean=mean, by_mean=True)
    verdict: Verdict = alarm or ("unchanged" if alike else "undecided")
    return Judged(verdict=verdict, trimmed=trimmed, mean=mean)
