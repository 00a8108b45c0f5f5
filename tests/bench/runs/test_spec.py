"""What a run is asked to be is checked, and some of it decides its id."""

import functools
import itertools
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
    """Where a default has changed, ids go on being hashed against the first one."""
    told = {"label": "mine", "data_root": "there", "warmup": 5, "eval_every": 50}
    assert RunSpec(**told).decisive() == {"hyperparameters": {}}  # type: ignore[arg-type]
    given: dict[str, Any] = {
        "seed": 3,
        "dtype": "float64",
        "until": ("accuracy", 0.9),
        "role": "memory",
    }
    assert RunSpec(**given, eval_every=50).decisive() == {"hyperparameters": {}, **given}
    assert RunSpec(**given).decisive() == {"hyperparameters": {}, "eval_every": None, **given}
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
        "eval_every": None,
        "eval_first": True,
        "curvature_every": 20,
        "groups": (),
        "step": "",
        "warmup": None,
        "data_root": None,
        "role": "training",
    }


@pytest.mark.parametrize("iterations", [1, 2, 5, 20, 201, 1000, 100_000])
def test_some_sixteen_evaluations_are_at_most_a_fifth_apart(iterations: int) -> None:
    found = list(RunSpec(iterations=iterations).evaluations())
    assert found[-1] == iterations
    assert len(found) == 16 or (len(found) < 16 and found[0] == 1)
    for before, after in itertools.pairwise(found):
        assert before < after <= max(before + 1, 1.2 * before)
    assert iterations < 100 or found[0] <= iterations / 13


@pytest.mark.parametrize("budget", [{"until": ("loss", 1.0)}, {"seconds": 3.0}], ids=str)
def test_where_a_run_may_end_before_they_begin_early_and_go_on(budget: dict[str, Any]) -> None:
    found = list(itertools.islice(RunSpec(iterations=10_000, **budget).evaluations(), 50))
    assert found[:8] == [5, 6, 7, 8, 9, 10, 12, 14]
    for before, after in itertools.pairwise(found):
        assert before < after <= max(before + 1, 1.2 * before)
    assert found[-1] > 5_000


def test_evaluations_are_as_far_apart_as_told_or_none() -> None:
    assert list(itertools.islice(RunSpec(eval_every=30).evaluations(), 3)) == [30, 60, 90]
    assert list(RunSpec(eval_every=0).evaluations()) == []


def test_hyperparameters_are_its_own() -> None:
    given = {"lr": 0.1}
    spec = RunSpec(hyperparameters=given)
    given["lr"] = 1.0
    assert spec.hyperparameters == {"lr": 0.1}
