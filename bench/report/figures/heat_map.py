"""Figures of a sweep and of the curvature behind it (seaborn)."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import NullFormatter

from bench.recommend.recommendation import Recommendation
from bench.recommend.swept import Dropped, Swept, Trial
from bench.report.figures import style as plots
from bench.report.figures.sweep_shared import (
    LOST,
    OUTLINE,
    Cell,
    over,
    plain_log,
    rank,
    tick,
    values,
    with_unit,
)
from bench.support.text import short

_PLATEAU = "plateau: cannot be told from the best"


@dataclass(frozen=True)
class _Grid:
    """What stands where in a heat map; rows and columns as they are drawn, from the top left.

    Attributes:
        x: Hyperparameter of the columns.
        y: Hyperparameter of the rows; ``None`` with one axis.
        columns: Its values.
        rows: Its values.
        cells: By row and column, the best of the settings there.
    """

    x: str
    y: str | None
    columns: list[Any]
    rows: list[Any]
    cells: Mapping[tuple[int, int], Cell]

    def place(self, cell: Cell) -> tuple[int, int]:
        """Row and column of a setting."""
        row = self.rows.index(cell.settings[self.y]) if self.y else 0
        return row, self.columns.index(cell.settings[self.x])


def heat_map(recommendation: Recommendation) -> Figure:
    """The score of every setting, the plateau and the recommended setting.

    Over the two numeric hyperparameters with the most values, damping to the right and the learning
    rate upwards where these are among them; over all others the best setting is shown. A scattered
    sweep is a scatter plot.

    Args:
        recommendation: Of a sweep with at least one hyperparameter.

    Raises:
        ValueError: Nothing was swept.
    """
    swept = recommendation.swept
    x, y = _two_axes(swept)
    with mpl.rc_context(plots.STYLE):
        figure = _scatter(recommendation, x, y) if swept.scattered else _map(recommendation, x, y)
        others = [name for name in swept.axes if name not in (x, y) and len(swept.axes[name]) > 1]
        figure.patch.set_gid("paper")
        title = f"{short(swept.label)}: {swept.measure.name}"
        title += over(recommendation)
        if others:
            title += f"\nbest over {', '.join(others)}"
        figure.suptitle(title)
    return figure


def _two_axes(swept: Swept) -> tuple[str, str | None]:
    order = [*swept.numeric_axes, *(n for n in swept.axes if n not in swept.numeric_axes)]
    if not order:
        raise ValueError(f"Nothing was swept of {swept.label}: a map needs a hyperparameter.")
    numeric = set(swept.numeric_axes)
    order.sort(key=lambda name: (name not in numeric, -len(swept.axes[name])))
    order = [name for name in order if len(swept.axes[name]) > 1] or order
    first, *rest = order[:2]
    if not rest:
        return first, None
    if first == "lr" or rest[0] == "damping":
        return rest[0], first
    return first, rest[0]


def _grid(swept: Swept, x: str, y: str | None) -> _Grid:
    grid = _Grid(
        x=x, y=y, columns=values(swept, x), rows=values(swept, y)[::-1] if y else [None], cells={}
    )
    cells: dict[tuple[int, int], Cell] = {}
    present: list[Cell] = [*swept.trials, *swept.dropped]
    for cell in present:
        place = grid.place(cell)
        if place not in cells or rank(swept, cell) < rank(swept, cells[place]):
            cells[place] = cell
    return _Grid(x=x, y=y, columns=grid.columns, rows=grid.rows, cells=cells)


def _map(recommendation: Recommendation, x: str, y: str | None) -> Figure:
    swept = recommendation.swept
    grid = _grid(swept, x, y)
    shape = len(grid.rows), len(grid.columns)
    scores = np.full(shape, np.nan)
    for place, cell in grid.cells.items():
        if isinstance(cell, Trial) and cell.scores and not cell.lost:
            scores[place] = swept.score(cell)
    width = 2.6 + max(0.92 * shape[1], 3.4)
    figure = Figure(figsize=(width, 2.1 + 0.72 * shape[0]), layout="constrained")
    axes = figure.subplots()
    texts = [[f"{score:#.3g}".rstrip(".") for score in row] for row in scores]
    norm = _norm(swept, scores)
    sns.heatmap(
        scores,
        ax=axes,
        cmap=_colours(swept),
        norm=norm,
        vmin=norm.vmin,  # so that seaborn does not look for them, which may be nowhere
        vmax=norm.vmax,
        annot=np.array(texts),
        xticklabels=[tick(column) for column in grid.columns],
        yticklabels=[tick(row) for row in grid.rows] if y else False,
        fmt="",
        annot_kws={"fontsize": 9},
        linewidths=1,
        linecolor="white",
        cbar=bool(np.isfinite(scores).any()),
        cbar_kws={"label": with_unit(swept)},
    )
    axes.grid(visible=False)
    for bar in figure.axes[1:]:
        if isinstance(norm, LogNorm):
            plain_log(bar.yaxis, *bar.get_ylim())
    kinds = {_fill(axes, recommendation, place, cell) for place, cell in grid.cells.items()}
    _outline(axes, grid, recommendation)
    _mark_cells(axes, grid, recommendation)
    axes.set_xlabel(x)
    axes.set_ylabel(y or "")
    axes.tick_params(axis="both", rotation=0, length=0)
    key = _key(recommendation, kinds - {""})
    figure.legend(
        handles=key, loc="outside lower center", ncols=min(3, len(key)), frameon=False, fontsize=9
    )
    return figure


def _fill(axes: Axes, recommendation: Recommendation, place: tuple[int, int], cell: Cell) -> str:
    """Draw a cell without a score; the kind that it is, for the legend."""
    row, column = place
    if isinstance(cell, Dropped):
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor="#e4e4e4", edgecolor="white"))
        score = "" if math.isnan(cell.score) else f"{cell.score:.3g}\n"
        axes.text(column + 0.5, row + 0.5, f"{score}{cell.iterations} it.", ha="center",
                  va="center", fontsize=8, color="#333333")  # fmt: skip
        return "dropped"
    if cell.scores and not cell.lost:
        return ""
    axes.add_patch(
        Rectangle((column, row), 1, 1, facecolor="white", edgecolor="#c8c8c8", hatch="////", lw=0)
    )
    counts = Counter(cell.lost.values()).most_common()
    text = "\n".join(f"{count}/{recommendation.seeds} {_short(why)}" for why, count in counts)
    axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color="#333333",
              bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
    return "lost"


def _short(reason: str) -> str:
    return {"diverged": "div.", "missed the target": "missed"}.get(reason, reason)


def _outline(axes: Axes, grid: _Grid, recommendation: Recommendation) -> None:
    """The boundary of the plateau: the sides of its cells that no other member shares."""
    members = {
        place
        for place, cell in grid.cells.items()
        if any(cell is trial for trial in recommendation.plateau)
    }
    sides = []
    for row, column in members:
        corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
        beside = [(row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]
        for index, other in enumerate(beside):
            if other not in members:
                sides.append((corners[index], corners[(index + 1) % 4]))
    boundary = LineCollection(sides, colors=OUTLINE, linewidths=3.5, zorder=4)
    boundary.set(capstyle="projecting", clip_on=False)
    axes.add_collection(boundary)


def _mark_cells(axes: Axes, grid: _Grid, recommendation: Recommendation) -> None:
    marks = ((recommendation.best, "o", 5, 0.17), (recommendation.chosen, "*", 13, 0.83))
    for trial, marker, size, offset in marks:
        if trial is not None:
            row, column = grid.place(trial)
            axes.plot(column + offset, row + 0.2, marker, ms=size, color="black", mec="white",
                      mew=0.8, zorder=5, clip_on=False)  # fmt: skip


def _key(recommendation: Recommendation, kinds: set[str]) -> list[Line2D | Patch]:
    key: list[Line2D | Patch] = []
    if recommendation.chosen is not None:
        key = [
            Line2D([], [], marker="*", ls="", ms=12, color="black", label="recommended"),
            Line2D([], [], marker="o", ls="", ms=5, color="black", label="best mean"),
            Patch(facecolor="none", edgecolor=OUTLINE, lw=2.5,
                  label=_PLATEAU),
        ]  # fmt: skip
    if "lost" in kinds:
        key.append(Patch(facecolor="white", edgecolor="#c8c8c8", hatch="////",
                         label="runs lost, of how many (div.: diverged)"))  # fmt: skip
    if "dropped" in kinds:
        key.append(Patch(facecolor="#e4e4e4", label="dropped after so many iterations"))
    return key


def _scatter(recommendation: Recommendation, x: str, y: str | None) -> Figure:
    swept = recommendation.swept
    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axes = figure.subplots()
    usable = swept.usable
    scores = np.array([swept.score(trial) for trial in usable])

    def place(cells: Sequence[Cell]) -> tuple[list[Any], list[Any]]:
        across = [cell.settings[x] for cell in cells]
        if y is None:
            return across, [swept.score(c) if isinstance(c, Trial) else c.score for c in cells]
        return across, [cell.settings[y] for cell in cells]

    if usable:
        drawn = axes.scatter(
            *place(usable), c=scores, cmap=_colours(swept), norm=_norm(swept, scores), s=70,
            edgecolors="black", linewidths=0.6, zorder=3,
        )  # fmt: skip
        bar = figure.colorbar(drawn, label=with_unit(swept))
        if isinstance(drawn.norm, LogNorm):
            plain_log(bar.ax.yaxis, *bar.ax.get_ylim())
    lost = [trial for trial in swept.trials if trial.lost and y is not None]
    key: list[Line2D | Patch] = []
    if lost:
        (crosses,) = axes.plot(*place(lost), "x", ms=8, mew=2, color=LOST, label="runs lost")
        key.append(crosses)
    if swept.dropped:
        (squares,) = axes.plot(*place(swept.dropped), "s", ms=6, color="#bbbbbb", mfc="none",
                               label="dropped before the full budget")  # fmt: skip
        key.append(squares)
    if recommendation.chosen is not None and recommendation.best is not None:
        plateau = place(recommendation.plateau)
        (rings,) = axes.plot(*plateau, "o", ms=13, mfc="none", mec=OUTLINE, mew=2, zorder=4)
        rings.set_label(_PLATEAU)
        (dot,) = axes.plot(*place([recommendation.best]), "o", ms=4, color="black", mec="white")
        dot.set(label="best mean", zorder=6)
        (star,) = axes.plot(*place([recommendation.chosen]), "*", ms=19, mfc="none", mec="black")
        star.set(label="recommended", zorder=5)
        key = [star, dot, rings, *key]
    for name, which in ((x, "x"), (y, "y")):
        if name is not None and all(value > 0 for value in swept.axes[name]):
            getattr(axes, f"set_{which}scale")("log")
            getattr(axes, f"{which}axis").set_major_formatter("{x:g}")
            getattr(axes, f"{which}axis").set_minor_formatter(NullFormatter())
    axes.set_xlabel(x)
    axes.set_ylabel(y or with_unit(swept))
    figure.legend(
        handles=key, loc="outside lower center", ncols=min(3, len(key) or 1), frameon=False,
        fontsize=9,
    )  # fmt: skip
    return figure


def _colours(swept: Swept) -> str:
    """Good scores are bright, whichever way is better."""
    return "cividis_r" if swept.measure.better == "min" else "cividis"


def _norm(swept: Swept, scores: np.ndarray) -> Normalize:
    found = scores[np.isfinite(scores)]
    if not len(found):
        return Normalize(0, 1)
    low, high = float(found.min()), float(found.max())
    return LogNorm(low, high) if swept.compares_logarithms and low < high else Normalize(low, high)
