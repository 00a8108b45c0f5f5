"""What was swept of one label."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

NOT_RUN, FAILED, NOT_APPLICABLE = "not run", "failed", "not applicable"


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
        lost: By seed, of the other runs: ``diverged``, ``missed the target``, ``failed``,
            ``not applicable`` or ``not run``.
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
        untrained: What the measure is before training, on the runs' first mini-batches; NaN if
            that is not known.
    """

    label: str
    optimizer: str
    axes: Mapping[str, tuple[Any, ...]]
    measure: Measure
    trials: Sequence[Trial]
    dropped: Sequence[Dropped] = ()
    scattered: bool = False
    pending: Sequence[int] = ()
    untrained: float = math.nan

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


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
