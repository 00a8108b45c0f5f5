"""Peak memory of training on the CPU: by how much the resident set of a process grows at the most.

The process has done nothing before but the problem's plain gradient, the same for every optimizer,
so that what libraries keep for themselves does not count. Its times do not count either:
``mallopt`` tuning is off, so that freed memory goes back to the kernel.
"""

import ctypes
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

if TYPE_CHECKING:
    from bench.training.prepare import Prepared

ITERATIONS = 300  # at the most
_WARM_UP = 5
_SETTLED = 10  # iterations in which the peak does not grow, or by next to nothing
_LIMIT_S = 20.0
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
        A record without iterations; ``peak_memory_bytes`` is the growth since the warm-up.

    Raises:
        UsageError: The run cannot begin.
    """
    from bench.training import loop
    from bench.training.prepare import prepare

    began = time.perf_counter()
    plain = _training(prepare(yardstick_spec(spec), checked=False))
    for _ in range(_WARM_UP):
        plain()
    del plain
    prepared = prepare(spec, checked=False)
    gc.collect()
    if allocator.is_glibc():
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the present size
    before = _peak_bytes()
    iterate = _training(prepared)
    peak, settled = _peak_bytes(), 0
    for _ in range(ITERATIONS):
        iterate()
        now = _peak_bytes()
        settled = settled + 1 if now - peak < max(_PAGES, _SHARE * (peak - before)) else 0
        peak = peak if settled else now
        if settled >= _SETTLED or time.perf_counter() - began > _LIMIT_S:
            break
    wall_s = time.perf_counter() - began
    return replace(
        loop.blank(prepared, session=session),
        status="completed",
        peak_memory_bytes=max(0, _peak_bytes() - before),
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
