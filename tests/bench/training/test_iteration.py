"""Training phase by phase is the training that the loop does."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.runs.spec import RunSpec
from bench.training.clock import STEP, PhaseClock, phase_clock
from bench.training.iteration import Training
from bench.training.prepare import prepare
from optimizers import OPTIMIZERS, OptimizerSpec

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


@pytest.mark.parametrize("phase", ["draw", "forward", "backward", "step"])
@pytest.mark.parametrize("optimizer", ["sgd", "diag_ggn_mc"])
def test_a_phase_runs_within_something_else_for_as_long_as_asked(
    phase: str, optimizer: str
) -> None:
    """It is the same training, and afterwards nothing of it is left."""
    usual, _ = trained(optimizer)
    for _ in range(3):
        usual.iterate()
    within, _ = trained(optimizer)
    seen: list[str] = []

    def around(run: Callable[[], None]) -> None:
        seen.append("before")
        run()
        seen.append("after")

    with within.within(phase, around):
        within.iterate()
        within.iterate()
    assert seen == ["before", "after"] * 2
    assert phase not in vars(within)
    within.iterate()
    assert len(seen) == 4
    for found, reference in zip(parameters(within), parameters(usual), strict=True):
        assert torch.equal(found, reference)


def test_a_phase_is_as_it_was_when_what_runs_around_it_raises() -> None:
    training, _ = trained("sgd")

    def around(_: Callable[[], None]) -> None:
        raise ValueError("no way")

    with pytest.raises(ValueError, match="no way"), training.within("step", around):
        training.iterate()
    assert "step" not in vars(training)


def test_an_optimizer_whose_step_needs_a_closure_is_known() -> None:
    assert trained("torch.optim:LBFGS")[0].needs_closure
    assert not trained("sgd")[0].needs_closure


@pytest.mark.parametrize("every", [1, 2])
def test_a_step_that_adapts_its_damping_evaluates_the_batch_as_part_of_the_step(every: int) -> None:
    training, clock = trained("diag_ggn_mc", hyperparameters={"adapt_every": every})
    phases, batches = [], []
    evaluate = training._step_arguments["evaluate"]

    def spy() -> tuple[Tensor, Tensor]:
        phases.append(clock._phase)
        batches.append(training._inputs)
        return evaluate()

    training._step_arguments["evaluate"] = spy
    inputs: list[Tensor] = []

    def note(draw: Callable[[], None]) -> None:
        draw()
        inputs.append(training._inputs)

    with training.within("draw", note):
        for _ in range(4):
            training.iterate()
    assert phases == [STEP] * (8 // every)
    expected = [inputs[index] for index in range(every - 1, 4, every) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(batches, expected, strict=True))


class Evaluating(torch.optim.SGD):
    """A plug-in that asks for evaluations without any curvature."""

    takes_evaluation = True

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=0.01)
        self.losses: list[float] = []

    def step(  # type: ignore[override]
        self, closure: None = None, *, evaluate: Callable[[], tuple[Tensor, Tensor]]
    ) -> None:
        super().step()
        self.losses.append(evaluate()[0].item())


def test_any_optimizer_may_ask_for_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = OptimizerSpec(name="evaluating", factory=Evaluating)
    monkeypatch.setitem(OPTIMIZERS, "evaluating", spec)
    training, _ = trained("evaluating")
    training.iterate()
    training.iterate()
    optimizer = training.bound.optimizer
    assert isinstance(optimizer, Evaluating)
    # The quadratic's batch is all its data: what the step led to is where the next one begins.
    assert optimizer.losses[0] == pytest.approx(training.losses[1].item(), rel=1e-6)
