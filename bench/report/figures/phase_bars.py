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
from bench.report.sections.cells import milliseconds
from bench.runs.record import PHASES
from bench.support.text import short


def phase_bars(one: Analysis, items: Items, stem: str) -> Figure | None:
    """Milliseconds per iteration, stacked by phase; ``None`` if nothing was timed.

    Args:
        one: The group.
        items: The optimizers that are drawn.
        stem: What the names of the files begin with.
    """
    labels = [item.label for _, item in items]
    rows = [row for row in one.rows if row.label in labels and row.iteration_s]
    if not rows:
        return None
    known = [seconds for seconds in one.plain_gradient_s.values() if math.isfinite(seconds)]
    said = "; ".join(
        f"{row.label} {milliseconds(row.iteration_s.median)} ms, of which "
        + ", ".join(f"{phase} {milliseconds(row.phase_s[phase].median)}" for phase in PHASES)
        for row in rows
        if row.iteration_s
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
    timed = [(row, row.iteration_s) for row in rows if row.iteration_s is not None]
    names = [short(row.label) for row, _ in timed]
    with mpl.rc_context(style.STYLE):
        figure = Drawn(figsize=(8, 1.4 + 0.5 * len(timed)), layout="constrained")
        axes = figure.subplots()
        left = np.zeros(len(timed))
        colours = sns.color_palette("colorblind", len(PHASES))
        for phase, colour in zip(PHASES, colours, strict=True):
            widths = np.array([1e3 * row.phase_s[phase].median for row, _ in timed])
            axes.barh(range(len(timed)), widths, left=left, color=colour, label=phase)
            left += widths
        for index, (row, whole) in enumerate(timed):
            if whole.count > 1:
                axes.hlines(index, 1e3 * whole.low, 1e3 * whole.high, color="black", lw=1.2)
                axes.plot([1e3 * whole.low, 1e3 * whole.high], [index] * 2, "|", color="black")
            cost = row.plain_gradients
            times = f"{milliseconds(whole.median)} ms"
            times += f" = {cost.median:.2f}×" if cost else ""
            axes.annotate(
                times, (max(left[index], 1e3 * whole.high), index), xytext=(8, 0),
                textcoords="offset points", va="center",
            )  # fmt: skip
        axes.set_yticks(range(len(timed)), names)
        if plain_gradient_s is not None:
            axes.axvline(
                1e3 * plain_gradient_s, color="black", ls="--", lw=1, label="plain gradient (1×)"
            )
        axes.set_xlim(0, 1.25 * (max(left) or 1.0))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("ms per iteration (total over iterations)")
        figure.legend(loc="outside upper center", ncols=len(PHASES) + 1)
    return figure
