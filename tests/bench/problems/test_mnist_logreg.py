"""Logistic regression is what its name says."""

import torch

from bench.problems.mnist_logreg import logistic_regression, mnist_logreg
from bench.problems.spec import ProblemOptions


def test_scores_are_affine_in_the_pixels() -> None:
    torch.manual_seed(0)
    model = logistic_regression().double()
    images = torch.rand(5, 1, 28, 28, dtype=torch.float64)
    with torch.no_grad():
        weight, bias = model.parameters()
        scores = [[(row * image.flatten()).sum() for row in weight] for image in images]
        torch.testing.assert_close(model(images), torch.tensor(scores) + bias)


def test_the_problem_is_of_that_model() -> None:
    assert str(mnist_logreg(ProblemOptions()).make_model()) == str(logistic_regression())
