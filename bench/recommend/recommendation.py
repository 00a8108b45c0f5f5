"""Which setting of a sweep to take: the centre of the plateau, not the luckiest cell.

Settings are compared over seeds. The *plateau* are those that cannot be told from the best
(:func:`bench.statistics.selection.select`), and the recommendation is the member of it whose
surroundings are the most plausible. ``bench.evidence.damping_simulation`` measures both on surfaces
whose optimum is known.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from bench.statistics.selection import CONFIDENCE, Array, Selection, select
from bench.support.strict_json import with_nulls
from bench.support.text import plural

WORSE_RATIO = 1.1
WORSE_SHARE = 0.005
_MOST_SEEDS = 100
NOT_RUN, FAILED = "not run", "failed"
_EQUAL = 1e-4


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What settings are judged by.

    Attributes:
        name: Such as ``val_loss``, ``val_accuracy`` or ``time_to(val_accuracy=0.95)``.
        better: Whether small or large values are better.
        logarithmic: Whether logarithms are compared (losses, times), so that differences are
            ratios.
        unit: Of the values, or empty.
    """

    name: str
    better: Literal["min", "max"]
    logarithmic: bool = False
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One setting, trained with the full budget.

    Attributes:
        settings: The swept hyperparameters, in the order of the axes.
        scores: By seed, of the runs that have a finite one.
        lost: By seed, of the other runs: ``diverged``, ``missed the target``, ``failed`` or
            ``not run``.
    """

    settings: Mapping[str, Any]
    scores: Mapping[int, float]
    lost: Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A setting that successive halving gave up.

    Attributes:
        settings: The swept hyperparameters.
        iterations: Budget after which it was dropped.
        score: Its mean then; NaN if it had none.
    """

    settings: Mapping[str, Any]
    iterations: int
    score: float


@dataclass(frozen=True, kw_only=True)
class Swept:
    """All that was swept of one label.

    Attributes:
        label: How the optimizer is called in tables and figures.
        optimizer: Its name in the registry.
        axes: Values by hyperparameter: numbers, or words and tuples (categories).
        measure: What settings are judged by.
        trials: The settings that were trained with the full budget.
        dropped: Those that were not.
        scattered: Whether the settings lie anywhere instead of on a grid.
        pending: Seeds that not all settings were run with yet; they count for none.
    """

    label: str
    optimizer: str
    axes: Mapping[str, tuple[Any, ...]]
    measure: Measure
    trials: Sequence[Trial]
    dropped: Sequence[Dropped] = ()
    scattered: bool = False
    pending: Sequence[int] = ()

    @property
    def cells(self) -> int:
        """How many settings were swept, those that were dropped included."""
        return len(self.trials) + len(self.dropped)

    @property
    def seeds(self) -> list[int]:
        """The seeds that settings were trained with."""
        return sorted({seed for trial in self.trials for seed in (*trial.scores, *trial.lost)})

    @property
    def numeric_axes(self) -> list[str]:
        """The axes whose values are numbers, damping first."""
        names = [name for name, values in self.axes.items() if all(map(_is_number, values))]
        return sorted(names, key=lambda name: name != "damping")

    @property
    def usable(self) -> list[Trial]:
        """The settings that have a score of every seed."""
        seeds = set(self.seeds)
        return [trial for trial in self.trials if seeds and seeds == trial.scores.keys()]

    @property
    def compares_logarithms(self) -> bool:
        """Whether logarithms are compared: not if a score has none."""
        scores = [score for trial in self.trials for score in trial.scores.values()]
        return self.measure.logarithmic and all(score > 0 for score in scores)

    def score(self, trial: Trial) -> float:
        """A setting's mean over seeds: the geometric one where logarithms are compared.

        NaN if it has no score.
        """
        if not trial.scores:
            return math.nan
        values = np.array(list(trial.scores.values()), dtype=float)
        if self.compares_logarithms:
            return float(np.exp(np.log(values).mean()))
        return float(values.mean())

    def behind(self, trial: Trial, other: Trial) -> float:
        """How much worse a setting is than another one.

        A ratio where logarithms are compared (1.2: a fifth worse), a difference otherwise.
        """
        ours, theirs = self.score(trial), self.score(other)
        if self.compares_logarithms:
            return ours / theirs if self.measure.better == "min" else theirs / ours
        return ours - theirs if self.measure.better == "min" else theirs - ours


@dataclass(frozen=True, kw_only=True)
class Stop:
    """What comes next on a side of a range.

    Attributes:
        why: ``edge`` of the grid, ``worse``, ``lost`` runs, ``dropped``, or ``absent`` from what
            was swept.
        value: The next value; ``None`` at the edge.
        behind: If worse, how much worse than the best; see :meth:`Swept.behind`.
        lost: If runs were lost, how many by reason.
        seeds: How many runs a setting has.
        iterations: If dropped, after how many.
    """

    why: Literal["edge", "worse", "lost", "dropped", "absent"]
    value: float | None = None
    behind: float | None = None
    lost: Mapping[str, int] = field(default_factory=dict)
    seeds: int = 0
    iterations: int | None = None


@dataclass(frozen=True, kw_only=True)
class Range:
    """How far one hyperparameter can move from the chosen setting within the plateau.

    Attributes:
        low: Smallest such value, the others fixed; of a scattered sweep the smallest one in the
            plateau, whatever the others.
        high: Largest such value.
        below: What comes below it; ``None`` in a scattered sweep.
        above: What comes above.
    """

    low: float
    high: float
    below: Stop | None
    above: Stop | None


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What to take, and how sure that is.

    Attributes:
        swept: What it rests on.
        best: The setting with the best mean; ``None`` if no setting has a score of every seed.
        chosen: The recommended one.
        plateau: The settings that cannot be told from the best, best first.
        confidence: Probability that the truly best setting is among them.
        noise: Standard deviation of a run beyond what all runs of its seed share, of logarithms
            where these are compared; NaN if it cannot be known.
        critical_difference: How far a mean may be from the best one's within the plateau, on the
            same scale; NaN likewise.
        seeds: How many seeds.
        ranges: By numeric hyperparameter, damping first.
        warnings: What to know before relying on it, a sentence each.
    """

    swept: Swept
    best: Trial | None
    chosen: Trial | None
    plateau: list[Trial]
    confidence: float
    noise: float
    critical_difference: float
    seeds: int
    ranges: Mapping[str, Range]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, ``None`` in the place of numbers that are not finite."""
        swept = self.swept
        return with_nulls(
            {
                "label": swept.label,
                "optimizer": swept.optimizer,
                "measure": vars(swept.measure),
                "compares_logarithms": swept.compares_logarithms,
                "axes": swept.axes,
                "cells": swept.cells,
                "seeds": self.seeds,
                "confidence": self.confidence,
                "chosen": self._row(self.chosen),
                "best": self._row(self.best),
                "plateau": [self._row(trial) for trial in self.plateau],
                "noise": self.noise,
                "critical_difference": self.critical_difference,
                "ranges": {
                    name: {
                        "low": found.low,
                        "high": found.high,
                        "below": vars(found.below) if found.below else None,
                        "above": vars(found.above) if found.above else None,
                    }
                    for name, found in self.ranges.items()
                },
                "warnings": self.warnings,
                "trials": [self._row(trial) for trial in swept.trials],
                "dropped": [vars(dropped) for dropped in swept.dropped],
            }
        )

    def _row(self, trial: Trial | None) -> dict[str, Any] | None:
        if trial is None:
            return None
        behind = self.swept.behind(trial, self.best) if self.best else math.nan
        return {**vars(trial), "score": self.swept.score(trial), "behind": behind}


def recommend(
    swept: Swept, *, confidence: float = CONFIDENCE, with_label: bool = False
) -> Recommendation:
    """Recommend a setting; see :func:`bench.statistics.selection.select`.

    Only settings with a score of every seed compete. Of a sweep by successive halving these are
    the ones that reached the full budget.

    Args:
        swept: What was swept.
        confidence: Probability that the truly best of the competing settings is in the plateau.
        with_label: Whether options in warnings name the label, as in ``--grid sgd.lr=...``.
    """
    usable, seeds = swept.usable, swept.seeds
    if not usable:
        return Recommendation(
            swept=swept, best=None, chosen=None, plateau=[], confidence=confidence, noise=math.nan,
            critical_difference=math.nan, seeds=len(seeds), ranges={}, warnings=[_nothing(swept)],
        )  # fmt: skip
    values = np.array([[trial.scores[seed] for seed in seeds] for trial in usable], dtype=float)
    costs = np.log(values) if swept.compares_logarithms else values
    costs = costs if swept.measure.better == "min" else -costs
    found = select(costs, _squared_steps(swept, usable), confidence)
    order = np.argsort(costs.mean(axis=1), kind="stable")
    plateau = [usable[index] for index in order if found.members[index]]
    best, chosen = usable[found.best], usable[found.chosen]
    return Recommendation(
        swept=swept,
        best=best,
        chosen=chosen,
        plateau=plateau,
        confidence=confidence,
        noise=found.noise,
        critical_difference=found.difference,
        seeds=len(seeds),
        ranges={
            name: _range(swept, chosen, best, plateau, name)
            for name in swept.numeric_axes
            if name in chosen.settings
        },
        warnings=[
            *_missing_runs(swept),
            *_separation(swept, found, len(plateau), values),
            *_edges(swept, best, chosen, with_label=with_label),
        ],
    )


def next_grid(values: Sequence[float], centre: float) -> str | None:
    """The values of a grid that has one of this grid's ends in its middle.

    As many values with the same ratio or step. If these are not equal, or equal steps would lead
    to zero, the outermost ratio goes on, as a list.

    Args:
        values: The values of the present grid.
        centre: The smallest or the largest of them.

    Returns:
        Such as ``1e-09:0.001:log7``, as ``--grid KEY=`` takes it; ``None`` where there is no way
        on, such as below 0.
    """
    grid = sorted(float(value) for value in values)
    count, low = len(grid), centre == grid[0]
    outer, inner = count // 2, count - 1 - count // 2
    below, above = (outer, inner) if low else (inner, outer)
    if grid[0] > 0 and _equal(np.diff(np.log(grid))):
        ratio = (grid[-1] / grid[0]) ** (1 / (count - 1))
        return f"{centre / ratio**below:g}:{centre * ratio**above:g}:log{count}"
    step = (grid[-1] - grid[0]) / (count - 1)
    start = centre - below * step
    if _equal(np.diff(grid)) and (start > _EQUAL * step or grid[0] < 0 or not low):
        return f"{start:g}:{centre + above * step:g}:lin{count}"
    positive = [value for value in grid if value > 0]
    if len(positive) < 2 or grid[0] < 0 or centre <= 0:
        return None
    edge = positive[0] / positive[1] if low else positive[-1] / positive[-2]
    beyond = [centre * edge**power for power in range(1, outer + 1)]
    if grid[-1] < 1 < beyond[-1]:
        return None  # uneven values below 1 may be factors, such as momentum, that end there
    within = [value for value in positive if value != centre]
    within = within[:inner] if low else within[len(within) - min(inner, len(within)) :]
    return ",".join(f"{value:g}" for value in sorted([*within, centre, *beyond]))


def _squared_steps(swept: Swept, trials: Sequence[Trial]) -> Array:
    """Squared distances between settings in grid steps; between categories always one.

    In a scattered sweep a step is as long as if as many settings made a full grid.
    """
    total = np.zeros((len(trials), len(trials)))
    steps = max(1.0, len(trials) ** (1 / len(swept.axes)) - 1) if swept.axes else 1.0
    for name, values in swept.axes.items():
        own = [trial.settings[name] for trial in trials]
        if name not in swept.numeric_axes:
            total += [[float(_key(one) != _key(other)) for other in own] for one in own]
            continue
        if swept.scattered:
            points = np.array(own, dtype=float)
            points = np.log(points) if (points > 0).all() else points
            position = steps * (points - points.min()) / (np.ptp(points) or 1.0)
        else:
            order = sorted(values)
            position = np.array([order.index(value) for value in own], dtype=float)
        total += (position[:, None] - position[None, :]) ** 2
    return total


def _range(swept: Swept, chosen: Trial, best: Trial, plateau: Sequence[Trial], name: str) -> Range:
    if swept.scattered:
        found = [float(trial.settings[name]) for trial in plateau]
        return Range(low=min(found), high=max(found), below=None, above=None)
    order = sorted(swept.axes[name])
    position = order.index(chosen.settings[name])
    members = {_key(trial.settings) for trial in plateau}

    def walk(values: Sequence[Any]) -> tuple[float, Stop]:
        last = chosen.settings[name]
        for value in values:
            settings = {**chosen.settings, name: value}
            if _key(settings) not in members:
                return float(last), _stop(swept, settings, best, float(value))
            last = value
        return float(last), Stop(why="edge")

    low, below = walk(order[:position][::-1])
    high, above = walk(order[position + 1 :])
    return Range(low=low, high=high, below=below, above=above)


def _stop(swept: Swept, settings: Mapping[str, Any], best: Trial, value: float) -> Stop:
    key, seeds = _key(settings), len(swept.seeds)
    for trial in swept.trials:
        if _key(trial.settings) != key:
            continue
        if trial.lost:
            lost = dict(Counter(trial.lost.values()))
            return Stop(why="lost", value=value, lost=lost, seeds=seeds)
        return Stop(why="worse", value=value, behind=swept.behind(trial, best), seeds=seeds)
    for dropped in swept.dropped:
        if _key(dropped.settings) == key:
            return Stop(why="dropped", value=value, iterations=dropped.iterations)
    return Stop(why="absent", value=value)


def _nothing(swept: Swept) -> str:
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


def _missing_runs(swept: Swept) -> list[str]:
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


def _separation(swept: Swept, found: Selection, members: int, values: Array) -> list[str]:
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
    if needed > _MOST_SEEDS:
        advice = "no reasonable number of seeds would change that"
    elif math.ceil(needed) > seeds:
        advice = f"about {math.ceil(needed)} seeds would tell one that is {worse}"
    else:
        advice = "most of them are about equally good"
    return [
        f"The plateau of {swept.label} holds {members} of {cells} settings, and {seeds} seeds tell "
        f"settings apart that differ by {seen} or more: {advice}."
    ]


def _edges(swept: Swept, best: Trial, chosen: Trial, *, with_label: bool) -> list[str]:
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


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal(steps: Array) -> bool:
    return bool(np.ptp(steps) <= _EQUAL * abs(steps.mean()))


def _key(value: Any) -> Any:
    """Settings, or a value of one, in a form that can be compared and looked up."""
    if isinstance(value, Mapping):
        return frozenset((name, _key(item)) for name, item in value.items())
    return tuple(value) if isinstance(value, list) else value


def _counts(lost: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(lost.items()))


def what_became(reason: str) -> str:
    """What happened to lost runs, as the verb of a sentence about them."""
    return "were not run" if reason == NOT_RUN else reason
