"""What the MNIST problems share: data, loss and metrics."""

from collections.abc import Callable

from torch import nn

from bench.problems.mnist_files import load_mnist
from bench.problems.problem import Problem, accuracy, evaluate_mean
from bench.problems.spec import ProblemOptions

BATCH_SIZE = 128


def mnist_classification(make_model: Callable[[], nn.Module], options: ProblemOptions) -> Problem:
    """Classify MNIST's digits with cross-entropy.

    Args:
        make_model: Builds a model from images ``[N, 1, 28, 28]`` to scores ``[N, 10]``.
        options: Split and data folder.
    """
    train, held_out, source = load_mnist(split=options.split, data_root=options.data_root)
    return Problem(
        make_model=make_model,
        make_loss=nn.CrossEntropyLoss,
        train=train,
        held_out=held_out,
        source=source,
        batch_size=BATCH_SIZE,
        metrics={"loss": "min", "accuracy": "max"},
        batch_metric=accuracy,
        evaluate=evaluate_mean,
    )
