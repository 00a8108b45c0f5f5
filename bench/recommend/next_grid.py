"""The grid to sweep next where the best setting lies at the edge."""

from collections.abc import Sequence

import numpy as np

from bench.statistics.dunnett import Array

_EQUAL = 1e-4


def next_grid(values: Sequence[float], centre: float) -> str | None:
    """The values of a grid that has one of this grid's ends in its middle.

    As many values with the same ratio or step. If these are not equal, or equal steps would lead
    to zero, the outermost ratio goes on, as a list.

    Args:
        values: The values of the present grid.
        centre: The smallest or the largest of them.

    Returns:
        Such as ``1e-09:0.001:log7``, as ``--grid KEY=`` takes it; ``None`` where there is no way
        on, such as below 0.
    """
    grid = sorted(float(value) for value in values)
    count, low = len(grid), centre == grid[0]
    outer, inner = count // 2, count - 1 - count // 2
    below, above = (outer, inner) if low else (inner, outer)
    if grid[0] > 0 and _equal(np.diff(np.log(grid))):
        ratio = (grid[-1] / grid[0]) ** (1 / (count - 1))
        return f"{centre / ratio**below:g}:{centre * ratio**above:g}:log{count}"
    step = (grid[-1] - grid[0]) / (count - 1)
    start = centre - below * step
    if _equal(np.diff(grid)) and (start > _EQUAL * step or grid[0] < 0 or not low):
        return f"{start:g}:{centre + above * step:g}:lin{count}"
    positive = [value for value in grid if value > 0]
    if len(positive) < 2 or grid[0] < 0 or centre <= 0:
        return None
    edge = positive[0] / positive[1] if low else positive[-1] / positive[-2]
    beyond = [centre * edge**power for power in range(1, outer + 1)]
    if grid[-1] < 1 < beyond[-1]:
        return None  # uneven values below 1 may be factors, such as momentum, that end there
    within = [value for value in positive if value != centre]
    within = within[:inner] if low else within[len(within) - min(inner, len(within)) :]
    return ",".join(f"{value:g}" for value in sorted([*within, centre, *beyond]))


def _equal(steps: Array) -> bool:
    return bool(np.ptp(steps) <= _EQUAL * abs(steps.mean()))
