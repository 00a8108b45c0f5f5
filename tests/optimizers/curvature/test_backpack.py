"""Diagonals against the dense GGN; freshness; models that cannot be extended."""

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from optimizers.curvature.backpack import BackpackDiagonal, exact, monte_carlo
from optimizers.errors import UsageError
from tests.cases import CLASSIFIERS, NETWORKS, Case
from tests.reference import ggn_diagonal


def backward(curvature: BackpackDiagonal, case: Case) -> list[Tensor]:
    """Diagonals of one backward pass over a case that is already extended."""
    case.model.zero_grad()
    loss = case.loss_fn(case.model(case.inputs), case.targets)
    with curvature.context(refresh=True):
        loss.backward()
    taken = [curvature.take(parameter) for parameter in case.model.parameters()]
    assert all(diagonal is not None for diagonal in taken)
    return [diagonal for diagonal in taken if diagonal is not None]


def relative_error(found: list[Tensor], expected: list[Tensor]) -> float:
    flat = [torch.cat([tensor.flatten() for tensor in tensors]) for tensors in (found, expected)]
    return float((flat[0] - flat[1]).norm() / flat[1].norm())


@pytest.mark.parametrize("fast_rules", [True, False], ids=["fast rules", "BackPACK's rules"])
@pytest.mark.parametrize("name", NETWORKS)
def test_exact_diagonal_is_that_of_the_dense_ggn(name: str, fast_rules: bool) -> None:
    torch.manual_seed(0)
    case = NETWORKS[name]()
    expected = ggn_diagonal(case.model, case.loss_fn, case.inputs, case.targets)
    curvature = exact(fast_rules=fast_rules)
    curvature.extend(case.model, case.loss_fn)
    assert relative_error(backward(curvature, case), expected) <= 1e-10


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_monte_carlo_averaged_over_all_classes_is_exact_for_a_batch_of_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    case = CLASSIFIERS[name](batch=1)
    expected = ggn_diagonal(case.model, case.loss_fn, case.inputs, case.targets)
    probabilities = case.model(case.inputs).softmax(dim=1).detach()[0]
    curvature = monte_carlo()
    curvature.extend(case.model, case.loss_fn)
    average = [torch.zeros_like(parameter) for parameter in case.model.parameters()]
    for label, probability in enumerate(probabilities):

        def always(self: Categorical, sample_shape: torch.Size, label: int = label) -> Tensor:
            return torch.full((*sample_shape, 1), label)

        monkeypatch.setattr(Categorical, "sample", always)
        for total, diagonal in zip(average, backward(curvature, case), strict=True):
            total += probability * diagonal
    assert relative_error(average, expected) <= 1e-10


def test_monte_carlo_is_unbiased() -> None:
    """The mean of n independent estimates lies within 5 standard errors of the truth."""
    torch.manual_seed(2)
    case = CLASSIFIERS["mlp_relu"]()
    expected = torch.cat(
        [d.flatten() for d in ggn_diagonal(case.model, case.loss_fn, case.inputs, case.targets)]
    )
    curvature = monte_carlo()
    curvature.extend(case.model, case.loss_fn)
    draws = torch.stack(
        [torch.cat([d.flatten() for d in backward(curvature, case)]) for _ in range(400)]
    )
    error = draws.std(dim=0) / len(draws) ** 0.5
    assert ((draws.mean(dim=0) - expected).abs() <= 5 * error + 1e-12).all()


def test_more_samples_narrow_the_estimate() -> None:
    """The variance of a mean of 16 samples is a sixteenth: far below the bound of a third."""
    torch.manual_seed(3)
    case = CLASSIFIERS["linear"]()
    curvatures = [monte_carlo(), monte_carlo(mc_samples=16)]
    curvatures[0].extend(case.model, case.loss_fn)
    variances = [
        torch.stack([backward(curvature, case)[0] for _ in range(100)]).var(dim=0).sum()
        for curvature in curvatures
    ]
    assert variances[1] < variances[0] / 3


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "many"])
def test_number_of_samples_is_checked(value: object) -> None:
    with pytest.raises(UsageError, match=r"mc_samples=.* is not valid: it is a whole number >= 1"):
        monte_carlo(mc_samples=value)  # type: ignore[arg-type]


def test_a_diagonal_is_taken_once() -> None:
    case = NETWORKS["linear"]()
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    backward(curvature, case)
    assert [curvature.take(parameter) for parameter in case.model.parameters()] == [None, None]


def test_a_plain_backward_pass_discards_an_older_diagonal() -> None:
    case = NETWORKS["linear"]()
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    for parameter in case.model.parameters():
        curvature.watch(parameter)
    with curvature.context(refresh=True):
        case.loss_fn(case.model(case.inputs), case.targets).backward()
    with curvature.context(refresh=False):
        case.loss_fn(case.model(case.inputs), case.targets).backward()
    assert [curvature.take(parameter) for parameter in case.model.parameters()] == [None, None]


def test_without_refresh_no_curvature_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = NETWORKS["linear"]()
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    calls: list[object] = []
    monkeypatch.setattr(
        type(curvature._extension), "__call__", lambda *arguments: calls.append(arguments)
    )
    with curvature.context(refresh=False):
        case.loss_fn(case.model(case.inputs), case.targets).backward()
    assert calls == []


def test_a_broken_pass_leaves_nothing_for_the_next() -> None:
    """BackPACK sums what is backpropagated to one tensor: a leftover would be added."""
    torch.manual_seed(4)
    case = NETWORKS["mlp_relu"]()
    expected = ggn_diagonal(case.model, case.loss_fn, case.inputs, case.targets)
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)

    def stop(gradient: Tensor) -> None:
        raise RuntimeError("stopped")

    outputs = case.model(case.inputs)
    hidden = case.model[:2](case.inputs)
    hidden.register_hook(stop)
    loss = case.loss_fn(outputs, case.targets) + hidden.sum()
    with pytest.raises(RuntimeError, match="stopped"), curvature.context(refresh=True):
        loss.backward()
    assert relative_error(backward(curvature, case), expected) <= 1e-10


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.inner(inputs)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)), r"model\.1.*LayerNorm.*Linear"),
        (nn.Sequential(Residual(), nn.Linear(4, 3)), r"model\.0.*Residual.*Sequential"),
        (Residual(), r"the model itself.*Residual.*Sequential"),
    ],
    ids=["no rule", "custom module inside", "custom module"],
)
def test_a_model_without_a_rule_is_refused_by_name(model: nn.Module, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        exact().extend(model, nn.CrossEntropyLoss())


def test_a_loss_without_a_rule_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"the loss itself.*HuberLoss.*CrossEntropyLoss"):
        exact().extend(nn.Sequential(nn.Linear(2, 1)), nn.HuberLoss())


def test_backpacks_own_refusal_during_a_pass_is_told() -> None:
    """Batch normalisation has a rule, but not in training mode."""
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).double()
    inputs, targets = torch.randn(4, 3, dtype=torch.float64), torch.randint(2, (4,))
    curvature = exact()
    _, loss_fn = curvature.extend(model, nn.CrossEntropyLoss())
    loss = loss_fn(model(inputs), targets)
    with (
        pytest.raises(UsageError, match="BackPACK cannot differentiate this model"),
        curvature.context(refresh=True),
    ):
        loss.backward()
