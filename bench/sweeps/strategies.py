"""Which settings are tried, and with what budget: all, fewer and fewer, or wherever it looks good.

A strategy is a generator: it yields batches, is sent what became of them, and ends when it has
seen enough. It depends on nothing but the results, so that the same sweep, begun again, asks for
the same runs.
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.recommend.swept import Dropped
from bench.runs.settings import AskFacts, facts_here
from bench.sweeps.experiment import Arm, Experiment

if TYPE_CHECKING:
    import optuna

ETA = 3
_RUNGS = 3
_LEAST_KEPT = 3  # so that a plateau can be told from the rest
_TPE_BATCH = 4
_TPE_LEAST = 10
_TPE_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What to try next for one label.

    Attributes:
        settings: The settings, each to be run with every seed.
        iterations: The budget.
        dropped: What was given up since the last batch.
    """

    settings: Sequence[Mapping[str, Any]]
    iterations: int
    dropped: Sequence[Dropped] = ()


@dataclass(frozen=True)
class Judged:
    """What became of one setting.

    Attributes:
        score: Mean over seeds; NaN where a run has none.
        loss: The same so that less is better, infinite where a run has none.
    """

    score: float
    loss: float


Strategy = Generator[Batch, Sequence[Judged], None]


def start(experiment: Experiment, arm: Arm, facts: AskFacts = facts_here) -> Strategy:
    """The experiment's strategy for one label.

    Args:
        experiment: The sweep.
        arm: The label.
        facts: Is asked for what is to be known of an optimizer, by its name.

    Raises:
        UsageError: The budget is too small for it, or its library is not installed.
    """
    if experiment.strategy == "halving":
        return _halving(arm, experiment.iterations)
    if experiment.strategy == "tpe":
        return _tpe(arm, experiment, facts)
    return _grid(arm, experiment.iterations)


def rungs(iterations: int) -> list[int]:
    """The budgets of successive halving: T/9, T/3, T.

    Raises:
        UsageError: T is too small to be divided.
    """
    budgets = [max(1, round(iterations / ETA**step)) for step in reversed(range(_RUNGS))]
    if len(set(budgets)) < _RUNGS:
        raise UsageError(
            f"iterations={iterations} is not valid with halving: it trains for a ninth and a third "
            "of them first, so it needs at least 5."
        )
    return budgets


def _grid(arm: Arm, iterations: int) -> Strategy:
    """Every cell at the full budget."""
    yield Batch(settings=arm.grid(), iterations=iterations)


def _halving(arm: Arm, iterations: int) -> Strategy:
    """Successive halving (Jamieson and Talwalkar, 2016): the best third gets three times more.

    A run of a larger budget begins anew: its losses are those of a run that was never shortened.
    """
    settings, dropped = arm.grid(), list[Dropped]()
    for budget in rungs(iterations):
        judged = yield Batch(settings=settings, iterations=budget, dropped=dropped)
        losses = [one.loss for one in judged]
        ranked = sorted(range(len(settings)), key=losses.__getitem__)
        kept = ranked[: max(_LEAST_KEPT, math.ceil(len(settings) / ETA))]
        dropped = [
            Dropped(settings=settings[index], iterations=budget, score=judged[index].score)
            for index in range(len(settings))
            if index not in kept
        ]
        settings = [settings[index] for index in sorted(kept)]


def _tpe(arm: Arm, experiment: Experiment, facts: AskFacts) -> Strategy:
    """Tree-structured Parzen estimator (Bergstra et al., 2011), by Optuna's ask and tell.

    Asked in batches of a fixed size, whatever the number of workers, so that the same sweep asks
    the same. Between their least and greatest values numbers are continuous; words are categories.
    """
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            "--strategy tpe needs Optuna: pip install 'optuna', or optbench's extra 'tpe'."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    count = experiment.trials or max(_TPE_LEAST, len(arm.grid()) // 2)
    study = optuna.create_study(
        direction="minimize",
        sampler=optuna.samplers.TPESampler(
            seed=0, n_startup_trials=max(4, count // 4), multivariate=True, constant_liar=True
        ),
    )
    suggestions = {name: _suggestion(arm, name, facts) for name in arm.axes}
    left = count
    while left:
        trials = [study.ask() for _ in range(min(_TPE_BATCH, left))]
        left -= len(trials)
        settings = [
            {name: suggest(trial) for name, suggest in suggestions.items()} for trial in trials
        ]
        judged = yield Batch(settings=settings, iterations=experiment.iterations)
        for trial, one in zip(trials, judged, strict=True):
            study.tell(trial, one.loss)


_Suggest = Callable[["optuna.Trial"], Any]


def _suggestion(arm: Arm, name: str, facts: AskFacts) -> _Suggest:
    """How a trial chooses a value of an axis, rounded so that it is short to write."""
    axis = arm.axes[name]
    if axis.bounds is None:
        indices = list(range(len(axis.values)))
        return lambda trial: axis.values[trial.suggest_categorical(name, indices)]
    (low, high), log = axis.bounds, axis.logarithmic
    if _is_whole(arm, name, facts):
        return lambda trial: trial.suggest_int(name, int(low), int(high), log=log)
    return lambda trial: float(f"{trial.suggest_float(name, low, high, log=log):.{_TPE_DIGITS}g}")


def _is_whole(arm: Arm, name: str, facts: AskFacts) -> bool:
    """Whether a hyperparameter takes whole numbers, as its default is one."""
    default = facts(arm.optimizer).defaults.get(name)
    whole = isinstance(default, int) and not isinstance(default, bool)
    return whole and all(isinstance(value, int) for value in arm.axes[name].values)
