"""Muon for the hidden matrices, and AdamW for all else."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from optimizers.composite import HIDDEN, Composite
from optimizers.errors import UnfitError


class Muon(Composite):
    """Orthogonalised momentum for hidden matrices, AdamW for the other parameters.

    For a matrix W with gradient G, in every step::

        B <- momentum * B + (1 - momentum) * G
        U = (1 - momentum) * G + momentum * B    if nesterov, else B
        W <- (1 - lr * weight_decay) * W - lr * c * orthogonalised(U)

    where U's singular values are brought near 1 by ``ns_steps`` Newton-Schulz iterations, and c is
    ``sqrt(max(1, rows / columns))``, or ``0.2 * sqrt(max(rows, columns))`` for
    ``adjust_lr_fn="match_rms_adamw"``. ``torch.optim.Muon`` does this; convolutions are matrices
    ``[out, in * height * width]``.

    Sources: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024);
    J. Liu et al., "Muon is scalable for LLM training" (2025).
    """

    def __init__(
        self,
        named_parameters: Sequence[Any],
        model: nn.Module,
        lr: float = 0.02,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        ns_steps: int = 5,
        adjust_lr_fn: str = "original",
        adamw_lr: float = 0.003,
        adamw_betas: tuple[float, float] = (0.9, 0.95),
        adamw_weight_decay: float = 0.0,
        select: str = HIDDEN,
    ) -> None:
        """Build both; see :class:`~optimizers.composite.Composite`.

        Raises:
            UnfitError: This torch has no Muon, or the model no hidden matrix.
        """
        if not hasattr(torch.optim, "Muon"):
            raise UnfitError(
                f"torch {torch.__version__} has no torch.optim.Muon; torch 2.9 and newer have it."
            )
        super().__init__(
            named_parameters,
            model,
            hidden=torch.optim.Muon,
            rest=torch.optim.AdamW,
            select=select,
            hidden_lr=lr,
            hidden_momentum=momentum,
            hidden_nesterov=nesterov,
            hidden_weight_decay=weight_decay,
            hidden_ns_steps=ns_steps,
            hidden_adjust_lr_fn=adjust_lr_fn,
            rest_lr=adamw_lr,
            rest_betas=tuple(adamw_betas),
            rest_weight_decay=adamw_weight_decay,
        )
