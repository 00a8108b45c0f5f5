"""What a calibration shows: false alarms, power, the right phase, and how long it took."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from pytest_benchmark.utils import parse_compare_fail
from scipy import stats

from bench import plots
from bench.regress.calibration import Trial
from bench.regress.procedure import (
    MIN_LAUNCHES,
    QUANTITIES,
    THRESHOLD,
    Array,
    Monitor,
    blamed,
    launch_effect,
    totals,
)

RULE = "median:5%"
_RULES = ("rule_total", "rule_any", "rule_total_once", "rule_any_once")
_GOLDEN = (5**0.5 - 1) / 2
CONFIDENCE = 0.95  # of the intervals of counts
HEADER = ["change", "comparisons", "alarms", "right phase", "alarm in the total", "seconds"]
RULE_HEADER = [
    "change", "all launches, total", "any phase", "one launch each, total", "any phase",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was said of one comparison.

    Attributes:
        trial: Its number.
        delay: The known change, as a share of the iteration; 0 for A against A'.
        phase: Where it was injected.
        slower: Whether any line was called slower.
        alarm: Whether any line was called slower or faster.
        total_slower: Whether the whole iteration was.
        blamed: The phase that was named, or empty.
        launches: How many launches it took.
        seconds: How long it took.
        decided: Whether every line had a verdict before the budget was spent.
        total_ratio: The estimate for the whole iteration.
        rule_total: Whether pytest-benchmark's rule fails for the whole iteration.
        rule_any: Whether it fails for a phase or the whole iteration.
        rule_total_once: As ``rule_total``, from the first launch of each side alone.
        rule_any_once: As ``rule_any``, likewise.
    """

    trial: int
    delay: float
    phase: str
    slower: bool
    alarm: bool
    total_slower: bool
    blamed: str
    launches: int
    seconds: float
    decided: bool
    total_ratio: float
    rule_total: bool
    rule_any: bool
    rule_total_once: bool
    rule_any_once: bool


def judge(trial: Trial, budget_s: float) -> list[Judgement]:
    """Judge every comparison of a trial as ``regress`` would have, launch by launch."""
    return [_judge(trial, arm, budget_s) for arm in range(1, len(trial.delays))]


def _judge(trial: Trial, arm: int, budget_s: float) -> Judgement:
    effects, monitor = _effects(trial, arm), Monitor([THRESHOLD] * len(QUANTITIES))
    count = len(effects)
    used = next(
        (
            k
            for k in range(1, count + 1)
            if monitor.stops(effects[:k], trial.elapsed_s[k - 1] / budget_s, last=k == count)
        ),
        count,
    )
    assert monitor.estimates is not None, f"a comparison needs {MIN_LAUNCHES} launches"
    verdicts, ratios = monitor.verdicts(), [e.ratio for e in monitor.estimates]
    base_s = np.median(totals(trial.blocks[:used, :, 0]), axis=(0, 1)).tolist()
    return Judgement(
        trial=trial.number,
        delay=trial.delays[arm],
        phase=trial.phase,
        slower="slower" in verdicts,
        alarm="slower" in verdicts or "faster" in verdicts,
        total_slower=verdicts[-1] == "slower",
        blamed=blamed(base_s, ratios, verdicts) or "",
        launches=used,
        seconds=trial.elapsed_s[used - 1],
        decided="undecided" not in verdicts,
        total_ratio=ratios[-1],
        **_rule(trial, arm),
    )


def _effects(trial: Trial, arm: int) -> Array:
    blocks = [totals(launch) for launch in trial.blocks]
    return np.array([launch_effect(b[:, 0], b[:, arm]) for b in blocks])


def _rule(trial: Trial, arm: int) -> dict[str, bool]:
    """What pytest-benchmark's own check says of the same iterations."""
    check = parse_compare_fail(RULE)

    def fails(blocks: Array) -> list[bool]:
        times = np.moveaxis(blocks, -3, 0)  # [arms, ..., iterations, phases]
        times = np.concatenate([times[..., 1:], times.sum(-1, keepdims=True)], axis=-1)
        medians = np.median(times.reshape(len(times), -1, len(QUANTITIES)), axis=1)
        return [
            bool(check.fails({"median": head}, {"median": base}))
            for base, head in zip(medians[0], medians[arm], strict=True)
        ]

    pooled, once = fails(trial.blocks), fails(trial.blocks[0])
    return {
        "rule_total": pooled[-1],
        "rule_any": any(pooled),
        "rule_total_once": once[-1],
        "rule_any_once": any(once),
    }


def share(count: int, of: int) -> str:
    """A share with its exact (Clopper-Pearson) interval, in percent."""
    interval = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="exact")
    return f"{100 * count / of:.1f} % ({100 * interval.low:.1f}–{100 * interval.high:.1f})"


def rows(judgements: Iterable[Judgement]) -> list[dict[str, Any]]:
    """One row per size of change: counts, and the intervals of their shares."""
    table = pd.DataFrame([vars(judgement) for judgement in judgements])
    found = []
    for delay, group in table.groupby("delay"):
        alarms = group["slower"] if delay else group["alarm"]
        right = (group["blamed"] == group["phase"]) & group["slower"]
        found.append(
            {
                "delay": float(str(delay)),
                "comparisons": len(group),
                "alarms": int(alarms.sum()),
                "right_phase": int(right.sum()) if delay else None,
                "total_slower": int(group["total_slower"].sum()),
                "median_s": float(group["seconds"].median()),
                "decided": int(group["decided"].sum()),
                "median_ratio": float(group["total_ratio"].median()),
                **{rule: int(group[rule].sum()) for rule in _RULES},
            }
        )
    return found


def table(summary: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """What ``regress`` said, as text."""
    return HEADER, [
        [
            _name(row["delay"]),
            str(row["comparisons"]),
            share(row["alarms"], row["comparisons"]),
            share(row["right_phase"], row["alarms"]) if row["delay"] and row["alarms"] else "–",
            share(row["total_slower"], row["comparisons"]),
            f"{row['median_s']:.0f}",
        ]
        for row in summary
    ]


def rule_table(summary: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """What pytest-benchmark's rule says of the same samples, as text."""
    return RULE_HEADER, [
        [_name(row["delay"]), *(share(row[rule], row["comparisons"]) for rule in _RULES)]
        for row in summary
    ]


def power_by_time(trials: Sequence[Trial]) -> pd.DataFrame:
    """Share of alarms if the budget had been shorter: one look at the end, nothing spent before.

    Returns:
        Columns ``delay``, ``launches``, ``seconds`` (median), ``share``.
    """
    found = []
    most = int(np.median([len(trial.elapsed_s) for trial in trials]))
    for launches in range(MIN_LAUNCHES, most + 1):
        for trial in (trial for trial in trials if len(trial.elapsed_s) >= launches):
            for arm in range(1, len(trial.delays)):
                monitor = Monitor([THRESHOLD] * len(QUANTITIES))
                monitor.stops(_effects(trial, arm)[:launches], 1.0, last=True)
                found.append(
                    {
                        "delay": trial.delays[arm],
                        "launches": launches,
                        "seconds": trial.elapsed_s[launches - 1],
                        "share": float("slower" in monitor.verdicts()),
                    }
                )
    grouped = pd.DataFrame(found).groupby(["delay", "launches"], as_index=False)
    return grouped.agg(seconds=("seconds", "median"), share=("share", "mean"))


def figure(trials: Sequence[Trial], judgements: Sequence[Judgement], title: str) -> Figure:
    """The estimates of all comparisons, and how the share of alarms grows with time."""
    estimates = pd.DataFrame([vars(judgement) for judgement in judgements])
    estimates["change"] = [_name(delay) for delay in estimates["delay"]]
    names = list(dict.fromkeys(estimates.sort_values("delay")["change"]))
    colours = dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))
    with mpl.rc_context(plots.STYLE):
        drawing = Figure(figsize=(10.5, 4.2), layout="constrained")
        left, right = drawing.subplots(1, 2)
        for row, name in enumerate(names):
            group = estimates[estimates["change"] == name]
            spread = 0.5 * ((_GOLDEN * np.arange(len(group))) % 1 - 0.5)  # dots side by side
            changes = 100 * (group["total_ratio"] - 1)
            left.plot(changes, row + spread, "o", color=colours[name], alpha=0.6, ms=4)
            true = 100 * group["delay"].iloc[0]
            left.plot([true, true], [row - 0.4, row + 0.4], color="black", lw=1.5)
        left.set_yticks(range(len(names)), names)
        left.invert_yaxis()
        left.grid(visible=False, axis="y")
        left.set_xlabel("estimated change of the iteration, % (bar: injected)")
        curve = power_by_time(trials)
        for index, name in enumerate(names):
            part = curve[[_name(delay) == name for delay in curve["delay"]]]
            right.plot(
                part["seconds"], 100 * part["share"], plots.MARKERS[index], color=colours[name],
                ls=plots.DASHES[index], label=name,
            )  # fmt: skip
        right.axhline(95, color="grey", lw=0.8, ls=":")
        right.set_ylim(-3, 103)
        right.set_xlabel("seconds of a comparison, launches included")
        right.set_ylabel("called slower, % of comparisons")
        handles, labels = right.get_legend_handles_labels()
        drawing.legend(handles, labels, title="delay", loc="outside lower center", ncols=len(names))
        drawing.suptitle(title)
    return drawing


def write(
    folder: Path, trials: Sequence[Trial], judgements: Sequence[Judgement], title: str
) -> None:
    """Write ``judgements.csv`` and the figure into the calibration's folder."""
    table = pd.DataFrame([vars(judgement) for judgement in judgements])
    table.round(4).to_csv(folder / "judgements.csv", index=False)
    plots.save(figure(trials, judgements, title), folder / "calibration")


def _name(delay: float) -> str:
    return f"+{100 * delay:g} %" if delay else "none (A/A')"
