"""What to know before relying on a recommendation."""

import math
from collections import Counter
from collections.abc import Mapping

from bench.recommend.next_grid import next_grid
from bench.recommend.swept import FAILED, NOT_APPLICABLE, NOT_RUN, Swept, Trial
from bench.statistics.dunnett import Array
from bench.statistics.selection import Selection
from bench.support.text import plural

WORSE_RATIO = 1.1
WORSE_SHARE = 0.005


def nothing(swept: Swept) -> str:
    """Why there is no recommendation."""
    lost = Counter(reason for trial in swept.trials for reason in trial.lost.values())
    runs = sum(lost.values()) + sum(len(trial.scores) for trial in swept.trials)
    if not runs:
        return f"No setting of {swept.label} was trained: there is nothing to recommend."
    if len(lost) == 1 and lost.total() == runs:
        return (
            f"All {runs} runs of {swept.label} {what_became(*lost)}: there is nothing to recommend."
        )
    return (
        f"No setting of {swept.label} has a score of every seed ({_counts(lost)} of {runs} runs): "
        "there is nothing to recommend."
    )


def missing_runs(swept: Swept) -> list[str]:
    """That runs are missing, if some are."""
    missing = [
        [reason for reason in trial.lost.values() if reason in (FAILED, NOT_RUN)]
        for trial in swept.trials
    ]
    lost = Counter(reason for reasons in missing for reason in reasons)
    waiting = [
        f"Seed {seed} is left out: not all settings of {swept.label} were run with it yet."
        for seed in swept.pending
    ]
    if not lost:
        return waiting
    runs, settings = lost.total(), sum(bool(reasons) for reasons in missing)
    return [
        *waiting,
        f"{plural(runs, 'run')} of {plural(settings, 'setting')} of {swept.label} "
        f"{'is' if runs == 1 else 'are'} missing ({_counts(lost)}): the picture is incomplete.",
    ]


def untrained(swept: Swept, best: Trial) -> list[str]:
    """That the best setting is no better than no training at all, if so."""
    score, start = swept.score(best), swept.untrained
    no_better = score >= start if swept.measure.better == "min" else score <= start
    if math.isnan(start) or not no_better:
        return []
    return [
        f"No setting of {swept.label} is better than the untrained model: the best ends with "
        f"{swept.measure.name} {score:.3g}, where the first mini-batches before training have "
        f"{start:.3g}. Sweep elsewhere."
    ]


def separation(swept: Swept, found: Selection, members: int, values: Array) -> list[str]:
    """What the seeds cannot tell apart, if that is much."""
    cells, seeds = values.shape
    if seeds == 1:
        return [
            "One seed cannot tell settings apart: the best one may be no more than lucky; sweep "
            "with at least 3 seeds."
        ]
    if cells == 1:
        return [
            f"Only 1 of {swept.cells} settings of {swept.label} has a score of every seed: there "
            "is no other one to compare it with."
        ]
    if 2 * members <= cells:
        return []
    means = values.mean(axis=1)
    if swept.compares_logarithms:
        wanted, worse = math.log(WORSE_RATIO), f"{WORSE_RATIO - 1:.0%} worse".replace("%", " %")
        seen = f"a factor of {math.exp(found.difference):.3g}"
    else:
        share = swept.measure.better == "max" and values.min() >= 0 and values.max() <= 1
        wanted = WORSE_SHARE if share else (WORSE_RATIO - 1) * float(abs(means[found.best]))
        worse = f"worse by {wanted:.2g}{swept.measure.unit and ' ' + swept.measure.unit}"
        seen = f"{found.difference:.2g}{swept.measure.unit and ' ' + swept.measure.unit}"
    needed = 2 * (found.critical * found.noise / wanted) ** 2 if wanted else math.inf
    if seeds < needed < math.inf:
        count = math.ceil(needed) if needed < 100 else f"{float(f'{needed:.2g}'):.0f}"
        advice = f"about {count} seeds would tell one that is {worse}"
    else:
        advice = "most of them are about equally good"
    return [
        f"The plateau of {swept.label} holds {members} of {cells} settings, and {seeds} seeds tell "
        f"settings apart that differ by {seen} or more: {advice}."
    ]


def edges(swept: Swept, best: Trial, chosen: Trial, *, with_label: bool) -> list[str]:
    """That the best or the recommended setting lies on an edge of the grid, and the grid to try."""
    warnings = []
    for name in [] if swept.scattered else swept.numeric_axes:
        values = sorted(swept.axes[name])
        if len(values) < 2:
            continue
        for trial, what in ((best, "best"), (chosen, "recommended")):
            value = trial.settings[name]
            # Zero is the natural end of learning rates, damping and momentum: nothing lies below.
            if value not in (values[0], values[-1]) or value == 0 == values[0]:
                continue
            low = value == values[0]
            where = "smallest" if low else "largest"
            key = f"{swept.label}.{name}" if with_label else name
            grid = next_grid(values, value)
            option = f"; sweep on with --grid {key}={grid}" if grid else ""
            warnings.append(
                f"The {what} setting of {swept.label} has {name}={value:g}, the {where} of the "
                f"grid: better ones may lie {'below' if low else 'above'}{option}."
            )
            break
    return warnings


def _counts(lost: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(lost.items()))


def what_became(reason: str) -> str:
    """What happened to lost runs, as the verb of a sentence about them."""
    return {NOT_RUN: "were not run", NOT_APPLICABLE: "are not applicable"}.get(reason, reason)
