"""What constructors receive, by what their parameters are called."""

import functools
from typing import Any

import pytest
import torch
from torch import nn

from optimizers import OptimizerSpec, UsageError, construction

MODEL = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


class Recording(torch.optim.SGD):
    """Notes what it received."""

    received: Any

    def __init__(self, params: Any, lr: float = 0.1, **others: Any) -> None:
        super().__init__(MODEL.parameters(), lr=lr)
        self.received = (params, others)


class OfModel(Recording):
    def __init__(self, model: Any, params: Any, lr: float = 0.1) -> None:
        super().__init__(model, lr, others=params)


class OfNamed(Recording):
    def __init__(self, *, named_parameters: Any, lr: float = 0.1) -> None:
        super().__init__(named_parameters, lr)


class Wrapper(Recording):
    def __init__(self, optimizer: torch.optim.Optimizer, k: int = 5) -> None:
        super().__init__(optimizer)


class WithBase(Recording):
    def __init__(self, params: Any, base_optimizer: Any, kind: str = "a:b", **more: Any) -> None:
        super().__init__(params, base=base_optimizer, kind=kind, **more)


def received(factory: Any, **settings: Any) -> Any:
    return construction.construct(factory, MODEL, settings).received


def test_it_is_parameters_named_parameters_or_the_model() -> None:
    parameters = list(MODEL.parameters())
    given, others = received(Recording, lr=0.3)
    assert isinstance(given, list)
    assert [one is other for one, other in zip(given, parameters, strict=True)] == [True] * 4
    assert others == {}
    named, _ = received(OfNamed)
    assert [name for name, _ in named] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    model, others = received(OfModel)
    assert model is MODEL
    assert len(others["others"]) == 4


def test_what_is_supplied_is_no_setting() -> None:
    assert construction.settings_of(OfModel) == ({"lr": 0.1}, False)
    assert construction.settings_of(OfNamed) == ({"lr": 0.1}, False)
    names, open_ended = construction.settings_of(WithBase)
    assert (list(names), open_ended) == (["base_optimizer", "kind"], True)
    assert list(construction.settings_of(Wrapper)[0]) == ["optimizer", "k"]


def test_a_setting_may_be_a_reference() -> None:
    _, others = received(WithBase, base_optimizer="torch.optim:SGD", kind="torch.optim:SGD", lr=0.5)
    assert others["base"] is torch.optim.SGD
    assert others["kind"] == "torch.optim:SGD"  # its default is a text: so is this
    made = construction.resolved("torch.optim:SGD(lr=0.1, momentum=0.9)")
    assert isinstance(made, functools.partial)
    assert (made.func, made.keywords) == (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9})


def test_an_optimizer_of_an_optimizer_receives_one_over_the_parameters() -> None:
    inner, _ = received(Wrapper, optimizer="torch.optim:SGD(lr=0.25)")
    assert isinstance(inner, torch.optim.SGD)
    assert inner.param_groups[0]["lr"] == 0.25
    assert len(inner.param_groups[0]["params"]) == 4
    with pytest.raises(UsageError, match=r"optimizer='sgd' is not valid: it is package\.module:Cl"):
        received(Wrapper, optimizer="sgd")


def test_two_sets_of_parameters_are_not_guessed() -> None:
    class OfTwo(Recording):
        def __init__(self, muon_params: Any, params: Any) -> None:
            super().__init__(params)

    with pytest.raises(UsageError, match="two sets of parameters, 'muon_params' and others"):
        received(OfTwo)


@pytest.mark.parametrize("settings", ["(0.1)", "(lr=open('x'))", "(=)", "(**{})"])
def test_settings_of_a_reference_are_plain(settings: str) -> None:
    with pytest.raises(UsageError, match="is not valid: its settings are written as in torch"):
        construction.resolved(f"torch.optim:SGD{settings}")


def test_what_settings_refer_to_is_part_of_what_runs() -> None:
    spec = OptimizerSpec(name="mine", factory=WithBase)
    assert spec.references({"base_optimizer": "torch.optim:Adam"}) == [torch.optim.Adam]
    given = OptimizerSpec(
        name="mine", factory=WithBase, defaults={"base_optimizer": "torch.optim:SGD"}
    )
    assert given.references({}) == [torch.optim.SGD]
    found = spec.hyperparameters({"base_optimizer": torch.optim.Adam})
    assert found["base_optimizer"] == "torch.optim.adam:Adam"
    with pytest.raises(UsageError, match="'mine' needs a value for base_optimizer"):
        spec.hyperparameters({})
    assert spec.settings() == {"base_optimizer": None, "kind": "a:b"}
