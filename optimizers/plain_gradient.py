"""The yardstick: an optimizer whose step does nothing."""

from collections.abc import Callable, Iterable
from typing import Any, final

import torch


@final
class PlainGradient(torch.optim.Optimizer):
    """Leaves the parameters alone, so that a run costs one forward and one backward pass.

    Costs of other optimizers are quoted as multiples of it.
    """

    def __init__(self, params: Iterable[Any]) -> None:
        """Take the parameters that the backward pass is to differentiate."""
        super().__init__(params, {})

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Do nothing."""
