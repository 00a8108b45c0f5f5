"""The quadratic has the minimiser and the curvature that it states."""

import numpy as np
import pytest
import torch

from bench.problems.quadratic import DIMENSION, ROWS, curvature, quadratic
from bench.problems.spec import ProblemOptions
from tests.reference import dense_ggn


def test_quadratic_has_its_minimum_of_zero_at_the_minimiser() -> None:
    problem = quadratic(ProblemOptions())
    data = problem.train
    solution = torch.linalg.lstsq(data.inputs, data.targets).solution
    model = problem.make_model().double()
    with torch.no_grad():
        next(model.parameters()).copy_(solution.T)
        data = problem.train.to(torch.device("cpu"), torch.float64)
        found = problem.evaluate(model, problem.make_loss(), data)
    assert found["loss"] < 1e-20
    assert found["distance"] < 1e-10


def test_quadratic_has_the_curvature_it_states() -> None:
    problem = quadratic(ProblemOptions())
    inputs = problem.train.inputs
    np.testing.assert_allclose((inputs.T @ inputs / ROWS).numpy(), curvature(), atol=1e-12)
    ggn = dense_ggn(
        problem.make_model().double(), problem.make_loss(), inputs, problem.train.targets
    )
    np.testing.assert_allclose(ggn.numpy(), 2 * curvature(), atol=1e-12)


def test_its_curvature_is_ill_conditioned_beyond_what_a_diagonal_mends() -> None:
    """Scales go from 1 to 1e-3; with them taken out, neighbours still correlate by one half."""
    matrix = curvature()
    scales = np.diag(matrix)
    assert (scales.max(), scales.min()) == (1.0, pytest.approx(1e-3))
    correlations = matrix / np.sqrt(scales[:, None] * scales)
    np.testing.assert_allclose(np.diag(correlations, 1), np.full(DIMENSION - 1, 0.5))
    assert np.linalg.cond(matrix) > np.linalg.cond(correlations) > 2


def test_its_data_are_the_same_for_every_split() -> None:
    test, validation = (quadratic(ProblemOptions(split=name)) for name in ("test", "validation"))
    assert test.source == validation.source
    assert torch.equal(test.train.inputs, validation.train.inputs)
    assert test.held_out is validation.held_out is None
