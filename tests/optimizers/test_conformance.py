"""What every optimizer keeps to, over the whole registry."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.problems import REGISTRY as PROBLEMS
from bench.problems import ProblemOptions
from optimizers import OPTIMIZERS, REGISTRY, BoundOptimizer, OptimizerSpec

SPECS: dict[str, OptimizerSpec] = OPTIMIZERS | {
    "rmsprop": REGISTRY.adopt("rmsprop", torch.optim.RMSprop)
}
OPTIONS: dict[str, dict[str, Any]] = {
    "diag_ggn_mc": {"momentum": 0.5, "curvature_ema": 0.9, "update_every": 2, "mc_samples": 2},
    "diag_ggn_exact": {"momentum": 0.5, "weight_decay": 1e-4, "curvature_ema": 0.9},
}
CASES: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in SPECS] + list(OPTIONS.items())
conforming = pytest.mark.parametrize(
    ("name", "settings"), CASES, ids=[f"{name} {settings or ''}" for name, settings in CASES]
)


def bound(
    name: str, settings: dict[str, Any], dtype: torch.dtype
) -> tuple[BoundOptimizer, Callable[[], Tensor]]:
    """An optimizer on the quadratic, and one iteration of it that returns the loss before."""
    torch.manual_seed(0)
    which = "mnist_mlp" if name == "muon" else "quadratic"  # which has no matrix
    problem = PROBLEMS.get(which).load_builder()(ProblemOptions())
    data = problem.train.to(torch.device("cpu"), dtype)
    inputs, targets = data.batch(torch.arange(min(len(data), 64)))
    optimizer = SPECS[name].bind(problem.make_model().to(dtype), problem.make_loss(), settings)

    def iterate() -> Tensor:
        optimizer.optimizer.zero_grad()
        loss: Tensor = optimizer.loss_fn(optimizer.model(inputs), targets)
        with optimizer.backward_context():
            loss.backward()
        optimizer.optimizer.step()
        return loss.detach()

    return optimizer, iterate


def held(state: Mapping[Any, Any]) -> Iterator[Tensor]:
    """All tensors of an optimizer's state."""
    for value in state.values():
        if isinstance(value, Mapping):
            yield from held(value)
        elif isinstance(value, Tensor):
            yield value


@conforming
def test_lowers_a_quadratic(name: str, settings: dict[str, Any]) -> None:
    _, iterate = bound(name, settings, torch.float64)
    losses = torch.stack([iterate() for _ in range(101)])
    assert losses[100] < 0.9 * losses[0]


@conforming
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_the_dtype(name: str, settings: dict[str, Any], dtype: torch.dtype) -> None:
    optimizer, iterate = bound(name, settings, dtype)
    for _ in range(3):
        iterate()
    assert {parameter.dtype for parameter in optimizer.model.parameters()} == {dtype}
    assert {value.dtype for value in held(optimizer.optimizer.state) if value.dim()} <= {dtype}


@conforming
def test_same_seed_same_trajectory(name: str, settings: dict[str, Any]) -> None:
    trajectories = []
    for _ in range(2):
        _, iterate = bound(name, settings, torch.float32)
        trajectories.append(torch.stack([iterate() for _ in range(10)]))
    assert torch.equal(*trajectories)


@conforming
def test_state_dict_round_trips(name: str, settings: dict[str, Any]) -> None:
    optimizer, iterate = bound(name, settings, torch.float64)
    for _ in range(3):
        iterate()
    other, iterate_other = bound(name, settings, torch.float64)
    other.model.load_state_dict(optimizer.model.state_dict())
    other.optimizer.load_state_dict(copy.deepcopy(optimizer.optimizer.state_dict()))
    for _ in range(3):
        torch.manual_seed(1)
        loss = iterate()
        torch.manual_seed(1)
        assert torch.equal(loss, iterate_other())


@conforming
def test_zero_grad_clears_gradients(name: str, settings: dict[str, Any]) -> None:
    optimizer, iterate = bound(name, settings, torch.float32)
    iterate()
    optimizer.optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in optimizer.model.parameters())


@conforming
def test_only_curvature_extends_the_model(name: str, settings: dict[str, Any]) -> None:
    optimizer, _ = bound(name, settings, torch.float32)
    flags = [getattr(module, "_backpack_extend", False) for module in optimizer.model.modules()]
    assert any(flags) == (SPECS[name].curvature is not None)
