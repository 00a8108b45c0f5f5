"""The figure of a calibration, and what of it is kept beside the trials."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from bench.regress.calibration.judgements import Judgement, effects, name, replayed, title
from bench.regress.calibration.trials import Settings, Trial
from bench.report.figures import style
from bench.statistics.launches import MIN_LAUNCHES

_GOLDEN = (5**0.5 - 1) / 2
_FEWEST = 0.1  # of the trials may have too few launches for a point of the curve


def power_by_time(trials: Sequence[Trial], settings: Settings) -> pd.DataFrame:
    """Share of alarms if the budget had been shorter, by the same procedure.

    Returns:
        Columns ``delay``, ``launches``, ``seconds`` (median), ``share``.
    """
    found = []
    most = int(np.quantile([len(trial.elapsed_s) for trial in trials], _FEWEST))
    for trial in trials:
        for comparison, delay in enumerate(trial.delays):
            all_launches = effects(trial, comparison, settings)
            for launches in range(MIN_LAUNCHES, min(most, len(all_launches)) + 1):
                ends_s = trial.elapsed_s[:launches]
                monitor, _ = replayed(all_launches[:launches], ends_s, ends_s[-1])
                found.append(
                    {
                        "delay": delay,
                        "launches": launches,
                        "seconds": ends_s[-1],
                        "share": float("slower" in monitor.verdicts()),
                    }
                )
    grouped = pd.DataFrame(found).groupby(["delay", "launches"], as_index=False)
    return grouped.agg(seconds=("seconds", "median"), share=("share", "mean"))


def figure(trials: Sequence[Trial], judgements: Sequence[Judgement], settings: Settings) -> Figure:
    """The estimates of all comparisons, and how the share of alarms grows with the time budget."""
    estimates = pd.DataFrame([vars(judgement) for judgement in judgements])
    estimates["change"] = [name(delay) for delay in estimates["delay"]]
    names = list(dict.fromkeys(estimates.sort_values("delay")["change"]))
    colours = dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))
    with mpl.rc_context(style.STYLE):
        drawing = Figure(figsize=(10.5, 4.2), layout="constrained")
        left, right = drawing.subplots(1, 2)
        for row, change in enumerate(names):
            group = estimates[estimates["change"] == change]
            spread = 0.5 * ((_GOLDEN * np.arange(len(group))) % 1 - 0.5)  # dots side by side
            changes = 100 * (group["total_ratio"] - 1)
            left.plot(changes, row + spread, "o", color=colours[change], alpha=0.6, ms=4)
            true = 100 * (group["total_true"].median() - 1)
            left.plot([true, true], [row - 0.4, row + 0.4], color="black", lw=1.5)
        left.set_yticks(range(len(names)), names)
        left.invert_yaxis()
        left.grid(visible=False, axis="y")
        left.set_xlabel("estimated change of the iteration, % (bar: injected)")
        curve = power_by_time(trials, settings)
        for index, change in enumerate(names):
            part = curve[[name(delay) == change for delay in curve["delay"]]]
            right.plot(
                part["seconds"], 100 * part["share"], style.MARKERS[index], color=colours[change],
                ls=style.DASHES[index], label=change,
            )  # fmt: skip
        right.axhline(95, color="grey", lw=0.8, ls=":")
        right.set_ylim(-3, 103)
        right.set_xlabel("time budget of a comparison, s, launches included")
        right.set_ylabel("called slower, % of comparisons")
        handles, labels = right.get_legend_handles_labels()
        drawing.legend(handles, labels, title="delay", loc="outside lower center", ncols=len(names))
        drawing.suptitle(title(settings, len(trials)))
    return drawing


def write(
    folder: Path, trials: Sequence[Trial], judgements: Sequence[Judgement], settings: Settings
) -> None:
    """Write ``judgements.csv`` and the figure into the calibration's folder."""
    table = pd.DataFrame([vars(judgement) for judgement in judgements])
    table.round(4).to_csv(folder / "judgements.csv", index=False)
    style.save(figure(trials, judgements, settings), folder / "calibration")
