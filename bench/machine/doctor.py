"""What on this machine makes timings unreliable."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from bench.machine import allocator, environment


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What was looked at.
        fine: Whether it lets timings be trusted; ``None`` where that cannot be read.
        message: What was found, and what to do about it.
    """

    subject: str
    fine: bool | None
    message: str


def examine() -> list[Finding]:
    """Look at everything; takes about three seconds."""
    checks: list[Callable[[], Finding]] = [
        _load, _steal, _governor, _cores, _threads, _allocator, _memory, _gpu, _noise,
    ]  # fmt: skip
    return [check() for check in checks]


def _load() -> Finding:
    busy = psutil.cpu_percent(interval=1.0)
    load = psutil.getloadavg()[0]
    message = f"{busy:.0f} % of all cores busy now, load average {load:.2f}"
    if busy > 10:
        top = max(psutil.process_iter(["name"]), key=_cpu_seconds)
        message += f"; stop other programs first (most processor time so far: {top.info['name']})"
    return Finding("load", busy <= 10, message)


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0  # it ended meanwhile, or is not ours to read
    return float(times.user + times.system)


def _steal() -> Finding:
    steal = getattr(psutil.cpu_times_percent(interval=0.5), "steal", None)
    if steal is None:
        return Finding("steal", None, "this system does not tell what other virtual machines take")
    message = f"other virtual machines take {steal:.1f} % of the processor time"
    return Finding("steal", steal < 1, message)


def _governor() -> Finding:
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    try:
        governor = path.read_text().strip()
    except OSError:
        return Finding("governor", None, "not readable here (usual in virtual machines)")
    advice = "" if governor == "performance" else "; 'performance' keeps the frequency steady"
    return Finding("governor", governor == "performance", governor + advice)


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    message = f"{environment.machine()['cpu']}, {usable} of {psutil.cpu_count()} cores usable"
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        quota, period = "max", "1"  # no control group limits this process
    if quota != "max" and int(quota) / int(period) < (usable or 1):
        limit = int(quota) / int(period)
        return Finding("cores", False, f"{message}, throttled to {limit:.1f} by a control group")
    return Finding("cores", True, message)


def _threads() -> Finding:
    import torch

    threads, physical = torch.get_num_threads(), psutil.cpu_count(logical=False) or 1
    message = f"torch uses {threads} threads on {physical} physical cores"
    if threads > physical:
        message += f"; OMP_NUM_THREADS={physical} avoids sharing a core between two threads"
    return Finding("threads", threads <= physical, message)


def _allocator() -> Finding:
    described = allocator.describe()
    if not allocator.is_glibc():
        return Finding("allocator", None, f"{described['libc']}: nothing to tune")
    if described["tuned"]:
        return Finding("allocator", True, f"{described['libc']}, tuned by 'optbench run' (mallopt)")
    return Finding(
        "allocator",
        False,
        f"{described['libc']}, not tuned since {allocator.SWITCH}=0: page faults slow and disturb "
        "every iteration",
    )


def _memory() -> Finding:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    message = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
    if swap.used > 2**28:
        message += f", {swap.used / 2**30:.1f} GiB swapped out"
    return Finding("memory", memory.available > 2 * 2**30, message)


def _gpu() -> Finding:
    if shutil.which("nvidia-smi") is None:
        return Finding("gpu", None, "no NVIDIA GPU found")
    fields = "name,clocks.sm,clocks.max.sm,clocks_throttle_reasons.active,utilization.gpu"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("gpu", None, f"nvidia-smi does not answer: {error}")
    cards = [[cell.strip() for cell in line.split(",")] for line in answer.stdout.splitlines()]
    message = "; ".join(
        f"{name}: {clock} of {most}, throttle reasons {reasons}, {use} in use"
        for name, clock, most, reasons, use in cards
    )
    return Finding("gpu", all(use in {"0 %", "[N/A]"} for *_, use in cards), message)


def _noise() -> Finding:
    """Repeat the same small product for a second and look at how much its time varies."""
    matrix = np.random.default_rng(0).standard_normal((192, 192))
    times, end = [], time.perf_counter() + 1.0
    while time.perf_counter() < end:
        start = time.perf_counter_ns()
        for _ in range(10):
            matrix @ matrix
        times.append(time.perf_counter_ns() - start)
    middle, high = np.percentile(times, [50, 95])
    message = f"the same work takes {high / middle - 1:.0%} longer at the 95th percentile"
    return Finding("noise", bool(high < 1.2 * middle), message)
