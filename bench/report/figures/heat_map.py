"""Figures of a sweep and of the curvature behind it (seaborn)."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import LogLocator, NullFormatter

from bench.recommend.recommendation import Dropped, Recommendation, Swept, Trial
from bench.recommend.wording import settings_text
from bench.report.figures import style as plots
from bench.runs.record import RunRecord
from bench.support.text import short

MAX_LINES = 7
MAX_PANELS = 6
_BANDS = ((1, 99, 0.15), (5, 95, 0.2), (25, 75, 0.3))
_QUANTILES = ("q01", "q05", "q25", "q50", "q75", "q95", "q99")
_OUTLINE = "#d1495b"
_LOST = "#888888"
_FLOOR = 1e-12
_PLATEAU = "plateau: cannot be told from the best"

Cell = Trial | Dropped


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
        title += _over(recommendation)
        if others:
            title += f"\nbest over {', '.join(others)}"
        figure.suptitle(title)
    return figure


def sensitivity(recommendations: Sequence[Recommendation], axis: str = "damping") -> Figure:
    """The score against one hyperparameter.

    Of one label there is a line per value of its other hyperparameter; of several labels one line
    each, the best over their others. Lines are means, bands the range over seeds. A cross at the
    top is a value of which runs were lost.

    Args:
        recommendations: At least one, of the same measure.
        axis: The hyperparameter. A label without it is a horizontal line at its chosen setting.

    Raises:
        ValueError: No label was swept over numbers of this hyperparameter.
    """
    having = [r for r in recommendations if axis in r.swept.numeric_axes]
    if not having:
        raise ValueError(f"{axis} is no swept number of any of these labels: choose another axis.")
    alone = having[0] if len(recommendations) == 1 else None
    lines = _slices(alone, axis) if alone else _profiles(having, axis)
    measure = having[0].swept.measure
    logarithmic = all(r.swept.compares_logarithms and r.chosen for r in recommendations)
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(7.5, 4.6), layout="constrained")
        axes = figure.subplots()
        without = [r for r in recommendations if r not in having and r.chosen]
        colours = plots.palette([*lines, *(r.swept.label for r in without)])
        for index, (label, (swept, cells)) in enumerate(lines.items()):
            _line(axes, swept, cells, axis, index, label, colours[label])
        for index, other in enumerate(without, start=len(lines)):
            _level(axes, other, axis, index, colours[other.swept.label])
        if logarithmic:
            axes.set_yscale("log")
        _headroom(axes)
        if logarithmic:
            _plain_log(axes.yaxis, *axes.get_ylim())
        for found in having:
            _mark_chosen(axes, found, axis, "black" if alone else colours[found.swept.label])
        _number_scale(axes, having, axis)
        axes.set_xlabel(axis)
        axes.set_ylabel(_with_unit(having[0].swept))
        handles, labels = axes.get_legend_handles_labels()
        handles += _sensitivity_key(having, axis, alone is not None)
        labels += [str(handle.get_label()) for handle in handles[len(labels) :]]
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
        title = f"{measure.name} against {axis}"
        title = f"{short(alone.swept.label)}: {title}" if alone else f"{title}, best over the rest"
        axes.set_title(title)
    return figure


def spectrum(records: Sequence[RunRecord]) -> Figure:
    """Quantiles of the curvature diagonal over training, with the damping.

    One panel for all parameters and one per layer, medians over seeds.

    Args:
        records: Runs of one label at one setting, with curvature.

    Raises:
        ValueError: No run has curvature, or they are not of one label and setting.
    """
    records = [record for record in records if record.curvature]
    if not records:
        raise ValueError("No run has curvature: it is of optimizers with a curvature diagonal.")
    settings = [(record.label, record.config["hyperparameters"]) for record in records]
    if any(other != settings[0] for other in settings):
        raise ValueError("These runs differ in label or settings: give those of one setting.")
    rows = pd.concat([pd.DataFrame(record.curvature) for record in records])
    layers = _panels(list(dict.fromkeys(rows["layer"])))
    medians = rows.groupby(["layer", "iteration"], sort=False).median().reset_index()
    columns = min(3, len(layers))
    label, hyperparameters = settings[0]
    shown = {n: hyperparameters[n] for n in ("lr", "damping") if n in hyperparameters}
    with mpl.rc_context(plots.STYLE):
        height = 1.4 + 2.5 * math.ceil(len(layers) / columns)
        figure = Figure(figsize=(1.5 + 3.3 * columns, height), layout="constrained")
        grid = figure.subplots(
            math.ceil(len(layers) / columns), columns, squeeze=False, sharex=True, sharey=True
        )
        shown_rows = medians[medians["layer"].isin(layers)]
        floor, top = _limits(shown_rows)
        for index, (axes, layer) in enumerate(zip(grid.flat, layers, strict=False)):
            _quantiles(axes, shown_rows[shown_rows["layer"] == layer], floor)
            if index + columns >= len(layers):
                axes.set_xlabel("iteration")
                axes.tick_params(labelbottom=True)
            if index % columns == 0:
                axes.set_ylabel("curvature diagonal")
            axes.set_title(_layer_title(layer), fontsize=10)
        for axes in grid.flat[len(layers) :]:
            axes.set_axis_off()
        grid[0, 0].set_yscale("log")
        grid[0, 0].set_ylim(floor, top)
        _plain_log(grid[0, 0].yaxis, floor, top)
        figure.legend(handles=_spectrum_key(), loc="outside lower center", ncols=5, frameon=False)
        title = f"{short(label)}, {settings_text(shown)}" if shown else short(label)
        if len(records) > 1:
            title += f" (medians over {len(records)} seeds)"
        if (total := rows["layer"].nunique()) > len(layers):
            title += f"\n{len(layers) - 1} of {total - 1} layers"
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


def _values(swept: Swept, name: str) -> list[Any]:
    values = list(swept.axes[name])
    return sorted(values) if name in swept.numeric_axes else values


def _grid(swept: Swept, x: str, y: str | None) -> _Grid:
    grid = _Grid(
        x=x, y=y, columns=_values(swept, x), rows=_values(swept, y)[::-1] if y else [None], cells={}
    )
    cells: dict[tuple[int, int], Cell] = {}
    present: list[Cell] = [*swept.trials, *swept.dropped]
    for cell in present:
        place = grid.place(cell)
        if place not in cells or _rank(swept, cell) < _rank(swept, cells[place]):
            cells[place] = cell
    return _Grid(x=x, y=y, columns=grid.columns, rows=grid.rows, cells=cells)


def _rank(swept: Swept, cell: Cell) -> tuple[int, float]:
    """Complete settings by score, then those that were dropped, then those with lost runs."""
    if isinstance(cell, Dropped):
        return 1, -cell.iterations
    if cell.lost or not cell.scores:
        return 2, len(cell.lost)
    score = swept.score(cell)
    return 0, score if swept.measure.better == "min" else -score


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
        xticklabels=[_tick(column) for column in grid.columns],
        yticklabels=[_tick(row) for row in grid.rows] if y else False,
        fmt="",
        annot_kws={"fontsize": 9},
        linewidths=1,
        linecolor="white",
        cbar=bool(np.isfinite(scores).any()),
        cbar_kws={"label": _with_unit(swept)},
    )
    axes.grid(visible=False)
    for bar in figure.axes[1:]:
        if isinstance(norm, LogNorm):
            _plain_log(bar.yaxis, *bar.get_ylim())
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
    boundary = LineCollection(sides, colors=_OUTLINE, linewidths=3.5, zorder=4)
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
            Patch(facecolor="none", edgecolor=_OUTLINE, lw=2.5,
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
        bar = figure.colorbar(drawn, label=_with_unit(swept))
        if isinstance(drawn.norm, LogNorm):
            _plain_log(bar.ax.yaxis, *bar.ax.get_ylim())
    lost = [trial for trial in swept.trials if trial.lost and y is not None]
    key: list[Line2D | Patch] = []
    if lost:
        (crosses,) = axes.plot(*place(lost), "x", ms=8, mew=2, color=_LOST, label="runs lost")
        key.append(crosses)
    if swept.dropped:
        (squares,) = axes.plot(*place(swept.dropped), "s", ms=6, color="#bbbbbb", mfc="none",
                               label="dropped before the full budget")  # fmt: skip
        key.append(squares)
    if recommendation.chosen is not None and recommendation.best is not None:
        plateau = place(recommendation.plateau)
        (rings,) = axes.plot(*plateau, "o", ms=13, mfc="none", mec=_OUTLINE, mew=2, zorder=4)
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
    axes.set_ylabel(y or _with_unit(swept))
    figure.legend(
        handles=key, loc="outside lower center", ncols=min(3, len(key) or 1), frameon=False,
        fontsize=9,
    )  # fmt: skip
    return figure


def _slices(found: Recommendation, axis: str) -> dict[str, tuple[Swept, list[Trial]]]:
    """Settings by value of the other hyperparameter with the most values."""
    swept = found.swept
    others = [name for name in swept.axes if name != axis and len(swept.axes[name]) > 1]
    others.sort(key=lambda name: (name not in swept.numeric_axes, -len(swept.axes[name])))
    if not others or swept.scattered:
        return {swept.label: (swept, list(swept.trials))}
    other = others[0]
    slices = [
        (value, [trial for trial in swept.trials if trial.settings[other] == value])
        for value in _values(swept, other)
    ]
    slices = [(value, trials) for value, trials in slices if trials]
    best = sorted(slices, key=lambda item: min(_rank(swept, trial) for trial in item[1]))
    kept = [value for value, _ in best[:MAX_LINES]]
    return {f"{other}={_tick(value)}": (swept, trials) for value, trials in slices if value in kept}


def _profiles(found: Sequence[Recommendation], axis: str) -> dict[str, tuple[Swept, list[Trial]]]:
    return {r.swept.label: (r.swept, list(r.swept.trials)) for r in found}


def _by_value(swept: Swept, trials: Sequence[Trial], axis: str) -> Iterator[tuple[float, Trial]]:
    """The best setting at each value."""
    for value in sorted({trial.settings[axis] for trial in trials}):
        here = [trial for trial in trials if trial.settings[axis] == value]
        yield float(value), min(here, key=lambda trial: _rank(swept, trial))


def _line(
    axes: Axes,
    swept: Swept,
    trials: Sequence[Trial],
    axis: str,
    index: int,
    label: str,
    colour: tuple[float, float, float],
) -> None:
    complete: list[tuple[float, Trial]] = []
    lost: list[tuple[float, Trial]] = []
    for value, trial in _by_value(swept, trials, axis):
        (lost if trial.lost or not trial.scores else complete).append((value, trial))
    x = [value for value, _ in complete]
    lows = [min(trial.scores.values()) for _, trial in complete]
    highs = [max(trial.scores.values()) for _, trial in complete]
    style = "" if swept.scattered else plots.DASHES[index % len(plots.DASHES)]
    axes.plot(x, [swept.score(trial) for _, trial in complete], color=colour, label=label,
              linestyle=style, marker=plots.MARKERS[index % len(plots.MARKERS)], ms=6)  # fmt: skip
    if not swept.scattered:
        axes.fill_between(x, lows, highs, color=colour, alpha=0.2, lw=0)
    top = axes.get_xaxis_transform()
    axes.plot([value for value, _ in lost], [0.975 - 0.035 * index] * len(lost), "x", ms=7, mew=2,
              color=colour, transform=top)  # fmt: skip


def _level(
    axes: Axes,
    found: Recommendation,
    axis: str,
    index: int,
    colour: tuple[float, float, float],
) -> None:
    assert found.chosen is not None
    scores = found.chosen.scores.values()
    axes.axhspan(min(scores), max(scores), color=colour, alpha=0.15, lw=0)
    axes.axhline(
        found.swept.score(found.chosen), color=colour, ls=plots.DASHES[index % len(plots.DASHES)],
        label=f"{short(found.swept.label)} (no {axis})",
    )  # fmt: skip


def _headroom(axes: Axes) -> None:
    """Space at the top for the crosses of lost runs."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        axes.set_ylim(low, high * (high / low) ** 0.2)
    else:
        axes.set_ylim(low, high + 0.2 * (high - low))


def _mark_chosen(axes: Axes, found: Recommendation, axis: str, colour: Any) -> None:
    if found.chosen is None:
        return
    axes.axvline(found.chosen.settings[axis], color=colour, lw=1.2, ls=(0, (5, 2)), zorder=1)
    score = found.swept.score(found.chosen)
    axes.plot(found.chosen.settings[axis], score, "*", ms=15, color=colour, mec="white", zorder=6)
    reach = found.ranges[axis]
    if reach.low < reach.high:
        axes.axvspan(reach.low, reach.high, color=colour, alpha=0.07, lw=0, zorder=0)


def _number_scale(axes: Axes, found: Sequence[Recommendation], axis: str) -> None:
    values = sorted({float(value) for r in found for value in r.swept.axes[axis]})
    positive = [value for value in values if value > 0]
    if values[0] < 0 or len(positive) < 2:
        return
    if values[0] > 0:
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=positive[0], linscale=0.5)
    scattered = any(r.swept.scattered for r in found)
    if len(values) <= 12 and not scattered:
        axes.set_xticks(values, [_tick(value) for value in values])
    else:
        axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def _sensitivity_key(
    found: Sequence[Recommendation], axis: str, alone: bool
) -> list[Line2D | Patch]:
    colour = "black" if alone else _LOST
    key: list[Line2D | Patch] = []
    if any(r.chosen for r in found):
        recommended = Line2D([], [], color=colour, lw=1.2, ls=(0, (5, 2)), marker="*", ms=12)
        recommended.set_label("recommended")
        key.append(recommended)
    if any(axis in r.ranges and r.ranges[axis].low < r.ranges[axis].high for r in found):
        key.append(Patch(facecolor=colour, alpha=0.12, label="still in the plateau"))
    if any(trial.lost for r in found for trial in r.swept.trials):
        key.append(Line2D([], [], color=_LOST, marker="x", ms=7, mew=2, ls="", label="runs lost"))
    return key


def _panels(layers: list[str]) -> list[str]:
    """All parameters first, then layers; of too many an even choice from first to last."""
    overall = [layer for layer in layers if layer == "all"]
    others = [layer for layer in layers if layer != "all"]
    room = MAX_PANELS - len(overall)
    if len(others) > room:
        others = [
            others[index] for index in np.linspace(0, len(others) - 1, room).round().astype(int)
        ]
    return [*overall, *others]


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Where the logarithmic axis ends; zeros have no place on it."""
    values = rows[[*_QUANTILES, "damping"]].to_numpy(dtype=float)
    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        return 0.1, 1.0
    top = float(positive.max()) * 3
    return max(float(positive.min()) / 3, _FLOOR * top), top


def _layer_title(layer: str) -> str:
    if layer == "all":
        return "all parameters"
    return f"layer {layer}" if layer.isdigit() else short(layer)  # of a torch.nn.Sequential


def _quantiles(axes: Axes, rows: pd.DataFrame, floor: float) -> None:
    rows = rows.sort_values("iteration")
    colour = sns.color_palette("colorblind")[0]
    found = rows[list(_QUANTILES)]
    if not (found > 0).any(axis=None):
        axes.text(0.5, 0.5, "no positive curvature", ha="center", va="center",
                  transform=axes.transAxes)  # fmt: skip
        return
    drawn = found.clip(lower=floor).assign(iteration=rows["iteration"])
    for low, high, alpha in _BANDS:
        axes.fill_between(
            drawn["iteration"], drawn[f"q{low:02}"], drawn[f"q{high:02}"], color=colour,
            alpha=alpha, lw=0,
        )  # fmt: skip
    axes.plot(drawn["iteration"], drawn["q50"], color=colour, lw=1.8)
    damping = rows["damping"].where(rows["damping"] > 0)
    axes.plot(rows["iteration"], damping, color=_OUTLINE, lw=1.8, ls="--")
    if (found < floor).any(axis=None):
        axes.text(
            0.02, 0.03, "smaller ones and zeros: lower edge", fontsize=8, transform=axes.transAxes
        )


def _spectrum_key() -> list[Line2D | Patch]:
    colour = sns.color_palette("colorblind")[0]
    shade = 0.0
    bands = []
    for low, high, alpha in _BANDS:
        shade = 1 - (1 - shade) * (1 - alpha)
        bands.append(Patch(facecolor=colour, alpha=shade, label=f"{low} to {high} %"))
    return [
        Line2D([], [], color=colour, lw=1.8, label="median"),
        *bands[::-1],
        Line2D([], [], color=_OUTLINE, lw=1.8, ls="--", label="damping"),
    ]


def _colours(swept: Swept) -> str:
    """Good scores are bright, whichever way is better."""
    return "cividis_r" if swept.measure.better == "min" else "cividis"


def _norm(swept: Swept, scores: np.ndarray) -> Normalize:
    found = scores[np.isfinite(scores)]
    if not len(found):
        return Normalize(0, 1)
    low, high = float(found.min()), float(found.max())
    return LogNorm(low, high) if swept.compares_logarithms and low < high else Normalize(low, high)


def _with_unit(swept: Swept) -> str:
    return (
        f"{swept.measure.name} ({swept.measure.unit})"
        if swept.measure.unit
        else (swept.measure.name)
    )


def _over(recommendation: Recommendation) -> str:
    seeds = recommendation.seeds
    if recommendation.best is None:
        return ""
    mean = "geometric mean" if recommendation.swept.compares_logarithms else "mean"
    return f" ({mean} of {seeds} seeds)" if seeds > 1 else " (one seed)"


def _plain_log(axis: Axis, low: float, high: float) -> None:
    """Plain numbers on a logarithmic axis, more than powers of ten where these are few."""
    decades = math.log10(high / low)
    subs = tuple(range(1, 10)) if decades < 0.7 else (1, 2, 5) if decades < 2.5 else (1,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _tick(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.4g}"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
