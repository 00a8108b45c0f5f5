"""Quantiles of the curvature diagonal over training."""

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.recommend.wording import settings_text
from bench.report.figures import style as plots
from bench.report.figures.sweep_shared import (
    OUTLINE,
    plain_log,
)
from bench.runs.record import RunRecord
from bench.support.text import short

MAX_PANELS = 6
_BANDS = ((1, 99, 0.15), (5, 95, 0.2), (25, 75, 0.3))
_QUANTILES = ("q01", "q05", "q25", "q50", "q75", "q95", "q99")
_FLOOR = 1e-12


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
        plain_log(grid[0, 0].yaxis, floor, top)
        figure.legend(handles=_spectrum_key(), loc="outside lower center", ncols=5, frameon=False)
        title = f"{short(label)}, {settings_text(shown)}" if shown else short(label)
        if len(records) > 1:
            title += f" (medians over {len(records)} seeds)"
        if (total := rows["layer"].nunique()) > len(layers):
            title += f"\n{len(layers) - 1} of {total - 1} layers"
        figure.suptitle(title)
    return figure


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
    axes.plot(rows["iteration"], damping, color=OUTLINE, lw=1.8, ls="--")
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
        Line2D([], [], color=OUTLINE, lw=1.8, ls="--", label="damping"),
    ]
