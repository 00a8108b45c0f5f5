"""What a benchmark does in the course of training: rare work, a slow beginning, growth.

Pure functions of a survey: the first iterations of one side, with the operations that each calls
and the seconds that its phases take.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.statistics.launches import QUANTITIES, Array, of_phases

LONGEST_PERIOD = 500
SETTLED = 3  # iterations after which an optimizer has made its buffers
_RARE = 5.0  # times what others take: an iteration that is no noise if it comes back
_OTHERS = 0.25  # quantile: an iteration without such work, which may come in every second one
_IRREGULAR, _FEWEST = 0.015, 6  # share and number of such iterations that noise may make
_NOISE = 0.2  # of them, that may be noise beside those that come at intervals
_ENOUGH, _UNLIKE = 4, 0.3  # at intervals, to be work whatever they take; and in logarithms if fewer
_CHUNK = 10  # iterations of which the median is taken
_SLOW = {"forward": 1.2, "backward": 1.2, "step": 1.3, "total": 1.2}  # times what it is later
_COMPILED, _COMPILED_S = 20.0, 0.2  # times the median, and seconds: no noise even if it comes once
_GROWN, _MONOTONE, _CHUNKS = 1.15, 0.8, 8


@dataclass(frozen=True)
class Growth:
    """A phase that takes longer and longer.

    Attributes:
        quantity: The phase.
        early: Iteration about which it takes ``early_s``.
        early_s: Seconds.
        late: Iteration about which it takes ``late_s``.
        late_s: Seconds.
    """

    quantity: str
    early: int
    early_s: float
    late: int
    late_s: float


@dataclass(frozen=True, kw_only=True)
class Course:
    """What one side did in its first iterations.

    Attributes:
        seen: How many they were.
        period: Iterations after which work repeats itself; 1 if all are alike, ``None`` if they
            are not and no period is seen twice.
        settled: So many iterations at the start were slower than later ones, or did other work.
        slowness: By how much: their mean over that of later ones.
        growth: A phase that takes longer and longer.
    """

    seen: int
    period: int | None
    settled: int = 0
    slowness: float = 1.0
    growth: Growth | None = None


def course(operations: Sequence[int], phases_s: Array) -> Course:
    """Read a survey.

    Args:
        operations: That each iteration called, from the first on.
        phases_s: Seconds of its phases, ``[iterations, 4]``.
    """
    seconds = of_phases(np.asarray(phases_s, dtype=np.float64).reshape(-1, 4))
    settled = max(
        _settled(column, _SLOW[q]) for q, column in zip(QUANTITIES, seconds.T, strict=True)
    )
    settled, by_calls = _settled_calls(operations, settled)
    later = seconds[settled:]
    periods = [by_calls, *(recurring(column) for column in later[:, :-1].T)]
    known = [found for found in periods if found is not None]
    total = seconds[:, -1]
    return Course(
        seen=len(seconds),
        period=int(np.lcm.reduce(known)) if len(known) == len(periods) else None,
        settled=settled,
        slowness=float(total[:settled].mean() / np.median(later[:, -1])) if settled else 1.0,
        growth=_growth(seconds, settled),
    )


def period(counts: Sequence[int]) -> int | None:
    r"""The smallest k with :math:`c_n = c_{n+k}` for all iterations n but the first three.

    Args:
        counts: Operations of each iteration.

    Returns:
        1 if all iterations are alike; ``None`` if they are not and no period is seen twice.
    """
    settled = np.asarray(counts[SETTLED:])
    if len(settled) == 0 or (settled == settled[0]).all():
        return 1
    for k in range(2, len(settled) // 2 + 1):
        if (settled[k:] == settled[:-k]).all():
            return k
    return None


def _settled_calls(counts: Sequence[int], settled: int) -> tuple[int, int | None]:
    """After how many iterations calls have a period, if within the first half; and the period."""
    for start in range(settled, len(counts) // 2 + 1, _CHUNK):
        if (found := period(counts[start:])) is not None:
            return start, found
    return settled, period(counts[settled:])


def recurring(seconds: Array) -> int | None:
    """The period of iterations that take five times what others do, or more.

    What comes once, or no more often than chance would have it, is noise.

    Args:
        seconds: Of each iteration.

    Returns:
        The smallest period at which one comes whenever it is due, and twice at least, where few
        come at other times; 1 if too few come to be work; ``None`` if they come at random.
    """
    count = len(seconds)
    if count == 0:
        return 1
    at = np.flatnonzero(seconds > _RARE * np.quantile(seconds, _OTHERS))
    noise = max(_NOISE * len(at), _IRREGULAR * count)
    for k in range(2, min(LONGEST_PERIOD, count // 2) + 1 if len(at) > 1 else 0):
        first = int(stats.mode(at % k).mode)
        due = np.arange(first, count, k)
        if len(at) - len(due) <= noise and np.isin(due, at).all() and _alike(seconds[due]):
            return k
    return None if len(at) >= max(_FEWEST, noise) else 1


def _alike(seconds: Array) -> bool:
    """Whether iterations could do the same work; two or three at intervals may be noise."""
    return len(seconds) >= _ENOUGH or bool(len(seconds) > 1 and np.ptp(np.log(seconds)) < _UNLIKE)


def _medians(seconds: Array) -> Array:
    """Of chunks of ten iterations; what is left at the end does not count."""
    chunks = len(seconds) // _CHUNK
    medians: Array = np.median(seconds[: chunks * _CHUNK].reshape(chunks, _CHUNK), axis=1)
    return medians


def _settled(seconds: Array, slow: float) -> int:
    """How many iterations at the start are slower than the last quarter, in chunks of ten.

    One that takes twenty times as long, and a fifth of a second or more, is a compilation: it ends
    the beginning even if those around it are fast.
    """
    medians = _medians(seconds)
    if len(medians) < _CHUNKS:
        return 0
    late = float(np.median(medians[-max(2, len(medians) // 4) :]))
    fast = np.flatnonzero(medians <= slow * late)
    beginning = _CHUNK * int(fast[0])
    compiled = np.flatnonzero(seconds > max(_COMPILED * late, _COMPILED_S))
    once = compiled[compiled < len(seconds) // 2]
    ends = int(once[-1]) + 1 if 0 < len(once) == len(compiled) else 0
    return max(beginning, ends if ends > SETTLED else 0)


def _growth(seconds: Array, settled: int) -> Growth | None:
    """The phase that grows most, beyond what all phases grow by, which is the machine's doing."""
    medians = np.stack([_medians(column) for column in seconds[settled:, :-1].T])
    chunks = medians.shape[1]
    if chunks < _CHUNKS:
        return None
    quarter = chunks // 4
    early, late = (
        np.median(part, axis=1) for part in (medians[:, :quarter], medians[:, -quarter:])
    )
    ratios = late / np.maximum(early, np.finfo(float).tiny)
    phase = int(ratios.argmax())
    if ratios[phase] < _GROWN * max(1.0, ratios.min()):
        return None
    if stats.spearmanr(np.arange(chunks), medians[phase]).statistic < _MONOTONE:
        return None
    middle = _CHUNK * quarter // 2
    return Growth(
        quantity=QUANTITIES[phase],
        early=settled + middle,
        early_s=float(early[phase]),
        late=settled + _CHUNK * chunks - middle,
        late_s=float(late[phase]),
    )
