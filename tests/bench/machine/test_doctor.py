"""Each finding of the doctor, on machines that are made up."""

import itertools
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from bench.machine import allocator, doctor, environment
from bench.machine.doctor import Finding

GIB = 2**30


def fixed(value: Any) -> Any:
    """A function of anything that answers this."""
    return lambda *_, **__: value


def process(name: str, seconds: float, *, ended: bool = False) -> SimpleNamespace:
    def cpu_times() -> SimpleNamespace:
        if ended:
            raise psutil.NoSuchProcess(1)
        return SimpleNamespace(user=seconds, system=1.0)

    return SimpleNamespace(info={"name": name}, cpu_times=cpu_times)


@pytest.mark.parametrize(
    ("busy", "finding"),
    [
        (10.0, Finding("load", True, "10 % of all cores busy now, load average 0.50")),
        (
            43.0,
            Finding(
                "load",
                False,
                "43 % of all cores busy now, load average 0.50; stop other programs first (most "
                "processor time so far: firefox)",
            ),
        ),
    ],
)
def test_load(monkeypatch: pytest.MonkeyPatch, busy: float, finding: Finding) -> None:
    """A process that ended meanwhile is none to stop."""
    monkeypatch.setattr(psutil, "cpu_percent", fixed(busy))
    monkeypatch.setattr(psutil, "getloadavg", fixed((0.5, 3.0, 3.0)))
    running = [process("sh", 2), process("firefox", 90), process("gone", 999, ended=True)]
    monkeypatch.setattr(psutil, "process_iter", fixed(running))
    assert doctor._load() == finding


@pytest.mark.parametrize(
    ("times", "fine", "message"),
    [
        ({"steal": 0.9}, True, "other virtual machines take 0.9 % of the processor time"),
        ({"steal": 7.25}, False, "other virtual machines take 7.2 % of the processor time"),
        ({}, None, "this system does not tell what other virtual machines take"),
    ],
)
def test_steal(
    monkeypatch: pytest.MonkeyPatch, times: dict[str, float], fine: bool | None, message: str
) -> None:
    monkeypatch.setattr(psutil, "cpu_times_percent", fixed(SimpleNamespace(**times)))
    assert doctor._steal() == Finding("steal", fine, message)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The files of the system by how their path ends; there are no others."""
    content: dict[str, str] = {}

    def read_text(path: Path) -> str:
        for end, text in content.items():
            if str(path).endswith(end):
                return text
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", read_text)
    return content


@pytest.mark.parametrize(
    ("governor", "finding"),
    [
        ("performance\n", Finding("governor", True, "performance")),
        (
            "powersave\n",
            Finding("governor", False, "powersave; 'performance' keeps the frequency steady"),
        ),
        (None, Finding("governor", None, "not readable here (usual in virtual machines)")),
    ],
)
def test_governor(files: dict[str, str], governor: str | None, finding: Finding) -> None:
    if governor:
        files["scaling_governor"] = governor
    assert doctor._governor() == finding


@pytest.mark.parametrize(
    ("quota", "fine", "told"),
    [
        (None, True, ""),
        ("max 100000\n", True, ""),
        ("400000 100000\n", True, ""),
        ("150000 100000\n", False, ", throttled to 1.5 by a control group"),
        ("nonsense\n", True, ""),
    ],
)
def test_cores(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], quota: str | None, fine: bool, told: str
) -> None:
    monkeypatch.setattr(environment, "machine", fixed({"cpu": "A processor"}))
    monkeypatch.setattr(os, "sched_getaffinity", fixed({0, 1, 2, 3}), raising=False)
    monkeypatch.setattr(psutil, "cpu_count", fixed(8))
    if quota:
        files["cpu.max"] = quota
    assert doctor._cores() == Finding("cores", fine, f"A processor, 4 of 8 cores usable{told}")


@pytest.mark.parametrize(
    ("threads", "physical", "fine", "told"),
    [
        (2, 2, True, "torch uses 2 threads on 2 physical cores"),
        (
            4,
            2,
            False,
            "torch uses 4 threads on 2 physical cores; OMP_NUM_THREADS=2 avoids sharing a core "
            "between two threads",
        ),
        (1, None, True, "torch uses 1 threads on 1 physical cores"),
    ],
)
def test_threads(
    monkeypatch: pytest.MonkeyPatch, threads: int, physical: int | None, fine: bool, told: str
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", fixed(threads))
    monkeypatch.setattr(psutil, "cpu_count", fixed(physical))
    assert doctor._threads() == Finding("threads", fine, told)


@pytest.mark.parametrize(
    ("glibc", "tuned", "fine", "told"),
    [
        (True, True, True, "glibc 2.36, tuned by 'optbench run' (mallopt)"),
        (
            True,
            False,
            False,
            "glibc 2.36, not tuned since OPTBENCH_MALLOC=0: page faults slow and disturb every "
            "iteration",
        ),
        (False, False, None, "glibc 2.36: nothing to tune"),
    ],
)
def test_allocator(
    monkeypatch: pytest.MonkeyPatch, glibc: bool, tuned: bool, fine: bool | None, told: str
) -> None:
    monkeypatch.setattr(allocator, "is_glibc", fixed(glibc))
    monkeypatch.setattr(allocator, "describe", fixed({"libc": "glibc 2.36", "tuned": tuned}))
    assert doctor._allocator() == Finding("allocator", fine, told)


@pytest.mark.parametrize(
    ("free", "swapped", "finding"),
    [
        (3 * GIB, 0, Finding("memory", True, "3.0 of 8.0 GiB free")),
        (GIB, GIB // 2, Finding("memory", False, "1.0 of 8.0 GiB free, 0.5 GiB swapped out")),
    ],
)
def test_memory(monkeypatch: pytest.MonkeyPatch, free: int, swapped: int, finding: Finding) -> None:
    memory = SimpleNamespace(available=free, total=8 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", fixed(memory))
    monkeypatch.setattr(psutil, "swap_memory", fixed(SimpleNamespace(used=swapped)))
    assert doctor._memory() == finding


@pytest.mark.parametrize(
    ("answer", "fine", "told"),
    [
        (
            "H100, 1980 MHz, 1980 MHz, 0x0, 0 %\nH200, 600 MHz, 1980 MHz, 0x4, 99 %\n",
            False,
            "H100: 1980 MHz of 1980 MHz, throttle reasons 0x0, 0 % in use; H200: 600 MHz of "
            "1980 MHz, throttle reasons 0x4, 99 % in use",
        ),
        (
            "A100, 210 MHz, 1410 MHz, 0x1, [N/A]\n",
            True,
            "A100: 210 MHz of 1410 MHz, throttle reasons 0x1, [N/A] in use",
        ),
    ],
)
def test_gpu(monkeypatch: pytest.MonkeyPatch, answer: str, fine: bool, told: str) -> None:
    monkeypatch.setattr(doctor.shutil, "which", fixed("/usr/bin/nvidia-smi"))
    monkeypatch.setattr(subprocess, "run", fixed(SimpleNamespace(stdout=answer)))
    assert doctor._gpu() == Finding("gpu", fine, told)


def test_no_gpu_and_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("nvidia-smi", 10)

    monkeypatch.setattr(doctor.shutil, "which", fixed(None))
    assert doctor._gpu() == Finding("gpu", None, "no NVIDIA GPU found")
    monkeypatch.setattr(doctor.shutil, "which", fixed("/usr/bin/nvidia-smi"))
    monkeypatch.setattr(subprocess, "run", late)
    found = doctor._gpu()
    assert found.fine is None
    assert found.message.startswith("nvidia-smi does not answer: ")


@pytest.mark.parametrize(
    ("slow", "fine", "told"),
    [
        (110, True, "the same work takes 10% longer at the 95th percentile"),
        (150, False, "the same work takes 50% longer at the 95th percentile"),
    ],
)
def test_noise(monkeypatch: pytest.MonkeyPatch, slow: int, fine: bool, told: str) -> None:
    """Of every ten repetitions, nine take 100 ns and the last one longer; there are a hundred."""
    took = itertools.cycle([0, 100] * 9 + [0, slow])
    seconds = itertools.chain([0.0] * 101, [1.0])
    clock = SimpleNamespace(
        perf_counter=seconds.__next__, perf_counter_ns=itertools.accumulate(took).__next__
    )
    monkeypatch.setattr(doctor, "time", clock)
    assert doctor._noise() == Finding("noise", fine, told)
