"""The perceptron's layers, by hand."""

import torch

from bench.problems.mnist_mlp import mlp, mnist_mlp
from bench.problems.spec import ProblemOptions


def test_it_has_two_hidden_layers_of_rectified_units() -> None:
    torch.manual_seed(0)
    model = mlp().double()
    images = torch.rand(5, 1, 28, 28, dtype=torch.float64)
    first, a, second, b, third, c = model.parameters()
    hidden = (images.flatten(1) @ first.T + a).clamp(min=0)
    hidden = (hidden @ second.T + b).clamp(min=0)
    torch.testing.assert_close(model(images), hidden @ third.T + c)


def test_the_problem_is_of_that_network() -> None:
    assert str(mnist_mlp(ProblemOptions()).make_model()) == str(mlp())
