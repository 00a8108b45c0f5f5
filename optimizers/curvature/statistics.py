"""What one step preconditioned with, in numbers: how much of it was curvature, how much damping."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

LEVELS = (1, 5, 25, 50, 75, 95, 99)
"""Percent at which the diagonal's quantiles are taken."""

EVERYTHING = "all"
"""Layer of the row over all parameters."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    r"""What one step preconditioned one parameter with.

    It refers to the optimizer's own tensors: read it before the next ``zero_grad`` or step.

    Attributes:
        parameter: The parameter's name.
        diagonal: Curvature diagonal :math:`d` as it was used, shaped as the parameter.
        gradient: Gradient :math:`g` of the loss, shaped as the parameter.
        damping: Damping :math:`\lambda` of the step.
    """

    parameter: str
    diagonal: Tensor
    gradient: Tensor
    damping: float


@dataclass(frozen=True)
class _Part:
    """One parameter's diagonal in float64 on the CPU, and the sums that shares are made of."""

    diagonal: np.ndarray
    damping: float
    shares: float
    squares: float
    weighted: float


def curvature_statistics(observed: Sequence[Observed]) -> list[dict[str, float | str]]:
    r"""How much of a step was curvature, by layer.

    The update divides by :math:`d + \lambda`. Its share of curvature is

    .. math::
        \frac{1}{P} \sum_i \frac{d_i}{d_i + \lambda}
        \qquad\text{and, weighted,}\qquad
        \sum_i g_i^2 \frac{d_i}{d_i + \lambda} \Big/ \sum_i g_i^2.

    Near 0 the method is plain gradient descent with learning rate :math:`\alpha / \lambda`, near 1
    it is undamped. An element with :math:`d = \lambda = 0` counts as a share of 0. Everything is
    computed in float64 on the CPU.

    Args:
        observed: What ``DiagGGN.observing`` yields.

    Returns:
        A row per layer, in the order in which they first appear, and a last one, ``"all"``, over
        all of them; none of nothing. A layer is a module: the parameter's name up to its last dot,
        or the name itself. Keys: ``layer``; ``damping``, NaN where parameters of the row have
        different ones; ``share``; ``weighted_share``, NaN where the gradient is zero; ``q01`` to
        ``q99``, quantiles of the diagonal (linear interpolation), in the diagonal's units.
    """
    layers: dict[str, list[_Part]] = {}
    for item in (item for item in observed if item.diagonal.numel()):
        layers.setdefault(item.parameter.rpartition(".")[0] or item.parameter, []).append(
            _part(item)
        )
    if not layers:
        return []
    rows = [_row(layer, parts) for layer, parts in layers.items()]
    return [*rows, _row(EVERYTHING, [part for parts in layers.values() for part in parts])]


def _part(item: Observed) -> _Part:
    diagonal, gradient = _flat(item.diagonal), _flat(item.gradient)
    with np.errstate(all="ignore"):  # a diverging run's values are what they are
        share = diagonal / (diagonal + item.damping)
        if item.damping == 0.0:
            share[diagonal == 0.0] = 0.0
        squares = gradient * gradient
        return _Part(
            diagonal=diagonal,
            damping=item.damping,
            shares=float(share.sum()),
            squares=float(squares.sum()),
            # No BLAS: its threads would spin on for a while, into the next iteration's time.
            weighted=float((squares * share).sum()),
        )


def _row(layer: str, parts: Sequence[_Part]) -> dict[str, float | str]:
    diagonal = np.concatenate([part.diagonal for part in parts])
    dampings = {part.damping for part in parts}
    squares = sum(part.squares for part in parts)
    with np.errstate(all="ignore"):
        # numpy partitions at all levels in one pass, whatever the size.
        quantiles = np.quantile(diagonal, np.array(LEVELS) / 100)
    row: dict[str, float | str] = {
        "layer": layer,
        "damping": dampings.pop() if len(dampings) == 1 else math.nan,
        "share": sum(part.shares for part in parts) / len(diagonal),
        "weighted_share": sum(part.weighted for part in parts) / squares if squares else math.nan,
    }
    return row | {f"q{level:02}": float(q) for level, q in zip(LEVELS, quantiles, strict=True)}


def _flat(values: Tensor) -> np.ndarray:
    return values.detach().flatten().cpu().double().numpy()
