"""The convolutional network of BackPACK's tutorial, on MNIST."""

from torch import nn

from bench.problems.mnist import mnist_classification
from bench.problems.problem import Problem
from bench.problems.spec import ProblemOptions


def tutorial_cnn() -> nn.Sequential:
    """Images ``[N, 1, 28, 28]`` to scores ``[N, 10]``; 431,080 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5, 1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(20, 50, 5, 1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(4 * 4 * 50, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )


def mnist_cnn(options: ProblemOptions) -> Problem:
    """MNIST with the tutorial's network."""
    return mnist_classification(tutorial_cnn, options)
