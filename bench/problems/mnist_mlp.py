"""A multi-layer perceptron on MNIST."""

from torch import nn

from bench.problems.mnist import mnist_classification
from bench.problems.problem import Problem
from bench.problems.spec import ProblemOptions


def mlp() -> nn.Sequential:
    """Images ``[N, 1, 28, 28]`` to scores ``[N, 10]``; 235,146 parameters."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(28 * 28, 256),
        nn.ReLU(),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def mnist_mlp(options: ProblemOptions) -> Problem:
    """MNIST with a multi-layer perceptron."""
    return mnist_classification(mlp, options)
