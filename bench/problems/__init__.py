"""What optimizers are compared on: one file per problem, and the registry that names them."""

from bench.problems.registry import PROBLEMS, REGISTRY
from bench.problems.spec import ProblemOptions, ProblemSpec

__all__ = ["PROBLEMS", "REGISTRY", "ProblemOptions", "ProblemSpec"]
