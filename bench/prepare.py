"""From a ``RunSpec`` to a run that can begin: names resolved, values checked, identity known."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from bench import devices, environment, identity
from bench.problems import REGISTRY as PROBLEM_REGISTRY
from bench.problems import ProblemOptions
from bench.problems.problem import Problem
from bench.spec import RunSpec
from optimizers import REGISTRY as OPTIMIZER_REGISTRY
from optimizers.errors import UsageError, unknown
from optimizers.spec import OptimizerSpec


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run whose names are resolved and whose values are checked.

    Attributes:
        spec: The run, with device, batch size and hyperparameters filled in.
        given: The hyperparameters as they were given, without defaults.
        problem: The problem, its data on the CPU.
        optimizer: The optimizer's spec.
        run_id: Hash of everything that decides the losses.
        fingerprint: Hash of the machine, for timings.
    """

    spec: RunSpec
    given: dict[str, Any]
    problem: Problem
    optimizer: OptimizerSpec
    run_id: str
    fingerprint: str


def prepare(spec: RunSpec) -> Prepared:
    """Resolve a run's names and check its values, without running anything.

    Raises:
        UsageError: Something that the user must mend; see the message.
    """
    device = devices.resolve(spec.device)
    optimizer = OPTIMIZER_REGISTRY.get(spec.optimizer)
    hyperparameters = optimizer.hyperparameters(spec.hyperparameters)
    builder = PROBLEM_REGISTRY.get(spec.problem).load_builder()
    problem = builder(ProblemOptions(split=spec.split, data_root=spec.data_root))
    if spec.until is not None and spec.until[0] not in problem.metrics:
        raise unknown(f"metric of {spec.problem}:", spec.until[0], problem.metrics)
    batch_size = spec.batch_size or problem.batch_size
    if batch_size > len(problem.train):
        raise UsageError(
            f"batch_size={batch_size} is not valid: {spec.problem} has {len(problem.train)} "
            "training data here."
        )
    resolved = replace(
        spec, device=str(device), batch_size=batch_size, hyperparameters=hyperparameters
    )
    facts = environment.machine() | {"gpu": environment.gpu(device)}
    prepared = Prepared(
        spec=resolved,
        given=dict(spec.hyperparameters),
        problem=problem,
        optimizer=optimizer,
        run_id=_identify(resolved, problem, optimizer, builder, device),
        fingerprint=environment.fingerprint(facts),
    )
    # A setting that the optimizer refuses, or a model that cannot be extended, shows here.
    with torch.random.fork_rng(devices=[]):
        model, loss_fn = problem.make_model(), problem.make_loss()
        optimizer.bind(model, loss_fn, prepared.given)
    return prepared


def _identify(
    spec: RunSpec,
    problem: Problem,
    optimizer: OptimizerSpec,
    builder: Callable[..., Any],
    device: torch.device,
) -> str:
    decisive = asdict(spec)
    del decisive["label"], decisive["data_root"]  # neither decides a loss
    sources = [optimizer.load_factory(), optimizer.load_curvature(), builder]
    return identity.run_id(
        decisive
        | {
            "device": device.type,
            "data": [problem.source.name, problem.source.checksum],
            "threads": torch.get_num_threads(),
            "versions": environment.library_versions(),
            "source": identity.source_digest(item for item in sources if item is not None),
        }
    )
