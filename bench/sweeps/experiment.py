"""What is swept: read from options and from a YAML file, and turned into settings to try."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.comparison.tables import assignments
from bench.runs import settings as options
from bench.runs.spec import TUTORIAL_ITERATIONS, RunSpec
from bench.sweeps.grid import Axis, axes_by_label
from bench.sweeps.objective import parse_objective
from optimizers.errors import UsageError, unknown

STRATEGIES = ("grid", "halving", "tpe")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A sweep, as it is written.

    Attributes:
        problem: The problem.
        optimizers: ``[LABEL=]NAME``.
        grid: ``[LABEL.]KEY=VALUES``; see ``bench.sweeps.grid``.
        settings: ``[LABEL.]KEY=VALUE``, the same in all cells.
        seeds: How many, or which.
        iterations: Budget of a run.
        objective: What settings are judged by.
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
        if self.strategy == "halving" and parse_objective(self.objective).timed:
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

    @property
    def digest(self) -> str:
        """Hash of the definition: the same sweep goes on in the same file."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """How the sweep's file is called."""
        return f"{self.problem.rpartition(':')[2]}-{self.digest}"

    def base(self, data_root: str | None) -> RunSpec:
        """What all runs have in common; they are judged on the validation split, always."""
        objective = parse_objective(self.objective)
        return RunSpec(
            problem=self.problem,
            iterations=self.iterations,
            until=objective.until,
            batch_size=self.batch_size,
            device=self.device,
            dtype=self.dtype,
            split="validation",
            eval_every=objective.eval_every(self.iterations),
            eval_first=objective.timed,  # to know how far there was to go
            curvature_every=self.curvature_every,
            data_root=data_root,
        )


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One label of a sweep.

    Attributes:
        label: The label.
        optimizer: Its optimizer.
        fixed: Settings that all cells share.
        axes: What is swept.
    """

    label: str
    optimizer: str
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
    def setting(self) -> str:
        """Such as ``diag_ggn_mc lr=0.05 damping=1``."""
        return " ".join([self.label, *assignments(self.settings)])

    def __str__(self) -> str:
        """Such as ``diag_ggn_mc lr=0.05 damping=1, seed 0``."""
        return f"{self.setting}, seed {self.seed}"


def arms(experiment: Experiment) -> list[Arm]:
    """The labels of a sweep with their axes.

    Raises:
        UsageError: Something that cannot be read or is unknown, an axis that is also set, or
            nothing to sweep.
    """
    entries = options.parse_optimizers(experiment.optimizers)
    fixed = options.parse_settings(experiment.settings, entries)
    axes = axes_by_label(experiment.grid, entries)
    for label, names in axes.items():
        if both := names.keys() & fixed[label].keys():
            raise UsageError(f"{label}.{min(both)} is swept and set: give one of --grid and --set.")
    if not any(axes.values()):
        raise UsageError(
            f"There is nothing to sweep: give a grid, as in --grid damping=1e-4:1e2:log7 "
            f"({', '.join(axes)} has no registered search space)."
        )
    return [
        Arm(label=e.label, optimizer=e.optimizer, fixed=fixed[e.label], axes=axes[e.label])
        for e in entries
    ]


_YAML_KEYS = {
    "problem", "optimizers", "grid", "set", "seeds", "iterations", "objective", "strategy",
    "trials", "batch_size", "device", "dtype", "curvature_every",
}  # fmt: skip
_WHOLE = {"iterations", "trials", "batch_size", "curvature_every"}
_UNSET = ("", "null", "~")


def read_yaml(path: Path) -> tuple[dict[str, Any], str]:
    """Read a sweep from a YAML file.

    The keys are the fields of :class:`Experiment`, with ``set`` for ``settings``. ``optimizers``
    is a name, a list of ``[LABEL=]NAME``, or names by label; ``grid`` and ``set`` are mappings from
    ``[LABEL.]KEY`` to what the options take, or to lists.

    Returns:
        Fields of :class:`Experiment`, and the file's text.

    Raises:
        UsageError: The file cannot be read, is no YAML, or has a key or value that is not valid.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.load(text, _loader())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"Experiment '{path}' cannot be read: {reason}.") from error
    except yaml.YAMLError as error:
        raise UsageError(f"Experiment '{path}' is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"Experiment '{path}' is not valid: it is to be a mapping of keys.")
    for key in document:
        if key not in _YAML_KEYS:
            raise unknown(f"key in '{path}':", str(key), _YAML_KEYS)
    fields = {key: value for key, value in document.items() if value not in _UNSET}
    try:
        if "optimizers" in fields:
            fields["optimizers"] = _optimizers(fields["optimizers"])
        for key, name in (("grid", "grid"), ("set", "settings")):
            if key in fields:
                fields[name] = _assignments(key, fields.pop(key))
        if "seeds" in fields:
            seeds = fields["seeds"]  # of a list each is a seed, also if it is the only one
            alone = isinstance(seeds, list) and len(seeds) == 1
            fields["seeds"] = f"{seeds[0]}-{seeds[0]}" if alone else _written("seeds", seeds)
        for key in _YAML_KEYS & fields.keys() - {"optimizers", "grid", "seeds"}:
            if not isinstance(fields[key], str):
                raise UsageError(f"{key} is to be a single value.")
        for key in _WHOLE & fields.keys():
            fields[key] = _whole(key, fields[key])
    except UsageError as error:
        raise UsageError(f"Experiment '{path}': {error}") from error
    return fields, text


def _loader() -> Any:
    """A loader that leaves scalars as they are written and refuses a key given twice.

    The command line's own little languages read them: YAML 1.1 makes 8 of 010, and 90 of 1:30.
    """
    import yaml

    class Loader(yaml.BaseLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for key in keys:
                if isinstance(key, str) and keys.count(key) > 1:
                    raise yaml.YAMLError(f"the key '{key}' is given twice")
            return super().construct_mapping(node, deep)

    return Loader


def _whole(key: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{key}='{text}' is not valid: it is a whole number.") from None


def _optimizers(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return tuple(f"{label}={name}" for label, name in value.items())
    if value and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError("optimizers is to be a name, a list of names, or names by label.")


def _assignments(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, dict):
        raise UsageError(f"{key} is to be a mapping, as in '{key}: {{damping: 0.1}}'.")
    return tuple(f"{name}={_written(str(name), item)}" for name, item in value.items())


def _written(name: str, value: Any) -> str:
    """A value, a list of values, or a list of such lists, as the options write it."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise UsageError(f"{name} is to be a value or a list of values.")
    nested = any(isinstance(item, list) for item in value)
    parts = [item if isinstance(item, list) else [item] for item in value]
    if not all(isinstance(item, str) for part in parts for item in part):
        raise UsageError(f"{name} is to be a value or a list of values.")
    written = [",".join(part) for part in parts]
    return "".join(f"{part};" for part in written) if nested else ",".join(written)
