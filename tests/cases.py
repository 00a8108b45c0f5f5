"""Small networks with data and losses, by name."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Case:
    """A model, a loss and a batch, all float64."""

    model: nn.Sequential
    loss_fn: nn.Module
    inputs: Tensor
    targets: Tensor


def _classes(model: nn.Sequential, *shape: int, classes: int) -> Case:
    inputs = torch.randn(*shape, dtype=torch.float64)
    targets = torch.randint(classes, (shape[0],))
    return Case(model.double(), nn.CrossEntropyLoss(), inputs, targets)


def linear(batch: int = 5) -> Case:
    return _classes(nn.Sequential(nn.Linear(4, 3)), batch, 4, classes=3)


def mlp_relu(batch: int = 6) -> Case:
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4))
    return _classes(model, batch, 5, classes=4)


def mlp_tanh_sigmoid(batch: int = 4) -> Case:
    model = nn.Sequential(
        nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 3)
    )
    return _classes(model, batch, 3, classes=3)


def cnn(batch: int = 3) -> Case:
    """The tutorial's layers, small."""
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(2, 3, 2),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(3, 4),
        nn.ReLU(),
        nn.Linear(4, 3),
    )
    return _classes(model, batch, 1, 8, 8, classes=3)


def cnn_uneven(batch: int = 3) -> Case:
    """Convolutions and pooling with uneven strides, padding, dilation, groups and overlap."""
    model = nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Tanh(),
        nn.Conv2d(4, 3, 2, padding=1, bias=False),
        nn.MaxPool2d(2, stride=1, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(45, 3),
    )
    return _classes(model, batch, 2, 9, 7, classes=3)


def regression(batch: int = 5) -> Case:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    inputs, targets = (torch.randn(batch, size, dtype=torch.float64) for size in (3, 2))
    return Case(model, nn.MSELoss(), inputs, targets)


CLASSIFIERS: dict[str, Callable[..., Case]] = {
    "linear": linear,
    "mlp_relu": mlp_relu,
    "mlp_tanh_sigmoid": mlp_tanh_sigmoid,
    "cnn": cnn,
    "cnn_uneven": cnn_uneven,
}
NETWORKS: dict[str, Callable[..., Case]] = CLASSIFIERS | {"regression": regression}
