"""Training phase by phase is the training that the loop does."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.phases import PhaseClock, phase_clock
from bench.prepare import prepare
from bench.spec import RunSpec
from bench.training import Training

CPU = torch.device("cpu")


def trained(optimizer: str, **fields: Any) -> tuple[Training, PhaseClock[Any]]:
    spec = RunSpec(problem="quadratic", optimizer=optimizer, iterations=1, device="cpu", **fields)
    prepared, clock = prepare(spec), phase_clock(CPU)
    train = prepared.problem.train.to(CPU, torch.float32)
    return Training(prepared, train, clock), clock


def parameters(training: Training) -> list[Tensor]:
    return [p.detach().clone() for p in training.bound.model.parameters()]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "diag_ggn_mc", "diag_ggn_exact"])
def test_phases_one_by_one_train_as_whole_iterations_do(optimizer: str) -> None:
    whole, _ = trained(optimizer)
    for _ in range(4):
        whole.iterate()
    expected = parameters(whole)
    single, _ = trained(optimizer)
    for _ in range(4):
        for phase in (single.draw, single.forward, single.backward, single.step, single.judge):
            phase()
    for found, reference in zip(parameters(single), expected, strict=True):
        assert torch.equal(found, reference)


def test_an_iteration_leaves_one_row_of_the_clock_and_one_loss() -> None:
    training, clock = trained("sgd")
    training.iterate()
    training.iterate()
    assert len(clock.read()) == len(training.losses) == 2


def test_an_optimizer_whose_step_needs_a_closure_is_known() -> None:
    assert trained("torch.optim:LBFGS")[0].needs_closure
    assert not trained("sgd")[0].needs_closure
