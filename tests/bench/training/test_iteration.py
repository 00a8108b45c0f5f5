"""Training phase by phase is the training that the loop does."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.problems import PROBLEMS, ProblemOptions, ProblemSpec
from bench.problems.problem import Problem
from bench.problems.quadratic import quadratic
from bench.runs.spec import RunSpec
from bench.training.clock import STEP, PhaseClock, phase_clock
from bench.training.iteration import Training
from bench.training.prepare import prepare
from optimizers import OPTIMIZERS, OptimizerSpec

CPU = torch.device("cpu")


def trained(
    optimizer: str | OptimizerSpec, problem: str = "quadratic", **fields: Any
) -> tuple[Training, PhaseClock[Any]]:
    spec = RunSpec(problem=problem, optimizer=optimizer, iterations=1, device="cpu", **fields)
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


class SAM(torch.optim.SGD):
    """Sharpness-aware minimisation in the manner of its authors' own repository."""

    step_protocol = "backward_then_closure"

    def __init__(self, params: Any, lr: float = 0.05, rho: float = 0.05) -> None:
        super().__init__(params, lr=lr)
        self.rho = rho

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        assert closure is not None, "SAM needs a closure"
        ascent = []
        for p in self.param_groups[0]["params"]:
            ascent.append(self.rho * p.grad / p.grad.norm())
            p.add_(ascent[-1])
        closure()
        for p, moved in zip(self.param_groups[0]["params"], ascent, strict=True):
            p.sub_(moved)
        super().step()


class Polyak(torch.optim.SGD):
    """Steps by the loss, which it is handed."""

    def step(self, loss: Any) -> None:  # type: ignore[override]
        norm = sum(float((p.grad**2).sum()) for p in self.param_groups[0]["params"])
        self.param_groups[0]["lr"] = float(loss) / norm
        super().step()


class PolyakByClosure(Polyak):
    """The same, which calls what gives it the loss."""

    step_protocol = "loss"

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step(closure())


class Curved(torch.optim.SGD):
    """Preconditions with |H g|, by differentiating the gradient."""

    step_protocol = "create_graph"

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        (p,) = self.param_groups[0]["params"]
        (curved,) = torch.autograd.grad(p.grad, p, grad_outputs=p.grad.detach())
        with torch.no_grad():
            p.sub_(0.01 * p.grad / (curved.abs() + 1))


def by_hand(training: Training, optimizer: torch.optim.Optimizer, kind: type) -> list[Tensor]:
    """Four iterations as the documentation of such optimizers has them; the losses."""
    model, loss_fn, losses = training.bound.model, training.bound.loss_fn, []
    for _ in range(4):
        training.draw()
        optimizer.zero_grad()
        loss = loss_fn(model(training._inputs), training._targets)
        losses.append(loss.detach())
        loss.backward(create_graph=kind is Curved)

        def closure() -> Any:
            optimizer.zero_grad()
            with torch.enable_grad():
                again = loss_fn(model(training._inputs), training._targets)
            again.backward()
            return again

        if kind is SAM:
            optimizer.step(closure)
        elif kind is Curved:
            optimizer.step()
        else:
            value = loss.detach()
            step: Callable[[Any], Any] = optimizer.step
            step(value if kind is Polyak else value.item)
    return losses


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph")
@pytest.mark.parametrize("kind", [SAM, Polyak, PolyakByClosure, Curved])
def test_steps_are_those_of_a_loop_by_hand(kind: type[torch.optim.Optimizer]) -> None:
    spec = OptimizerSpec(name="mine", factory=kind)
    whole, clock = trained(spec)
    for _ in range(4):
        whole.iterate()
    other, _ = trained(spec)
    losses = by_hand(other, other.bound.optimizer, kind)
    assert [x.item() for x in whole.losses] == [x.item() for x in losses]
    for found, reference in zip(parameters(whole), parameters(other), strict=True):
        assert torch.equal(found, reference)
    assert len(clock.read()) == 4


class Optional(torch.optim.SGD):
    """Needs the closure that its signature calls optional, with gradients as it finds them."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=0.01)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        if closure is None:
            raise RuntimeError("no closure")
        closure()
        super().step()


def test_a_closure_is_given_where_it_is_asked_for_with_gradients() -> None:
    spec = OptimizerSpec(name="mine", factory=Optional)
    with pytest.raises(RuntimeError, match="no closure") as caught:
        trained(spec)[0].iterate()
    assert (
        "Hint: if its step needs a closure, give --step mine=closure" in caught.value.__notes__[0]
    )
    training, _ = trained(spec, step="closure")
    training.iterate()
    plain, _ = trained("torch.optim:SGD", hyperparameters={"lr": 0.01})
    plain.iterate()
    assert torch.equal(parameters(training)[0], parameters(plain)[0])


class Averaging(torch.optim.SGD):
    """Judged at an average of its weights, with a way there and back that rounds."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=0.01)
        self.modes: list[str] = []

    def train(self) -> None:
        self.modes.append("train")
        if len(self.modes) > 1:
            self._move(1 / 0.7)

    def eval(self) -> None:
        self.modes.append("eval")
        self._move(0.7)

    @torch.no_grad()
    def _move(self, factor: float) -> None:
        for p in self.param_groups[0]["params"]:
            p.mul_(factor)
            self.state[p]["seen"].mul_(factor)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        super().step()
        for p in self.param_groups[0]["params"]:
            self.state[p]["seen"] = p.detach().clone()


class Bare:
    """No more than an optimizer has to have."""

    def __init__(self, params: Any) -> None:
        self.param_groups = [{"params": list(params)}]

    def zero_grad(self) -> None:
        for p in self.param_groups[0]["params"]:
            p.grad = None

    @torch.no_grad()
    def step(self) -> None:
        for p in self.param_groups[0]["params"]:
            p.sub_(p.grad, alpha=0.01)


def test_an_optimizer_needs_no_state_to_be_judged() -> None:
    training, _ = trained(OptimizerSpec(name="bare", factory=Bare))
    training.iterate()
    with training.evaluating(stepped=True):
        assert not training.bound.model.training
    assert training.bound.model.training


class Wrapping(torch.optim.SGD):
    """Hands its modes on, as wrappers do."""

    inner: Any = None

    def train(self) -> None:
        self.inner.train()

    def eval(self) -> None:
        self.inner.eval()


def test_modes_that_are_handed_on_to_what_has_none_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training, _ = trained(OptimizerSpec(name="wrapping", factory=Wrapping))
    training.iterate()
    with training.evaluating(stepped=True):
        assert not training.bound.model.training

    def broken(self: Wrapping) -> None:
        raise AttributeError("'NoneType' object has no attribute 'z'", name="z")

    monkeypatch.setattr(Wrapping, "train", broken)
    with pytest.raises(AttributeError, match="no attribute 'z'"):
        trained(OptimizerSpec(name="wrapping", factory=Wrapping))


def test_it_is_judged_in_its_own_mode_and_goes_on_bit_for_bit() -> None:
    training, _ = trained(OptimizerSpec(name="mine", factory=Averaging))
    optimizer = training.bound.optimizer
    assert isinstance(optimizer, Averaging)
    with training.evaluating(stepped=False):
        assert optimizer.modes == ["train"]  # there is nothing to average yet
    training.iterate()
    before, (state,) = parameters(training), optimizer.state.values()
    seen = state["seen"].clone()
    with training.evaluating(stepped=True):
        assert optimizer.modes == ["train", "eval"]
        assert torch.equal(parameters(training)[0], before[0] * 0.7)
    assert optimizer.modes == ["train", "eval", "train"]
    assert torch.equal(parameters(training)[0], before[0])
    assert torch.equal(state["seen"], seen)


class Comparing(Evaluating):
    """A plug-in that evaluates without having moved."""

    def step(  # type: ignore[override]
        self, closure: None = None, *, evaluate: Callable[[], tuple[Tensor, Tensor]]
    ) -> None:
        self.losses += [evaluate()[0].item(), evaluate()[0].item()]
        torch.optim.SGD.step(self)


def with_dropout(options: ProblemOptions) -> Problem:
    layers = nn.Sequential(nn.Dropout(0.5), nn.Linear(20, 1, bias=False))
    return replace(quadratic(options), make_model=lambda: copy.deepcopy(layers))


def test_evaluations_of_a_step_see_the_forward_passs_own_dropout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the next iteration draws what it would without them."""
    plain = OptimizerSpec(name="plain", factory=torch.optim.SGD, defaults={"lr": 0.01})
    comparing = OptimizerSpec(name="comparing", factory=Comparing)
    monkeypatch.setitem(PROBLEMS, "dropout", ProblemSpec(name="dropout", build=with_dropout))
    found = {}
    for spec in (comparing, plain):
        training, _ = trained(spec, problem="dropout")
        for _ in range(3):
            training.iterate()
        found[spec.name] = [loss.item() for loss in training.losses]
        if isinstance(training.bound.optimizer, Comparing):
            twice = [loss for loss in found[spec.name] for _ in range(2)]
            assert training.bound.optimizer.losses == twice
    assert found["comparing"] == found["plain"]
    assert len(set(found["plain"])) == 3
