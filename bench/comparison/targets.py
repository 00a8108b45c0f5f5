"""Targets that tell runs apart."""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np

from bench.runs.record import RunRecord, reaches

_SMALLEST = 1e-300  # distance of levels: below it their digits cannot be counted


def choose(records: Sequence[RunRecord], metric: str, most: int = 4) -> tuple[float, ...]:
    """Round targets that tell the runs apart.

    Candidates are the 1-2-5 series (0.5, 0.2, 0.1, ...) for a metric whose values are positive and
    better if small, and one minus it (0.5, 0.8, 0.9, ...) for one within 0 and 1 that is better if
    large, such as an accuracy. For any other they are ``most`` levels at equal distances between
    the median of the runs' first evaluations and the best value, rounded to two significant digits
    of these distances. Targets are those candidates that at least one run reaches and no more
    than half of the runs have reached at iteration 0.

    Args:
        records: Training runs; those without an evaluation do not count.
        metric: The metric to reach.
        most: The largest number of targets, at least 1.

    Returns:
        Targets from the easiest to the hardest, some in between left out if there are more than
        ``most``; none if there is nothing to choose from.
    """
    curves = [
        [
            (row["iteration"], row[metric])
            for row in record.evaluations
            if math.isfinite(row[metric])
        ]
        for record in records
        if metric in record.metrics
    ]
    curves = [curve for curve in curves if curve]
    if not curves:
        return ()
    better = next(record.metrics[metric] for record in records if metric in record.metrics)
    values = sorted({value for curve in curves for _, value in curve})
    best = values[0] if better == "min" else values[-1]
    if better == "min" and values[0] > 0:
        candidates = [float(level) for level in _series(values[0], values[-1])]
    elif better == "max" and values[0] >= 0 and values[-1] <= 1:
        errors = [1 - value for value in values if value < 1]
        candidates = [float(1 - level) for level in _series(min(errors, default=1.0), 0.5)]
    else:
        candidates = _between(float(np.median([curve[0][1] for curve in curves])), best, most)
    starts = [curve[0][1] for curve in curves if curve[0][0] == 0]
    fit = {
        level
        for level in candidates
        if reaches(best, level, better)
        and 2 * sum(reaches(start, level, better) for start in starts) <= len(curves)
    }
    ordered = sorted(fit, reverse=better == "min")
    spread = np.linspace(0, len(ordered) - 1, min(most, len(ordered))).round()
    return tuple(ordered[int(index)] for index in spread)


def _series(low: float, high: float) -> Iterator[Decimal]:
    """The 1-2-5 series downwards, from the largest level up to ``high`` to the first below ``low``.

    The last one tells apart what is at ``low`` from what is beyond it.
    """
    exponent = math.floor(math.log10(high))
    while True:
        for digit in (5, 2, 1):
            level = Decimal(digit).scaleb(exponent)
            if level <= high:
                yield level
                if level < low:
                    return
        exponent -= 1


def _between(start: float, end: float, count: int) -> list[float]:
    """Levels at equal distances, both ends left out, to two significant digits of the distance."""
    if not _SMALLEST < abs(end - start) < math.inf:
        return []
    levels, distance = np.linspace(start, end, count + 2, retstep=True)
    digits = 1 - math.floor(math.log10(abs(distance)))
    return [round(float(level), digits) for level in levels[1:-1]]
