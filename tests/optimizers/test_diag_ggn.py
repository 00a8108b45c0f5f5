"""DiagGGN's updates equal its formula, and its diagonals are fresh or missing, never stale."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from optimizers import DiagGGN, UsageError
from optimizers.curvature.backpack import exact
from tests.cases import NETWORKS, Case
from tests.reference import ggn_diagonal


def extended(name: str = "mlp_relu", **settings: Any) -> tuple[Case, DiagGGN]:
    torch.manual_seed(5)
    case = NETWORKS[name]()
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    return case, DiagGGN(case.model.named_parameters(), curvature=curvature, **settings)


def backward(case: Case, optimizer: DiagGGN) -> None:
    optimizer.zero_grad()
    with optimizer.backward_context():
        case.loss_fn(case.model(case.inputs), case.targets).backward()


def gradients(case: Case) -> list[Tensor]:
    loss = case.loss_fn(case.model(case.inputs), case.targets)
    return list(torch.autograd.grad(loss, list(case.model.parameters())))


def close(found: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    pairs = zip(found, expected, strict=True)
    return all(torch.allclose(a, b, rtol=1e-10, atol=1e-14) for a, b in pairs)


class Reference:
    """The update written out, on the same network without BackPACK and with dense curvature."""

    def __init__(self, name: str, **settings: float) -> None:
        torch.manual_seed(5)
        self.case = case = NETWORKS[name]()
        self.settings = {
            "lr": 0.05,
            "damping": 1.0,
            "momentum": 0.0,
            "weight_decay": 0.0,
            "curvature_ema": 0.0,
            "update_every": 1,
        } | settings
        self.buffers: list[Any] = [0.0 for _ in case.model.parameters()]
        self.averages: list[Any] = [0.0 for _ in case.model.parameters()]
        self.steps = self.refreshes = 0

    def step(self) -> None:
        case, s = self.case, self.settings
        grads = gradients(case)
        if self.steps % s["update_every"] == 0:
            fresh = ggn_diagonal(case.model, case.loss_fn, case.inputs, case.targets)
            beta = s["curvature_ema"]
            self.averages = [
                beta * old + (1 - beta) * new for old, new in zip(self.averages, fresh, strict=True)
            ]
            self.refreshes += 1
        self.steps += 1
        correction = 1 - s["curvature_ema"] ** self.refreshes if s["curvature_ema"] else 1.0
        with torch.no_grad():
            for index, parameter in enumerate(case.model.parameters()):
                direction = grads[index] / (self.averages[index] / correction + s["damping"])
                self.buffers[index] = s["momentum"] * self.buffers[index] + direction
                parameter.mul_(1 - s["lr"] * s["weight_decay"])
                parameter.sub_(s["lr"] * self.buffers[index])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.3, "damping": 1e-3},
        {"momentum": 0.9},
        {"weight_decay": 0.1},
        {"curvature_ema": 0.95},
        {"update_every": 3},
        {"momentum": 0.5, "weight_decay": 0.01, "curvature_ema": 0.9, "update_every": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["mlp_relu", "cnn", "regression"])
def test_updates_equal_the_formula(name: str, settings: dict[str, float]) -> None:
    case, optimizer = extended(name, **settings)
    reference = Reference(name, **settings)
    for _ in range(7):
        backward(case, optimizer)
        optimizer.step()
        reference.step()
        found, expected = case.model.parameters(), reference.case.model.parameters()
        assert close([p.detach() for p in found], [p.detach() for p in expected])


def test_tutorials_defaults() -> None:
    _, optimizer = extended()
    (group,) = optimizer.param_groups
    assert (group["lr"], group["damping"]) == (0.05, 1.0)


def test_parameter_groups_have_their_own_settings() -> None:
    torch.manual_seed(6)
    case = NETWORKS["linear"]()
    weight, bias = case.model.parameters()
    before = [weight.detach().clone(), bias.detach().clone()]
    diagonals = ggn_diagonal(case.model, case.loss_fn, case.inputs, case.targets)
    grads = gradients(case)
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    groups = [{"params": [weight]}, {"params": [bias], "lr": 0.5, "damping": 0.1}]
    optimizer = DiagGGN(groups, curvature=curvature, lr=0.2, damping=2.0)
    backward(case, optimizer)
    optimizer.step()
    expected = [
        before[0] - 0.2 * grads[0] / (diagonals[0] + 2.0),
        before[1] - 0.5 * grads[1] / (diagonals[1] + 0.1),
    ]
    assert close([weight.detach(), bias.detach()], expected)


def test_parameters_without_gradient_are_left_alone() -> None:
    case, optimizer = extended("mlp_relu")
    first = next(case.model.parameters())
    first.requires_grad_(False)
    before = first.clone()
    backward(case, optimizer)
    optimizer.step()
    assert torch.equal(first, before)


def test_a_frozen_layer_is_left_alone_and_may_be_unfrozen_between_refreshes() -> None:
    torch.manual_seed(7)
    case = NETWORKS["mlp_relu"]()
    first = next(case.model.parameters())
    first.requires_grad_(False)
    before = first.clone()
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    optimizer = DiagGGN(case.model.parameters(), curvature=curvature, update_every=3)
    due = []
    for step in range(8):
        if step == 4:
            assert torch.equal(first, before)
            first.requires_grad_(True)
        due.append(optimizer.refresh_due)
        backward(case, optimizer)
        optimizer.step()
    assert due == [True, False, False, True, True, False, True, False]
    assert not torch.equal(first, before)


def test_a_group_added_between_refreshes_gets_its_diagonal_and_keeps_the_schedule() -> None:
    torch.manual_seed(8)
    case = NETWORKS["mlp_relu"]()
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    *most, last = case.model.parameters()
    optimizer = DiagGGN(most, curvature=curvature, update_every=4)
    due = []
    for step in range(10):
        if step == 2:
            optimizer.add_param_group({"params": [last]})
        due.append(optimizer.refresh_due)
        backward(case, optimizer)
        optimizer.step()
    assert due == [True, False, True, False, True, False, False, False, True, False]


def test_a_parameter_that_is_never_used_does_not_force_refreshes() -> None:
    case, optimizer = extended(update_every=3)
    optimizer.add_param_group({"params": [("spare", torch.nn.Parameter(torch.zeros(2)))]})
    due = []
    for _ in range(6):
        due.append(optimizer.refresh_due)
        backward(case, optimizer)
        optimizer.step()
    assert due == [True, False, False, True, False, False]


def test_a_running_average_switched_on_later_is_not_biased() -> None:
    case, optimizer = extended(lr=0.0, update_every=2)
    backward(case, optimizer)
    optimizer.step()
    for group in optimizer.param_groups:
        group["curvature_ema"] = 0.9
    expected = ggn_diagonal(*plain("mlp_relu"))
    for _ in range(4):
        diagonals = optimizer._diagonals(
            optimizer.param_groups[0], list(case.model.parameters()), None
        )
        assert close(diagonals, expected)
        backward(case, optimizer)
        optimizer.step()


def plain(name: str) -> tuple[torch.nn.Module, torch.nn.Module, Tensor, Tensor]:
    torch.manual_seed(5)
    case = NETWORKS[name]()
    return case.model, case.loss_fn, case.inputs, case.targets


def test_a_second_optimizer_on_the_same_model_steps() -> None:
    case, optimizer = extended()
    backward(case, optimizer)
    optimizer.step()
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    second = DiagGGN(case.model.parameters(), curvature=curvature)
    before = case.loss_fn(case.model(case.inputs), case.targets).item()
    backward(case, second)
    second.step()
    assert case.loss_fn(case.model(case.inputs), case.targets).item() < before


def test_a_copied_optimizer_steps_its_copied_model() -> None:
    case, optimizer = extended()
    model, copied = copy.deepcopy((case.model, optimizer))
    twin = Case(model, case.loss_fn, case.inputs, case.targets)
    backward(twin, copied)
    copied.step()
    backward(case, optimizer)
    optimizer.step()
    pairs = zip(model.parameters(), case.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_missing_diagonal_is_an_error_that_says_what_to_do() -> None:
    case, optimizer = extended()
    before = [p.detach().clone() for p in case.model.parameters()]
    with exact().context(refresh=False):  # silences BackPACK's warning, computes nothing
        case.loss_fn(case.model(case.inputs), case.targets).backward()
    with pytest.raises(RuntimeError, match=r"Parameter 0\.weight \(shape \[7, 5\]\).*_context"):
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, case.model.parameters(), strict=True))


def test_a_diagonal_older_than_the_gradient_is_missing() -> None:
    """BackPACK alone would leave the first pass's diagonal for the second pass's gradient."""
    case, optimizer = extended()
    backward(case, optimizer)
    case.model.zero_grad()
    with exact().context(refresh=False):
        case.loss_fn(case.model(case.inputs), case.targets).backward()
    with pytest.raises(RuntimeError, match="no curvature diagonal of the same backward pass"):
        optimizer.step()


def test_a_step_uses_the_diagonal_up() -> None:
    case, optimizer = extended()
    backward(case, optimizer)
    optimizer.step()
    with pytest.raises(RuntimeError, match="no curvature diagonal"):
        optimizer.step()


def test_between_refreshes_the_backward_pass_computes_no_curvature() -> None:
    case, optimizer = extended(update_every=3)
    present = []
    for _ in range(7):
        backward(case, optimizer)
        present.append(hasattr(next(case.model.parameters()), "diag_ggn_exact"))
        optimizer.step()
    assert present == [True, False, False, True, False, False, True]


def test_a_closure_is_evaluated_and_its_loss_returned() -> None:
    case, optimizer = extended()
    expected = case.loss_fn(case.model(case.inputs), case.targets).item()

    def closure() -> float:
        optimizer.zero_grad()
        with optimizer.backward_context():
            loss: Tensor = case.loss_fn(case.model(case.inputs), case.targets)
            loss.backward()
        return loss.item()

    assert optimizer.step(closure) == expected
    assert case.loss_fn(case.model(case.inputs), case.targets).item() < expected


def test_state_dict_resumes_between_refreshes() -> None:
    settings: dict[str, Any] = {"momentum": 0.9, "curvature_ema": 0.5, "update_every": 3}
    case, optimizer = extended(**settings)
    for _ in range(4):
        backward(case, optimizer)
        optimizer.step()
    twin_model = copy.deepcopy(case.model)
    twin = Case(twin_model, case.loss_fn, case.inputs, case.targets)
    curvature = exact()
    curvature.extend(twin.model, twin.loss_fn)
    resumed = DiagGGN(twin.model.named_parameters(), curvature=curvature, **settings)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(4):
        for each, stepping in ((case, optimizer), (twin, resumed)):
            backward(each, stepping)
            stepping.step()
    pairs = zip(case.model.parameters(), twin.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ({"lr": -0.1}, r"lr=-0.1 is not valid: it is a number >= 0"),
        ({"damping": -1.0}, r"damping=-1.0 is not valid: it is a number >= 0"),
        ({"damping": float("nan")}, r"damping=nan is not valid"),
        ({"momentum": 1.0}, r"momentum=1.0 is not valid: it is a number in \[0, 1\)"),
        ({"weight_decay": -1}, r"weight_decay=-1 is not valid"),
        ({"curvature_ema": 1.5}, r"curvature_ema=1.5 is not valid"),
        ({"update_every": 0}, r"update_every=0 is not valid: it is a whole number >= 1"),
        ({"update_every": 2.5}, r"update_every=2.5 is not valid"),
        ({"damping": "much"}, r"damping='much' is not valid"),
        ({"adapt_every": -1}, r"adapt_every=-1 is not valid: it is a whole number >= 0"),
        ({"adapt_every": 0.5}, r"adapt_every=0.5 is not valid"),
        ({"adapt_every": 2, "damping": 0.0}, r"damping=0.0 is not valid with adapt_every=2.*> 0"),
    ],
    ids=str,
)
def test_settings_outside_their_range_are_refused(setting: dict[str, Any], rule: str) -> None:
    with pytest.raises(UsageError, match=rule):
        extended(**setting)


@pytest.mark.parametrize("name", ["update_every", "adapt_every"])
def test_schedules_are_the_same_in_all_groups(name: str) -> None:
    _, optimizer = extended("linear")
    extra = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    with pytest.raises(UsageError, match=f"{name}=2 is not valid: it is the same in all"):
        optimizer.add_param_group({"params": [("extra", extra)], name: 2})
    assert len(optimizer.param_groups) == 1


def test_what_a_step_preconditions_with_can_be_observed() -> None:
    case, optimizer = extended("mlp_relu", damping=0.3, curvature_ema=0.5)
    expected = ggn_diagonal(*plain("mlp_relu"))
    backward(case, optimizer)
    with optimizer.observing() as observed:
        optimizer.step()
    assert [item.parameter for item in observed] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert close([item.diagonal for item in observed], expected)
    for item, parameter in zip(observed, case.model.parameters(), strict=True):
        assert item.gradient is parameter.grad
        assert item.damping == 0.3


def test_diagonals_that_were_kept_are_observed_as_they_were_used() -> None:
    case, optimizer = extended("mlp_relu", update_every=3)
    expected = ggn_diagonal(*plain("mlp_relu"))
    for _ in range(3):
        backward(case, optimizer)
        with optimizer.observing() as observed:
            optimizer.step()
        assert close([item.diagonal for item in observed], expected)


def test_only_steps_inside_the_context_are_observed() -> None:
    case, optimizer = extended()
    with optimizer.observing() as observed:
        pass
    backward(case, optimizer)
    optimizer.step()
    assert observed == []
    assert optimizer._observed is None


def test_parameters_without_names_are_observed_by_number() -> None:
    torch.manual_seed(5)
    case = NETWORKS["linear"]()
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    optimizer = DiagGGN(case.model.parameters(), curvature=curvature)
    backward(case, optimizer)
    with optimizer.observing() as observed:
        optimizer.step()
    assert [item.parameter for item in observed] == ["number 0", "number 1"]


def evaluation(case: Case) -> Callable[[], tuple[Tensor, Tensor]]:
    def evaluate() -> tuple[Tensor, Tensor]:
        outputs = case.model(case.inputs)
        return case.loss_fn(outputs, case.targets), outputs

    return evaluate


def adapting_step(case: Case, optimizer: DiagGGN) -> None:
    backward(case, optimizer)
    optimizer.step(evaluate=evaluation(case))


def state(case: Case, optimizer: DiagGGN) -> list[Tensor]:
    """Copies of the parameters and of their momentum."""
    buffers = [item["momentum_buffer"] for item in optimizer.state.values() if item]
    return [tensor.detach().clone() for tensor in (*case.model.parameters(), *buffers)]


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_damping_of_trusted_steps_shrinks_by_its_factor(name: str, every: int) -> None:
    """Small steps: the model is as good as exact, so that every ratio is near 1."""
    case, optimizer = extended(name, lr=1e-4, adapt_every=every)
    dampings = []
    for _ in range(7):
        adapting_step(case, optimizer)
        dampings.append(optimizer.param_groups[0]["damping"])
    factor = 0.95**every
    assert dampings == pytest.approx([factor ** (step // every) for step in range(1, 8)], rel=1e-14)


@pytest.mark.parametrize("name", ["mlp_relu", "cnn"])
def test_a_trusted_step_is_the_step_without_adaptation(name: str) -> None:
    (plainly, fixed), (case, adapting) = (
        extended(name, momentum=0.9, weight_decay=0.01, adapt_every=every) for every in (0, 1)
    )
    backward(plainly, fixed)
    fixed.step()
    adapting_step(case, adapting)
    assert adapting.param_groups[0]["damping"] == 0.95
    pairs = zip(state(plainly, fixed), state(case, adapting), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_by_default_nothing_is_evaluated_and_no_step_is_another() -> None:
    (first, fixed), (second, given) = (extended("cnn") for _ in range(2))
    assert not given.takes_evaluation

    def refuse() -> tuple[Tensor, Tensor]:
        raise AssertionError("evaluated")

    for _ in range(5):
        backward(first, fixed)
        fixed.step()
        backward(second, given)
        given.step(evaluate=refuse)
    pairs = zip(first.model.parameters(), second.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("lr", [1e4, 1e300], ids=["the loss rises", "the loss is not finite"])
@pytest.mark.parametrize("name", ["mlp_relu", "cnn", "regression"])
def test_a_rejected_step_changes_nothing_but_the_damping(name: str, lr: float) -> None:
    case, optimizer = extended(name, lr=1e-3, momentum=0.9, weight_decay=0.01, adapt_every=1)
    adapting_step(case, optimizer)
    before = state(case, optimizer)
    (group,) = optimizer.param_groups
    assert group["damping"] == 0.95
    group["lr"] = lr
    adapting_step(case, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(before, state(case, optimizer), strict=True))
    assert group["damping"] == pytest.approx(1.0, rel=1e-15)
    assert group["steps"] == 2


def test_after_a_rejected_step_the_diagonal_is_that_of_the_same_point() -> None:
    """The evaluation and the GGN product leave nothing behind in BackPACK."""
    case, optimizer = extended("cnn", lr=1e4, adapt_every=1)
    adapting_step(case, optimizer)
    backward(case, optimizer)
    with optimizer.observing() as observed:
        optimizer.step(evaluate=evaluation(case))
    assert close([item.diagonal for item in observed], ggn_diagonal(*plain("cnn")))
    assert observed[0].damping == 1 / 0.95


def test_all_groups_adapt_alike() -> None:
    torch.manual_seed(6)
    case = NETWORKS["linear"]()
    weight, bias = case.model.parameters()
    curvature = exact()
    curvature.extend(case.model, case.loss_fn)
    groups = [{"params": [weight]}, {"params": [bias], "damping": 0.1}]
    optimizer = DiagGGN(groups, curvature=curvature, lr=1e-4, damping=2.0, adapt_every=2)
    for _ in range(2):
        adapting_step(case, optimizer)
    dampings = [group["damping"] for group in optimizer.param_groups]
    assert dampings == pytest.approx([2.0 * 0.95**2, 0.1 * 0.95**2], rel=1e-15)


def test_an_adaptation_without_evaluation_says_what_to_do_and_changes_nothing() -> None:
    case, optimizer = extended(adapt_every=2)
    backward(case, optimizer)
    optimizer.step()
    before = [p.detach().clone() for p in case.model.parameters()]
    backward(case, optimizer)
    with pytest.raises(RuntimeError, match=r"adapts the damping.*evaluate=.*adapt_every=0"):
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, case.model.parameters(), strict=True))
    optimizer.step(evaluate=evaluation(case))


def test_an_adaptation_draws_no_random_numbers() -> None:
    """Monte-Carlo samples are those of a run without adaptation."""
    case, optimizer = extended(adapt_every=1)
    backward(case, optimizer)
    before = torch.get_rng_state()
    optimizer.step(evaluate=evaluation(case))
    assert torch.equal(torch.get_rng_state(), before)


def test_state_dict_resumes_an_adapted_damping() -> None:
    settings: dict[str, Any] = {"lr": 0.3, "momentum": 0.9, "adapt_every": 2}
    case, optimizer = extended(**settings)
    for _ in range(5):
        adapting_step(case, optimizer)
    twin = Case(copy.deepcopy(case.model), case.loss_fn, case.inputs, case.targets)
    curvature = exact()
    curvature.extend(twin.model, twin.loss_fn)
    resumed = DiagGGN(twin.model.named_parameters(), curvature=curvature, **settings)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert resumed.param_groups[0]["damping"] == optimizer.param_groups[0]["damping"] != 1.0
    for _ in range(5):
        adapting_step(case, optimizer)
        adapting_step(twin, resumed)
    assert resumed.param_groups[0]["damping"] == optimizer.param_groups[0]["damping"]
    pairs = zip(case.model.parameters(), twin.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
