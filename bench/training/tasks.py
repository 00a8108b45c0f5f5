"""What is done in the processes of a session; :mod:`bench.training.processes` says in which.

Each task answers with plain values and records, and takes first a function that tells the client
something by the way. Torch is imported where it is needed, since the client imports this module.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.errors import NotApplicableError, WorkersError
from bench.runs.record import RunRecord
from bench.runs.settings import Facts, facts_here
from bench.runs.spec import RunSpec
from bench.runs.yardsticks import yardstick_spec
from bench.support import forking
from bench.support.forking import Tell

if TYPE_CHECKING:
    from bench.training.prepare import Prepared

_TELL_S = 0.1  # between two words on how far a run is


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where the user works: what a name leads to, and where data are.

    Attributes:
        folder: The present folder.
        variables: The environment.
        path: Where modules are found.
    """

    folder: str
    variables: Mapping[str, str]
    path: Sequence[str]

    @classmethod
    def here(cls) -> "Surroundings":
        """Those of this process."""
        return cls(folder=os.getcwd(), variables=dict(os.environ), path=list(sys.path))

    def apply(self) -> None:
        """Bring them about in this process."""
        os.chdir(self.folder)
        for name in os.environ.keys() - self.variables.keys():
            del os.environ[name]
        os.environ.update(self.variables)
        forking.leave_cuda_alone()
        sys.path[:] = self.path


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Under which runs take place.

    Attributes:
        session: The command or program that their records belong to.
        threads: Torch's threads; torch's own choice if ``None``.
        shared: Whether several runs share the machine, so that their times are no timings.
        tuned: Whether to tune the allocator, where that is possible.
        gpu: The only GPU to be seen, as CUDA names it; all of them if ``None``.
        isolated: Whether every run has a process of its own; else all are where it is called.
        launch: Which call of a client's it is: so long are processes kept.
    """

    session: str
    threads: int | None = None
    shared: bool = False
    tuned: bool = False
    gpu: str | None = None
    isolated: bool = True
    launch: str = ""

    def apply(self) -> None:
        """Bring them about in this process."""
        if self.gpu is not None:  # before torch looks for GPUs
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpu
        import torch

        from bench.machine import allocator

        if self.tuned:
            allocator.tune()
        if self.threads is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a run before it begins.

    Attributes:
        blank: Its record, without what it yields. The status is ``not_applicable``, with the
            reason, where the optimizer cannot do this. What is to be told of the run beforehand is
            ``note`` in its environment.
        yardstick: The run id of its plain gradient.
        start: A digest of the initial parameters.
        sources: What its code consists of, by name.
    """

    blank: RunRecord
    yardstick: str
    start: str
    sources: Mapping[str, str]

    def told(self, record: RunRecord) -> RunRecord:
        """The record of the run, with what is told of it beforehand."""
        note = {k: v for k, v in self.blank.environment.items() if k == "note"}
        return replace(record, environment={**record.environment, **note}) if note else record


def build_problem(_: Tell, surroundings: Surroundings, spec: RunSpec) -> None:
    """Prepare a process: it has the problem, with its data."""
    surroundings.apply()
    import torch

    from bench.machine import environment
    from bench.training import prepare

    prepare.data_digest(prepare.problem_of(spec)[-1])
    environment.describe(torch.device("cpu"))  # it is asked once


def import_optimizer(_: Tell, spec: RunSpec) -> None:
    """Prepare a process: it has the optimizer, too."""
    from bench.training import prepare

    prepare.optimizer_of(spec)


def count_gpus(_: Tell) -> int:
    """How many GPUs torch sees."""
    import torch

    return torch.cuda.device_count()


def tell_sources(_: Tell, surroundings: Surroundings, spec: RunSpec) -> Mapping[str, str]:
    """What the code of a run consists of, where no problem is built for that."""
    surroundings.apply()
    from bench.training import prepare

    return prepare.sources_of(spec)


def describe(_: Tell, optimizer: str) -> Facts:
    """What is to be known of an optimizer."""
    return facts_here(optimizer)


def identify(
    tell: Tell, specs: Sequence[RunSpec], conditions: Conditions, checked: bool = True
) -> list[Known]:
    """Tell how runs are known, then try what is to be tried before they begin.

    Args:
        tell: Is told what is known so far, for the case that this process does not survive it.
        specs: The runs.
        conditions: Under which they will take place.
        checked: Whether anything is tried.

    Raises:
        UsageError: A run cannot begin.
    """
    from bench.training import loop
    from bench.training.prepare import prepare

    conditions.apply()
    prepared = [prepare(spec, checked=False) for spec in specs]
    found = [
        Known(
            blank=loop.blank(plan, session=conditions.session, shared=conditions.shared),
            yardstick=prepare(yardstick_spec(plan.asked), checked=False).run_id,
            start=plan.start,
            sources=plan.sources,
        )
        for plan in prepared
    ]
    if not checked:
        return found
    tell(found)
    tried: dict[str, tuple[str | None, str]] = {}  # by what a run is but for its seed
    for index, plan in enumerate(prepared):
        key = repr(replace(plan.resolved, seed=0))
        if key not in tried:
            tried[key] = _try(plan)
        reason, note = tried[key]
        blank = found[index].blank
        if reason is not None:
            blank = replace(blank, status="not_applicable", error=reason)
        if note:
            blank = replace(blank, environment={**blank.environment, "note": note})
        found[index] = replace(found[index], blank=blank)
    return found


def _try(plan: "Prepared") -> tuple[str | None, str]:
    """Why a run cannot be, if it cannot, and what is to be told of it otherwise."""
    from bench.training.prepare import check

    try:
        return None, check(plan)
    except NotApplicableError as error:
        return str(error), ""


def run(tell: Tell, spec: RunSpec, expected: str, conditions: Conditions) -> RunRecord:
    """Run.

    Args:
        tell: Is told now and then how many iterations are done.
        spec: The run.
        expected: Its id, as it was identified.
        conditions: Under which it takes place.

    Raises:
        WorkersError: Here the run would be another.
    """
    from bench.training import loop
    from bench.training.prepare import prepare

    conditions.apply()
    prepared = prepare(spec, checked=False)
    if prepared.run_id != expected:
        raise WorkersError(
            f"{spec.label}, seed {spec.seed} would be another run in process {os.getpid()} (id "
            f"{prepared.run_id}, not {expected}): its source, data or initial parameters differ "
            "from one process to the next."
        )
    told = 0.0

    def iterated(done: int) -> None:
        nonlocal told
        now = time.perf_counter()
        if now - told >= _TELL_S:
            told = now
            tell(done)

    return loop.execute(
        prepared, session=conditions.session, on_iteration=iterated, shared=conditions.shared
    )


def run_beside_yardstick(
    tell: Tell, spec: RunSpec, expected: str, conditions: Conditions
) -> RunRecord:
    """Run after a plain gradient in the same process, whose record is told when it is there."""
    tell(run_yardstick(tell, spec, conditions))
    return run(tell, spec, expected, conditions)


def run_yardstick(_: Tell, spec: RunSpec, conditions: Conditions) -> RunRecord:
    """The plain gradient of a run."""
    from bench.training import loop

    conditions.apply()
    return loop.run(yardstick_spec(spec), session=conditions.session)


def measure_memory(
    _: Tell, surroundings: Surroundings, spec: RunSpec, conditions: Conditions
) -> RunRecord:
    """A memory run."""
    from bench.training import memory

    surroundings.apply()
    conditions.apply()
    return memory.measure(spec, session=conditions.session)
