"""What is swept: read from options and from a YAML file, and turned into settings to try."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bench.errors import UsageError, unknown
from bench.runs import settings as options
from bench.runs.settings import AskFacts, assignments, facts_here, setting_key
from bench.runs.spec import TUTORIAL_ITERATIONS, RunSpec
from bench.sweeps.grid import Axis, axes_by_label
from bench.sweeps.objective import Objective, parse_objective

STRATEGIES = ("grid", "halving", "tpe")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A sweep, as it is written.

    Attributes:
        problem: The problem.
        optimizers: ``[LABEL=]NAME``.
        grid: ``[LABEL.]KEY=VALUES``; see ``bench.sweeps.grid``.
        settings: ``[LABEL.]KEY=VALUE``, the same in all cells.
        groups: Parameter groups; see ``bench.runs.settings.parse_groups``.
        steps: ``[LABEL=]HOW``, how steps are taken; see ``bench.runs.stepping``.
        seeds: How many, or which.
        iterations: Budget of a run.
        objective: What settings are judged by; see ``bench.sweeps.objective``.
        strategy: ``grid``, ``halving`` or ``tpe``.
        trials: How many settings ``tpe`` tries per optimizer; if ``None`` half as many as the grid
            has, and at least ten.
        batch_size: Mini-batch size; the problem's own if ``None``.
        device: As in ``RunSpec``.
        dtype: As in ``RunSpec``.
        curvature_every: As in ``RunSpec``.
    """

    problem: str = "mnist_cnn"
    optimizers: tuple[str, ...] = ("diag_ggn_mc",)
    grid: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    seeds: str = "3"
    iterations: int = TUTORIAL_ITERATIONS
    objective: str = "val_loss"
    strategy: str = "grid"
    trials: int | None = None
    batch_size: int | None = None
    device: str = "auto"
    dtype: str = "float32"
    curvature_every: int = 20

    def __post_init__(self) -> None:
        """Check what needs no torch.

        Raises:
            UsageError: A value that breaks its rule.
        """
        if self.strategy not in STRATEGIES:
            raise unknown("strategy", self.strategy, STRATEGIES)
        if self.strategy == "halving" and self.judged_by.timed:
            raise UsageError(
                f"Objective '{self.objective}' is not valid with halving: a ninth of the budget "
                "rarely reaches a target. Take val_loss or val_accuracy, or --strategy grid."
            )
        if self.trials is not None and (self.strategy != "tpe" or self.trials < 1):
            raise UsageError(
                f"trials={self.trials} is not valid: it is a whole number >= 1, with "
                "--strategy tpe only."
            )
        options.parse_seeds(self.seeds)
        self.base(None)

    @cached_property
    def judged_by(self) -> Objective:
        """The objective, read."""
        return parse_objective(self.objective)

    @property
    def digest(self) -> str:
        """Hash of the definition: the same sweep goes on in the same file."""
        fields = dataclasses.asdict(self)
        for name in ("groups", "steps"):  # sweeps from before there were any keep their names
            if not fields[name]:
                del fields[name]
        text = json.dumps(fields, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """How the sweep's file is called."""
        return f"{self.problem.rpartition(':')[2]}-{self.digest}"

    def base(self, data_root: str | None) -> RunSpec:
        """What all runs have in common; they are judged on the validation split, always."""
        return RunSpec(
            problem=self.problem,
            iterations=self.iterations,
            until=self.judged_by.until,
            batch_size=self.batch_size,
            device=self.device,
            dtype=self.dtype,
            split="validation",
            eval_every=self.judged_by.eval_every(self.iterations),
            eval_first=self.judged_by.timed,  # to know how far there was to go
            curvature_every=self.curvature_every,
            data_root=data_root,
        )


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One label of a sweep.

    Attributes:
        label: The label.
        optimizer: Its optimizer.
        groups: Its parameter groups.
        step: How its steps are taken; empty if it tells.
        fixed: Settings that all cells share.
        axes: What is swept.
    """

    label: str
    optimizer: str
    groups: Sequence[tuple[str, Mapping[str, Any]]] = ()
    step: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, Axis] = field(default_factory=dict)

    def grid(self) -> list[dict[str, Any]]:
        """Every combination of the axes' values."""
        values = [axis.values for axis in self.axes.values()]
        return [
            dict(zip(self.axes, combination, strict=True))
            for combination in itertools.product(*values)
        ]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of a sweep.

    Attributes:
        label: Whose.
        settings: The swept hyperparameters.
        seed: The seed.
        iterations: The budget.
    """

    label: str
    settings: Mapping[str, Any]
    seed: int
    iterations: int

    @property
    def key(self) -> Hashable:
        """Which setting it is a run of."""
        return self.label, setting_key(self.settings)

    @property
    def setting(self) -> str:
        """The setting for people, such as ``diag_ggn_mc lr=0.05 damping=1``."""
        return " ".join([self.label, *assignments(self.settings)])

    def __str__(self) -> str:
        """Such as ``diag_ggn_mc lr=0.05 damping=1, seed 0``."""
        return f"{self.setting}, seed {self.seed}"


def arms(experiment: Experiment, facts: AskFacts = facts_here) -> list[Arm]:
    """The labels of a sweep with their axes.

    Args:
        experiment: The sweep.
        facts: Is asked for what is to be known of an optimizer, by its name.

    Raises:
        UsageError: Something that cannot be read or is unknown, an axis that is also set, or
            nothing to sweep.
    """
    entries = options.parse_optimizers(experiment.optimizers)
    fixed = options.parse_settings(experiment.settings, entries, facts)
    steps = options.parse_steps(experiment.steps, entries)
    groups = options.parse_groups(experiment.groups, entries)
    axes = axes_by_label(experiment.grid, entries, facts)
    for label, names in axes.items():
        if both := names.keys() & fixed[label].keys():
            raise UsageError(f"{label}.{min(both)} is swept and set: give one of --grid and --set.")
    if not any(axes.values()):
        raise UsageError(
            f"There is nothing to sweep: give a grid, as in --grid damping=1e-4:1e2:log7 "
            f"({', '.join(axes)} has no registered search space)."
        )
    return [
        Arm(
            label=e.label,
            optimizer=e.optimizer,
            groups=tuple(groups[e.label]),
            step=steps[e.label],
            fixed=fixed[e.label],
            axes=axes[e.label],
        )
        for e in entries
    ]
