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

from bench.recommend.swept import FAILED, NOT_APPLICABLE, NOT_RUN, Swept, Trial
from bench.recommend.warnings import edges, missing_runs, nothing, separation, untrained
from bench.runs.settings import setting_key
from bench.statistics.dunnett import CONFIDENCE, Array
from bench.statistics.selection import select
from bench.support.strict_json import with_nulls


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
            critical_difference=math.nan, seeds=len(seeds), ranges={}, warnings=[nothing(swept)],
        )  # fmt: skip
    values = np.array([[trial.scores[seed] for seed in seeds] for trial in usable], dtype=float)
    costs = np.log(values) if swept.compares_logarithms else values
    costs = costs if swept.measure.better == "min" else -costs
    lost = [trial for trial in swept.trials if _is_at_fault(trial)]
    steps = _squared_steps(swept, [*usable, *lost])[: len(usable)]
    found = select(costs, steps[:, : len(usable)], confidence, lost_steps=steps[:, len(usable) :])
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
            *missing_runs(swept),
            *untrained(swept, best),
            *separation(swept, found, len(plateau), values),
            *edges(swept, best, chosen, with_label=with_label),
        ],
    )


def _is_at_fault(trial: Trial) -> bool:
    """Whether a setting lost runs by itself: they diverged, or missed the target."""
    return any(why not in (FAILED, NOT_APPLICABLE, NOT_RUN) for why in trial.lost.values())


def _squared_steps(swept: Swept, trials: Sequence[Trial]) -> Array:
    """Squared distances between settings in grid steps; between categories always one.

    In a scattered sweep a step is as long as if as many settings made a full grid.
    """
    total = np.zeros((len(trials), len(trials)))
    steps = max(1.0, len(trials) ** (1 / len(swept.axes)) - 1) if swept.axes else 1.0
    for name, values in swept.axes.items():
        own = [trial.settings[name] for trial in trials]
        if name not in swept.numeric_axes:
            keys = [setting_key(value) for value in own]
            total += [[float(one != other) for other in keys] for one in keys]
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
    members = {setting_key(trial.settings) for trial in plateau}

    def walk(values: Sequence[Any]) -> tuple[float, Stop]:
        last = chosen.settings[name]
        for value in values:
            settings = {**chosen.settings, name: value}
            if setting_key(settings) not in members:
                return float(last), _stop(swept, settings, best, float(value))
            last = value
        return float(last), Stop(why="edge")

    low, below = walk(order[:position][::-1])
    high, above = walk(order[position + 1 :])
    return Range(low=low, high=high, below=below, above=above)


def _stop(swept: Swept, settings: Mapping[str, Any], best: Trial, value: float) -> Stop:
    key, seeds = setting_key(settings), len(swept.seeds)
    for trial in swept.trials:
        if setting_key(trial.settings) != key:
            continue
        if trial.lost:
            lost = dict(Counter(trial.lost.values()))
            return Stop(why="lost", value=value, lost=lost, seeds=seeds)
        return Stop(why="worse", value=value, behind=swept.behind(trial, best), seeds=seeds)
    for dropped in swept.dropped:
        if setting_key(dropped.settings) == key:
            return Stop(why="dropped", value=value, iterations=dropped.iterations)
    return Stop(why="absent", value=value)
