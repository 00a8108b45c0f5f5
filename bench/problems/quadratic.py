r"""An ill-conditioned quadratic with a known minimiser.

Linear least squares, :math:`L(w) = \frac1N \|X (w - w^*)\|^2`, with
:math:`\frac1N X^\top X = D^{1/2} C D^{1/2}`: scales :math:`D` from 1e-3 to 1 that a diagonal
preconditioner can mend, and correlations :math:`C_{ij} = 0.5^{|i-j|}` that it cannot. With the
default batch size (all rows) a gradient is exact; smaller batches make it noisy. The minimum is 0.
"""

import hashlib

import numpy as np
import torch
from torch import Tensor, nn

from bench.problems.data import DataSource, TensorData
from bench.problems.problem import Problem
from bench.problems.spec import ProblemOptions

DIMENSION = 20
ROWS = 64
_CORRELATION = 0.5
_SMALLEST_SCALE = 1e-3
_DATA_SEED = 20


def curvature() -> np.ndarray:
    r"""The matrix :math:`\frac1N X^\top X`, ``[DIMENSION, DIMENSION]``; the Hessian is twice it."""
    scales = np.sqrt(np.geomspace(1.0, _SMALLEST_SCALE, DIMENSION))
    index = np.arange(DIMENSION)
    correlations = _CORRELATION ** np.abs(index[:, None] - index[None, :])
    return scales[:, None] * correlations * scales[None, :]


def quadratic(options: ProblemOptions) -> Problem:
    """Linear least squares with a known minimiser; the same data for every seed and split."""
    generator = np.random.default_rng(_DATA_SEED)
    minimiser = generator.standard_normal(DIMENSION)
    orthonormal, _ = np.linalg.qr(generator.standard_normal((ROWS, DIMENSION)))
    inputs = np.sqrt(ROWS) * orthonormal @ np.linalg.cholesky(curvature()).T  # [ROWS, DIMENSION]
    targets = inputs @ minimiser[:, None]  # [ROWS, 1]
    data = TensorData(torch.from_numpy(inputs), torch.from_numpy(targets))
    solution = torch.from_numpy(minimiser)

    def evaluate(model: nn.Module, loss_fn: nn.Module, held_out: TensorData) -> dict[str, Tensor]:
        inputs, targets = held_out.batch(torch.arange(len(held_out), device=held_out.device))
        (weight,) = model.parameters()
        target = solution.to(weight)
        distance = torch.linalg.vector_norm(weight.flatten() - target)
        return {
            "loss": loss_fn(model(inputs), targets),
            "distance": distance / torch.linalg.vector_norm(target),
        }

    return Problem(
        make_model=lambda: nn.Sequential(nn.Linear(DIMENSION, 1, bias=False)),
        make_loss=nn.MSELoss,
        train=data,
        held_out=None,
        source=DataSource(
            name="synthetic",
            detail=f"least squares, {ROWS} rows, {DIMENSION} unknowns",
            checksum=hashlib.md5(inputs.tobytes() + targets.tobytes()).hexdigest(),
        ),
        batch_size=ROWS,
        metrics={"loss": "min", "distance": "min"},
        evaluate=evaluate,
    )
