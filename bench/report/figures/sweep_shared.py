"""What the figures of a sweep share."""

import math
from typing import Any

from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter

from bench.recommend.recommendation import Recommendation
from bench.recommend.swept import Dropped, Swept, Trial

OUTLINE = "#d1495b"
LOST = "#888888"


Cell = Trial | Dropped


def values(swept: Swept, name: str) -> list[Any]:
    """The values of an axis, numbers in ascending order."""
    found = list(swept.axes[name])
    return sorted(found) if name in swept.numeric_axes else found


def rank(swept: Swept, cell: Cell) -> tuple[int, float]:
    """Complete settings by score, then those that were dropped, then those with lost runs."""
    if isinstance(cell, Dropped):
        return 1, -cell.iterations
    if cell.lost or not cell.scores:
        return 2, len(cell.lost)
    score = swept.score(cell)
    return 0, score if swept.measure.better == "min" else -score


def with_unit(swept: Swept) -> str:
    """What settings are judged by, with its unit."""
    unit = f" ({swept.measure.unit})" if swept.measure.unit else ""
    return f"{swept.measure.name}{unit}"


def over(recommendation: Recommendation) -> str:
    """What a score is a mean of, for a title."""
    seeds = recommendation.seeds
    if recommendation.best is None:
        return ""
    mean = "geometric mean" if recommendation.swept.compares_logarithms else "mean"
    return f" ({mean} of {seeds} seeds)" if seeds > 1 else " (one seed)"


def plain_log(axis: Axis, low: float, high: float) -> None:
    """Plain numbers on a logarithmic axis, more than powers of ten where these are few."""
    decades = math.log10(high / low)
    subs = tuple(range(1, 10)) if decades < 0.7 else (1, 2, 5) if decades < 2.5 else (1,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def tick(value: Any) -> str:
    """A value of an axis, as a label."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.4g}"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
