"""Peak memory on the CPU: what a process grows by while it trains."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.runs.spec import RunSpec
from bench.training import memory
from optimizers import UsageError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")

_MIB = 2**20


class Hoarder(torch.optim.SGD):
    """SGD that touches ``mib`` MiB in each step and frees them."""

    def __init__(self, params: Any, mib: int = 0) -> None:
        super().__init__(params, lr=0.01)
        self.mib = mib

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        torch.ones(self.mib * _MIB, dtype=torch.uint8)
        super().step()


def test_peak_follows_what_a_step_allocates_for_a_moment(tmp_path: Path) -> None:
    spec = memory.memory_spec(
        RunSpec(problem="quadratic", optimizer="tests.bench.training.test_memory:Hoarder")
    )
    peaks = [
        memory.measure(
            replace(spec, hyperparameters={"mib": mib}), tmp_path, "session"
        ).peak_memory_bytes
        for mib in (0, 200)
    ]
    assert peaks[0] is not None
    assert peaks[1] is not None
    assert 190 * _MIB < peaks[1] - peaks[0] < 230 * _MIB


def test_a_memory_run_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    spec = memory.memory_spec(RunSpec(problem="quadratic", optimizer="no_such_module:Class"))
    with pytest.raises(UsageError, match=r"memory run of 'no_such_module:Class' failed: .*Cannot"):
        memory.measure(spec, tmp_path, "session")


def test_what_another_process_cannot_import_is_told_in_one_line(tmp_path: Path) -> None:
    class Local(Hoarder): ...

    spec = memory.memory_spec(RunSpec(problem="quadratic", optimizer=Local))
    with pytest.raises(
        UsageError, match=r"peak memory of 'Local' is not measured: .*Local@.*; define it in a mod"
    ):
        memory.measure(spec, tmp_path, "session")
