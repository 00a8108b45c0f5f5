"""What the MNIST problems share: the data that was asked for, cross-entropy and accuracy."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from bench.problems import mnist
from bench.problems.data import DataSource, TensorData
from bench.problems.spec import ProblemOptions


def test_the_problem_has_the_split_and_the_folder_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []
    data = [TensorData(torch.zeros(n, 1, 28, 28), torch.zeros(n)) for n in (7, 3)]
    source = DataSource(name="made up", detail="", checksum="1")

    def load(**options: Any) -> tuple[TensorData, TensorData, DataSource]:
        asked.append(options)
        return data[0], data[1], source

    monkeypatch.setattr(mnist, "load_mnist", load)
    found = mnist.mnist_classification(
        nn.Flatten, ProblemOptions(split="validation", data_root="there")
    )
    assert asked == [{"split": "validation", "data_root": "there"}]
    assert (found.train, found.held_out, found.source) == (data[0], data[1], source)
    assert isinstance(found.make_model(), nn.Flatten)


def test_digits_are_judged_by_mean_cross_entropy_and_accuracy() -> None:
    problem = mnist.mnist_classification(nn.Flatten, ProblemOptions())
    scores = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]], dtype=torch.float64)
    targets = torch.tensor([1, 0])
    losses = [
        math.log(math.fsum(math.exp(score) for score in row)) - row[target]
        for row, target in zip(scores.tolist(), targets.tolist(), strict=True)
    ]
    assert problem.make_loss()(scores, targets).item() == pytest.approx(sum(losses) / 2, rel=1e-12)
    assert problem.batch_metric is not None
    assert problem.batch_metric(scores, targets) == 0.5
    assert problem.metrics == {"loss": "min", "accuracy": "max"}
    assert problem.batch_size == mnist.BATCH_SIZE == 128
