"""Figures of a comparison (seaborn)."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullFormatter

from bench import stats
from bench.record import PHASES, RunRecord
from bench.summary import Row
from bench.tables import milliseconds

SMOOTHING = 10
_GRID_POINTS = 200
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")
STYLE = {
    **sns.axes_style("whitegrid"),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "svg.hashsalt": "optbench",
    "svg.fonttype": "none",
    "text.parse_math": False,
}


def palette(labels: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """A colour per label that colour-blind readers can tell apart."""
    return dict(zip(labels, sns.color_palette("colorblind", len(labels)), strict=True))


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG, the same bytes for the same figure."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    with mpl.rc_context(STYLE):
        figure.savefig(paths[0], dpi=150, bbox_inches="tight", metadata={"Software": None})
        figure.savefig(paths[1], bbox_inches="tight", metadata={"Date": None})
    return paths


def log_scale(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers: labels are text here, never mathematics."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    low, high = axes.get_ylim()
    axes.yaxis.set_minor_formatter("{x:g}" if high < 10 * low else NullFormatter())


def convergence(records: Sequence[RunRecord], title: str) -> Figure:
    """Training loss and the held-out metric, against iterations and against seconds.

    Lines are medians over seeds, bands their range. Mini-batch losses are smoothed by a trailing
    mean over ``SMOOTHING`` iterations. A diverged run ends where it diverged.

    Args:
        records: Training records, at least one with an iteration.
        title: The figure's title.
    """
    records = [record for record in records if len(record.values["loss"])]
    metric = next((name for name in records[0].metrics if name != "loss"), "loss")
    split = records[0].config["split"]
    colours = palette(list(dict.fromkeys(record.label for record in records)))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.5, 7.5), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
        axes = figure.subplots(2, 2)
        for column, axis in enumerate(("iteration", "seconds")):
            losses = pd.concat([_loss_curve(record, axis) for record in records])
            evaluations = pd.concat([_metric_curve(record, metric, axis) for record in records])
            _band(axes[0, column], losses, axis, "training loss", colours, markers=False)
            _band(axes[1, column], evaluations, axis, f"{split} {metric}", colours, markers=True)
            _mark_divergence(axes[0, column], records, axis, colours)
            if (losses["y"] > 0).all():
                log_scale(axes[0, column])
            unit = "iteration" if axis == "iteration" else "seconds (without evaluation)"
            axes[1, column].set_xlabel(unit)
            axes[0, column].set_xlabel("")
        if metric == "accuracy":
            _fit_accuracy(axes[1])
        handles, labels = axes[1, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(colours)))
        figure.suptitle(title)
    return figure


def phase_bars(rows: Sequence[Row], plain_gradient_s: float | None) -> Figure:
    """Milliseconds per iteration, stacked by phase, with the plain gradient as a line.

    Args:
        rows: Rows of a summary.
        plain_gradient_s: Seconds of a plain gradient, if measured.
    """
    rows = [row for row in rows if np.isfinite(row.iteration_s)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 1.4 + 0.5 * len(rows)), layout="constrained")
        axes = figure.subplots()
        left = np.zeros(len(rows))
        colours = sns.color_palette("colorblind", len(PHASES))
        for phase, colour in zip(PHASES, colours, strict=True):
            widths = np.array([1e3 * row.phase_s[phase] for row in rows])
            axes.barh([row.label for row in rows], widths, left=left, color=colour, label=phase)
            left += widths
        for index, row in enumerate(rows):
            cost = row.plain_gradients
            times = f"  {milliseconds(row.iteration_s)} ms"
            times += f" = {cost.median:.2f}×" if cost else ""
            axes.text(left[index], index, times, va="center")
        if plain_gradient_s is not None:
            axes.axvline(
                1e3 * plain_gradient_s, color="black", ls="--", lw=1, label="plain gradient (1×)"
            )
        axes.set_xlim(0, 1.25 * max(left, default=1.0))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("ms per iteration (total over iterations)")
        figure.legend(loc="outside upper center", ncols=len(PHASES) + 1)
    return figure


def _loss_curve(record: RunRecord, axis: str) -> pd.DataFrame:
    position = record.values["iteration"] if axis == "iteration" else np.cumsum(record.seconds)
    curve = pd.DataFrame(
        {
            "x": position,
            "y": record.values["loss"],
            "complete": record.status == "completed",
            "label": record.label,
            "seed": record.config["seed"],
        }
    )
    curve = curve[np.isfinite(curve["y"])]  # a diverged run's last loss is not
    return curve.assign(y=curve["y"].rolling(SMOOTHING, min_periods=1).mean())


def _metric_curve(record: RunRecord, metric: str, axis: str) -> pd.DataFrame:
    points = pd.DataFrame(record.evaluations, columns=["iteration", "seconds", *record.metrics])
    return pd.DataFrame(
        {
            "x": points[axis],
            "y": points[metric],
            "iteration": points["iteration"],
            "label": record.label,
            "seed": record.config["seed"],
        }
    )


def _band(
    axes: Axes,
    curves: pd.DataFrame,
    axis: str,
    ylabel: str,
    colours: dict[str, tuple[float, float, float]],
    *,
    markers: bool,
) -> None:
    """Draw the median and the range over seeds, by label."""
    for index, (label, colour) in enumerate(colours.items()):
        seeds = [curve.dropna() for _, curve in curves[curves["label"] == label].groupby("seed")]
        seeds = [curve for curve in seeds if len(curve)]
        if not seeds:
            continue
        frame = pd.concat(seeds)
        if axis == "seconds" and markers:  # an evaluation stands where its seeds' median time is
            frame["x"] = frame.groupby("iteration")["x"].transform("median")
        elif axis == "seconds":  # seeds take different times: compare them at the same ones
            grid, values = stats.on_common_grid(
                [curve["x"] for curve in seeds],
                [curve["y"] for curve in seeds],
                _GRID_POINTS,
                [bool(curve["complete"].iloc[0]) for curve in seeds],
            )
            frame = pd.concat([pd.DataFrame({"x": grid, "y": value}) for value in values])
        marker = {"marker": MARKERS[index % len(MARKERS)], "markersize": 6} if markers else {}
        sns.lineplot(
            frame,
            x="x",
            y="y",
            color=colour,
            label=label,
            ax=axes,
            legend=False,
            estimator="median",
            errorbar=("pi", 100),
            err_kws={"linewidth": 0, "alpha": 0.2},
            linestyle=DASHES[index % len(DASHES)],
            **marker,
        )
    axes.set_ylabel(ylabel)


def _mark_divergence(
    axes: Axes,
    records: Sequence[RunRecord],
    axis: str,
    colours: dict[str, tuple[float, float, float]],
) -> None:
    """A cross at the last finite loss of each diverged run."""
    for record in records:
        if record.status != "diverged":
            continue
        curve = _loss_curve(record, axis)
        if len(curve):
            last = curve.iloc[-1]
            axes.plot(last["x"], last["y"], "x", ms=10, mew=2, color=colours[record.label])


def _fit_accuracy(pair: Sequence[Axes]) -> None:
    """Show where curves end, not the climb from chance: cut off what lies far below the ends."""
    for axes in pair:
        curves = [np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()]
        ends = [float(curve[-1]) for curve in curves if len(curve)]
        if ends:
            axes.set_ylim(max(0.0, min(ends) - 0.15), 1.0)
