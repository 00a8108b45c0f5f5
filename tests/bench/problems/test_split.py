"""Held-out data of one split are not those of the other, whatever a problem's author did."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.problems.data import DataSource, TensorData
from bench.problems.mnist_files import load_mnist
from bench.problems.problem import Problem, accuracy, evaluate_mean
from bench.problems.quadratic import quadratic
from bench.problems.spec import ProblemOptions
from bench.problems.split import SHARE, build, indices
from optimizers import UsageError

TEST, VALIDATION = ProblemOptions("test"), ProblemOptions("validation")


def made(train: Any, held_out: Any) -> Problem:
    return Problem(
        make_model=lambda: nn.Linear(2, 3), make_loss=nn.CrossEntropyLoss, train=train,
        held_out=held_out, batch_size=10, evaluate=evaluate_mean, batch_metric=accuracy,
        source=DataSource(name="toy", detail="toy", checksum="1"),
        metrics={"loss": "min", "accuracy": "max"},
    )  # fmt: skip


def points(count: int, seed: int = 0) -> TensorData:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 2, generator=generator)
    return TensorData(inputs, torch.arange(count) % 3)


def rows(data: TensorData) -> set[tuple[float, ...]]:
    return {tuple(row) for row in data.inputs.tolist()}


def test_validation_data_come_out_of_the_training_data_without_the_authors_help() -> None:
    def builder(_: ProblemOptions) -> Problem:
        return made(points(120), points(30, seed=1))

    test, validation = (build("toy", builder, options) for options in (TEST, VALIDATION))
    assert test.held_out is not None
    assert validation.held_out is not None
    assert (len(validation.train), len(validation.held_out)) == (100, 20)
    assert rows(validation.train) | rows(validation.held_out) == rows(test.train)
    assert not rows(validation.held_out) & rows(test.held_out)
    assert validation.source.detail == "toy, 20 of the training data held out to validate"
    assert test.source.detail == "toy"


def test_a_split_of_its_own_is_used_and_checked() -> None:
    def builder(options: ProblemOptions) -> Problem:
        everything = points(120)
        part = slice(80, 100) if options.split == "validation" else slice(100, 120)
        held_out = TensorData(everything.inputs[part], everything.targets[part])
        return made(TensorData(everything.inputs[:80], everything.targets[:80]), held_out)

    validation = build("toy", builder, VALIDATION)
    assert validation.held_out is not None
    assert len(validation.train) == 80
    assert torch.equal(validation.held_out.inputs, points(120).inputs[80:100])

    def leaking(options: ProblemOptions) -> Problem:
        few = 15 if options.split == "validation" else 20
        test = points(20, seed=1)
        return made(points(80), test.part(torch.arange(few)))

    with pytest.raises(UsageError, match="validation data of 'toy' are among its test data"):
        build("toy", leaking, VALIDATION)


@pytest.mark.mnist
def test_mnists_validation_images_are_those_that_they_always_were(mnist_root: Path) -> None:
    from sklearn.model_selection import train_test_split

    train, _, _ = load_mnist(split="test", data_root=str(mnist_root))
    _, out = train_test_split(
        np.arange(60_000), test_size=10_000, stratify=train.targets.numpy(), random_state=0
    )
    assert indices(train.targets)[1].tolist() == sorted(out.tolist())


@pytest.mark.parametrize(
    "targets",
    [torch.arange(60) % 3, torch.randn(60, generator=torch.Generator().manual_seed(0)),
     torch.zeros(60, 2), torch.tensor([7] + [0] * 59), torch.arange(60)],
    ids=["classes", "numbers", "vectors", "a class of one", "as many classes as data"],
)  # fmt: skip
def test_a_sixth_is_held_out_and_every_class_keeps_its_share(targets: Tensor) -> None:
    kept, held_out = indices(targets)
    assert len(held_out) == 60 // SHARE
    assert sorted([*kept.tolist(), *held_out.tolist()]) == list(range(60))
    assert torch.equal(held_out, indices(targets)[1])
    if torch.equal(targets, torch.arange(60) % 3):
        counts = torch.bincount(targets[held_out]).tolist()
        assert sorted(counts) == [3, 3, 4]


def test_too_few_data_are_refused() -> None:
    with pytest.raises(UsageError, match="2 training data are too few"):
        indices(torch.zeros(2))


def test_held_out_data_are_never_augmented_and_keep_what_their_author_does_to_them() -> None:
    class Scaled(TensorData):
        def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
            inputs, targets = super().batch(index)
            return inputs / 10, targets

    def builder(_: ProblemOptions) -> Problem:
        train, test = points(60), points(12, seed=1)
        noisy = TensorData(train.inputs, train.targets, transform=lambda x: x + 100)
        return made(noisy, Scaled(test.inputs, test.targets))

    validation = build("toy", builder, VALIDATION)
    assert validation.held_out is not None
    drawn = validation.held_out.batch(torch.arange(10))[0]
    assert torch.equal(drawn, validation.held_out.inputs / 10)
    assert validation.train.batch(torch.arange(10))[0].min() > 90

    def wrong(_: ProblemOptions) -> Problem:
        test = points(12, seed=1)
        return made(points(60), TensorData(test.inputs, test.targets, transform=torch.abs))

    with pytest.raises(UsageError, match="held-out data of 'toy' have a transform"):
        build("toy", wrong, TEST)


def test_a_function_to_minimise_says_that_nothing_is_held_out() -> None:
    for options in (TEST, VALIDATION):
        problem = build("quadratic", quadratic, options)
        assert problem.held_out is not None
        assert torch.equal(problem.held_out.inputs, problem.train.inputs)
        assert problem.source.detail.endswith("no held-out data: judged on the function itself")


@pytest.mark.parametrize(
    "draw",
    [lambda: torch.rand(60, 2), lambda: torch.from_numpy(np.random.rand(60, 2)),
     lambda: torch.tensor([[random.random(), 1.0] for _ in range(60)])],
    ids=["torch", "numpy", "python"],
)  # fmt: skip
def test_what_a_builder_draws_is_the_same_every_time_and_leaves_no_trace(
    draw: Callable[[], Tensor],
) -> None:
    def builder(_: ProblemOptions) -> Problem:
        assert torch.get_num_threads() == 1
        return made(TensorData(draw(), torch.arange(60) % 3), points(12, seed=1))

    before, threads = torch.get_rng_state(), torch.get_num_threads()
    one = build("toy", builder, TEST)
    random.seed(5)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    other = build("toy", builder, VALIDATION)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert other.held_out is not None
    assert rows(other.train) | rows(other.held_out) == rows(one.train)
    torch.set_rng_state(before)


def test_the_case_of_the_two_moons_validates_on_other_data_than_it_tests_on() -> None:
    def builder(_: ProblemOptions) -> Problem:
        everything = points(200)
        return made(
            TensorData(everything.inputs[:150], everything.targets[:150]),
            TensorData(everything.inputs[150:], everything.targets[150:]),
        )

    validation, test = (build("moons", builder, options) for options in (VALIDATION, TEST))
    assert validation.held_out is not None
    assert test.held_out is not None
    assert not rows(validation.held_out) & rows(test.held_out)


def test_what_is_no_problem_is_told() -> None:
    with pytest.raises(UsageError, match="'toy' is built as a int"):
        build("toy", lambda _: 3, TEST)  # type: ignore[arg-type,return-value]
    assert replace(TEST, split="validation") == VALIDATION
