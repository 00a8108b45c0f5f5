"""The score against one hyperparameter."""

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

from bench.recommend.recommendation import Recommendation
from bench.recommend.swept import Swept, Trial
from bench.report.figures import style as plots
from bench.report.figures.sweep_shared import LOST, plain_log, rank, tick, values, with_unit
from bench.support.text import short

MAX_LINES = 7


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
            plain_log(axes.yaxis, *axes.get_ylim())
        for found in having:
            _mark_chosen(axes, found, axis, "black" if alone else colours[found.swept.label])
        _number_scale(axes, having, axis)
        axes.set_xlabel(axis)
        axes.set_ylabel(with_unit(having[0].swept))
        handles, labels = axes.get_legend_handles_labels()
        handles += _sensitivity_key(having, axis, alone is not None)
        labels += [str(handle.get_label()) for handle in handles[len(labels) :]]
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
        title = f"{measure.name} against {axis}"
        title = f"{short(alone.swept.label)}: {title}" if alone else f"{title}, best over the rest"
        axes.set_title(title)
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
        for value in values(swept, other)
    ]
    slices = [(value, trials) for value, trials in slices if trials]
    best = sorted(slices, key=lambda item: min(rank(swept, trial) for trial in item[1]))
    kept = [value for value, _ in best[:MAX_LINES]]
    return {f"{other}={tick(value)}": (swept, trials) for value, trials in slices if value in kept}


def _profiles(found: Sequence[Recommendation], axis: str) -> dict[str, tuple[Swept, list[Trial]]]:
    return {r.swept.label: (r.swept, list(r.swept.trials)) for r in found}


def _by_value(swept: Swept, trials: Sequence[Trial], axis: str) -> Iterator[tuple[float, Trial]]:
    """The best setting at each value."""
    for value in sorted({trial.settings[axis] for trial in trials}):
        here = [trial for trial in trials if trial.settings[axis] == value]
        yield float(value), min(here, key=lambda trial: rank(swept, trial))


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
        axes.set_xticks(values, [tick(value) for value in values])
    else:
        axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def _sensitivity_key(
    found: Sequence[Recommendation], axis: str, alone: bool
) -> list[Line2D | Patch]:
    colour = "black" if alone else LOST
    key: list[Line2D | Patch] = []
    if any(r.chosen for r in found):
        recommended = Line2D([], [], color=colour, lw=1.2, ls=(0, (5, 2)), marker="*", ms=12)
        recommended.set_label("recommended")
        key.append(recommended)
    if any(axis in r.ranges and r.ranges[axis].low < r.ranges[axis].high for r in found):
        key.append(Patch(facecolor=colour, alpha=0.12, label="still in the plateau"))
    if any(trial.lost for r in found for trial in r.swept.trials):
        key.append(Line2D([], [], color=LOST, marker="x", ms=7, mew=2, ls="", label="runs lost"))
    return key
