"""What a calibration shows: false alarms, power, the right phase, and how long it took."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pytest_benchmark.utils import parse_compare_fail
from scipy import stats

from bench.regress.calibration.trials import PHASES, Settings, Trial
from bench.regress.turns import plan
from bench.statistics.launches import (
    MIN_LAUNCHES,
    QUANTITIES,
    THRESHOLD,
    Array,
    Monitor,
    blamed,
    block_means,
    launch_effects,
    of_phases,
)
from bench.support.text import plural

RULE = "median:5%"
CONFIDENCE = 0.95  # of the intervals of counts
NOTE = "Shares with their exact 95 % intervals; seconds: median until it stopped."
_RULES = ("rule_total", "rule_any", "rule_total_once", "rule_any_once")
Table = tuple[list[str], list[list[str]]]


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
        elsewhere: Whether a phase without delay was called slower or faster.
        innocent: How many lines have no delay.
        unchanged: How many of them were called unchanged.
        phase_unchanged: Whether the delayed phase was; of A against A' never.
        total_unchanged: Whether the whole iteration was.
        launches: How many launches it took.
        seconds: How long it took.
        decided: Whether every line had a verdict before the budget was spent.
        total_ratio: The estimate for the whole iteration.
        total_true: What it should be: the delay over A's iteration.
        total_held: Whether its interval holds that.
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
    elsewhere: bool
    innocent: int
    unchanged: int
    phase_unchanged: bool
    total_unchanged: bool
    launches: int
    seconds: float
    decided: bool
    total_ratio: float
    total_true: float
    total_held: bool
    rule_total: bool
    rule_any: bool
    rule_total_once: bool
    rule_any_once: bool


def judge(trial: Trial, settings: Settings) -> list[Judgement]:
    """Judge every comparison of a trial as ``regress`` would have, launch by launch."""
    return [_judge(trial, number, settings) for number in range(len(trial.delays))]


def effects(trial: Trial, comparison: int, settings: Settings) -> Array:
    """Log ratios of a comparison to A, ``[launches, kinds, quantities]``."""
    whole = plan(settings.iteration_s, settings.period).whole
    blocks = block_means(trial.blocks[:, :, comparison], whole)
    launches = np.moveaxis(blocks, 1, 0)
    return np.array([launch_effects(launch[:, :, 0], launch[:, :, 1]) for launch in launches])


def replayed(found: Array, ends_s: Sequence[float], budget_s: float) -> tuple[Monitor, int]:
    """The procedure launch by launch, as ``regress`` would have run it.

    Args:
        found: Effects of all launches that the budget allows, ``[launches, kinds, quantities]``.
        ends_s: When each launch ended.
        budget_s: The time budget.

    Returns:
        The monitor as it stopped, and after how many launches it did.
    """
    monitor, used = Monitor([THRESHOLD] * len(QUANTITIES)), 0
    for end_s in ends_s:
        used += 1
        if monitor.stops(found[:used], end_s / budget_s, last=used == len(found)):
            break
    assert monitor.judged, f"a comparison needs {MIN_LAUNCHES} launches"
    return monitor, used


def _judge(trial: Trial, comparison: int, settings: Settings) -> Judgement:
    monitor, used = replayed(
        effects(trial, comparison, settings), trial.elapsed_s, settings.budget_s
    )
    verdicts, total = monitor.verdicts(), monitor.judged[-1].estimate
    delay = trial.delays[comparison]
    said = dict(zip(QUANTITIES, verdicts, strict=True))
    delayed = (trial.phase, "total") if delay else ()
    undelayed = [verdict for quantity, verdict in said.items() if quantity not in delayed]
    blocks = of_phases(trial.blocks[:used, :, comparison, 0]).mean(axis=-2)
    base_s = np.median(blocks, axis=(0, 1)).tolist()
    true = 1 + delay * settings.iteration_s / base_s[-1]
    return Judgement(
        trial=trial.number,
        delay=delay,
        phase=trial.phase,
        slower="slower" in verdicts,
        alarm="slower" in verdicts or "faster" in verdicts,
        total_slower=verdicts[-1] == "slower",
        blamed=blamed(base_s, [one.estimate.ratio for one in monitor.judged], verdicts) or "",
        elsewhere=not {"slower", "faster"}.isdisjoint(undelayed),
        innocent=len(undelayed),
        unchanged=undelayed.count("unchanged"),
        phase_unchanged=bool(delay) and said[trial.phase] == "unchanged",
        total_unchanged=said["total"] == "unchanged",
        launches=used,
        seconds=trial.elapsed_s[used - 1],
        decided="undecided" not in verdicts,
        total_ratio=total.ratio,
        total_true=true,
        total_held=total.low <= true <= total.high,
        **_rule(trial.blocks[:, :, comparison]),
    )


def _rule(compared: Array) -> dict[str, bool]:
    """What pytest-benchmark's own check says of the same iterations.

    Args:
        compared: Of the blocks of a trial, those of one comparison.
    """
    check = parse_compare_fail(RULE)

    def fails(blocks: Array) -> list[bool]:
        times = np.moveaxis(of_phases(blocks), -3, 0)  # [sides, ..., iterations, quantities]
        medians = np.median(times.reshape(len(times), -1, len(QUANTITIES)), axis=1)
        return [
            bool(check.fails({"median": head}, {"median": base}))
            for base, head in zip(*medians, strict=True)
        ]

    pooled, once = fails(compared), fails(compared[0])
    return {
        "rule_total": pooled[-1],
        "rule_any": any(pooled),
        "rule_total_once": once[-1],
        "rule_any_once": any(once),
    }


def share(count: int, of: int) -> str:
    """A share with its exact (Clopper-Pearson) interval, in percent."""
    if not of:
        return "–"
    interval = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="exact")
    return f"{100 * count / of:.1f} % ({100 * interval.low:.1f}–{100 * interval.high:.1f})"


def title(settings: Settings, trials: int) -> str:
    """What was compared, how often, and with which budget."""
    return (
        f"{settings.optimizer} on {settings.problem}, {plural(trials, 'trial')}, "
        f"{settings.budget_s:g} s per comparison"
    )


def rows(judgements: Iterable[Judgement]) -> list[dict[str, Any]]:
    """One row per size of change: counts, and what the seconds and errors were."""
    table = pd.DataFrame([vars(judgement) for judgement in judgements])
    found = []
    for delay, group in table.groupby("delay"):
        alarms = group["slower"] if delay else group["alarm"]
        right = (group["blamed"] == group["phase"]) & group["slower"]
        error = group["total_ratio"] / group["total_true"] - 1
        found.append(
            {
                "delay": float(str(delay)),
                "comparisons": len(group),
                "alarms": int(alarms.sum()),
                "right_phase": int(right.sum()) if delay else None,
                "total_slower": int(group["total_slower"].sum()),
                "by_phase": {
                    str(phase): [int(own["slower"].sum()), len(own)]
                    for phase, own in group.groupby("phase")
                },
                "elsewhere": int(group["elsewhere"].sum()),
                "total_held": int(group["total_held"].sum()),
                "median_error": float(error.median()),
                "innocent": int(group["innocent"].sum()),
                "unchanged": int(group["unchanged"].sum()),
                "phase_unchanged": int(group["phase_unchanged"].sum()),
                "total_unchanged": int(group["total_unchanged"].sum()),
                "decided": int(group["decided"].sum()),
                "median_s": float(group["seconds"].median()),
                **{rule: int(group[rule].sum()) for rule in _RULES},
            }
        )
    return found


def tables(summary: Sequence[dict[str, Any]], caption: str) -> dict[str, Table]:
    """Everything as text: tables by their captions.

    Args:
        summary: See :func:`rows`.
        caption: Of the first; see :func:`title`.
    """
    rule = f"pytest-benchmark's {RULE} on the same samples: share of alarms"
    delayed = [row for row in summary if row["delay"]]
    found = {caption: _table(summary, _VERDICTS)}
    if delayed:
        found["Alarms by the phase that takes the delay"] = _table(delayed, _BY_PHASE)
    return found | {
        "Called unchanged": _table(summary, _UNCHANGED),
        "What else was said": _table(summary, _REST),
        rule: _table(summary, _RULE),
    }


_Columns = list[tuple[str, Callable[[dict[str, Any]], str]]]


def _of_all(field: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: share(row[field], row["comparisons"])


def _of_phase(phase: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: share(*row["by_phase"].get(phase, (0, 0)))


def _table(summary: Sequence[dict[str, Any]], columns: _Columns) -> Table:
    body = [[show(row) for _, show in columns] for row in summary]
    return [header for header, _ in columns], body


def name(delay: float) -> str:
    """How a size of change is called."""
    return f"+{100 * delay:g} %" if delay else "none (A/A')"


_CHANGE: _Columns = [("change", lambda row: name(row["delay"]))]
_VERDICTS: _Columns = [
    *_CHANGE,
    ("comparisons", lambda row: str(row["comparisons"])),
    ("alarms", _of_all("alarms")),
    ("right phase", lambda row: share(row["right_phase"], row["alarms"]) if row["delay"] else "–"),
    ("alarm in the total", _of_all("total_slower")),
    ("seconds", lambda row: f"{row['median_s']:.0f}"),
]
_BY_PHASE: _Columns = [*_CHANGE, *((phase, _of_phase(phase)) for phase in PHASES)]
_REST: _Columns = [
    *_CHANGE,
    ("interval of the total holds", _of_all("total_held")),
    ("its median error", lambda row: f"{100 * row['median_error']:+.2f} %"),
    ("alarm elsewhere", _of_all("elsewhere")),
    ("all decided", _of_all("decided")),
]
_UNCHANGED: _Columns = [
    *_CHANGE,
    ("lines without delay", lambda row: share(row["unchanged"], row["innocent"])),
    (
        "the delayed phase",
        lambda r: share(r["phase_unchanged"], r["comparisons"] * (r["delay"] > 0)),
    ),
    ("the total", _of_all("total_unchanged")),
]
_RULE: _Columns = [
    *_CHANGE,
    ("all launches, total", _of_all("rule_total")),
    ("any phase", _of_all("rule_any")),
    ("one launch each, total", _of_all("rule_total_once")),
    ("any phase", _of_all("rule_any_once")),
]
