"""Peak memory of training on the CPU: by how much the resident set of a process grows at the most.

The process has trained before, a few iterations with the problem's plain gradient and a few with
the optimizer, and forgotten that: what libraries keep for themselves does not count. Its times do
not count either: every freed block goes back to the kernel.
"""

import gc
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.machine import allocator
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.runs.yardsticks import yardstick_spec
from optimizers.errors import UsageError

if TYPE_CHECKING:
    from bench.training.prepare import Prepared

ITERATIONS = 300  # at the most
_WARM_UP = 5
_SETTLED = 10  # iterations in which the peak does not grow, or by next to nothing
_LIMIT_S = 60.0
_PAGES, _SHARE = 16 * 4096, 0.005  # what a process grows by whatever it does


def memory_spec(spec: RunSpec) -> RunSpec:
    """The memory run that belongs to a training run."""
    return replace(
        spec,
        role="memory",
        iterations=ITERATIONS,
        seconds=None,
        until=None,
        eval_every=0,
        curvature_every=0,
    )


def is_supported() -> bool:
    """Whether this system tells the peak of a process's resident set and lets it be reset."""
    return sys.platform == "linux" and os.access("/proc/self/clear_refs", os.W_OK)


def measure(spec: RunSpec, *, session: str) -> RunRecord:
    """Train in this process until its peak grows no more.

    Args:
        spec: What :func:`memory_spec` returns.
        session: The session that the record belongs to.

    Returns:
        A record without iterations; ``peak_memory_bytes`` is the growth since the warm-up. The
        same run scatters by about 0.2 MiB.

    Raises:
        UsageError: The run cannot begin, or its peak grows for 300 iterations or for a minute.
    """
    from bench.training import loop
    from bench.training.prepare import prepare

    allocator.return_at_once()
    for one in (yardstick_spec(spec), spec):
        prepared = prepare(one, checked=False)
        iterate = _training(prepared)
        for _ in range(_WARM_UP):
            iterate()
        del iterate
    gc.collect()
    allocator.return_at_once()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the present size
    before, began = _peak_bytes(), time.perf_counter()
    iterate = _training(prepared)
    peak, settled = _peak_bytes(), 0
    for count in range(1, ITERATIONS + 1):
        iterate()
        now = _peak_bytes()
        settled = settled + 1 if now - peak < max(_PAGES, _SHARE * (peak - before)) else 0
        peak = peak if settled else now
        wall_s = time.perf_counter() - began
        if settled >= _SETTLED:
            break
        if count == ITERATIONS or wall_s > _LIMIT_S:
            raise UsageError(
                f"It is not told: it still grew after {count} iterations ({wall_s:.0f} s)."
            )
    return replace(
        loop.blank(prepared, session=session),
        status="completed",
        peak_memory_bytes=max(0, now - before),
        wall_s=wall_s,
    )


def _training(prepared: "Prepared") -> Callable[[], None]:
    """What trains a fresh model, iteration by iteration, and keeps nothing of it."""
    import torch

    from bench.training.clock import phase_clock
    from bench.training.iteration import Training

    device = torch.device(prepared.resolved.device)
    clock = phase_clock(device)
    dtype: torch.dtype = getattr(torch, prepared.resolved.dtype)
    training = Training(prepared, prepared.problem.train.to(device, dtype), clock)

    def iterate() -> None:
        training.iterate()
        training.losses.clear()
        training.accuracies.clear()
        clock.read()

    return iterate


def _peak_bytes() -> int:
    """The peak of the resident set."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
