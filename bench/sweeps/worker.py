"""What a worker does: tell how runs are identified, and run them.

A worker has no store: records go back to the client, which is the only one that writes. Torch is
imported inside the functions, since the client imports this module too.
"""

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.errors import WorkersError
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.support import importing

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

    from bench.training.prepare import Prepared


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Under which all runs of a sweep take place.

    Attributes:
        session: The sweep that their records belong to.
        threads: Torch's threads per worker; torch's own choice if ``None``.
        shared: Whether several runs share a machine, so that their times are no timings.
        tuned: Whether to tune the allocator, where that is possible.
    """

    session: str
    threads: int | None
    shared: bool
    tuned: bool

    def apply(self) -> None:
        """Bring them about in this process."""
        import torch

        from bench.machine import allocator

        if self.tuned:
            allocator.tune()
        if self.threads is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)


def start_local_worker(counter: "Synchronized[int]", gpus: Sequence[str]) -> None:
    """Set up a worker process of this machine: warm, and gone when its client is.

    Args:
        counter: How many workers were started.
        gpus: The GPUs that workers take in turn, as CUDA names them; may be none.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's to deal with
    threading.Thread(target=_die_with_client, daemon=True).start()
    importing.from_here()
    with counter.get_lock():
        number, counter.value = counter.value, counter.value + 1
    if gpus:  # known before torch looks for them
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    import torch  # noqa: F401  (warm)


def _die_with_client() -> None:
    """End this process when its client ends, even by SIGKILL."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def identify(specs: Sequence[RunSpec], conditions: Conditions) -> list[RunRecord]:
    """Check runs, and tell how they are known here, before any of them begins.

    Args:
        specs: The runs.
        conditions: Under which they will take place.

    Returns:
        A record without values per run: its id, configuration, environment and data. It is what is
        stored of a run whose worker dies.

    Raises:
        UsageError: A run cannot begin.
    """
    from bench.training import loop

    conditions.apply()
    return [
        loop.blank(_prepared(spec), session=conditions.session, shared=conditions.shared)
        for spec in specs
    ]


# What this process has prepared, by what a run is but for its seed.
_PREPARED: "dict[str, Prepared]" = {}


def _prepared(spec: RunSpec) -> "Prepared":
    """A prepared run; names are resolved and values checked once for all seeds of a setting."""
    from bench.training.prepare import prepare

    key = repr(replace(spec, seed=0))
    if key not in _PREPARED:
        _PREPARED[key] = prepare(spec)
    known = _PREPARED[key]
    return replace(known, asked=spec, resolved=replace(known.resolved, seed=spec.seed))


def forget() -> None:
    """Prepare everything anew: what names lead to may be something else by now."""
    _PREPARED.clear()


def run(spec: RunSpec, expected: str, conditions: Conditions) -> RunRecord:
    """Run one cell.

    Args:
        spec: The run.
        expected: Its id, as it was identified.
        conditions: Under which it takes place.

    Raises:
        WorkersError: On this worker the run would be another.
    """
    from bench.machine import environment
    from bench.training import loop

    conditions.apply()
    prepared = _prepared(spec)
    if prepared.run_id != expected:
        versions = environment.library_versions()
        raise WorkersError(
            f"The worker with process {os.getpid()} would run something else (id "
            f"{prepared.run_id}, not {expected}): its data, threads, libraries or the source of "
            f"{spec.problem} or {spec.optimizer} differ. It has "
            f"{', '.join(f'{name} {number}' for name, number in versions.items())}."
        )
    return loop.execute(prepared, session=conditions.session, shared=conditions.shared)
