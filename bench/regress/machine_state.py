"""What disturbed the machine while a comparison ran."""

from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import environment

_CGROUP = Path("/sys/fs/cgroup/cpu.stat")
_LOOK_S = 0.5
_OTHERS, _STEAL, _UNSTEADY = 0.15, 0.01, 0.15


@dataclass(frozen=True)
class Snapshot:
    """Counters of the machine at one moment.

    Attributes:
        others: Share of all cores that other programs use; only meaningful while no worker runs.
        busy_s: Processor seconds of all cores since the start, idle ones included.
        stolen_s: Those that other virtual machines took.
        throttled: How often a control group held this process back; ``None`` if not told.
        gpu_throttled: Whether a GPU ran below its clock; ``None`` without one.
    """

    others: float
    busy_s: float
    stolen_s: float
    throttled: int | None
    gpu_throttled: bool | None


def snapshot() -> Snapshot:
    """Read the counters; takes half a second."""
    others = psutil.cpu_percent(interval=_LOOK_S) / 100
    times = psutil.cpu_times()
    return Snapshot(
        others=others,
        busy_s=float(sum(times)),
        stolen_s=float(getattr(times, "steal", 0.0)),
        throttled=_throttled(),
        gpu_throttled=environment.gpu_throttled(),
    )


def complaints(before: Snapshot, after: Snapshot, spread: float) -> list[str]:
    """What may have spoilt the timings in between, one sentence each.

    Args:
        before: When the comparison began, before any worker ran.
        after: When it ended.
        spread: How much the base's own blocks varied, as a share of their median.
    """
    found = []
    for when, share in (("before it began", before.others), ("after it ended", after.others)):
        if share > _OTHERS:
            found.append(f"other programs used {share:.0%} of the processor time {when}")
    passed = after.busy_s - before.busy_s
    stolen = (after.stolen_s - before.stolen_s) / passed if passed > 0 else 0.0
    if stolen > _STEAL:
        found.append(f"other virtual machines took {stolen:.0%} of the processor time")
    if before.throttled is not None and after.throttled is not None:
        times = after.throttled - before.throttled
        if times:
            found.append(f"a control group throttled the processor {times} times")
    if after.gpu_throttled:
        found.append("the GPU ran below its clock")
    if spread > _UNSTEADY:
        found.append(f"blocks of the same code differed by {spread:.0%} (interquartile range)")
    return found


def _throttled() -> int | None:
    try:
        lines = _CGROUP.read_text().splitlines()
    except OSError:
        return None
    values = dict(line.split() for line in lines if len(line.split()) == 2)
    return int(values["nr_throttled"]) if "nr_throttled" in values else None
