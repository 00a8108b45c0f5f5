"""Peak memory on the CPU: what a process grows by while it trains."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from bench.problems import DataSource, Problem, ProblemOptions, TensorData, evaluate_mean
from bench.runs.spec import RunSpec
from bench.training import memory
from bench.training.processes import Processes
from bench.training.tasks import Conditions
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


class Growing(torch.optim.SGD):
    """SGD that keeps 4 MiB more after each of its first 40 steps, as L-BFGS does its history."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=0.01)
        self.kept: list[torch.Tensor] = []

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        if len(self.kept) < 40:
            self.kept.append(torch.ones(4 * _MIB, dtype=torch.uint8))
        super().step()


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    with Processes() as made:
        yield made


def peak(processes: Processes, optimizer: str, **settings: Any) -> int:
    spec = memory.memory_spec(
        RunSpec(problem="quadratic", optimizer=optimizer, hyperparameters=settings)
    )
    record = processes.measure_memory(spec, Conditions(session="s"))
    assert (record.status, record.role, record.session) == ("completed", "memory", "s")
    return record.peak_memory_bytes or 0


def test_peak_follows_what_a_step_allocates_for_a_moment(processes: Processes) -> None:
    few, many = (peak(processes, f"{__name__}:Hoarder", mib=mib) for mib in (0, 200))
    assert 195 * _MIB < many - few < 205 * _MIB


def test_peak_is_looked_for_until_it_grows_no_more(processes: Processes) -> None:
    assert 155 * _MIB < peak(processes, f"{__name__}:Growing") < 170 * _MIB


def test_what_everyone_needs_is_nobodys_peak(processes: Processes) -> None:
    """The first backward pass of a process loads libraries; 20 parameters take nothing."""
    assert peak(processes, "sgd") < 2 * _MIB


class Leaking(torch.optim.SGD):
    """SGD that keeps 1 MiB more after each step."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.kept = [*getattr(self, "kept", ()), torch.ones(_MIB, dtype=torch.uint8)]
        super().step()


def test_a_peak_that_grows_and_grows_is_not_told(processes: Processes) -> None:
    with pytest.raises(UsageError, match="still grew after 300 iterations"):
        peak(processes, f"{__name__}:Leaking")


def wide(_: ProblemOptions) -> Problem:
    """A layer of 4 MiB on data of next to nothing."""
    data = TensorData(torch.ones(16, 1024), torch.ones(16, 1024))
    return Problem(
        make_model=lambda: torch.nn.Sequential(torch.nn.Linear(1024, 1024, bias=False)),
        make_loss=torch.nn.MSELoss,
        train=data,
        held_out=None,
        source=DataSource(name="wide", detail="16 data", checksum="1"),
        batch_size=16,
        evaluate=evaluate_mean,
    )


@pytest.mark.parametrize(
    ("optimizer", "copies"),
    [
        ("torch.optim:SGD", 2),  # the parameters and their gradient
        ("sgd", 3),  # with momentum
        ("adam", 6),  # with two averages, and in a step the root of one before and after scaling
    ],
)
def test_peak_is_what_is_allocated(processes: Processes, optimizer: str, copies: int) -> None:
    spec = RunSpec(problem=f"{__name__}:wide", optimizer=optimizer, hyperparameters={"lr": 1e-6})
    spec = memory.memory_spec(spec)
    grown = processes.measure_memory(spec, Conditions(session="s")).peak_memory_bytes or 0
    assert grown / _MIB == pytest.approx(4 * copies, abs=0.6)


def test_a_memory_run_that_cannot_begin_is_told(processes: Processes) -> None:
    with pytest.raises(UsageError, match=r"Cannot import 'no_such_module'"):
        peak(processes, "no_such_module:Class")
