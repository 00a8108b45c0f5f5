"""What only other processes import."""

import os
from typing import Any, NoReturn

import torch

from bench.problems import ProblemOptions


class Mine(torch.optim.SGD):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, lr=lr)


def vanishing(_: ProblemOptions) -> NoReturn:
    os._exit(3)


class VanishingWhenTried(Mine):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        os._exit(4)


class NotForThis(Mine):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        raise ValueError("it takes no such model")


def __getattr__(name: str) -> type[Mine]:
    """A class that comes with another default dtype."""
    if name != "StartingElsewhere":
        raise AttributeError(name)
    torch.set_default_dtype(torch.float64)
    return type(name, (Mine,), {})
