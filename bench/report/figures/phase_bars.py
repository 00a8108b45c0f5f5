"""Where the time goes: milliseconds per iteration by phase, as bars."""

import math
from collections.abc import Sequence
from functools import partial

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure as Drawn

from bench.comparison.analysis import Analysis
from bench.comparison.summary import Row
from bench.report.document import Figure, Variant
from bench.report.figures import style
from bench.report.figures.axes import Items
from bench.runs.record import PHASE_COLUMNS
from bench.support.numbers import milliseconds, times
from bench.support.text import short


def phase_bars(one: Analysis, items: Items, stem: str) -> Figure | None:
    """Milliseconds per iteration, stacked by phase; ``None`` if nothing was timed.

    Args:
        one: The group.
        items: The optimizers that are drawn.
        stem: What the names of the files begin with.
    """
    labels = [item.label for _, item in items]
    rows = [row for row in one.rows if row.label in labels and "iteration_s" in row.spreads]
    if not rows:
        return None
    known = [seconds for seconds in one.plain_gradient_s.values() if math.isfinite(seconds)]
    said = "; ".join(
        f"{row.label} {milliseconds(row.spreads['iteration_s'].median)} ms, of which "
        + ", ".join(
            f"{row.quantities[key].title} {milliseconds(row.spreads[key].median)}"
            for key in PHASE_COLUMNS
        )
        for row in rows
    )
    plain_gradient_s = float(np.median(known)) if known else None
    return Figure(
        stem=f"{stem}-phases",
        title="Milliseconds per iteration, by phase",
        alt=f"Stacked bars of milliseconds per iteration by phase, medians over seeds: {said}.",
        variants=[Variant(draw=partial(_draw, rows, plain_gradient_s))],
        wide=True,
    )


def _draw(rows: Sequence[Row], plain_gradient_s: float | None) -> Drawn:
    """Milliseconds per iteration, stacked by phase, with the plain gradient as a line.

    Bars are medians over seeds, the black line at their end is the interval of the whole.

    Args:
        rows: Rows of a summary.
        plain_gradient_s: Seconds of a plain gradient, if measured.
    """
    names = [short(row.label) for row in rows]
    with mpl.rc_context(style.STYLE):
        figure = Drawn(figsize=(8, 1.4 + 0.5 * len(rows)), layout="constrained")
        axes = figure.subplots()
        left = np.zeros(len(rows))
        colours = sns.color_palette("colorblind", len(PHASE_COLUMNS))
        for key, colour in zip(PHASE_COLUMNS, colours, strict=True):
            widths = np.array([1e3 * row.spreads[key].median for row in rows])
            title = rows[0].quantities[key].title
            axes.barh(range(len(rows)), widths, left=left, color=colour, label=title)
            left += widths
        for index, row in enumerate(rows):
            whole, cost = row.spreads["iteration_s"], row.spreads.get("plain_gradients")
            if whole.count > 1:
                axes.hlines(index, 1e3 * whole.low, 1e3 * whole.high, color="black", lw=1.2)
                axes.plot([1e3 * whole.low, 1e3 * whole.high], [index] * 2, "|", color="black")
            told = f"{milliseconds(whole.median)} ms"
            told += f" = {times(cost.median)}" if cost else ""
            axes.annotate(
                told, (max(left[index], 1e3 * whole.high), index), xytext=(8, 0),
                textcoords="offset points", va="center",
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), names)
        if plain_gradient_s is not None:
            axes.axvline(
                1e3 * plain_gradient_s, color="black", ls="--", lw=1, label="plain gradient (1×)"
            )
        axes.set_xlim(0, 1.25 * (max(left) or 1.0))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("ms per iteration (total over iterations)")
        figure.legend(loc="outside upper center", ncols=len(PHASE_COLUMNS) + 1)
    return figure
