"""Hyperparameters are completed and checked before anything runs."""

import enum
from typing import Any

import pytest
import torch
from torch import nn

from optimizers import OPTIMIZERS, REGISTRY, OptimizerSpec, UsageError
from optimizers.spec import describe


def test_hyperparameters_are_complete() -> None:
    complete = OPTIMIZERS["diag_ggn_mc"].hyperparameters({"damping": 2.0})
    assert complete == {
        "lr": 0.05,
        "damping": 2.0,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "curvature_ema": 0.0,
        "update_every": 1,
        "adapt_every": 0,
        "mc_samples": 1,
        "fast_rules": True,
    }


def test_registry_settings_override_the_factorys_defaults() -> None:
    spec = OptimizerSpec(name="sgd", factory="torch.optim:SGD", defaults={"lr": 0.7})
    assert spec.hyperparameters({})["lr"] == 0.7
    bound = spec.bind(nn.Linear(1, 1), nn.MSELoss(), {"momentum": 0.5})
    (group,) = bound.optimizer.param_groups
    assert (group["lr"], group["momentum"]) == (0.7, 0.5)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("adam", {"lr": "fast"}, r"adam\.lr='fast' is not valid: it takes a number"),
        ("adam", {"amsgrad": 1}, r"adam\.amsgrad=1 is not valid: it takes true or false"),
        ("adam", {"betas": 0.9}, r"adam\.betas=0\.9 is not valid: it takes 2 values, as in 0\.9,"),
        ("adam", {"damping": 1.0}, r"Unknown hyperparameter of adam: 'damping'"),
        ("diag_ggn_mc", {"dampin": 1.0}, r"'dampin'\. Did you mean 'damping'\?"),
        ("diag_ggn_exact", {"mc_samples": 2}, r"Unknown hyperparameter of diag_ggn_exact"),
    ],
)
def test_wrong_hyperparameters_are_refused(name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        OPTIMIZERS[name].hyperparameters(given)


def test_a_hyperparameter_without_a_default_must_be_given() -> None:
    class Needy(torch.optim.SGD):
        def __init__(self, params: Any, rate: float) -> None:
            super().__init__(params, lr=rate)

    spec = REGISTRY.adopt("needy", Needy)
    with pytest.raises(UsageError, match=r"Optimizer 'needy' needs a value for rate.*--set rate="):
        spec.hyperparameters({})
    assert spec.hyperparameters({"rate": 0.1}) == {"rate": 0.1}


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("adam", {"lr": -1.0}, "Optimizer 'adam' refuses its settings: Invalid learning rate"),
        ("diag_ggn_mc", {"damping": -1.0}, "damping=-1.0 is not valid"),
        ("diag_ggn_mc", {"mc_samples": 0}, "mc_samples=0 is not valid"),
    ],
)
def test_values_that_the_optimizer_refuses(name: str, given: dict[str, Any], message: str) -> None:
    model = nn.Sequential(nn.Linear(2, 1))
    with pytest.raises(UsageError, match=message):
        OPTIMIZERS[name].bind(model, nn.MSELoss(), given)


class Kind(enum.StrEnum):
    ONE = "one"


def test_an_enums_member_is_recorded_as_it_prints() -> None:
    """It is a text of a class that no reader of records has."""
    (value,) = describe({"kind": Kind.ONE}).values()
    assert type(value) is str
    assert value == "<Kind.ONE: 'one'>"
