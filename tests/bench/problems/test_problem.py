"""How a classifier is judged."""

import pytest
import torch

from bench.problems.mnist_logreg import mnist_logreg
from bench.problems.problem import accuracy, evaluate_mean
from bench.problems.spec import ProblemOptions


def test_accuracy_is_the_share_of_largest_scores() -> None:
    scores = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0], [5.0, 6.0]])
    assert accuracy(scores, torch.tensor([1, 0, 0, 1])) == 0.75


def test_evaluation_over_uneven_batches_is_the_mean_over_all_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = mnist_logreg(ProblemOptions())
    torch.manual_seed(0)
    model, loss_fn = problem.make_model(), problem.make_loss()
    assert problem.held_out is not None
    inputs, targets = problem.held_out.batch(torch.arange(1000))
    monkeypatch.setattr("bench.problems.problem._EVALUATION_BATCH", 300)
    with torch.no_grad():
        found = evaluate_mean(model, loss_fn, problem.held_out)
        outputs = model(inputs)
        expected = {"loss": loss_fn(outputs, targets), "accuracy": accuracy(outputs, targets)}
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-6)
