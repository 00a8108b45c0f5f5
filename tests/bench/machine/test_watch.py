"""What disturbs a comparison is told: other programs, other machines, control groups, heat."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.machine import watch as machine_watch
from bench.machine.watch import Watch

BUSY = "import time\nend = time.perf_counter() + 60\nwhile time.perf_counter() < end: pass"

FAMILY_S = machine_watch._family_s


def spinning() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", BUSY])


def test_the_work_of_a_launch_is_its_own_and_that_of_others_is_not() -> None:
    """One process more or less, of which the watch is told or not."""
    with spinning() as process:
        time.sleep(0.5)
        seen = {}
        for told in ([process.pid], []):
            watch = Watch()
            used = process_s(process)
            time.sleep(1.0)
            used = process_s(process) - used
            watch.look(told)
            seen[bool(told)] = watch.others_s
        process.kill()
    # told of the process, all that it ever used is taken off: more than it used meanwhile
    assert seen[False] - seen[True] >= 0.5 * used


def test_what_a_process_has_started_counts_with_it_while_it_runs() -> None:
    with spinning() as process:
        time.sleep(0.3)
        alone, family = (told(os.getpid()) for told in (machine_watch._used_s, FAMILY_S))
        process.kill()
    assert family > alone
    assert FAMILY_S(process.pid) == 0.0  # it is no more


def process_s(process: "subprocess.Popen[bytes]") -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def quiet(**seconds: float) -> Watch:
    watch = Watch()
    watch.passed_s = 100.0
    for name, value in seconds.items():
        setattr(watch, name, value)
    return watch


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({}, []),
        ({"others_s": 9.0, "stolen_s": 0.9}, []),
        ({"others_s": 23.0}, ["other programs used 23% of the processor time meanwhile"]),
        ({"stolen_s": 4.0}, ["other virtual machines took 4% of the processor time"]),
    ],
)
def test_only_what_matters_is_told(seconds: dict[str, float], expected: list[str]) -> None:
    assert quiet(**seconds).complaints() == expected


def test_throttling_while_it_ran_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this process's control group and those above it, and of each core."""
    group = tmp_path / "cgroup" / "a" / "b"
    core = tmp_path / "cpu" / "cpu0" / "thermal_throttle"
    for folder in (group, core):
        folder.mkdir(parents=True)
    membership = tmp_path / "membership"
    membership.write_text("4:memory:/elsewhere\n0::/a/b\n")
    counts = {group: 3, group.parent: 10}

    def write(heat: int) -> None:
        for folder, count in counts.items():
            (folder / "cpu.stat").write_text(f"usage_usec 1\nnr_throttled {count}\n")
        (core / "core_throttle_count").write_text(f"{heat}\n")

    monkeypatch.setattr(machine_watch, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine_watch, "_MEMBERSHIP", membership)
    monkeypatch.setattr(machine_watch, "_CORES", tmp_path / "cpu")
    write(heat=5)
    watch = quiet()
    assert watch.complaints() == []
    counts[group.parent] += 2
    write(heat=6)
    assert watch.complaints() == [
        "a control group throttled the processor 2 times",
        "heat throttled the processor 1 time",
    ]


def test_groups_of_the_first_version_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    membership = tmp_path / "membership"
    membership.write_text("3:cpu,cpuacct:/a\n2:memory:/b\n")
    monkeypatch.setattr(machine_watch, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine_watch, "_MEMBERSHIP", membership)
    top = tmp_path / "cpu,cpuacct"
    assert machine_watch._control_groups() == [top / "a", top]


def test_without_a_gpu_nothing_is_said_of_one() -> None:
    watch = quiet()
    watch.begin()
    watch.look([os.getpid()])
    assert not [text for text in watch.complaints() if "GPU" in text]
