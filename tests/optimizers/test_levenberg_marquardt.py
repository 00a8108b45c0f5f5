"""The rule of adaptive damping: its model against a dense GGN, its ratio, its thresholds."""

import math

import pytest
import torch
from torch import Tensor, nn

from optimizers.curvature.backpack import exact
from optimizers.levenberg_marquardt import adapted_damping, decrease_ratio, predicted_decrease
from tests.cases import NETWORKS, Case
from tests.reference import dense_ggn


def linear_regression() -> Case:
    """The model is exact here: the loss is quadratic, and its Hessian is the GGN."""
    inputs, targets = (torch.randn(6, size, dtype=torch.float64) for size in (3, 2))
    return Case(nn.Sequential(nn.Linear(3, 2)).double(), nn.MSELoss(), inputs, targets)


def evaluated(case: Case) -> tuple[Tensor, Tensor]:
    outputs = case.model(case.inputs)
    return case.loss_fn(outputs, case.targets), outputs


def gradients(case: Case) -> list[Tensor]:
    return list(torch.autograd.grad(evaluated(case)[0], list(case.model.parameters())))


def predicted(case: Case, grads: list[Tensor], changes: list[Tensor]) -> float:
    loss, outputs = evaluated(case)
    return predicted_decrease(loss, outputs, list(case.model.parameters()), grads, changes).item()


@pytest.mark.parametrize("extend", [False, True], ids=["plain", "extended by BackPACK"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_predicted_decrease_is_that_of_the_dense_ggn(name: str, extend: bool) -> None:
    torch.manual_seed(3)
    case = NETWORKS[name]()
    grads = gradients(case)
    changes = [torch.randn_like(grad) for grad in grads]
    gradient, change = (torch.cat([part.flatten() for part in x]) for x in (grads, changes))
    ggn = dense_ggn(case.model, case.loss_fn, case.inputs, case.targets)
    expected = -(gradient @ change) - change @ ggn @ change / 2
    if extend:
        curvature = exact()
        curvature.extend(case.model, case.loss_fn)
        with curvature.context(refresh=False):
            found = predicted(case, grads, changes)
    else:
        found = predicted(case, grads, changes)
    assert found == pytest.approx(expected.item(), rel=1e-10)


@pytest.mark.parametrize("length", [1e-2, 1.0, 30.0])
def test_the_ratio_is_one_where_the_model_is_exact(length: float) -> None:
    torch.manual_seed(4)
    case = linear_regression()
    grads = gradients(case)
    changes = [-length * grad for grad in grads]
    promised = predicted(case, grads, changes)
    before = evaluated(case)[0].item()
    with torch.no_grad():
        for parameter, change in zip(case.model.parameters(), changes, strict=True):
            parameter.add_(change)
    actual = before - evaluated(case)[0].item()
    assert actual / promised == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize(
    ("ratio", "factor"),
    [
        (1.0, 0.95**4),
        (0.76, 0.95**4),
        (0.75, 1.0),
        (0.25, 1.0),
        (0.24, 1 / 0.95**4),
        (-3.0, 1 / 0.95**4),
        (-math.inf, 1 / 0.95**4),
    ],
)
def test_the_damping_follows_the_ratio(ratio: float, factor: float) -> None:
    assert adapted_damping(2.0, ratio, every=4) == pytest.approx(2.0 * factor, rel=1e-15)


def test_the_damping_has_a_floor() -> None:
    assert adapted_damping(1.0, 1.0, every=1, smallest=0.99) == 0.99


@pytest.mark.parametrize(
    ("before", "after", "promised", "ratio"),
    [
        (2.0, 1.0, 4.0, 0.25),
        (1.0, 2.0, 4.0, -0.25),
        (2.0, 1.0, 0.0, -math.inf),
        (2.0, 1.0, -1.0, -math.inf),
        (2.0, 1.0, math.nan, -math.inf),
        (2.0, math.inf, 1.0, -math.inf),
        (2.0, math.nan, 1.0, -math.inf),
    ],
)
def test_a_ratio_that_means_nothing_is_minus_infinity(
    before: float, after: float, promised: float, ratio: float
) -> None:
    assert decrease_ratio(before, after, promised) == ratio
