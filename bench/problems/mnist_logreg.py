"""Logistic regression on MNIST: the convex problem."""

from torch import nn

from bench.problems.mnist import mnist_classification
from bench.problems.problem import Problem
from bench.problems.spec import ProblemOptions


def logistic_regression() -> nn.Sequential:
    """Images ``[N, 1, 28, 28]`` to scores ``[N, 10]``; 7,850 parameters."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))


def mnist_logreg(options: ProblemOptions) -> Problem:
    """MNIST with logistic regression."""
    return mnist_classification(logistic_regression, options)
