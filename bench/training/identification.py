"""What is known of runs before they begin, with what a plug-in may do to its process kept apart."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from bench.errors import LostError
from bench.runs.spec import RunSpec
from bench.runs.yardsticks import yardstick_spec
from bench.training import tasks
from bench.training.processes import Here, Processes
from bench.training.tasks import Conditions, Known

_OTHER_START = (
    "it starts from other parameters than the others: what its process imports changes how the "
    "problem's model is built, such as torch's default dtype; or the model draws at random from "
    "something else than the global generators of torch, NumPy and Python"
)


def identify(
    processes: Processes | Here, specs: Sequence[RunSpec], under: Conditions
) -> list[Known]:
    """What is known of runs before they begin; of one that cannot, its blank says why.

    Args:
        processes: Where they are to take place.
        specs: The runs.
        under: The conditions under which they will take place.

    Raises:
        UsageError: There is something that the user must mend.
        LostError: The problem's process ended.
    """
    plain = {repr(yardstick_spec(spec)): yardstick_spec(spec) for spec in specs}
    references: dict[str, Known] = {}
    by_problem: dict[Any, list[str]] = {}
    for key, spec in plain.items():
        by_problem.setdefault(spec.problem, []).append(key)
    for keys in by_problem.values():
        yardsticks = [plain[key] for key in keys]
        found = processes.call(tasks.identify, yardsticks[0], yardsticks, under)
        references |= dict(zip(keys, found, strict=True))
    by_place: dict[Any, list[int]] = {}
    for index, spec in enumerate(specs):
        by_place.setdefault((spec.problem, spec.optimizer), []).append(index)
    known: dict[int, Known] = {}
    for indices in by_place.values():
        own = [specs[index] for index in indices]
        beside = [references[repr(yardstick_spec(spec))] for spec in own]
        known |= dict(zip(indices, _identify_some(processes, own, beside, under), strict=True))
    return [known[index] for index in range(len(specs))]


def _identify_some(
    processes: Processes | Here,
    specs: Sequence[RunSpec],
    references: Sequence[Known],
    under: Conditions,
) -> Sequence[Known]:
    """What is known of the runs of one optimizer, beside their plain gradients."""
    so_far = [_called(reference, spec) for spec, reference in zip(specs, references, strict=True)]

    def told(known: list[Known]) -> None:
        so_far[:] = known

    try:
        found: list[Known] = processes.call(tasks.identify, specs[0], specs, under, told=told)
    except LostError as error:
        return [_lost(one, error.whole) for one in so_far]
    return [
        one if one.start == reference.start else _lost(one, _OTHER_START)
        for one, reference in zip(found, references, strict=True)
    ]


def _called(reference: Known, spec: RunSpec) -> Known:
    """What is known of a run whose optimizer could not even be imported, from its yardstick."""
    asked = asdict(spec) | {"settings": dict(spec.hyperparameters)}
    resolved = ("problem", "device", "batch_size")
    config = reference.blank.config
    text = json.dumps(spec.decisive(), sort_keys=True, default=str)
    blank = replace(
        reference.blank,
        run_id=hashlib.sha256(text.encode()).hexdigest()[: len(reference.blank.run_id)],
        config=asked | {name: config[name] for name in resolved},
    )
    return replace(reference, blank=blank)


def _lost(one: Known, reason: str) -> Known:
    return replace(one, blank=replace(one.blank, status="failed", error=reason))
