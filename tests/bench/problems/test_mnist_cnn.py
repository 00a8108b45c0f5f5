"""The tutorial's network, layer by layer."""

import torch

from bench.problems.mnist_cnn import mnist_cnn, tutorial_cnn
from bench.problems.spec import ProblemOptions


def test_tutorial_network_layer_by_layer() -> None:
    model = tutorial_cnn()
    shapes = []
    activations = torch.zeros(2, 1, 28, 28)
    for layer in model.children():
        activations = layer(activations)
        shapes.append(tuple(activations.shape[1:]))
    assert shapes == [
        (20, 24, 24), (20, 24, 24), (20, 12, 12),
        (50, 8, 8), (50, 8, 8), (50, 4, 4),
        (800,), (500,), (500,), (10,),
    ]  # fmt: skip


def test_the_problem_is_of_that_network() -> None:
    model = mnist_cnn(ProblemOptions()).make_model()
    assert str(model) == str(tutorial_cnn())
