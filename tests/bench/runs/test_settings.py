"""The command line's little languages."""

import math
from typing import Any

import pytest
import torch

from bench.runs.settings import (
    Entry,
    Facts,
    comparison_specs,
    parse_groups,
    parse_optimizers,
    parse_seeds,
    parse_settings,
    parse_steps,
    parse_until,
    parse_value,
    setting_key,
    written_groups,
)
from bench.runs.spec import RunSpec
from optimizers import OptimizerSpec, UsageError


def test_optimizers_with_and_without_labels() -> None:
    found = parse_optimizers(["fast=sgd,slow=sgd", "torch.optim:NAdam", "mine=torch.optim:Adam"])
    assert found == [
        Entry("fast", "sgd"),
        Entry("slow", "sgd"),
        Entry("NAdam", "torch.optim:NAdam"),
        Entry("mine", "torch.optim:Adam"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["sgd,sgd"], r"The label 'sgd' is used twice.*'sgd2=sgd'"),
        (["sgd,"], r"Optimizer '' is not valid: write NAME or LABEL=NAME"),
        (["=sgd"], r"Optimizer '=sgd' is not valid"),
        (["fast="], r"Optimizer 'fast=' is not valid"),
        (["a.b=sgd"], r"The label 'a\.b' is not valid: it has no dot"),
    ],
)
def test_wrong_optimizers_are_told(options: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_optimizers(options)


def test_a_setting_without_label_goes_to_every_optimizer_that_has_it() -> None:
    entries = parse_optimizers(["diag_ggn_mc,sgd,slow=sgd"])
    found = parse_settings(["damping=2", "lr=0.5", "slow.lr=0.1"], entries)
    assert found == {
        "diag_ggn_mc": {"damping": 2, "lr": 0.5},
        "sgd": {"lr": 0.5},
        "slow": {"lr": 0.1},
    }


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("lr", r"Setting 'lr' is not valid: write KEY=VALUE or LABEL\.KEY=VALUE"),
        ("=1", r"Setting '=1' is not valid"),
        (".lr=1", r"Setting '\.lr=1' is not valid"),
        ("dampin=1", r"Unknown hyperparameter 'dampin'\. Did you mean 'damping'"),
        ("sdg.lr=1", r"Unknown label 'sdg'\. Did you mean 'sgd'"),
    ],
)
def test_wrong_settings_are_told(assignment: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_settings([assignment], parse_optimizers(["diag_ggn_mc,sgd"]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e-3", 1e-3),
        ("true", True),
        ("False", False),
        ("none", None),
        ("0.9,0.99", (0.9, 0.99)),
        ("(0.9, 0.99)", (0.9, 0.99)),
        ("strong_wolfe", "strong_wolfe"),
        ('"quoted"', '"quoted"'),
        ("inf", math.inf),
    ],
)
def test_values(text: str, value: Any) -> None:
    found = parse_value(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"lr": 1, "damping": 0.5}, {"damping": 0.5, "lr": 1.0}),
        ({"betas": [1, 0.99]}, {"betas": (1.0, 0.99)}),
        ({"groups": [[1, 2], [3]]}, {"groups": ((1, 2), (3.0,))}),
        ({"options": {"a": [1]}}, {"options": {"a": (1,)}}),
        ({"lr": 0.0}, {"lr": -0.0}),
        ({}, {}),
    ],
    ids=str,
)
def test_the_same_setting_has_the_same_key(one: Any, other: Any) -> None:
    assert setting_key(one) == setting_key(other)
    assert hash(setting_key(one)) == hash(setting_key(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"nesterov": True}, {"nesterov": 1}),
        ({"nesterov": False}, {"nesterov": 0.0}),
        ({"flags": (True, 1)}, {"flags": (1, 1)}),
        ({"lr": 1}, {"lr": "1"}),
        ({"lr": None}, {"lr": "none"}),
        ({"lr": 0.1}, {"lr": 0.1 + 2**-56}),
        ({"lr": 0.1}, {"lr": (0.1,)}),
        ({"lr": 0.1}, {"damping": 0.1}),
        ({"lr": 0.1}, {"lr": 0.1, "damping": 1}),
        ({"betas": "0.9,0.99"}, {"betas": (0.9, 0.99)}),
    ],
    ids=str,
)
def test_other_settings_have_other_keys(one: Any, other: Any) -> None:
    assert setting_key(one) != setting_key(other)


def test_a_reference_with_settings_is_one_value() -> None:
    text = "torch.optim:SGD(lr=0.1, momentum=0.9)"
    assert parse_value(text) == text
    assert parse_value("a,b") == ("a", "b")


def test_how_steps_are_taken_goes_to_a_label_or_to_all() -> None:
    entries = [Entry("a", "sgd"), Entry("b", "adam")]
    assert parse_steps([], entries) == {"a": "", "b": ""}
    assert parse_steps(["b=closure"], entries) == {"a": "", "b": "closure"}
    assert parse_steps(["loss", "a=plain"], entries) == {"a": "plain", "b": "loss"}
    with pytest.raises(UsageError, match="Unknown label 'c'"):
        parse_steps(["c=closure"], entries)
    with pytest.raises(UsageError, match="step='closures' is not valid"):
        parse_steps(["a=closures"], entries)


def test_parameter_groups_go_to_a_label_or_to_all() -> None:
    entries = [Entry("a", "sgd"), Entry("b", "adam")]
    assert parse_groups([], entries) == {"a": [], "b": []}
    options = ["ndim<2: weight_decay=0", "b=ndim==1: lr=0.1; betas=0.9,0.99", "a = *.bias:lr=1"]
    assert parse_groups(options, entries) == {
        "a": [("ndim<2", {"weight_decay": 0}), ("*.bias", {"lr": 1})],
        "b": [("ndim<2", {"weight_decay": 0}), ("ndim==1", {"lr": 0.1, "betas": (0.9, 0.99)})],
    }
    found = parse_groups(options, entries)["b"]
    assert written_groups(found) == "ndim<2: weight_decay=0, ndim==1: lr=0.1; betas=0.9,0.99"
    with pytest.raises(UsageError, match="Unknown label 'c'"):
        parse_groups(["c=*: lr=1"], entries)


@pytest.mark.parametrize(
    "option", ["", "ndim<2", "ndim<2:", ": lr=1", "*: lr", "*: =1", "*: lr=1;"]
)
def test_wrong_parameter_groups_are_told(option: str) -> None:
    with pytest.raises(UsageError, match=r"is not valid: write \[LABEL=\]SELECTOR: KEY=VALUE"):
        parse_groups([option], [Entry("a", "sgd")])


def test_a_setting_without_a_default_is_given_by_its_name_alone() -> None:
    def facts(_: str) -> Facts:
        return Facts(defaults=OptimizerSpec(name="n", factory=Needs).settings(), search_space={})

    class Needs(torch.optim.SGD):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, lr=lr)

    assert parse_settings(["lr=0.01"], [Entry("n", "n")], facts) == {"n": {"lr": 0.01}}


def test_until() -> None:
    assert parse_until(None) is None
    assert parse_until("accuracy=0.97") == ("accuracy", 0.97)


@pytest.mark.parametrize("text", ["accuracy", "=1", "accuracy=high"])
def test_wrong_until_is_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"--until '.*' is not valid: write METRIC=VALUE"):
        parse_until(text)


def test_a_comparison_runs_seed_by_seed() -> None:
    specs = comparison_specs(RunSpec(problem="quadratic"), ["adam,sgd"], ["lr=0.5"], seeds=[0, 1])
    assert [(spec.label, spec.seed) for spec in specs] == [
        ("adam", 0),
        ("sgd", 0),
        ("adam", 1),
        ("sgd", 1),
    ]
    assert all(spec.hyperparameters == {"lr": 0.5} for spec in specs)


def test_a_bare_comparison_is_the_tutorial_s() -> None:
    specs = comparison_specs(RunSpec(), [], [], seeds=[0, 1, 2])
    names = ["diag_ggn_mc", "diag_ggn_exact", "adam", "sgd"]
    assert [spec.optimizer for spec in specs] == 3 * names
    assert {spec.problem for spec in specs} == {"mnist_cnn"}


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", [0, 1, 2]),
        ("100-102", [100, 101, 102]),
        ("5, 7", [5, 7]),
        ("7-7", [7]),
        ("1-2,9", [1, 2, 9]),
    ],
)
def test_seeds_are_a_number_or_a_list(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["0", "-1", "", "3-1", "1,1", "a", "1.5", "2-"])
def test_wrong_seeds_are_told(text: str) -> None:
    with pytest.raises(UsageError, match=f"--seeds '{text}' is not valid: write how many"):
        parse_seeds(text)
