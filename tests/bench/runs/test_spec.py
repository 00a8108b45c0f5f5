"""What a run is asked to be is checked, and some of it decides its id."""

import functools
import math
from dataclasses import MISSING, fields
from typing import Any

import pytest
import torch

from bench.errors import UsageError
from bench.problems import ProblemOptions
from bench.runs.spec import RunSpec
from optimizers import OptimizerSpec


class Mine(torch.optim.SGD): ...


def built(options: ProblemOptions) -> Any: ...


@pytest.mark.parametrize(
    ("optimizer", "label"),
    [
        ("adam", "adam"),
        ("torch.optim:NAdam", "torch.optim:NAdam"),
        (Mine, "Mine"),
        (built, "built"),
        (OptimizerSpec(name="tuned", factory=Mine), "tuned"),
    ],
)
def test_a_run_is_labelled_by_its_optimizer(optimizer: Any, label: str) -> None:
    assert RunSpec(optimizer=optimizer).label == label
    assert RunSpec(optimizer=optimizer, label="other").label == "other"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": 3}, "optimizer=3 is not valid: it is a registered name, package.module:Cla"),
        ({"optimizer": functools.partial(Mine)}, ":Class, a class, a function or an OptimizerSpec"),
        (
            {"problem": None},
            "problem=None is not valid: it is a registered name, package.module:bu",
        ),
        ({"problem": OptimizerSpec(name="tuned", factory=Mine)}, "builder, a function."),
        ({"iterations": None}, "A run needs a budget: iterations, seconds, or both"),
        ({"iterations": 0}, "iterations=0 is not valid: it is a whole number >= 1"),
        ({"batch_size": -1}, "batch_size=-1 is not valid"),
        ({"seconds": 0.0}, "seconds=0.0 is not valid: it is a number > 0"),
        ({"seconds": math.nan}, "seconds=nan is not valid"),
        ({"eval_every": -1}, "eval_every=-1 is not valid"),
        ({"eval_every": 0, "until": ("loss", 1.0)}, "eval_every=0 is not valid with until"),
        ({"warmup": -1}, "warmup=-1 is not valid: it is a whole number >= 0"),
        ({"seed": -1}, "seed=-1 is not valid"),
        ({"dtype": "float16"}, "Unknown dtype 'float16'. Did you mean 'float64'"),
        ({"split": "train"}, "Unknown split 'train'"),
    ],
    ids=str,
)
def test_a_runs_fields_are_checked(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        RunSpec(**given)


def test_what_is_at_its_default_is_not_hashed_so_that_new_fields_change_no_id() -> None:
    """The defaults themselves are part of every id: they never change."""
    assert RunSpec(label="mine", data_root="there", warmup=5).decisive() == {"hyperparameters": {}}
    given: dict[str, Any] = {
        "seed": 3,
        "dtype": "float64",
        "until": ("accuracy", 0.9),
        "role": "memory",
    }
    assert RunSpec(**given).decisive() == {"hyperparameters": {}, **given}
    assert {item.name: item.default for item in fields(RunSpec)} == {
        "problem": "mnist_cnn",
        "optimizer": "diag_ggn_mc",
        "label": "",
        "hyperparameters": MISSING,
        "seed": 0,
        "iterations": 201,
        "seconds": None,
        "until": None,
        "batch_size": None,
        "device": "auto",
        "dtype": "float32",
        "split": "test",
        "eval_every": 50,
        "eval_first": True,
        "curvature_every": 20,
        "groups": (),
        "step": "",
        "warmup": None,
        "data_root": None,
        "role": "training",
    }


def test_hyperparameters_are_its_own() -> None:
    given = {"lr": 0.1}
    spec = RunSpec(hyperparameters=given)
    given["lr"] = 1.0
    assert spec.hyperparameters == {"lr": 0.1}
