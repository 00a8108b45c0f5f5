"""A Dataset or a DataLoader gives what TensorData gives, or is read item by item, or is refused."""

from itertools import islice
from typing import Any

import pytest
import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    TensorDataset,
    WeightedRandomSampler,
)

from bench.problems import adapt as adapting
from bench.problems.adapt import Iterated, adapt
from bench.problems.data import TensorData, batch_indices
from bench.problems.spec import ProblemOptions
from bench.problems.split import build
from optimizers import UsageError
from tests.bench.problems.test_split import made, points

CPU = torch.device("cpu")
INPUTS = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Pairs(Dataset[Any]):
    """Inputs with class indices, which may be noisy."""

    def __init__(self, noise: float = 0.0) -> None:
        self.noise = noise

    def __len__(self) -> int:
        return len(INPUTS)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return INPUTS[index] + self.noise * torch.randn(2, dtype=torch.float64), index % 3


def drawn(data: TensorData, seed: int = 3, count: int = 4) -> list[torch.Tensor]:
    moved = data.to(CPU, torch.float32)
    batches = moved.batches(batch_indices(len(data), 8, 0, CPU), seed)
    return [inputs for inputs, _ in islice(batches, count)]


@pytest.mark.parametrize("data", [Pairs(), DataLoader(Pairs(), batch_size=3, shuffle=True)])
def test_what_is_the_same_whenever_it_is_read_is_held_as_tensors(data: Any) -> None:
    held = adapt(data, "training data", training=True)
    assert type(held) is TensorData
    assert torch.equal(held.inputs, INPUTS)
    assert held.targets.tolist() == [index % 3 for index in range(50)]
    assert drawn(held)[0].dtype == torch.float32


def test_what_is_random_is_read_item_by_item_in_the_runs_own_order() -> None:
    noisy = adapt(Pairs(0.01), "training data", training=True)
    assert isinstance(noisy, Iterated)
    torch.manual_seed(1)
    first = drawn(noisy)
    torch.manual_seed(2)
    again, other = drawn(noisy), drawn(noisy, seed=4)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    exact = drawn(adapt(Pairs(), "training data", training=True))
    assert all(0 < (one - two).abs().max() < 0.1 for one, two in zip(first, exact, strict=True))


def test_workers_read_the_same_every_time() -> None:
    loaded = adapt(DataLoader(Pairs(0.01), num_workers=2), "training data", training=True)
    assert isinstance(loaded, Iterated)
    first, again = drawn(loaded), drawn(loaded)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    exact = drawn(adapt(Pairs(), "training data", training=True))
    assert all((one - two).abs().max() < 0.1 for one, two in zip(first, exact, strict=True))


def test_what_does_not_fit_is_read_item_by_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapting, "LARGEST_BYTES", 100)
    data = adapt(Pairs(), "training data", training=True)
    assert isinstance(data, Iterated)
    assert not data.random
    assert data.targets.tolist() == [index % 3 for index in range(50)]
    monkeypatch.undo()
    assert torch.equal(drawn(data)[0], drawn(adapt(Pairs(), "", training=True))[0])
    some = data.part(torch.tensor([4, 7]))
    assert (len(some), some.batch(torch.tensor([1]))[1].tolist()) == (2, [1])
    assert data.digest() == adapt_again().digest()


def adapt_again() -> Iterated:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapting, "LARGEST_BYTES", 100)
        torch.manual_seed(0)
        data = adapt(Pairs(), "training data", training=True)
        assert isinstance(data, Iterated)
        return data


class Words(Dataset[Any]):
    def __init__(self, item: Any) -> None:
        self.item = item

    def __len__(self) -> int:
        return 4

    def __getitem__(self, _: int) -> Any:
        return self.item


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Words({"x": torch.zeros(1), "y": 1}), "are no pairs of inputs and targets"),
        (Words((object(), 1)), r"cannot be made tensors: .*transforms\.ToTensor"),
        (Words((torch.zeros(2, dtype=torch.uint8), 1)), "whole numbers from 0 to 255"),
        (Endless(), "are a Endless: give TensorData, a torch Dataset"),
        ([1, 2], "are no pairs"),
        (3, "are a int: give TensorData"),
        (
            DataLoader(Pairs(), sampler=WeightedRandomSampler([1.0] * 50, 50)),
            "has a sampler of its own, which a run would not use",
        ),
    ],
    ids=["dict", "images", "bytes", "iterable", "numbers", "number", "sampler"],
)
def test_what_would_be_wrong_without_a_word_is_refused(data: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        adapt(data, "training data", training=True)


def test_held_out_data_that_are_random_are_refused() -> None:
    with pytest.raises(UsageError, match="differ when they are read twice"):
        adapt(Pairs(1.0), "held-out data", training=False)


def test_a_problem_takes_data_sets_and_validates_on_them() -> None:
    tensors = TensorDataset(INPUTS, torch.arange(50) % 3)
    test = points(12, seed=1)

    def builder(_: ProblemOptions) -> Any:
        return made(tensors, TensorDataset(test.inputs, test.targets))

    problem = build("toy", builder, ProblemOptions("validation"))
    assert problem.held_out is not None
    assert (len(problem.train), len(problem.held_out)) == (42, 8)
    with pytest.raises(UsageError, match="No validation data can come out of the training data"):
        build("toy", lambda _: made(Pairs(0.1), test), ProblemOptions("validation"))
