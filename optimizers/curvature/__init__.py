"""How the curvature diagonal reaches the optimizer: one file per method."""

from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor, nn


class Curvature(Protocol):
    """What ``DiagGGN`` needs of a source of curvature diagonals.

    It may have an attribute ``estimates``, which says what its diagonals are, so that they can be
    held against that:

    - ``"ggn_diagonal"``: the diagonal of the generalized Gauss-Newton matrix (GGN) of the loss as
      the loss module computes it, reduction, class weights and ignored targets included;
    - ``"ggn_diagonal_on_average"``: what has that mean over torch's global generator.

    It may have a method ``objections(model, loss_fn, targets) -> list[str]``, which tells in words
    why a diagonal may be wrong or impossible, and the remedy; see ``backpack``.
    """

    def extend(self, model: nn.Module, loss_fn: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Prepare a model and its loss; raise ``UsageError`` where that is impossible."""

    def watch(self, parameter: nn.Parameter) -> None:
        """Begin to discard the parameter's diagonal when a plain backward pass outdates it."""

    def context(self, *, refresh: bool) -> AbstractContextManager[None]:
        """The context of one backward pass, which computes diagonals if ``refresh``."""

    def take(self, parameter: nn.Parameter) -> Tensor | None:
        """Hand over the diagonal of the latest backward pass, once; ``None`` if there is none."""
