"""A curvature passes where it is the dense GGN's diagonal, and only there."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.problems.data import TensorData
from bench.training import curvature_check
from bench.training.curvature_check import Finding, examine
from optimizers import DiagGGN, OptimizerSpec, UsageError
from optimizers.curvature.backpack import BackpackDiagonal, exact, monte_carlo
from tests.reference import ggn_diagonal

N = 12


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A model with its loss and its data."""

    model: Callable[[], nn.Module]
    loss: Callable[[], nn.Module] = nn.CrossEntropyLoss
    shape: tuple[int, ...] = (5,)
    targets: Callable[[], Tensor] = lambda: torch.arange(N) % 3

    def data(self) -> TensorData:
        generator = torch.Generator().manual_seed(1)
        return TensorData(torch.randn(N, *self.shape, generator=generator), self.targets())


def mlp(*middle: nn.Module, outputs: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 4), *(middle or [nn.Tanh()]), nn.Linear(4, outputs))


def image(*first: nn.Module, features: int) -> Setting:
    def model() -> nn.Module:
        own = copy.deepcopy(first)  # layers of its own, and its own start
        for module in own:
            if isinstance(module, nn.Conv2d):
                module.reset_parameters()
        start = nn.Conv2d(1, 2, 3, padding=1)
        return nn.Sequential(start, nn.Tanh(), *own, nn.Flatten(), nn.Linear(features, 3))

    return Setting(model=model, shape=(1, 6, 6))


def conv(features: int, **settings: Any) -> Setting:
    return image(nn.Conv2d(2, 4, 3, **settings), nn.ReLU(), features=features)


def tied() -> nn.Module:
    first, second = nn.Linear(5, 5), nn.Linear(5, 5)
    second.weight = first.weight
    return nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), nn.Linear(5, 3))


def reused() -> nn.Module:
    activation = nn.Tanh()
    return nn.Sequential(nn.Linear(5, 4), activation, nn.Linear(4, 4), activation, nn.Linear(4, 3))


def same_layer_twice() -> nn.Module:
    layer = nn.Linear(5, 5)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Tanh(), nn.Linear(5, 3))


def frozen(*which: int) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        model = mlp(nn.Tanh(), nn.Linear(4, 4), nn.Tanh())
        for index in which:
            model[index].requires_grad_(False)
        return model

    return build


def with_unused() -> nn.Module:
    model = mlp()
    model.register_parameter("unused", nn.Parameter(torch.ones(3)))
    return model


def zeroed() -> nn.Module:
    model = tied()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


def loss(make: Callable[..., nn.Module], **settings: Any) -> Setting:
    return Setting(model=mlp, loss=lambda: make(**settings))


def ignoring(value: int, every: int = 3) -> Callable[[], Tensor]:
    def targets() -> Tensor:
        found = torch.arange(N) % 3
        found[2::every] = value
        return found

    return targets


def soft(scale: float = 1.0) -> Callable[[], Tensor]:
    return lambda: (
        scale * torch.rand(N, 3, generator=torch.Generator().manual_seed(2)).softmax(dim=1)
    )


CE = nn.CrossEntropyLoss
EQUAL = {
    "convolution": conv(144, padding=1),
    "stride": conv(36, padding=1, stride=2),
    "uneven stride": conv(16, padding=(0, 1), stride=(2, 3), dilation=(1, 1)),
    "dilation": conv(144, padding=2, dilation=2),
    "groups": conv(144, padding=1, groups=2),
    "no padding": conv(64, bias=False),
    "max pooling": image(nn.MaxPool2d(2), features=18),
    "overlapping max pooling": image(nn.MaxPool2d(3, stride=1, padding=1), features=72),
    "average pooling": image(nn.AvgPool2d(2), features=18),
    "adaptive average pooling": image(nn.AdaptiveAvgPool2d(2), features=8),
    "frozen first layer": Setting(model=frozen(0)),
    "frozen middle layer": Setting(model=frozen(2)),
    "unused parameter": Setting(model=with_unused),
    "normalisation in evaluation": Setting(model=lambda: mlp(nn.BatchNorm1d(4).eval(), nn.Tanh())),
    "pooling with a rest": image(nn.MaxPool2d(4, ceil_mode=True), features=8),
    "sum": loss(CE, reduction="sum"),
    "label smoothing": loss(CE, label_smoothing=0.1),
    "a class for every pixel": Setting(
        model=lambda: nn.Sequential(nn.Conv2d(1, 3, 3, padding=1)),
        shape=(1, 6, 6),
        targets=lambda: (torch.arange(N * 36) % 3).reshape(N, 6, 6),
    ),
    "soft targets": Setting(model=mlp, targets=soft()),
    "squared error": Setting(model=mlp, loss=nn.MSELoss, targets=soft()),
    "sum of squared errors": Setting(
        model=mlp, loss=lambda: nn.MSELoss(reduction="sum"), targets=soft()
    ),
    "binary": Setting(
        model=lambda: mlp(outputs=1),
        loss=nn.BCEWithLogitsLoss,
        targets=lambda: (torch.arange(N) % 2).float().unsqueeze(1),
    ),
    "soft binary targets": Setting(
        model=lambda: mlp(outputs=1),
        loss=nn.BCEWithLogitsLoss,
        targets=lambda: torch.full((N, 1), 0.3),
    ),
    "many outputs": Setting(model=lambda: mlp(outputs=60)),
}
"""What BackPACK has right."""

REFUSED = {
    "padding in words": conv(144, padding="same"),
    "reflected padding": conv(144, padding=1, padding_mode="reflect"),
    "replicated padding": conv(144, padding=1, padding_mode="replicate"),
    "circular padding": conv(144, padding=1, padding_mode="circular"),
    "average pooling without padding counted": image(
        nn.AvgPool2d(2, padding=1, count_include_pad=False), features=32
    ),
    "adaptive max pooling": image(nn.AdaptiveMaxPool2d(2), features=8),
    "shared parameter": Setting(model=tied),
    "shared parameter, all zero": Setting(model=zeroed),
    "layer used twice": Setting(model=same_layer_twice),
    "activation used twice": Setting(model=reused),
    "in place": Setting(model=lambda: mlp(nn.ReLU(inplace=True))),
    "normalisation in training": Setting(model=lambda: mlp(nn.BatchNorm1d(4), nn.Tanh())),
    "class weights": loss(CE, weight=torch.tensor([1.0, 2.0, 3.0])),
    "ignored targets": Setting(model=mlp, targets=ignoring(-100)),
    "one ignored target": Setting(model=mlp, targets=ignoring(-100, every=N)),
    "ignored targets and label smoothing": Setting(
        model=mlp, loss=lambda: CE(label_smoothing=0.1), targets=ignoring(-100)
    ),
    "sum with ignored targets": Setting(
        model=mlp, loss=lambda: CE(reduction="sum"), targets=ignoring(-100)
    ),
    "ignored class": loss(CE, ignore_index=2),
    "soft targets that do not add up": Setting(model=mlp, targets=soft(2.0)),
    "several binary outputs": Setting(model=mlp, loss=nn.BCEWithLogitsLoss, targets=soft()),
}
"""What BackPACK has wrong, or cannot do."""


def found(
    curvature: Callable[[], Any],
    setting: Setting,
    *,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Finding:
    """What comes of a curvature in a setting."""
    spec = OptimizerSpec(name="tried", factory=DiagGGN, curvature=curvature)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, loss_fn = setting.model(), setting.loss()
        try:
            spec.bind(copy.deepcopy(model), copy.deepcopy(loss_fn), {})
        except UsageError as error:
            return Finding(impossible=str(error))
        return examine(
            lambda *parts: spec.bind(parts[0], parts[1], {}), model, loss_fn, setting.data(), dtype
        )


@pytest.mark.parametrize("name", EQUAL)
def test_what_passes_is_the_diagonal_of_the_dense_ggn(name: str) -> None:
    setting = EQUAL[name]
    assert found(exact, setting) == Finding()
    in_float32 = "average" in name  # BackPACK can do these in nothing else
    torch.manual_seed(3)
    model, loss_fn = setting.model(), setting.loss()
    inputs, targets = setting.data().to(torch.device("cpu"), torch.float64).batch(torch.arange(N))
    expected = ggn_diagonal(copy.deepcopy(model).double(), loss_fn, inputs, targets)
    if in_float32:
        inputs = inputs.float()
    curvature = exact()
    curvature.extend(model if in_float32 else model.double(), loss_fn)
    with curvature.context(refresh=True):
        loss_fn(model(inputs), targets).backward()
    for parameter, true in zip(model.parameters(), expected, strict=True):
        diagonal = curvature.take(parameter)
        if parameter.grad is not None:
            assert diagonal is not None
            rtol = 1e-4 if in_float32 else 1e-7
            torch.testing.assert_close(diagonal.double(), true, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_or_impossible_is_found(name: str) -> None:
    finding = found(exact, REFUSED[name])
    assert finding.wrong or finding.impossible


@pytest.mark.parametrize(
    ("name", "samples"), [("convolution", 1), ("squared error", 3), ("many outputs", 1)]
)
def test_a_right_estimate_passes(name: str, samples: int) -> None:
    assert found(lambda: monte_carlo(mc_samples=samples), EQUAL[name]) == Finding()


@pytest.mark.parametrize("name", ["ignored targets", "shared parameter"])
def test_a_wrong_estimate_does_not(name: str) -> None:
    assert "on average" in found(monte_carlo, REFUSED[name]).wrong


@pytest.mark.parametrize("curvature", [exact, monte_carlo])
def test_dropout_and_large_outputs_are_no_error(curvature: Callable[[], Any]) -> None:
    def model() -> nn.Module:
        last = nn.Linear(4, 3)
        nn.init.normal_(last.weight, std=100.0)
        return nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.5), nn.Tanh(), last)

    assert found(curvature, Setting(model=model)) == Finding()


class Altered:
    """A curvature with another's diagonals but for what a function makes of them."""

    def __init__(self, of: BackpackDiagonal, alter: Callable[[Tensor], Tensor]) -> None:
        self._of, self._alter = of, alter
        self.estimates = of.estimates
        self.extend, self.watch, self.context = of.extend, of.watch, of.context

    def take(self, parameter: nn.Parameter) -> Tensor | None:
        diagonal = self._of.take(parameter)
        return diagonal if diagonal is None else self._alter(diagonal)


def turned(diagonal: Tensor) -> Tensor:
    """The entries of one layer's weight in another order."""
    return diagonal.flatten().flip(0).reshape(4, 5) if diagonal.shape == (4, 5) else diagonal


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", ["sum", "many outputs"])
@pytest.mark.parametrize(
    "alter",
    [lambda d: 1.1 * d, lambda d: 0.9 * d, turned, torch.zeros_like, lambda d: d * torch.nan],
    ids=["more", "less", "turned", "zero", "not a number"],
)
def test_a_wrong_curvature_is_found(
    alter: Callable[[Tensor], Tensor], name: str, dtype: torch.dtype
) -> None:
    finding = found(lambda: Altered(exact(), alter), EQUAL[name], dtype=dtype)
    assert "0.weight (sum " in finding.wrong


@pytest.mark.parametrize(
    "alter",
    [lambda d: 1.2 * d, lambda d: d / 1.2, turned, lambda d: d * torch.nan],
    ids=["more", "less", "turned", "not a number"],
)
def test_a_wrong_estimate_is_found(alter: Callable[[Tensor], Tensor]) -> None:
    finding = found(lambda: Altered(monte_carlo(), alter), EQUAL["sum"])
    assert "0.weight (sum " in finding.wrong


def test_only_one_wrong_layer_is_named() -> None:
    finding = found(lambda: Altered(exact(), turned), EQUAL["sum"])
    assert "0.weight" in finding.wrong
    assert "bias" not in finding.wrong
    assert "2.weight" not in finding.wrong


def test_a_right_curvature_passes_whatever_the_seed() -> None:
    for seed in range(20):
        assert found(exact, EQUAL["convolution"], seed=seed) == Finding()


def test_standardised_errors_of_a_right_estimate_are_far_from_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 24 sums none is beyond 5 standard errors, where the bound is 7."""
    monkeypatch.setattr(curvature_check, "_STANDARD_ERRORS", 5.0)
    for seed in range(3):
        assert found(monte_carlo, EQUAL["sum"], seed=seed) == Finding()


def test_what_declares_nothing_is_not_compared_with_anything() -> None:
    class Silent(Altered):
        def __init__(self) -> None:
            super().__init__(exact(), lambda diagonal: 2 * diagonal)
            del self.estimates

    finding = found(Silent, EQUAL["sum"])
    assert not finding.wrong
    assert finding.unchecked.startswith("it declares nothing ('estimates': 'ggn_diagonal' or ")


def test_every_kind_of_target_is_among_the_data() -> None:
    targets = torch.zeros(1000, dtype=torch.long)
    targets[500], targets[600], targets[700] = 255, 3, -1
    chosen = targets[curvature_check._kinds(targets, 255)[: curvature_check._DATA]]
    assert set(chosen.tolist()) == {0, 3, -1, 255}


def test_all_that_was_given_is_left_as_it_was() -> None:
    spec = OptimizerSpec(name="tried", factory=DiagGGN, curvature=exact)
    model, loss_fn = mlp(nn.BatchNorm1d(4).eval()), nn.CrossEntropyLoss()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = EQUAL["sum"].data()
    with torch.random.fork_rng(devices=[]):
        examine(
            lambda *parts: spec.bind(parts[0], parts[1], {}), model, loss_fn, data, torch.float32
        )
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(not m._forward_hooks and m.training != hasattr(m, "eps") for m in model.modules())
