"""The fast rules yield BackPACK's own numbers, and do less."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from optimizers.curvature.backpack import exact, monte_carlo
from optimizers.curvature.fast_rules import unfold
from tests.cases import NETWORKS, Case


def diagonals(case: Case, method: Any, *, fast_rules: bool) -> list[Tensor]:
    model, loss_fn = copy.deepcopy(case.model), copy.deepcopy(case.loss_fn)
    curvature = method(fast_rules=fast_rules)
    curvature.extend(model, loss_fn)
    torch.manual_seed(1)
    loss = loss_fn(model(case.inputs), case.targets)
    with curvature.context(refresh=True):
        loss.backward()
    return [curvature.take(parameter) for parameter in model.parameters()]


def same(found: Tensor, expected: Tensor) -> bool:
    """Equal but for the order of a float64 sum."""
    return torch.allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("method", [exact, monte_carlo])
@pytest.mark.parametrize("name", ["cnn", "cnn_uneven", "mlp_relu"])
def test_same_numbers_as_backpacks_own_rules(name: str, method: Any) -> None:
    torch.manual_seed(0)
    case = NETWORKS[name]()
    fast = diagonals(case, method, fast_rules=True)
    own = diagonals(case, method, fast_rules=False)
    assert all(same(a, b) for a, b in zip(fast, own, strict=True))


@pytest.mark.parametrize("elements", [1, 500, 2**40])
def test_it_does_not_matter_how_many_data_are_taken_at_a_time(
    elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    case = NETWORKS["cnn_uneven"](batch=7)
    own = diagonals(case, exact, fast_rules=False)
    monkeypatch.setattr("optimizers.curvature.fast_rules._CACHED_ELEMENTS", elements)
    fast = diagonals(case, exact, fast_rules=True)
    assert all(same(a, b) for a, b in zip(fast, own, strict=True))


@pytest.mark.parametrize(("fast_rules", "calls"), [(True, 2), (False, 4)])
def test_each_layer_pools_once(fast_rules: bool, calls: int) -> None:
    """The network has two pooling layers; BackPACK's own rule pools a second time."""
    case = NETWORKS["cnn"]()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        diagonals(case, exact, fast_rules=fast_rules)
    counts = {event.key: event.count for event in profile.key_averages()}
    assert counts["aten::max_pool2d_with_indices"] == calls


def test_indices_of_another_forward_pass_are_not_used() -> None:
    """An evaluation with gradients between forward and backward replaces what BackPACK stored."""
    torch.manual_seed(2)
    case = NETWORKS["cnn"]()
    expected = diagonals(case, exact, fast_rules=False)
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    case.model(torch.randn_like(case.inputs))  # its indices are kept, and outdated by the next
    loss = case.loss_fn(case.model(case.inputs), case.targets)
    with torch.no_grad():
        case.model(torch.randn_like(case.inputs))
    with curvature.context(refresh=True):
        loss.backward()
    taken = [curvature.take(parameter) for parameter in case.model.parameters()]
    assert all(a is not None and same(a, b) for a, b in zip(taken, expected, strict=True))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2},
        {"padding": (2, 1)},
        {"dilation": (2, 1)},
        {"stride": (1, 3), "padding": 1, "dilation": 2},
    ],
    ids=str,
)
def test_unfold_is_torchs_unfold(options: dict[str, Any]) -> None:
    torch.manual_seed(3)
    inputs = torch.randn(2, 3, 9, 8)
    module = nn.Conv2d(3, 4, (3, 2), **options)
    expected = nn.functional.unfold(
        inputs, module.kernel_size, module.dilation, options.get("padding", 0), module.stride
    )
    assert torch.equal(unfold(inputs, module), expected)


def test_padding_that_is_not_zeros_is_left_to_backpack() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding="same"), nn.Flatten(), nn.Linear(50, 2))
    case = Case(model, nn.CrossEntropyLoss(), torch.randn(2, 1, 5, 5), torch.tensor([0, 1]))
    with pytest.raises(Exception, match=r".") as own:
        diagonals(case, exact, fast_rules=False)
    with pytest.raises(type(own.value)) as fast:
        diagonals(case, exact, fast_rules=True)
    assert str(fast.value) == str(own.value)
