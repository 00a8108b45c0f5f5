r"""Adaptive damping: a step is held against what the quadratic model promised of it.

The rule of Levenberg (1944) and Marquardt (1963), for mini-batches as in J. Martens, "Deep learning
via Hessian-free optimization", ICML 2010, section 4.1 (its thresholds), and J. Martens and R.
Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature", ICML 2015,
section 6.5 of the extended version (its factor, for adaptations every T steps).
"""

import math
from collections.abc import Sequence

import torch
from backpack.hessianfree.ggnvp import ggn_vector_product_from_plist
from torch import Tensor

DECAY = 19 / 20
"""Factor per step by which the damping of trusted steps shrinks."""

TRUSTED, DOUBTED = 3 / 4, 1 / 4
"""Ratios above which the damping shrinks, and below which it grows."""


def predicted_decrease(
    loss: Tensor,
    outputs: Tensor,
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    changes: Sequence[Tensor],
) -> Tensor:
    r"""How much the quadratic model says that the loss falls.

    .. math::
        m(0) - m(\delta) = -g^\top \delta - \tfrac12 \delta^\top G \delta

    with the whole GGN :math:`G`, by one product :math:`G \delta`. The GGN's diagonal is no
    substitute: :math:`\delta^\top G \delta` was seen to be thousands of times what it gives.

    Args:
        loss: The mini-batch loss at the parameters before the step, with its graph.
        outputs: The model's outputs that it was computed from, likewise.
        params: Parameters :math:`\theta` that the graph leads back to.
        grads: Gradients :math:`g` of the loss, shaped as the parameters.
        changes: The step :math:`\delta`, shaped as the parameters.

    Returns:
        A scalar in the units of the loss.
    """
    products = ggn_vector_product_from_plist(loss, outputs, list(params), list(changes))
    with torch.no_grad():
        terms = [
            torch.sum(change * (grad + product / 2))
            for change, grad, product in zip(changes, grads, products, strict=True)
        ]
        return -torch.stack(terms).sum()


def decrease_ratio(before: float, after: float, predicted: float, resolution: float = 0.0) -> float:
    r"""Actual over predicted decrease of the loss, :math:`\rho`.

    Args:
        before: Loss before the step.
        after: Loss of the same mini-batch after it.
        predicted: Predicted decrease.
        resolution: What the losses are rounded to.

    Returns:
        The ratio. Minus infinity where the model predicts no decrease or a loss is not finite; NaN
        where both decreases are lost in rounding, as they are at convergence.
    """
    if abs(predicted) <= resolution and abs(before - after) <= resolution:
        return math.nan
    if not predicted > 0 or not math.isfinite(before - after):
        return -math.inf
    return (before - after) / predicted


def adapted_damping(damping: float, ratio: float, every: int, smallest: float = 0.0) -> float:
    r"""The damping after a step with a ratio :math:`\rho`.

    With :math:`\omega = (19/20)^T`,

    .. math::
        \lambda \leftarrow \begin{cases}
            \omega \lambda & \rho > 3/4 \\
            \lambda / \omega & \rho < 1/4 \\
            \lambda & \text{otherwise, or where } \rho \text{ is not a number.}
        \end{cases}

    Args:
        damping: Damping :math:`\lambda` of the step.
        ratio: What :func:`decrease_ratio` returns.
        every: Steps :math:`T` between adaptations.
        smallest: The damping does not fall below it.
    """
    factor = DECAY**every
    if ratio > TRUSTED:
        return max(damping * factor, smallest)
    return damping / factor if ratio < DOUBTED else damping
