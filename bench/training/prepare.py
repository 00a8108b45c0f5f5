"""From a ``RunSpec`` to a run that can begin: names resolved, values checked, identity known."""

import inspect
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import nn

from bench.errors import NotApplicableError, UsageError, unknown
from bench.machine import devices, environment
from bench.problems import REGISTRY as PROBLEM_REGISTRY
from bench.problems import ProblemOptions, split
from bench.problems.problem import Problem
from bench.runs import conditions
from bench.runs.spec import RunSpec
from bench.training import curvature_check, following, identity
from bench.training.curvature_check import Finding
from bench.training.seeding import global_state_kept, initial_model
from optimizers import REGISTRY as OPTIMIZER_REGISTRY
from optimizers.plugins import Registry
from optimizers.spec import BoundOptimizer, OptimizerSpec

Spec = TypeVar("Spec")
_KEPT = 2  # problems, with their data
_OTHERS = "Optimizers without curvature can run: -o adam,sgd."


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run whose names are resolved and whose values are checked.

    Attributes:
        asked: The run as it was given.
        resolved: The same as it is stored: problem and optimizer by name, and device, batch size
            and all hyperparameters filled in.
        problem: The problem, its data on the CPU.
        optimizer: The optimizer's spec.
        builder: What built the problem.
        note: What came of its check that is to be told; empty if nothing is.
    """

    asked: RunSpec
    resolved: RunSpec
    problem: Problem
    optimizer: OptimizerSpec
    builder: Callable[[ProblemOptions], Problem]
    note: str = ""

    def bind(self, model: nn.Module, loss_fn: nn.Module) -> BoundOptimizer:
        """Build the optimizer over a model's parameters, as the run has it.

        Raises:
            UsageError: The optimizer refuses a value, or the model cannot be extended.
        """
        groups = self.asked.groups
        if not groups:  # an older revision's optimizers know none ('optbench regress')
            return self.optimizer.bind(model, loss_fn, self.asked.hyperparameters)
        return self.optimizer.bind(model, loss_fn, self.asked.hyperparameters, groups)

    @cached_property
    def run_id(self) -> str:
        """Hash of everything that decides the losses."""
        return identity.run_id(
            self.resolved.decisive()
            | conditions.hashed(self)
            | {
                "device": torch.device(self.resolved.device).type,
                "sources": self.sources,
                "tensors": data_digest(self.problem),
                "start": self.start,
            }
        )

    @cached_property
    def sources(self) -> dict[str, str]:
        """Everything that the run's code consists of, this project's own included, by name.

        Raises:
            UsageError: A file was edited after this process had imported it.
        """
        return _sources(self.optimizer, self.asked.hyperparameters, self.builder)

    @cached_property
    def start(self) -> str:
        """A digest of the initial parameters and buffers."""
        with torch.random.fork_rng(devices=[]), global_state_kept():
            model = initial_model(self.problem, self.resolved.seed)
        return identity.state_digest(model.state_dict())

    @property
    def config(self) -> dict[str, Any]:
        """What a record of the run has there."""
        return asdict(self.resolved)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What a record of the run has there, if it begins now."""
        return environment.describe(torch.device(self.resolved.device))

    @property
    def data(self) -> dict[str, Any]:
        """What a record of the run has there."""
        return asdict(self.problem.source)

    @property
    def metrics(self) -> dict[str, str]:
        """What a record of the run has there."""
        return dict(self.problem.metrics)


@lru_cache(maxsize=_KEPT)
def data_digest(problem: Problem) -> str:
    """Hash what a problem's data are; once for each problem that is built."""
    return " ".join(identity.data_digest(data) for data in (problem.train, problem.held_out))


def prepare(spec: RunSpec, *, checked: bool = True) -> Prepared:
    """Resolve a run's names and check its values, without running anything.

    Args:
        spec: The run.
        checked: Whether to try the optimizer on the problem; see :func:`check`.

    Raises:
        UsageError: Something that the user must mend; see the message.
    """
    device = devices.resolve(spec.device)
    optimizer_name, optimizer = optimizer_of(spec)
    hyperparameters = optimizer.hyperparameters(spec.hyperparameters)
    name, builder, problem = problem_of(spec)
    if spec.until is not None and spec.until[0] not in problem.metrics:
        raise unknown(f"metric of {name}:", spec.until[0], problem.metrics)
    batch_size = spec.batch_size or problem.batch_size
    if batch_size > len(problem.train):
        raise UsageError(
            f"batch_size={batch_size} is not valid: {name} has {len(problem.train)} "
            "training data here."
        )
    resolved = replace(
        spec,
        problem=name,
        optimizer=optimizer_name,
        device=str(device),
        batch_size=batch_size,
        hyperparameters=hyperparameters,
    )
    if hasattr(optimizer, "with_own"):  # not in an older revision ('optbench regress')
        groups, step = optimizer.with_own(spec.groups), spec.step or optimizer.step
        resolved = replace(resolved, groups=groups, step=step)
    prepared = Prepared(
        asked=spec, resolved=resolved, problem=problem, optimizer=optimizer, builder=builder
    )
    return replace(prepared, note=check(prepared)) if checked else prepared


def _sources(
    optimizer: OptimizerSpec, settings: Mapping[str, Any], builder: Callable[..., Problem]
) -> dict[str, str]:
    parts = identity.parts_of(optimizer, settings)
    return following.project() | identity.sources([*parts, builder])


def sources_of(spec: RunSpec) -> dict[str, str]:
    """What the code of a run consists of, by name, without building anything."""
    _, problem_spec = _find(PROBLEM_REGISTRY, spec.problem)
    return _sources(optimizer_of(spec)[1], spec.hyperparameters, problem_spec.load_builder())


def optimizer_of(spec: RunSpec) -> tuple[str, OptimizerSpec]:
    """What a run's optimizer is stored as, and its spec, imported."""
    name, optimizer = _find(OPTIMIZER_REGISTRY, spec.optimizer)
    identity.parts_of(optimizer)
    return name, optimizer


def problem_of(spec: RunSpec) -> tuple[str, Callable[[ProblemOptions], Problem], Problem]:
    """What a run's problem is stored as, what builds it, and it itself."""
    name, problem_spec = _find(PROBLEM_REGISTRY, spec.problem)
    builder = problem_spec.load_builder()
    options = ProblemOptions(spec.split, spec.data_root)
    return name, builder, _build(name, builder, options, identity.source_digest([builder]))


def _find(registry: Registry[Spec], given: Any) -> tuple[str, Spec]:
    """What is stored of a name or of what stands in its place, and the spec behind it."""
    name = identity.reference(given)
    return name, registry.get(name) if given is name else registry.adopt(name, given)


@lru_cache(maxsize=_KEPT)  # the runs of a comparison share one problem, and its data
def _build(
    name: str,
    builder: Callable[[ProblemOptions], Problem],
    options: ProblemOptions,
    source: str,  # so that a builder is called again where what it uses has changed
) -> Problem:
    try:
        return split.build(name, builder, options)
    except UsageError:
        raise
    except Exception as error:  # whatever a plug-in raises is its author's to mend
        raise _unbuildable(name, error) from error


def check(prepared: Prepared) -> str:
    """Meet here, and not in the middle of a comparison, what would end a run before it begins.

    That is a setting that the optimizer refuses, or a model that cannot be extended; and a
    curvature that is not what it should be on a few data; see
    :mod:`bench.training.curvature_check`.

    Returns:
        What is to be told: parameters that nothing moves, a curvature that is unchecked, and why.

    Raises:
        UsageError: A setting that the optimizer refuses, or a model that cannot be built.
        NotApplicableError: The optimizer takes its own default settings just as little, or its
            curvature cannot be computed, or is wrong: it is not for this problem.
    """
    problem, optimizer, name = prepared.problem, prepared.optimizer, str(prepared.resolved.problem)
    with torch.random.fork_rng(devices=[]), global_state_kept():
        try:
            model, loss_fn = initial_model(problem, seed=0), problem.make_loss()
        except Exception as error:
            raise _unbuildable(name, error) from error
        given = prepared.asked.hyperparameters
        try:
            bound = prepared.bind(model, loss_fn)
        except UsageError as error:
            unfit = type(error).__name__ == "UnfitError"  # which an older revision lacks
            is_none = error.__cause__ is None and optimizer.curvature is None
            chosen = given or prepared.asked.groups
            if not unfit and (is_none or (chosen and _takes_defaults(optimizer, problem))):
                raise
            hint = f" {_OTHERS}" if optimizer.curvature is not None else ""
            raise NotApplicableError(f"{error}{hint}") from error
        notes = [_left_out(bound, prepared.resolved.label)]
        if optimizer.curvature is None:
            return notes[0]
        finding = _examined(prepared)
    if why := finding.impossible or finding.wrong:
        what = "cannot be computed" if finding.impossible else "is wrong"
        raise NotApplicableError(
            f"The curvature of '{optimizer.name}' {what} on {name}: {why}. {_OTHERS}"
        )
    if finding.unchecked:
        notes.append(f"The curvature of '{optimizer.name}' is unchecked: {finding.unchecked}.")
    return " ".join(filter(None, notes))


def _left_out(bound: BoundOptimizer, label: str) -> str:
    """That there are parameters which no group has, so that nothing moves them."""
    moved = {
        one.untyped_storage().data_ptr()  # a group may have another view of a parameter
        for group in bound.optimizer.param_groups
        for one in group["params"]
        if isinstance(one, torch.Tensor)
    }
    left = [
        which
        for which, parameter in bound.model.named_parameters()
        if parameter.requires_grad and parameter.untyped_storage().data_ptr() not in moved
    ]
    if not left:
        return ""
    return f"'{label}' moves no {', '.join(left)}: no parameter group of its has them."


_EXAMINED: WeakKeyDictionary[Problem, dict[Hashable, Finding]] = WeakKeyDictionary()


def _examined(prepared: Prepared) -> Finding:
    """What comes of a curvature on a problem; once for each setting of the curvature's own."""
    optimizer, dtype = prepared.optimizer, prepared.resolved.dtype
    make_curvature = optimizer.load_curvature()
    assert make_curvature is not None
    own = inspect.signature(make_curvature).parameters
    settings = prepared.resolved.hyperparameters
    key = (
        make_curvature,
        optimizer.load_factory(),
        repr([(name, settings[name]) for name in own if name in settings]),
        dtype,
    )
    known = _EXAMINED.setdefault(prepared.problem, {})
    if key not in known:
        known[key] = curvature_check.examine(
            prepared.bind,
            initial_model(prepared.problem, seed=0),
            prepared.problem.make_loss(),
            prepared.problem.train,
            getattr(torch, dtype),
        )
    return known[key]


def _takes_defaults(optimizer: OptimizerSpec, problem: Problem) -> bool:
    """Whether an optimizer can be made over a problem's model, as far as that can be told."""
    try:
        optimizer.hyperparameters({})
    except UsageError:
        return True  # some have no default: it is those given that it refuses
    try:
        optimizer.bind(problem.make_model(), problem.make_loss(), {})
    except UsageError:
        return False
    return True


def _unbuildable(name: str, error: Exception) -> UsageError:
    return UsageError(f"Problem '{name}' cannot be built: {type(error).__name__}: {error}")
