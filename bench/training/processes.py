"""Which process a run takes place in: none reaches the next one, whatever a plug-in does to it.

The first server has imported torch and nothing of the user's. From it comes a process that has
built the problem with its data, from that one for each optimizer that has imported it, and from
that one for each run. So nothing is imported or built twice, a run begins in some hundredths of a
second, and the client never imports a plug-in.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from bench.errors import LostError, UsageError
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.runs.yardsticks import yardstick_spec
from bench.support import forking
from bench.support.forking import Place, Tell
from bench.training import tasks
from bench.training.tasks import Conditions, Surroundings

_PRELOADED = ("bench.training.preloaded",)


_FIRST: dict[int, Place] = {}  # one for all sessions of this process
_FIRST_MAKING = threading.Lock()


def first() -> Place:
    """The first server, which is started if there is none: the sooner, the sooner it is ready."""
    with _FIRST_MAKING:
        if not _is_there(_FIRST, 0):
            _FIRST[0] = forking.started(_PRELOADED)
        return _FIRST[0]


def count_gpus() -> int:
    """How many GPUs torch sees on this machine; it is not imported here for that."""
    count: int = first().call(tasks.count_gpus)
    return count


def sources(spec: RunSpec) -> Mapping[str, str]:
    """What the code of a run consists of on this machine; no plug-in is imported here for that.

    Raises:
        UsageError: The optimizer or the problem cannot be imported.
        LostError: The process ended that did.
    """
    found: Mapping[str, str] = first().call(tasks.tell_sources, Surroundings.here(), spec)
    return found


class Processes:
    """The processes of a session."""

    def __init__(self) -> None:
        """Begin a session where the user works now; processes come with the first calls."""
        self._surroundings = Surroundings.here()
        self._problems: dict[tuple[Any, ...], Place] = {}
        self._optimizers: dict[tuple[Any, ...], Place] = {}
        self._making = threading.Lock()

    def __enter__(self) -> "Processes":
        """Use them."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self.close()

    def call(
        self, task: Callable[..., Any], spec: RunSpec, *arguments: Any, told: Tell | None = None
    ) -> Any:
        """Do a task of a run's, in a process that has its problem and its optimizer.

        Args:
            task: One of :mod:`bench.training.tasks`.
            spec: The run.
            arguments: Of the task.
            told: Is called with what the task tells.

        Raises:
            LostError: A process ended without an answer.
            UsageError: The problem or the optimizer cannot be imported, or what the task raised.
        """
        return self.of_optimizer(spec).call(task, *arguments, told=told)

    def measure_memory(self, spec: RunSpec, conditions: Conditions) -> RunRecord:
        """Do a memory run, in a process that has not even the problem: data leave gaps behind.

        Raises:
            LostError: The process ended without an answer.
            UsageError: The problem or the optimizer cannot be imported, or there is no peak.
        """
        record: RunRecord
        record = first().call(tasks.measure_memory, self._surroundings, spec, conditions)
        return record

    def of_problem(self, spec: RunSpec) -> Place:
        """Where calls have a run's problem.

        Raises:
            UsageError: It cannot be built.
        """
        with self._making:
            key = (spec.problem, spec.split, spec.data_root)
            if not _is_there(self._problems, key):
                its = (self._surroundings, yardstick_spec(spec))
                try:
                    self._problems[key] = forking.within(first(), tasks.build_problem, *its)
                except LostError as error:
                    raise UsageError(
                        f"Problem '{spec.problem}' cannot be built: {error}."
                    ) from error
            return self._problems[key]

    def of_optimizer(self, spec: RunSpec) -> Place:
        """Where calls have a run's optimizer, too.

        Raises:
            LostError: A process ended while it was imported.
            UsageError: It cannot be imported.
        """
        problem = self.of_problem(spec)
        with self._making:
            key = (spec.problem, spec.split, spec.data_root, spec.optimizer)
            if not _is_there(self._optimizers, key):
                self._optimizers[key] = forking.within(problem, tasks.import_optimizer, spec)
            return self._optimizers[key]

    def close(self) -> None:
        """End them, with all that goes on in them."""
        for place in (*self._optimizers.values(), *self._problems.values()):
            place.close()
        self._optimizers, self._problems = {}, {}


def _is_there(places: dict[Any, Place], key: object) -> bool:
    """Whether there is a place that lives; one that does not is let go."""
    if key in places and not places[key].alive:
        places.pop(key).close()
    return key in places


class Here:
    """Does tasks in this process, one after the other; what plug-ins do to it stays."""

    def call(
        self, task: Callable[..., Any], _: RunSpec, *arguments: Any, told: Tell | None = None
    ) -> Any:
        """Do a task; see :meth:`Processes.call`."""
        return task(told or (lambda _: None), *arguments)

    def measure_memory(self, spec: RunSpec, conditions: Conditions) -> RunRecord:
        """Do a memory run; see :meth:`Processes.measure_memory`."""
        return tasks.measure_memory(lambda _: None, Surroundings.here(), spec, conditions)

    def close(self) -> None:
        """There is nothing to end."""
