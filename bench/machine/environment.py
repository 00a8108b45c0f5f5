"""The machine and the software of a run, for its record."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.machine import allocator
from bench.support.git import commit

if TYPE_CHECKING:
    import torch

LIBRARIES = ("optbench", "torch", "torchvision", "backpack-for-pytorch", "numpy")
_FINGERPRINT_FIELDS = ("system", "architecture", "cpu", "logical_cores", "memory_gib", "gpu")


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide results; those not installed are left out.

    They are those of when it is asked first: what a process has imported stays.
    """
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


@cache
def machine() -> dict[str, Any]:
    """The hardware, except accelerators."""
    import psutil

    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cpu": _cpu_name(),
        "logical_cores": psutil.cpu_count(),
        "physical_cores": psutil.cpu_count(logical=False),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "kernel": platform.release(),
    }


def describe(device: "torch.device") -> dict[str, Any]:
    """Everything about the machine that a reader of a record may ask for.

    Args:
        device: The device of the run.

    Returns:
        A JSON-able dict: machine, ``gpu``, ``versions``, ``threads``, ``allocator``, ``load``
        (1-minute average before the run), ``commit`` and ``fingerprint``.
    """
    import psutil
    import torch

    facts = machine() | {"gpu": gpu(device)}
    return facts | {
        "fingerprint": fingerprint(facts),
        "versions": library_versions(),
        "threads": torch.get_num_threads(),
        "allocator": allocator.describe(),
        "load": psutil.getloadavg()[0],
        "commit": commit(Path.cwd()),
        "variables": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("OMP_", "MKL_", "KMP_")) or name == allocator.SWITCH
        },
    }


def comparable() -> dict[str, Any]:
    """What has to be equal for times to be compared, and the fingerprint; see ``describe``."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    described = describe(device)
    wanted = ("cpu", "logical_cores", "memory_gib", "gpu", "threads", "allocator", "versions")
    return {name: described[name] for name in (*wanted, "fingerprint")}


def gpu(device: "torch.device") -> dict[str, Any] | None:
    """The GPU behind a device and its libraries; ``None`` for the CPU."""
    import torch

    if device.type != "cuda":
        return None
    properties = torch.cuda.get_device_properties(device)
    return {
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "tf32": torch.backends.cuda.matmul.allow_tf32,
    }


def gpu_throttled() -> bool | None:
    """Whether an NVIDIA GPU runs below its clock for heat or power; ``None`` if not told."""
    if shutil.which("nvidia-smi") is None:
        return None
    fields = (
        "clocks_throttle_reasons.hw_slowdown,clocks_throttle_reasons.sw_thermal_slowdown,"
        "clocks_throttle_reasons.hw_thermal_slowdown"
    )
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return any(cell.strip() == "Active" for cell in answer.stdout.replace("\n", ",").split(","))


def fingerprint(facts: dict[str, Any]) -> str:
    """A short hash of what makes two machines unlike for timings."""
    relevant = {name: facts[name] for name in _FINGERPRINT_FIELDS}
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:12]


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor()  # not Linux
    return platform.processor() or platform.machine()
