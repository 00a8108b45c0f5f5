"""A recommendation in words and as a table."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.comparison.tables import Table
from bench.recommend.recommendation import Range, Recommendation, Stop
from bench.recommend.rivals import Rival
from bench.recommend.swept import Dropped, Swept, Trial
from bench.recommend.warnings import what_became
from bench.runs.settings import assignments, written
from bench.support.text import plural

_ROWS = 12


def settings_options(settings: Mapping[str, Any], label: str = "") -> str:
    """Settings as options to paste, such as ``--set lr=0.05 --set damping=0.01``.

    Args:
        settings: The hyperparameters.
        label: Label that they are for, as in ``--set sgd.lr=0.05``; all optimizers if empty.
    """
    prefix = f"{label}." if label else ""
    return " ".join(f"--set {prefix}{text}" for text in assignments(settings))


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings to read, such as ``lr=0.05, damping=0.01``, numbers with four digits."""
    short = {
        name: f"{value:.4g}" if isinstance(value, float) else value
        for name, value in settings.items()
    }
    return written(short)


def sentence(recommendation: Recommendation) -> str:
    """What to take, why, and how far one can move from it.

    Without a recommendation it says why there is none.
    """
    if recommendation.chosen is None:
        return headline(recommendation)
    return " ".join([headline(recommendation), *_ranges(recommendation)])


def headline(recommendation: Recommendation) -> str:
    """What to take and why; without a recommendation, why there is none."""
    swept, best, chosen = recommendation.swept, recommendation.best, recommendation.chosen
    if best is None or chosen is None:
        return " ".join(recommendation.warnings)
    seeds = recommendation.seeds
    mean = "geometric mean" if swept.compares_logarithms else "mean"
    over = f"{mean} of the {seeds} seeds" if seeds > 1 else "the one seed"
    cells, members = swept.cells, len(recommendation.plateau)
    all_of_them = plural(cells, "setting")
    options = settings_options(chosen.settings) or "its own defaults"
    score = f"{swept.measure.name} {_score(swept, chosen)} ({over} that chose it)"
    take = f"Use {options} for {swept.label}: {score}"
    if math.isnan(recommendation.noise):
        why = f"the best of {all_of_them}; how much of that is chance cannot be known"
    elif members == 1:
        why = f"the best of {all_of_them}, and all others are worse than chance explains"
    elif chosen is best:
        why = (
            f"the best of {all_of_them} and the centre of a plateau of {members} that cannot "
            "be told apart"
        )
    else:
        why = (
            f"the centre of a plateau of {members} settings out of {cells} that cannot be told "
            f"from the best ({settings_text(best.settings)}: {_score(swept, best)})"
        )
    return f"{take}, {why}."


def table(recommendation: Recommendation) -> Table:
    """The settings, best first, as far as they fit; the recommended one is always there."""
    swept = recommendation.swept
    usable = sorted(swept.usable, key=lambda trial: _order(recommendation, trial))
    incomplete = [trial for trial in swept.trials if not any(trial is other for other in usable)]
    dropped = sorted(swept.dropped, key=lambda cell: -cell.iterations)
    cells: list[Trial | Dropped] = [*usable, *incomplete, *dropped]
    shown, rest = cells[:_ROWS], cells[_ROWS:]
    chosen = recommendation.chosen
    if chosen is not None and any(cell is chosen for cell in rest):
        shown[-1] = chosen
    body = [
        _dropped_row(cell) if isinstance(cell, Dropped) else _row(recommendation, cell)
        for cell in shown
    ]
    if rest:
        body.append([f"... and {plural(len(rest), 'more setting')}", "", "", ""])
    measure = swept.measure.name + (f" in {swept.measure.unit}" if swept.measure.unit else "")
    against = "ratio to the best" if swept.compares_logarithms else "difference to the best"
    return ["setting", f"{measure}: mean (range over seeds)", against, "verdict"], body


def rivalry(rivals: Sequence[Rival]) -> list[str]:
    """How a label does against others, a sentence each; a warning if it does not beat the best.

    Args:
        rivals: As ``bench.recommend.rivals.rivals`` returns them, the best one first.
    """
    sentences = [_against(rival) for rival in rivals]
    if rivals and rivals[0].verdict != "better":
        first = rivals[0]
        how = "worse" if first.verdict == "worse" else "no better"
        sentences.append(
            f"{first.own} as recommended is {how} than {first.rival} as recommended: "
            f"{_effect(first)}."
        )
    if sum(not math.isnan(rival.low) for rival in rivals) > 1:
        sentences.append("Each interval is for its pair alone: of many, some miss by chance.")
    return sentences


def _against(rival: Rival) -> str:
    verdict = {
        "better": f"{rival.own} is better",
        "worse": f"{rival.own} is worse",
        "undecided": "the difference may be chance",
    }[rival.verdict]
    text = f"{rival.own} against {rival.rival}: {_effect(rival)}; {verdict}."
    if rival.cells != rival.own_cells:
        text += (
            f" {rival.rival} was swept with {plural(rival.cells, 'setting')}, {rival.own} with "
            f"{rival.own_cells}."
        )
    return text


def _effect(rival: Rival) -> str:
    kind = "ratio" if rival.logarithmic else "difference"
    measured = f"{rival.measure.name} {rival.own_score:.3g} against {rival.score:.3g}"
    if math.isnan(rival.low):
        return f"{measured} ({kind} {rival.effect:.3g}, one seed)"
    return (
        f"{measured} ({kind} {rival.effect:.3g}, {100 * rival.confidence:g} % interval "
        f"{rival.low:.3g} to {rival.high:.3g}, {rival.seeds} seeds)"
    )


def _ranges(recommendation: Recommendation) -> list[str]:
    swept, ranges = recommendation.swept, recommendation.ranges
    if math.isnan(recommendation.noise) or not ranges:
        return []
    if 2 * len(recommendation.plateau) > swept.cells:  # it says how little is known, not how far
        return []
    if swept.scattered:
        parts = [f"{name} from {r.low:.3g} to {r.high:.3g}" for name, r in ranges.items()]
        return [f"The plateau has {' and '.join(parts)}."]
    moves = [
        _range(swept, name, found) for name, found in ranges.items() if len(swept.axes[name]) > 1
    ]
    if not moves:
        return []
    return [f"{'Moved alone, ' if len(swept.axes) > 1 else 'Here '}{'; '.join(moves)}."]


def _range(swept: Swept, name: str, found: Range) -> str:
    if found.low == found.high:
        moves = f"{name} has to stay at {found.low:g}"
    else:
        moves = f"{name} may be {found.low:g} to {found.high:g}"
    stops = [(found.below, found.low), (found.above, found.high)]
    ends = [_stop(swept, stop) for stop, _ in stops if stop and stop.why != "edge"]
    edges = [f"{value:g}" for stop, value in stops if stop and stop.why == "edge"]
    if edges:
        ends.append(f"the grid ends at {' and '.join(dict.fromkeys(edges))}")
    return f"{moves} ({'; '.join(ends)})"


def _stop(swept: Swept, stop: Stop) -> str:
    at = f"at {stop.value:g}"
    if stop.why == "worse":
        assert stop.behind is not None
        return f"{at}, {swept.measure.name} is {_worse(swept, stop.behind)}"
    if stop.why == "lost":
        lost = " and ".join(
            f"{count} of {stop.seeds} runs {what_became(reason)}"
            for reason, count in stop.lost.items()
        )
        return f"{at}, {lost}"
    if stop.why == "dropped":
        return f"{at}, it was dropped after {stop.iterations} iterations"
    return f"{stop.value:g} was not swept"


def _worse(swept: Swept, behind: float) -> str:
    if swept.compares_logarithms and swept.measure.better == "min":
        return f"{behind:.3g} times the best"
    if swept.compares_logarithms:
        return f"the best divided by {behind:.3g}"
    return f"{behind:.2g}{swept.measure.unit and ' ' + swept.measure.unit} worse than the best"


def _row(recommendation: Recommendation, trial: Trial) -> list[str]:
    swept, best = recommendation.swept, recommendation.best
    name = settings_text(trial.settings)
    if trial.lost or best is None:
        lost = [
            f"{count} of {recommendation.seeds} {reason}"
            for reason, count in sorted(Counter(trial.lost.values()).items())
        ]
        return [name, _spread(swept, trial), "–", ", ".join(lost) or "–"]
    member = any(trial is other for other in recommendation.plateau)
    verdict = "in the plateau" if member else "worse"
    if trial is best:
        verdict += ", best"
    if trial is recommendation.chosen:
        verdict += ", recommended"
    if trial is best:
        against = "–"
    elif swept.compares_logarithms:
        against = f"{swept.score(trial) / swept.score(best):.3g}×"
    else:
        against = f"{swept.score(trial) - swept.score(best):+.2g}"
    return [name, _spread(swept, trial), against, verdict]


def _dropped_row(cell: Dropped) -> list[str]:
    score = "–" if math.isnan(cell.score) else f"{cell.score:.3g} then"
    verdict = f"dropped after {cell.iterations} iterations"
    return [settings_text(cell.settings), score, "–", verdict]


def _order(recommendation: Recommendation, trial: Trial) -> float:
    score = recommendation.swept.score(trial)
    return score if recommendation.swept.measure.better == "min" else -score


def _spread(swept: Swept, trial: Trial) -> str:
    if not trial.scores:
        return "–"
    values = list(trial.scores.values())
    mean = f"{swept.score(trial):.3g}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3g}–{max(values):.3g})"


def _score(swept: Swept, trial: Trial) -> str:
    return f"{swept.score(trial):.3g}{swept.measure.unit and ' ' + swept.measure.unit}"
