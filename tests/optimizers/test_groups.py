"""Parameter groups: by number of axes and by name, the first that takes a parameter has it."""

from typing import Any

import pytest
import torch
from torch import nn

from optimizers import OPTIMIZERS, OptimizerSpec, UsageError
from optimizers.groups import split, takes


def model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))


NAMED = list(model().named_parameters())


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("ndim<2", ["0.bias", "2.bias"]),
        ("ndim >= 2", ["0.weight", "2.weight"]),
        ("ndim==4", ["0.weight"]),
        ("ndim<=1", ["0.bias", "2.bias"]),
        ("ndim>2", ["0.weight"]),
        ("*.bias", ["0.bias", "2.bias"]),
        ("0.*", ["0.weight", "0.bias"]),
        ("2.weight", ["2.weight"]),
        ("weight", []),
    ],
)
def test_a_selector_takes(selector: str, expected: list[str]) -> None:
    assert [name for name, p in NAMED if takes(selector, name, p)] == expected


def test_the_first_group_has_it_and_the_rest_come_first() -> None:
    rest, biases, last = split(NAMED, [("*.bias", {"lr": 1.0}), ("2.*", {"lr": 2.0, "a": 3})])
    assert [p.shape for p in rest["params"]] == [(2, 1, 3, 3)]
    assert ([p.shape for p in biases["params"]], biases["lr"]) == ([(2,), (3,)], 1.0)
    assert ([p.shape for p in last["params"]], last["a"]) == ([(3, 8)], 3)
    (whole,) = split(NAMED, [("*", {"lr": 1.0})], with_names=True)
    assert [name for name, _ in whole["params"]] == [name for name, _ in NAMED]


@pytest.mark.parametrize("groups", [[("3.*", {})], [("*.bias", {}), ("ndim<2", {})]])
def test_a_group_that_takes_nothing_is_refused(groups: Any) -> None:
    with pytest.raises(UsageError, match=r"takes none of the parameters 0\.weight \(ndim 4\)"):
        split(NAMED, groups)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_an_optimizer_steps_its_groups_as_torch_does(name: str) -> None:
    torch.manual_seed(0)
    ours, theirs = model().double(), model().double()
    theirs.load_state_dict(ours.state_dict())
    spec = OPTIMIZERS[name]
    bound = spec.bind(ours, nn.MSELoss(), {}, [("ndim<2", {"lr": 0.5, "weight_decay": 0.1})])
    biases = [p for p in theirs.parameters() if p.ndim < 2]
    others = [p for p in theirs.parameters() if p.ndim >= 2]
    reference = spec.load_factory()(
        [{"params": others}, {"params": biases, "lr": 0.5, "weight_decay": 0.1}], **spec.defaults
    )
    inputs = torch.randn(4, 1, 4, 4, dtype=torch.float64)
    for _ in range(3):
        for one, optimizer in ((ours, bound.optimizer), (theirs, reference)):
            optimizer.zero_grad()
            one(inputs).square().sum().backward()
            optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_curvature_has_groups_too() -> None:
    made = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    groups = [("*.bias", {"damping": 5.0})]
    bound = OPTIMIZERS["diag_ggn_exact"].bind(made, nn.MSELoss(), {"damping": 2.0}, groups)
    assert [group["damping"] for group in bound.optimizer.param_groups] == [2.0, 5.0]


class Flagged(torch.optim.SGD):
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        assert [group.get("use_muon") for group in self.param_groups] == [None, True]


def test_a_setting_that_nobody_reads_is_refused() -> None:
    spec = OptimizerSpec(name="flagged", factory=Flagged)
    spec.bind(model(), nn.MSELoss(), {}, [("ndim>=2", {"use_muon": True})]).optimizer.step()
    with pytest.raises(UsageError, match="setting of a parameter group: 'use_mun'"):
        spec.bind(model(), nn.MSELoss(), {}, [("ndim>=2", {"use_mun": True})])
    with pytest.raises(UsageError, match=r"'weight_deca'\. Did you mean 'weight_decay'"):
        OPTIMIZERS["diag_ggn_mc"].bind(
            model(), nn.MSELoss(), {}, [("ndim<2", {"weight_deca": 0.0})]
        )


def test_what_is_given_the_model_makes_its_groups_itself() -> None:
    def made(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters())

    with pytest.raises(UsageError, match="made is given the model"):
        OptimizerSpec(name="made", factory=made).bind(model(), nn.MSELoss(), {}, [("*", {})])


def test_the_groups_of_a_run_go_before_those_of_its_spec() -> None:
    spec = OptimizerSpec(
        name="mine", factory="torch.optim:SGD", groups=[("ndim<2", {"lr": 1.0}), ("*", {"lr": 2.0})]
    )
    bound = spec.bind(model(), nn.MSELoss(), {}, [("0.bias", {"lr": 3.0})])
    found = [(len(group["params"]), group["lr"]) for group in bound.optimizer.param_groups]
    assert found == [(1, 3.0), (1, 1.0), (2, 2.0)]
