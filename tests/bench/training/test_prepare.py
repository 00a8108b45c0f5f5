"""A run is checked before it begins: names, values, model; and known by what decides its losses."""

from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bench
from bench.problems import PROBLEMS, ProblemOptions, ProblemSpec
from bench.problems.data import DataSource, TensorData
from bench.problems.problem import Problem
from bench.training.prepare import prepare
from optimizers import UsageError


def quick(**fields: Any) -> bench.RunSpec:
    defaults: dict[str, Any] = {"problem": "mnist_logreg", "optimizer": "sgd", "iterations": 12}
    return bench.RunSpec(**(defaults | fields))


def test_what_was_asked_and_what_it_became_are_kept_apart() -> None:
    spec = quick(optimizer="adam", hyperparameters={"lr": 0.1})
    prepared = prepare(spec)
    assert prepared.asked is spec
    assert spec.hyperparameters == {"lr": 0.1}
    assert prepared.resolved.hyperparameters.items() > {"lr": 0.1, "betas": (0.9, 0.99)}.items()
    assert (spec.device, spec.batch_size) == ("auto", None)
    assert prepared.resolved.device in ("cpu", "cuda")
    assert prepared.resolved.batch_size == prepared.problem.batch_size
    filled = {"device", "batch_size", "hyperparameters"}
    assert {k: v for k, v in asdict(prepared.resolved).items() if k not in filled} == {
        k: v for k, v in asdict(spec).items() if k not in filled
    }


def test_a_resolved_run_is_the_run_that_was_asked_for() -> None:
    prepared = prepare(quick(optimizer="diag_ggn_mc", hyperparameters={"damping": 0.1}))
    assert prepare(prepared.resolved).run_id == prepared.run_id


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)], "cannot be computed on refused"),
        ([shared := nn.Linear(4, 4), shared, nn.Linear(4, 3)], "cannot be computed on refused"),
    ],
    ids=["batch normalisation in training", "a layer used twice"],
)
def test_what_backpack_refuses_only_while_it_runs_is_told_before(
    layers: list[nn.Module], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = replace(
        layer_norm_problem(ProblemOptions()), make_model=lambda: nn.Sequential(*layers)
    )
    monkeypatch.setitem(
        PROBLEMS, "refused", ProblemSpec(name="refused", build=lambda options: problem)
    )
    with pytest.raises(UsageError, match=message):
        bench.run(quick(problem="refused", optimizer="diag_ggn_mc"))


def layer_norm_problem(options: ProblemOptions) -> Problem:
    data = TensorData(torch.randn(8, 4), torch.randint(3, (8,)))
    return Problem(
        make_model=lambda: nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 3)),
        make_loss=nn.CrossEntropyLoss,
        train=data,
        held_out=data,
        source=DataSource(name="random", detail="random", checksum="0"),
        batch_size=4,
        evaluate=lambda model, loss_fn, held_out: {"loss": loss_fn(*_forward(model, held_out))},
    )


def _forward(model: nn.Module, data: TensorData) -> tuple[Tensor, Tensor]:
    inputs, targets = data.batch(torch.arange(len(data)))
    return model(inputs), targets


def test_a_problem_without_accuracy_and_a_model_that_backpack_cannot_extend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = ProblemSpec(name="layer_norm", build=layer_norm_problem)
    monkeypatch.setitem(PROBLEMS, "layer_norm", spec)
    record = bench.run(quick(problem="layer_norm"))
    assert record.status == "completed"
    assert record.iterations["accuracy"].isna().all()
    with pytest.raises(UsageError, match=r"model\.1: it has no rule for torch.*LayerNorm"):
        bench.run(quick(problem="layer_norm", optimizer="diag_ggn_mc"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "agam"}, "Unknown optimizer 'agam'. Did you mean 'adam'"),
        ({"problem": "mnist"}, "Unknown problem 'mnist'. Did you mean 'mnist_"),
        ({"hyperparameters": {"lrr": 1}}, "'lrr'. Did you mean 'lr'"),
        ({"hyperparameters": {"lr": -1}}, "Invalid learning rate: -1"),
        ({"device": "cuda:99"}, "Device 'cuda:99' is not available. Available here: auto, cpu"),
        ({"device": "tpu"}, "Device 'tpu' is not available"),
        ({"batch_size": 4001}, "batch_size=4001 is not valid: mnist_logreg has 4000"),
        ({"curvature_every": -1}, "curvature_every=-1 is not valid: it is a whole number >= 0"),
        ({"until": ("acuracy", 1)}, "'acuracy'. Did you mean 'accuracy'"),
    ],
    ids=str,
)
def test_what_cannot_run_is_told_before_anything_runs(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        bench.run(quick(**fields))


def test_run_id_follows_what_decides_losses_and_nothing_else() -> None:
    base = prepare(quick()).run_id
    same = [quick(label="other"), quick(hyperparameters={"nesterov": False})]
    other = [
        quick(seed=1),
        quick(iterations=13),
        quick(dtype="float64"),
        quick(split="validation"),
        quick(hyperparameters={"lr": 0.123}),
        quick(batch_size=64),
    ]
    assert {prepare(spec).run_id for spec in same} == {base}
    assert base not in {prepare(spec).run_id for spec in other}
