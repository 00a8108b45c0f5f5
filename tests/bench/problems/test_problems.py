"""Every problem builds, evaluates and trains; the quadratic's minimiser is known."""

import numpy as np
import pytest
import torch

from bench.problems import PROBLEMS, REGISTRY, ProblemOptions
from bench.problems.problem import Problem, accuracy, evaluate_mean
from bench.problems.quadratic import ROWS, curvature
from optimizers import UsageError
from tests.reference import dense_ggn


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
        found = problem.evaluate(problem.make_model(), problem.make_loss(), problem.held_out)
    assert found.keys() == problem.metrics.keys()


def test_tutorial_network_layer_by_layer() -> None:
    model = build("mnist_cnn").make_model()
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


def test_quadratic_has_its_minimum_of_zero_at_the_minimiser() -> None:
    problem = build("quadratic")
    data = problem.train
    solution = torch.linalg.lstsq(data.inputs, data.targets).solution
    model = problem.make_model().double()
    with torch.no_grad():
        next(model.parameters()).copy_(solution.T)
        held_out = problem.held_out.to(torch.device("cpu"), torch.float64)
        found = problem.evaluate(model, problem.make_loss(), held_out)
    assert found["loss"] < 1e-20
    assert found["distance"] < 1e-10


def test_quadratic_has_the_curvature_it_states() -> None:
    problem = build("quadratic")
    inputs = problem.train.inputs
    np.testing.assert_allclose((inputs.T @ inputs / ROWS).numpy(), curvature(), atol=1e-12)
    ggn = dense_ggn(
        problem.make_model().double(), problem.make_loss(), inputs, problem.train.targets
    )
    np.testing.assert_allclose(ggn.numpy(), 2 * curvature(), atol=1e-12)


def test_accuracy_is_the_share_of_largest_scores() -> None:
    scores = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0], [5.0, 6.0]])
    assert accuracy(scores, torch.tensor([1, 0, 0, 1])) == 0.75


def test_evaluation_over_uneven_batches_is_the_mean_over_all_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = build("mnist_logreg")
    torch.manual_seed(0)
    model, loss_fn = problem.make_model(), problem.make_loss()
    inputs, targets = problem.held_out.batch(torch.arange(1000))
    monkeypatch.setattr("bench.problems.problem._EVALUATION_BATCH", 300)
    with torch.no_grad():
        found = evaluate_mean(model, loss_fn, problem.held_out)
        outputs = model(inputs)
        expected = {"loss": loss_fn(outputs, targets), "accuracy": accuracy(outputs, targets)}
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-6)


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
