"""What optimizers are compared on: one file per problem, and the registry that names them.

Authors of problems import from here; what needs torch is imported when it is asked for.
"""

from typing import TYPE_CHECKING

from bench.problems.registry import PROBLEMS, REGISTRY
from bench.problems.spec import ProblemOptions, ProblemSpec
from bench.support import lazy

if TYPE_CHECKING:
    from bench.problems.data import DataSource, TensorData, batch_indices
    from bench.problems.mnist_files import load_mnist
    from bench.problems.problem import Problem, accuracy, evaluate_mean

__all__ = [
    "PROBLEMS",
    "REGISTRY",
    "DataSource",
    "Problem",
    "ProblemOptions",
    "ProblemSpec",
    "TensorData",
    "accuracy",
    "batch_indices",
    "evaluate_mean",
    "load_mnist",
]

__getattr__ = lazy.attributes(
    __name__,
    {
        "DataSource": "data",
        "TensorData": "data",
        "batch_indices": "data",
        "load_mnist": "mnist_files",
        "Problem": "problem",
        "accuracy": "problem",
        "evaluate_mean": "problem",
    },
)
