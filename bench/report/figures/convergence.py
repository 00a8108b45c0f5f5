"""Convergence: the loss and the held-out metric against iterations, seconds and gradients."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawn

from bench.comparison.analysis import Analysis
from bench.comparison.curves import Curve, loss_curves, metric_curves
from bench.report.document import Figure, Scale, Series, Variant
from bench.report.figures import axes as drawing
from bench.report.figures import style
from bench.report.figures.axes import AXES, Array, Items
from bench.support.text import short

_MARKERS = 25  # of a curve at the most


def losses(one: Analysis, items: Items, stem: str) -> list[Figure]:
    """Training loss against iterations, seconds and gradient-equivalents.

    Losses are smoothed by a trailing mean over ``SMOOTHING`` mini-batches.

    Args:
        one: The group.
        items: The optimizers that are drawn.
        stem: What the names of the files begin with.
    """
    found = {axis: _by_index(loss_curves, one, items, axis) for axis in AXES}
    return list(_figures("training loss", f"{stem}-loss", items, found, markers=False))


def metrics(one: Analysis, items: Items, stem: str) -> list[Figure]:
    """The held-out metric against the same; see :func:`losses`."""
    if not one.metric:
        return []
    found = {axis: _by_index(metric_curves, one, items, axis) for axis in AXES}
    name = f"{one.split} {one.metric}"
    growing = one.better == "max"
    return list(_figures(name, f"{stem}-metric", items, found, markers=True, growing=growing))


def _by_index(
    curves: Callable[[Analysis, Sequence[str], str], dict[str, Curve]],
    one: Analysis,
    items: Items,
    axis: str,
) -> dict[int, Curve]:
    index = {item.label: number for number, item in items}
    return {index[label]: curve for label, curve in curves(one, list(index), axis).items()}


def _figures(
    name: str,
    stem: str,
    items: Items,
    found: Mapping[str, dict[int, Curve]],
    *,
    markers: bool,
    growing: bool = False,
) -> Iterator[Figure]:
    for axis, drawn in found.items():
        curves = {index: curve for index, curve in drawn.items() if len(curve.x)}
        if not curves:
            continue
        values = np.concatenate([curve.shown for curve in curves.values()])
        positive = bool((values > 0).all()) and not growing
        scales: list[Scale] = ["log", "linear"] if positive else ["linear"]
        positions = np.unique(np.concatenate([curve.x for curve in curves.values()]))
        stretched: list[Scale] = ["linear", "log"] if (positions > 0).sum() > 1 else ["linear"]
        draw = partial(
            _draw, items=dict(items), curves=curves, name=name, axis=AXES[axis], markers=markers,
            growing=growing,
        )  # fmt: skip
        yield Figure(
            stem=f"{stem}-{axis}",
            title=f"{name[0].upper()}{name[1:]} against {drawing.axis_name(axis)}",
            alt=_alt(name, drawing.axis_name(axis), dict(items), curves),
            variants=[
                Variant(draw=partial(draw, x=x, y=y), x=x, y=y) for x in stretched for y in scales
            ],
        )


def _alt(name: str, axis: str, items: Mapping[int, Series], curves: Mapping[int, Curve]) -> str:
    ends = [
        f"{items[index].label} ends at {curve.middle[-1]:.3g} (at {curve.x[-1]:.3g})"
        for index, curve in curves.items()
    ]
    return f"Line plot of {name} against {axis}, medians over seeds: {'; '.join(ends)}."


def _draw(
    *,
    items: Mapping[int, Series],
    curves: Mapping[int, Curve],
    name: str,
    axis: str,
    markers: bool,
    growing: bool,
    x: Scale,
    y: Scale,
) -> Drawn:
    with mpl.rc_context(style.STYLE):
        figure, axes = drawing.empty([items[index].label for index in curves])
        limits = None if growing else _of_the_living(list(curves.values()), y)
        top = limits[1] if limits else np.inf
        for index, curve in curves.items():
            seen = curve.beyond_zero() if x == "log" else curve
            _draw_curve(axes, index, items[index], seen, markers=markers, top=top)
        if limits:  # before there are ticks, which are those of the limits
            axes.set_ylim(*limits)
        drawing.scales(axes, x, y, [curve.x for curve in curves.values()])
        if growing:
            _show_the_ends(axes, [curve.middle for curve in curves.values()])
        axes.set_xlabel(axis)
        axes.set_ylabel(short(name))
        drawing.legend(figure, axes, {index: items[index].label for index in curves})
    return figure


def _of_the_living(curves: Sequence[Curve], y: Scale) -> tuple[float, float] | None:
    """Limits by what runs do that live, where others diverge: these would spoil the axis."""
    living = [run.y for curve in curves for run in curve.runs if run.status != "diverged"]
    values = np.concatenate([np.empty(0), *living])
    values = values[np.isfinite(values)]
    if not any(curve.diverged for curve in curves) or not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if y == "log":
        margin = max((high / low) ** 0.05, 1.1)
        return low / margin, high * margin
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _draw_curve(
    axes: Axes, index: int, item: Series, curve: Curve, *, markers: bool, top: float
) -> None:
    gap = [np.nan]  # one line with gaps draws much faster than one for each run
    x = np.concatenate([part for run in curve.runs for part in (run.x, gap)])
    y = np.concatenate([part for run in curve.runs for part in (run.y, gap)])
    drawing.mark(axes.plot(x, y, color=item.colour, lw=0.7, alpha=0.7), index, "seeds")
    if len(curve.runs) > 1:
        band = axes.fill_between(
            curve.x, curve.low, curve.high, color=item.colour, alpha=0.18, lw=0
        )
        drawing.mark([band], index)
    marker = item.marker if markers or len(curve.x) == 1 else None
    lines = axes.plot(
        curve.x, curve.middle, color=item.colour, ls=item.dash, lw=1.8, marker=marker, ms=5,
        markevery=math.ceil(len(curve.x) / _MARKERS) or 1, label=drawing.KEY,
    )  # fmt: skip
    drawing.mark(lines, index)
    for x_end, y_end in curve.diverged:  # at the upper edge if it is beyond
        end = axes.plot(
            x_end, min(y_end, top), "x", ms=9, mew=2, color=item.colour, clip_on=y_end <= top
        )
        drawing.mark(end, index)


def _show_the_ends(axes: Axes, curves: Sequence[Array]) -> None:
    """Show where curves end, not the climb from chance."""
    ends = [float(curve[-1]) for curve in curves if len(curve)]
    values = np.concatenate(list(curves))
    if ends and values.min() >= 0 and values.max() <= 1:
        axes.set_ylim(max(0.0, min(ends) - 0.15), 1.0)
