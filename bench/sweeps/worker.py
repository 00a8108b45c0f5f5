"""What a worker does: tell how runs are identified, and run them, in processes of their own.

A worker has no store: records go back to the client, which is the only one that writes. Where
workers are of this machine, they are threads of the client; on a cluster each is a process. Neither
imports a plug-in, nor torch.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

from bench.errors import KilledError
from bench.runs.record import RunRecord
from bench.runs.settings import Facts
from bench.runs.spec import RunSpec
from bench.training import tasks
from bench.training.identification import identify as identify_in
from bench.training.processes import Here, Processes
from bench.training.tasks import Conditions, Known

_KEPT = 4  # launches of clients whose processes are kept
_OPEN: dict[str, Processes | Here] = {}  # by launch, the latest last
_OPENING = threading.Lock()


class Own(threading.local):
    """What is this thread's own.

    Attributes:
        gpu: The GPU that its runs use, as CUDA names it; all of them if ``None``.
    """

    gpu: str | None = None


own = Own()


def describe(spec: RunSpec, conditions: Conditions) -> Facts:
    """What is to be known of an optimizer before there are runs.

    Raises:
        UsageError: It cannot be imported, or the problem cannot be built.
    """
    facts: Facts = _processes(conditions).call(tasks.describe, spec, spec.optimizer)
    return facts


def identify(specs: Sequence[RunSpec], conditions: Conditions) -> list[Known]:
    """Check runs, and tell how they are known here, before any of them begins.

    Args:
        specs: The runs.
        conditions: Under which they will take place.

    Returns:
        What is known of each; the blank of one that cannot begin here says why.

    Raises:
        UsageError: There is something that the user must mend.
    """
    return identify_in(_processes(conditions), specs, _mine(conditions))


def run(spec: RunSpec, expected: str, conditions: Conditions) -> RunRecord:
    """Run one cell; if its process is killed, once more.

    Args:
        spec: The run.
        expected: Its id, as it was identified.
        conditions: Under which it takes place.

    Raises:
        LostError: Its process ended without an answer.
        WorkersError: On this worker the run would be another.
    """
    arguments = (tasks.run, spec, spec, expected, _mine(conditions))
    record: RunRecord
    try:
        record = _processes(conditions).call(*arguments)
    except KilledError:  # by chance, or for want of memory that others had
        record = _processes(conditions).call(*arguments)
    return record


def forget(launch: str) -> None:
    """End the processes of a launch, and all that goes on in them."""
    with _OPENING:
        processes = _OPEN.pop(launch, None)
    if processes is not None:
        processes.close()


def _mine(conditions: Conditions) -> Conditions:
    return replace(conditions, gpu=own.gpu)


def _processes(conditions: Conditions) -> Processes | Here:
    with _OPENING:
        found = _OPEN.pop(conditions.launch, None)
        if found is None:
            found = Processes() if conditions.isolated else Here()
        _OPEN[conditions.launch] = found
        old = [_OPEN.pop(launch) for launch in list(_OPEN)[:-_KEPT]]
    for processes in old:
        processes.close()
    return found
