"""mallopt is set when asked, can be switched off, and is never a side effect of the library."""

import subprocess
import sys

import pytest

from bench.machine import allocator

glibc = pytest.mark.skipif(not allocator.is_glibc(), reason="not on glibc")


IMPORT = "from bench.machine import allocator\n"


def described_after(statements: str, **environment: str) -> str:
    """What a fresh process says of its allocator."""
    code = f"{IMPORT}{statements}\nprint(allocator.describe()['tuned'])"
    finished = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    return finished.stdout.strip()


@glibc
def test_tuning_is_in_force_when_asked() -> None:
    assert described_after("allocator.tune()") == "True"


@glibc
def test_the_switch_turns_it_off() -> None:
    assert described_after("allocator.tune()", OPTBENCH_MALLOC="0") == "False"


def test_the_library_does_not_tune() -> None:
    run = "import bench; bench.run(bench.RunSpec(problem='quadratic', iterations=2))"
    assert described_after(run) == "False"


@glibc
def test_tuning_keeps_freed_memory_in_the_process() -> None:
    """Freed and allocated again, a block of 16 MiB faults no page a second time."""
    code = (
        "import resource\nimport numpy as np\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    np.ones(2**21)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "faults()\nallocated = faults()\n"
    )
    found = {}
    for tune in ("allocator.tune()", ""):
        finished = subprocess.run(
            [sys.executable, "-c", f"{IMPORT}{tune}\n{code}print(allocated)"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        found[tune] = int(finished.stdout)
    assert found["allocator.tune()"] < 10 < found[""]
