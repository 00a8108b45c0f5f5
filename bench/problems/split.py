"""What a problem is judged on: held-out data that were never trained on, and not tuned on.

Validation data come out of the training data, by the same rule for every problem, before anything
is done to them; unless a problem has a split of its own, which is checked.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bench.errors import UsageError
from bench.problems.adapt import Iterated, adapt
from bench.problems.data import TensorData
from bench.problems.problem import Problem
from bench.problems.spec import ProblemOptions

SHARE = 6  # one in so many training data is held out for validation
_SEED = 0

Builder = Callable[[ProblemOptions], Problem]


def build(name: str, builder: Builder, options: ProblemOptions) -> Problem:
    """Build a problem, with the held-out data of its split.

    A builder that gives other held-out data for ``split="validation"`` has a split of its own; else
    a sixth of its training data is held out. It finds the global generators seeded and torch with
    one thread, so that it builds the same everywhere.

    Args:
        name: What the problem is called.
        builder: Builds it.
        options: What it is built with.

    Raises:
        UsageError: What is built cannot be used; see the message.
    """
    problem = _built(name, builder, replace(options, split="test"))
    if problem.held_out is None:
        detail = f"{problem.source.detail}; no held-out data: judged on the function itself"
        source = replace(problem.source, detail=detail)
        return replace(problem, held_out=problem.train.without_transform(), source=source)
    if options.split == "test":
        return problem
    own = _built(name, builder, options)
    if own.held_out is not None and not _same(own.held_out, problem.held_out):
        _require_apart(name, own.held_out, problem.held_out)
        return own
    kept, held_out = indices(problem.train.targets)
    detail = f"{problem.source.detail}, {len(held_out)} of the training data held out to validate"
    if isinstance(problem.train, Iterated):  # its items have been through what the author does
        _require_fixed(name, problem.train)
        validation: TensorData = problem.train.part(held_out)
    else:
        validation = problem.held_out.holding(problem.train, held_out)
    return replace(
        problem,
        train=problem.train.part(kept),
        held_out=validation,
        source=replace(problem.source, detail=detail),
    )


def indices(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Which training data are kept and which are held out, both in ascending order.

    Where targets are classes, every class keeps its share.

    Args:
        targets: Of the training data, ``[N, ...]``.

    Raises:
        UsageError: There are too few.
    """
    from sklearn.model_selection import train_test_split

    size = len(targets)
    held_out = round(size / SHARE)
    if not held_out:
        raise UsageError(f"{size} training data are too few to hold some out for validation.")
    classes = targets.numpy() if targets.ndim == 1 and not targets.is_floating_point() else None
    if classes is not None:
        counts = np.unique(classes, return_counts=True)[1]
        if counts.min() < 2 or len(counts) > min(held_out, size - held_out):
            classes = None
    kept, out = train_test_split(
        np.arange(size), test_size=held_out, stratify=classes, random_state=_SEED
    )
    return torch.from_numpy(np.sort(kept)), torch.from_numpy(np.sort(out))


def _built(name: str, builder: Builder, options: ProblemOptions) -> Problem:
    with _as_everywhere():
        problem = builder(options)
        if not isinstance(problem, Problem):
            raise UsageError(
                f"Problem '{name}' is built as a {type(problem).__name__}: its builder is to "
                "return a bench.problems.Problem."
            )
        train = adapt(problem.train, f"training data of '{name}'", training=True)
        held_out = problem.held_out
        if held_out is not None:
            held_out = adapt(held_out, f"held-out data of '{name}'", training=False)
            if held_out.transform is not None:
                raise UsageError(
                    f"The held-out data of '{name}' have a transform: that is for training data "
                    "only. Give them without one."
                )
    return replace(problem, train=train, held_out=held_out)


@contextmanager
def _as_everywhere() -> Iterator[None]:
    python, numpy, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        random.seed(_SEED)
        np.random.seed(_SEED)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(python)
            np.random.set_state(numpy)


def _require_fixed(name: str, data: Iterated) -> None:
    if data.random:
        raise UsageError(
            f"No validation data can come out of the training data of '{name}', which are random "
            "whenever they are read: give other held-out data for options.split == 'validation'."
        )


def _same(one: TensorData, other: TensorData) -> bool:
    if isinstance(one, Iterated) and isinstance(other, Iterated):
        return one.digest() == other.digest()
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)


def _require_apart(name: str, validation: TensorData, test: TensorData) -> None:
    mine, its = _rows(validation), _rows(test)
    if mine.dtype == its.dtype and np.isin(mine, its).mean() > 0.5:
        raise UsageError(
            f"The validation data of '{name}' are among its test data: what is tuned on them has "
            "seen the test. Leave options.split alone, and they come out of the training data."
        )


def _rows(data: TensorData) -> np.ndarray:
    """Each datum as one value, its bytes."""
    inputs = np.ascontiguousarray(data.inputs.numpy().reshape(len(data), -1))
    return inputs.view(np.dtype((np.void, inputs.dtype.itemsize * inputs.shape[1]))).reshape(-1)
