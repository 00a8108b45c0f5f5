"""Convergence: the loss and the held-out metric against iterations, seconds and gradients."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawn
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bench.comparison.analysis import Analysis
from bench.report.document import Figure, Scale, Series, Variant
from bench.report.figures import axes as drawing
from bench.report.figures import style
from bench.report.figures.axes import AXES, Array, Items
from bench.runs.record import RunRecord
from bench.statistics import intervals
from bench.support.text import short

MOST_SEEDS = 12
SMOOTHING = 10
_POINTS = 120
_LARGEST = 1e150


def losses(one: Analysis, items: Items, stem: str) -> list[Figure]:
    """Training loss against iterations, seconds and gradient-equivalents.

    Losses are smoothed by a trailing mean over ``SMOOTHING`` mini-batches.

    Args:
        one: The group.
        items: The optimizers that are drawn.
        stem: What the names of the files begin with.
    """
    found = {axis: _loss_curves(one, items, axis) for axis in AXES}
    return list(_figures("training loss", f"{stem}-loss", items, found, markers=False))


def metrics(one: Analysis, items: Items, stem: str) -> list[Figure]:
    """The held-out metric against the same; see :func:`losses`."""
    if not one.metric:
        return []
    found = {axis: _metric_curves(one, items, axis) for axis in AXES}
    name = f"{one.split} {one.metric}"
    growing = one.better == "max"
    return list(_figures(name, f"{stem}-metric", items, found, markers=True, growing=growing))


def _figures(
    name: str,
    stem: str,
    items: Items,
    found: Mapping[str, dict[int, "_Curve"]],
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


def _alt(name: str, axis: str, items: Mapping[int, Series], curves: Mapping[int, "_Curve"]) -> str:
    ends = [
        f"{items[index].label} ends at {curve.middle[-1]:.3g} (at {curve.x[-1]:.3g})"
        for index, curve in curves.items()
    ]
    return f"Line plot of {name} against {axis}, medians over seeds: {'; '.join(ends)}."


def _draw(
    *,
    items: Mapping[int, Series],
    curves: Mapping[int, "_Curve"],
    name: str,
    axis: str,
    markers: bool,
    growing: bool,
    x: Scale,
    y: Scale,
) -> Drawn:
    with mpl.rc_context(style.STYLE):
        figure, axes = drawing.empty([items[index].label for index in curves])
        for index, curve in curves.items():
            seen = curve.beyond_zero() if x == "log" else curve
            _draw_curve(axes, index, items[index], seen, markers=markers)
        drawing.scales(axes, x, y, [curve.x for curve in curves.values()])
        if growing:
            _show_the_ends(axes, [curve.middle for curve in curves.values()])
        axes.set_xlabel(axis)
        axes.set_ylabel(short(name))
        drawing.legend(figure, axes, {index: items[index].label for index in curves})
    return figure


def _loss_curves(one: Analysis, items: Items, axis: str) -> dict[int, "_Curve"]:
    found = {}
    for index, item in items:
        runs = []
        for record in one.records[item.label]:
            loss = record.values["loss"]
            where = _positions(
                one, record, record.values["iteration"], np.cumsum(record.seconds), axis
            )
            kept = _drawable(loss)  # a diverged run's last loss is not
            if len(where) and kept.any():
                runs.append(_Run(where[kept], _trailing_mean(loss[kept]), record.status))
        if runs:
            found[index] = _curve(runs, aligned=axis == "iterations")
    return found


def _metric_curves(one: Analysis, items: Items, axis: str) -> dict[int, "_Curve"]:
    found = {}
    worst = math.inf if one.better == "min" else -math.inf
    for index, item in items:
        runs: list[_Run] = []
        iterations: list[Array] = []
        for record in one.records[item.label]:
            table = np.array(
                [(e["iteration"], e["seconds"], e[one.metric]) for e in record.evaluations]
            ).reshape(-1, 3)
            where = _positions(one, record, table[:, 0], table[:, 1], axis)
            values = np.where(_drawable(table[:, 2]), table[:, 2], np.nan)
            if len(where) and np.isfinite(values).any():
                runs.append(_Run(where, values, record.status))
                iterations.append(table[:, 0])
        if runs:
            found[index] = _evaluations(runs, iterations, worst)
    return found


def _drawable(values: Array) -> NDArray[np.bool_]:
    """Which values are finite, and not so large that means and ticks of them overflow."""
    return np.isfinite(values) & (np.abs(np.nan_to_num(values)) < _LARGEST)


def _positions(
    one: Analysis, record: RunRecord, iterations: Array, seconds: Array, axis: str
) -> Array:
    """Where values of a run stand on an axis; empty if that is not known."""
    if axis == "iterations":
        return np.asarray(iterations, dtype=float)
    if record.shared:
        return np.empty(0)
    if axis == "seconds":
        return seconds
    plain_gradient_s = one.plain_gradient_s[record.key]
    return seconds / plain_gradient_s if plain_gradient_s > 0 else np.empty(0)


@dataclass(frozen=True)
class _Run:
    """A curve of one run."""

    x: Array
    y: Array
    status: str


@dataclass(frozen=True, kw_only=True)
class _Curve:
    """The curves of one optimizer, and their median with its interval; ``[points]`` each.

    Some of its ``runs`` are kept, and where ``diverged`` ones ended.
    """

    x: Array
    middle: Array
    low: Array
    high: Array
    runs: Sequence[_Run]
    diverged: Sequence[tuple[float, float]]

    def beyond_zero(self) -> "_Curve":
        """What a logarithmic axis can show: else matplotlib joins it to a point at its far left."""
        kept = self.x > 0
        return replace(
            self,
            x=self.x[kept],
            middle=self.middle[kept],
            low=self.low[kept],
            high=self.high[kept],
            runs=[_Run(r.x[r.x > 0], r.y[r.x > 0], r.status) for r in self.runs],
            diverged=[end for end in self.diverged if end[0] > 0],
        )

    @property
    def shown(self) -> Array:
        """All values that are drawn."""
        values = np.concatenate([self.low, self.middle, self.high, *(run.y for run in self.runs)])
        return values[np.isfinite(values)]


def _curve(runs: Sequence[_Run], *, aligned: bool) -> _Curve:
    """The median of losses over common positions: iterations as they are, times on a grid."""
    if aligned:
        x = np.unique(np.concatenate([run.x for run in runs]))
        x = x[_thin(len(x))]
        values = np.full((len(runs), len(x)), np.nan)
        for row, run in zip(values, runs, strict=True):
            here = np.isin(x, run.x)
            row[here] = run.y[np.isin(run.x, x)]
        _lose(values, x, runs, math.inf)
        return _band(x, values, runs)
    return _on_grid(runs, math.inf)


def _evaluations(runs: Sequence[_Run], iterations: Sequence[Array], worst: float) -> _Curve:
    """The median of evaluations: at each one, if all runs have the same, else on a grid.

    Args:
        runs: The evaluations of each run.
        iterations: Where they are, by run.
        worst: What a diverged run counts as from its end on.
    """
    longest = max(iterations, key=len)
    if not all(np.array_equal(own, longest[: len(own)]) for own in iterations):
        return _on_grid(runs, worst)
    x, y = (np.full((len(runs), len(longest)), np.nan) for _ in range(2))
    for row, run in enumerate(runs):
        x[row, : len(run.x)], y[row, : len(run.y)] = run.x, run.y
        if run.status == "diverged":
            y[row, len(run.y) :] = worst
    return _band(np.nanmedian(x, axis=0), y, runs)


def _on_grid(runs: Sequence[_Run], worst: float) -> _Curve:
    """The median of curves, interpolated at common positions."""
    known = [np.isfinite(run.y) for run in runs]
    x, curves = intervals.on_common_grid(
        [run.x[own] for run, own in zip(runs, known, strict=True)],
        [run.y[own] for run, own in zip(runs, known, strict=True)],
        _POINTS,
        [run.status == "completed" for run in runs],
    )
    values = np.array(curves)
    _lose(values, x, runs, worst)
    return _band(x, values, runs)


def _lose(values: Array, x: Array, runs: Sequence[_Run], worst: float) -> None:
    """Let diverged runs be the worst from their ends on; values are ``[runs, points]``."""
    for row, run in zip(values, runs, strict=True):
        if run.status == "diverged":
            row[x > run.x[-1]] = worst


def _band(x: Array, values: Array, runs: Sequence[_Run]) -> _Curve:
    """The median of values ``[runs, points]``."""
    middle, low, high = intervals.median_band(values)
    kept = np.isfinite(middle)
    finite = values[np.isfinite(values)]
    if len(finite):
        low, high = (np.clip(end, finite.min(), finite.max()) for end in (low, high))
    few = [
        _Run(run.x[thin], run.y[thin], run.status)
        for run in runs[:MOST_SEEDS]
        for thin in [_thin(len(run.x))]
    ]
    return _Curve(
        x=x[kept],
        middle=middle[kept],
        low=low[kept],
        high=high[kept],
        runs=few,
        diverged=[_end(run) for run in runs if run.status == "diverged"],
    )


def _end(run: _Run) -> tuple[float, float]:
    """Where a run was seen last."""
    last = np.flatnonzero(np.isfinite(run.y))[-1]
    return float(run.x[last]), float(run.y[last])


def _thin(count: int) -> NDArray[np.int_]:
    """At most ``_POINTS`` indices, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _POINTS)).round().astype(int))


def _trailing_mean(values: Array) -> Array:
    """The mean of the last ``SMOOTHING`` values at each place, of fewer at the start."""
    padded = np.concatenate([np.full(SMOOTHING - 1, np.nan), values])
    return np.nanmean(sliding_window_view(padded, SMOOTHING), axis=1)


def _draw_curve(axes: Axes, index: int, item: Series, curve: _Curve, *, markers: bool) -> None:
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
        label=drawing.KEY,
    )  # fmt: skip
    drawing.mark(lines, index)
    for end in curve.diverged:
        drawing.mark(axes.plot(*end, "x", ms=9, mew=2, color=item.colour), index)


def _show_the_ends(axes: Axes, curves: Sequence[Array]) -> None:
    """Show where curves end, not the climb from chance."""
    ends = [float(curve[-1]) for curve in curves if len(curve)]
    values = np.concatenate(list(curves))
    if ends and values.min() >= 0 and values.max() <= 1:
        axes.set_ylim(max(0.0, min(ends) - 0.15), 1.0)
