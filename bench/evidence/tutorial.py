"""BackPACK's tutorial, as configured there, shared by the scripts that measure against it."""

from typing import Any

import numpy as np
from scipy import stats

ITERATIONS = 201
BATCH_SIZE = 128
LR, DAMPING = 0.05, 1.0

# What the tutorial prints: iteration -> (mini-batch loss, mini-batch accuracy).
PRINTED = {
    0: (2.313, 0.078),
    50: (0.574, 0.836),
    100: (0.360, 0.883),
    150: (0.241, 0.891),
    200: (0.252, 0.938),
}

RUN: dict[str, Any] = {
    "problem": "mnist_cnn",
    "optimizer": "diag_ggn_mc",
    "hyperparameters": {"lr": LR, "damping": DAMPING},
    "iterations": ITERATIONS,
    "batch_size": BATCH_SIZE,
}


def ratio_interval(ratios: list[float], confidence: float) -> tuple[float, float, float]:
    """Geometric mean of paired ratios with a t-interval on their logarithms.

    Returns:
        Geometric mean, lower and upper end.
    """
    logs = np.log(ratios)
    half = stats.t.ppf((1 + confidence) / 2, len(logs) - 1) * stats.sem(logs)
    return tuple(float(np.exp(logs.mean() + shift)) for shift in (0.0, -half, half))  # type: ignore[return-value]
