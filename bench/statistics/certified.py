"""From which evaluation on all of a run's seeds are past a target, with certainty."""

import math

import numpy as np
from numpy.typing import ArrayLike

LEVEL = 0.01


def certified(
    values: ArrayLike, target: float, better: str, *, sigma: float | None = None
) -> int | None:
    r"""The earliest evaluation from which on the mean over seeds is past a target, for certain.

    Evaluations are tested from the last one backwards, up to the first that fails. With the mean
    :math:`\bar m_e` of n seeds at evaluation e and their standard deviation :math:`s_e`, one passes
    if the one-sided p-value of

    .. math::
        t_e = \frac{\bar m_e - m}{s_e / \sqrt n}

    under Student's t with n - 1 degrees of freedom is below 1 % (under the normal distribution with
    a known :math:`\sigma` in the place of :math:`s_e`). As each is only tested if all later ones
    have passed, the chance that the evaluation which is told, or any after it, has a mean that is
    not past the target is below 1 % without a correction for their number: a fixed sequence of
    tests. From the first one forwards it would be a choice of the best of many.

    Source: Westfall and Krishen, "Optimally weighted, fixed sequence and gatekeeper multiple
    testing procedures" (2001).

    Args:
        values: The metric, ``[seeds, evaluations]``, all of the same evaluations.
        target: The level that is to be passed.
        better: ``"min"`` or ``"max"``.
        sigma: Standard deviation between seeds, if it is known.

    Returns:
        Its index; ``None`` if not even the last evaluation passes, or for one seed without
        ``sigma``.
    """
    from scipy import stats

    found = np.asarray(values, dtype=float)
    seeds = len(found)
    if not seeds or (seeds < 2 and sigma is None):
        return None
    beyond = (found - target) * (1.0 if better == "max" else -1.0)
    with np.errstate(divide="ignore", invalid="ignore"):  # not finite, or all seeds alike
        deviation = beyond.std(axis=0, ddof=1) if sigma is None else sigma
        t = beyond.mean(axis=0) / (deviation / math.sqrt(seeds))
    law = stats.norm if sigma is not None else stats.t(seeds - 1)
    passed = law.sf(t) < LEVEL  # a NaN does not
    failed = np.flatnonzero(~passed)
    first = int(failed[-1]) + 1 if len(failed) else 0
    return first if first < found.shape[1] else None
