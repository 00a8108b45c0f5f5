"""Every registered problem builds and evaluates, and names are told apart from references."""

import pytest
import torch

from bench.problems import PROBLEMS, REGISTRY, ProblemOptions
from bench.problems.problem import Problem
from bench.problems.quadratic import ROWS
from optimizers import UsageError


def build(name: str) -> Problem:
    return REGISTRY.get(name).load_builder()(ProblemOptions())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("mnist_cnn", 431_080), ("mnist_mlp", 235_146), ("mnist_logreg", 7_850), ("quadratic", 20)],
)
def test_number_of_parameters(name: str, parameters: int) -> None:
    assert sum(p.numel() for p in build(name).make_model().parameters()) == parameters


@pytest.mark.parametrize("name", PROBLEMS)
def test_an_evaluation_yields_the_metrics_it_promises(name: str) -> None:
    problem = build(name)
    with torch.no_grad():
        found = problem.evaluate(
            problem.make_model(), problem.make_loss(), problem.held_out or problem.train
        )
    assert found.keys() == problem.metrics.keys()


def test_a_problem_plugs_in_by_reference() -> None:
    spec = REGISTRY.get("bench.problems.quadratic:quadratic")
    assert spec.load_builder()(ProblemOptions()).batch_size == ROWS


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist_cn", r"Unknown problem 'mnist_cn'\. Did you mean 'mnist_cnn'\?"),
        ("math:pi", r"'math:pi' is a float; a problem is a ProblemSpec or a callable"),
    ],
)
def test_a_wrong_name_is_told(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        REGISTRY.get(name)
