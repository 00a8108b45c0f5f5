"""A built problem: data, model, loss and how a model is judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from bench.problems.data import DataSource, TensorData

Direction = Literal["min", "max"]
_EVALUATION_BATCH = 500  # glibc maps larger activations anew every time, which costs a third


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Everything that a run needs of a problem.

    Attributes:
        make_model: Builds the model with fresh initial parameters from torch's global generator.
        make_loss: Builds the loss, a module that averages over the mini-batch.
        train: Training data; also a torch ``Dataset`` or ``DataLoader``, see
            :mod:`bench.problems.adapt`.
        held_out: Data for evaluation, likewise; ``None`` of a function to minimise, which is judged
            on its own data. Validation data come out of the training data by themselves, unless
            the builder gives others for ``split="validation"``; see :mod:`bench.problems.split`.
        metrics: What an evaluation yields, and which way is better.
        source: Where the data comes from.
        batch_size: Default mini-batch size.
        batch_metric: ``(outputs, targets) -> scalar`` called ``accuracy`` per mini-batch, if any.
        evaluate: ``(model, loss, held_out data) -> metrics``; see :func:`evaluate_mean`.
    """

    make_model: Callable[[], nn.Module]
    make_loss: Callable[[], nn.Module]
    train: TensorData
    held_out: TensorData | None
    source: DataSource
    batch_size: int
    evaluate: Callable[[nn.Module, nn.Module, TensorData], Mapping[str, Tensor]]
    metrics: Mapping[str, Direction] = field(default_factory=lambda: {"loss": "min"})
    batch_metric: Callable[[Tensor, Tensor], Tensor] | None = None


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of correct predictions.

    Args:
        outputs: Scores, ``[N, C]``.
        targets: Class indices, ``[N]``.

    Returns:
        A scalar in [0, 1].
    """
    return (outputs.argmax(dim=1) == targets).to(torch.float64).mean()


def evaluate_mean(model: nn.Module, loss_fn: nn.Module, data: TensorData) -> dict[str, Tensor]:
    """Mean loss and accuracy of a classifier over a data set, in the model's current mode.

    Args:
        model: Maps inputs to scores ``[N, C]``.
        loss_fn: Averages over a batch.
        data: What to evaluate on.

    Returns:
        Scalars ``loss`` and ``accuracy``.
    """
    totals: dict[str, Tensor] = {}
    for indices in torch.arange(len(data), device=data.device).split(_EVALUATION_BATCH):
        inputs, targets = data.batch(indices)
        outputs = model(inputs)
        for name, value in (
            ("loss", loss_fn(outputs, targets)),
            ("accuracy", accuracy(outputs, targets)),
        ):
            weighted = value.double() * (len(indices) / len(data))
            totals[name] = totals[name] + weighted if name in totals else weighted
    return totals
