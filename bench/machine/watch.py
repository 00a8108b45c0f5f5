"""What disturbed the machine while a comparison ran."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.machine import environment
from bench.support.text import plural

_CGROUPS, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_CORES = Path("/sys/devices/system/cpu")
_OTHERS, _STEAL = 0.10, 0.01


class Watch:
    """Watches the machine during launches.

    Attributes:
        others_s: Processor seconds that other programs used during launches.
        stolen_s: Those that other virtual machines took.
        passed_s: Processor seconds that there were, of all cores.
    """

    def __init__(self) -> None:
        """Note how often the processor was held back before."""
        self.others_s = self.stolen_s = self.passed_s = 0.0
        self._throttled, self._overheated = _throttled(), _overheated()
        self._gpu_throttled = 0
        self.begin()

    def begin(self) -> None:
        """A launch begins; its processes do not run yet."""
        self._began, self._own_s = psutil.cpu_times(), _used_s(os.getpid())

    def look(self, workers: Sequence[int] = ()) -> None:
        """A launch ends.

        Args:
            workers: Numbers of its processes that still run; what they started counts with them.
        """
        now, before = psutil.cpu_times(), self._began
        own_s = _used_s(os.getpid()) - self._own_s + sum(map(_family_s, workers))
        self.others_s += max(_busy_s(now) - _busy_s(before) - own_s, 0.0)
        self.stolen_s += getattr(now, "steal", 0.0) - getattr(before, "steal", 0.0)
        self.passed_s += sum(now) - sum(before)
        self._gpu_throttled += bool(environment.gpu_throttled())

    def complaints(self) -> list[str]:
        """What may have spoilt the timings, one sentence each."""
        found = []
        passed_s = max(self.passed_s, 1e-9)
        if self.others_s > _OTHERS * passed_s:
            share = self.others_s / passed_s
            found.append(f"other programs used {share:.0%} of the processor time meanwhile")
        if self.stolen_s > _STEAL * passed_s:
            share = self.stolen_s / passed_s
            found.append(f"other virtual machines took {share:.0%} of the processor time")
        for what, before, now in (
            ("a control group", self._throttled, _throttled()),
            ("heat", self._overheated, _overheated()),
        ):
            if now > before:
                found.append(f"{what} throttled the processor {plural(now - before, 'time')}")
        if self._gpu_throttled:
            launches = plural(self._gpu_throttled, "launch")
            found.append(f"the GPU ran below its clock in {launches}")
        return found


def overrun(what: str, elapsed_s: float, budget_s: float) -> list[str]:
    """That the least there is to measure took clearly longer than its budget, if it did.

    Args:
        what: The least.
        elapsed_s: How long it took.
        budget_s: How long it might have taken.
    """
    if elapsed_s <= 1.1 * budget_s:
        return []
    return [
        f"the least of {what} took {elapsed_s:.0f} s, longer than the budget of {budget_s:.0f} s"
    ]


def _busy_s(times: Any) -> float:
    """Processor seconds spent on programs, of ``psutil.cpu_times`` (user holds guests)."""
    return float(sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq")))


def _used_s(number: int) -> float:
    """Processor seconds of a process, and of what it started and waited for."""
    try:
        used = psutil.Process(number).cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system + used.children_user + used.children_system)


def _family_s(number: int) -> float:
    """Processor seconds of a process and of all that it started, whether or not it has ended."""
    try:
        started = psutil.Process(number).children(recursive=True)
    except psutil.Error:
        return 0.0
    return _used_s(number) + sum(_used_s(process.pid) for process in started)


def _throttled() -> int:
    """How often this process's control group, or one above it, was held back so far."""
    total = 0
    for folder in _control_groups():
        try:
            lines = (folder / "cpu.stat").read_text().splitlines()
        except OSError:
            continue  # a group without a limit, or not shown to this process
        values = dict(line.split() for line in lines if len(line.split()) == 2)
        total += int(values.get("nr_throttled", 0))
    return total


def _control_groups() -> list[Path]:
    """Folders of the groups that may limit this process's processor time, of either version."""
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
    except OSError:
        return []  # no Linux
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = _CGROUPS / controllers
        own = top / path.strip("/")
        found += [own, *(above for above in own.parents if above.is_relative_to(top))]
    return found


def _overheated() -> int:
    """How often the processor slowed down for heat so far, where the kernel tells."""
    total = 0
    for path in _CORES.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"):
        try:
            total += int(path.read_text())
        except (OSError, ValueError):
            continue  # this core does not tell
    return total
