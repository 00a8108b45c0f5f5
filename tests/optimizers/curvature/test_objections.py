"""What is objected to says which layer it is, and what to do."""

import pytest
import torch
from torch import nn

from optimizers.curvature.objections import objections

CLASSES = torch.tensor([0, 1, -100])


def told(*layers: nn.Module, loss: nn.Module | None = None) -> list[str]:
    return objections(nn.Sequential(*layers), loss or nn.MSELoss(), CLASSES)


def shared() -> list[nn.Module]:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    return [first, second]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.ELU(inplace=True)], "layer '0' (ELU) works in place: build it with inplace=False"),
        ([one := nn.Tanh(), nn.Flatten(), one], "layers '0' and '2' are one Tanh: give each place"),
        (shared(), "'0.weight' and '1.weight' are one parameter: give each layer its own"),
        (
            [nn.Conv2d(1, 1, 3, padding="same")],
            "layer '0' (Conv2d) has padding='same': give padding=1",
        ),
        (
            [nn.Conv2d(1, 1, (3, 5), dilation=2, padding="same")],
            "layer '0' (Conv2d) has padding='same': give padding=(2, 4)",
        ),
        (
            [nn.Conv1d(1, 1, 4, padding="same")],
            "layer '0' (Conv1d) has padding='same': give an odd kernel_size",
        ),
        ([nn.Conv1d(1, 1, 3, padding="valid")], "has padding='valid': give padding=0"),
        ([nn.Conv2d(1, 1, 3, padding_mode="reflect")], "has padding_mode='reflect': 'zeros'"),
        ([nn.BatchNorm2d(1)], "layer '0' (BatchNorm2d) is in training mode"),
        ([nn.AvgPool2d(2, count_include_pad=False)], "has count_include_pad=False: True"),
        ([nn.MaxPool2d(2, ceil_mode=True)], "has ceil_mode=True: False"),
        (
            [nn.Linear(1, 1).double(), nn.AvgPool1d(2)],
            "layer '1' (AvgPool1d) can be had in float32",
        ),
    ],
)
def test_layers(layers: list[nn.Module], expected: str) -> None:
    (objection,) = told(*layers)
    assert expected in objection


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (nn.CrossEntropyLoss(ignore_index=-1), "has ignore_index=-1: only -100"),
        (nn.CrossEntropyLoss(), "targets of -100 are left out of the loss and not of the diagonal"),
        (nn.BCEWithLogitsLoss(pos_weight=torch.ones(1)), "has pos_weight: only None"),
    ],
)
def test_losses(loss: nn.Module, expected: str) -> None:
    (objection,) = told(nn.Linear(1, 1), loss=loss)
    assert expected in objection


def test_nothing_is_said_against_what_is_usual() -> None:
    layers = [nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(1).eval()]
    assert told(*layers) == []
