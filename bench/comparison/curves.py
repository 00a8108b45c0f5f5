"""Curves of optimizers against iterations, seconds or gradients: medians over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bench.comparison.analysis import Analysis
from bench.runs.record import RunRecord
from bench.statistics import intervals

Array = NDArray[np.float64]

MOST_SEEDS = 12
SMOOTHING = 10
_POINTS = 120
_LARGEST = 1e150


def loss_curves(one: Analysis, labels: Sequence[str], axis: str) -> dict[str, "Curve"]:
    """Training losses, smoothed by a trailing mean over ``SMOOTHING`` mini-batches.

    Args:
        one: The group.
        labels: The optimizers that are wanted.
        axis: ``iterations``, ``seconds`` or ``gradients`` (gradient-equivalents).

    Returns:
        A curve by label; none of those of whom nothing is known there.
    """
    found = {}
    for label in labels:
        runs = []
        for record in one.records[label]:
            loss = record.values["loss"]
            where = _positions(
                one, record, record.values["iteration"], np.cumsum(record.seconds), axis
            )
            kept = _drawable(loss)  # a diverged run's last loss is not
            if len(where) and kept.any():
                runs.append(_Run(where[kept], _trailing_mean(loss[kept]), record.status))
        if runs:
            found[label] = _curve(runs, aligned=axis == "iterations")
    return found


def metric_curves(one: Analysis, labels: Sequence[str], axis: str) -> dict[str, "Curve"]:
    """The held-out metric of a group; see :func:`loss_curves`."""
    found = {}
    worst = math.inf if one.better == "min" else -math.inf
    for label in labels:
        runs: list[_Run] = []
        iterations: list[Array] = []
        for record in one.records[label]:
            table = np.array(
                [(e["iteration"], e["seconds"], e[one.metric]) for e in record.evaluations]
            ).reshape(-1, 3)
            where = _positions(one, record, table[:, 0], table[:, 1], axis)
            values = np.where(_drawable(table[:, 2]), table[:, 2], np.nan)
            if len(where) and np.isfinite(values).any():
                runs.append(_Run(where, values, record.status))
                iterations.append(table[:, 0])
        if runs:
            found[label] = _evaluations(runs, iterations, worst)
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
class Curve:
    """The curves of one optimizer, and their median with its interval; ``[points]`` each.

    Some of its ``runs`` are kept, and where ``diverged`` ones ended.
    """

    x: Array
    middle: Array
    low: Array
    high: Array
    runs: Sequence[_Run]
    diverged: Sequence[tuple[float, float]]

    def beyond_zero(self) -> "Curve":
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


def _curve(runs: Sequence[_Run], *, aligned: bool) -> Curve:
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


def _evaluations(runs: Sequence[_Run], iterations: Sequence[Array], worst: float) -> Curve:
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


def _on_grid(runs: Sequence[_Run], worst: float) -> Curve:
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


def _band(x: Array, values: Array, runs: Sequence[_Run]) -> Curve:
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
    return Curve(
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
