"""The history of throughput as a figure."""

import itertools
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from bench.regress.history import Series
from bench.report.figures import style
from bench.support.text import short

_COLUMNS = (("seconds", "ms per iteration", 1e3), ("relative", "plain gradients", 1.0))


def history(series: Sequence[Series]) -> Figure:
    """A row per series: absolute at the left, relative to a plain gradient at the right.

    Dots are sessions, lines the medians between changes; a dashed line marks a change.

    Args:
        series: At least one.
    """
    colour, mark = sns.color_palette("colorblind", 2)
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(10.5, 0.6 + 2.1 * len(series)), layout="constrained")
        grid = figure.subplots(len(series), 2, squeeze=False, sharex="row")
        for row, item in zip(grid, series, strict=True):
            for axes, (column, label, factor) in zip(row, _COLUMNS, strict=True):
                values = factor * item.points[column].to_numpy(dtype=float)
                if np.isnan(values).all():
                    axes.text(0.5, 0.5, "no plain gradient measured", ha="center", va="center",
                              transform=axes.transAxes)  # fmt: skip
                    axes.set_axis_off()
                    continue
                _draw(axes, item, values, colour, mark)
                axes.set_ylabel(label)
            title = f"{short(item.name, 100)}\n{short(item.machine, 100)}"
            row[0].set_title(title, loc="left", fontsize=9)
    return figure


def _draw(
    axes: Axes,
    series: Series,
    values: np.ndarray,
    colour: tuple[float, float, float],
    mark: tuple[float, float, float],
) -> None:
    when = series.points["when"].dt.tz_localize(None).to_numpy()
    axes.plot(when, values, "o", ms=4, color=colour)
    edges = [0, *(change.first for change in series.changes), len(values)]
    for start, end in itertools.pairwise(edges):
        level = np.nanmedian(values[start:end])
        axes.plot(when[[start, end - 1]], [level, level], color=colour, lw=1.5)
    for change in series.changes:
        axes.axvline(when[change.first], color=mark, ls="--", lw=1)
    low, high = np.nanmin(values), np.nanmax(values)
    margin = max(0.15 * (high - low), 0.02 * high)
    axes.set_ylim(max(0.0, low - margin), high + margin)
    locator = AutoDateLocator(minticks=3)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
