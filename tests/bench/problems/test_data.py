"""Batches: how they are normalised, and in which order they come."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.problems.data import TensorData, batch_indices
from bench.problems.mnist_files import load_mnist
from optimizers import UsageError

CPU = torch.device("cpu")


@pytest.mark.mnist
def test_a_drawn_batch_is_normalised_as_torchvisions_transforms_do(mnist_root: Path) -> None:
    from torchvision import transforms
    from torchvision.datasets import MNIST

    steps = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    expected = MNIST(str(mnist_root), train=True, transform=transforms.Compose(steps))
    train, _, _ = load_mnist(split="test", data_root=str(mnist_root))
    inputs, targets = train.batch(torch.tensor([5, 17]))
    torch.testing.assert_close(inputs, torch.stack([expected[5][0], expected[17][0]]))
    assert targets.tolist() == [expected[5][1], expected[17][1]]


def test_normalisation_against_float64() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    drawn = TensorData(pixels, torch.zeros(1)).to(CPU, torch.float64).batch(torch.tensor([0]))[0]
    expected = (np.arange(256) / 255 - 0.1307) / 0.3081
    np.testing.assert_allclose(drawn.flatten().numpy(), expected, rtol=1e-12)


def test_integers_that_are_not_images_stay_as_they_are() -> None:
    tokens = TensorData(torch.tensor([[1, 2], [3, 4]]), torch.tensor([0, 1]))
    inputs, targets = tokens.to(CPU, torch.float64).batch(torch.tensor([1]))
    assert (inputs.dtype, inputs.tolist(), targets.tolist()) == (torch.int64, [[3, 4]], [1])


def epochs(size: int, batch_size: int, seed: int, batches: int) -> list[Tensor]:
    return list(islice(batch_indices(size, batch_size, seed, CPU), batches))


def test_an_epoch_meets_every_datum_at_most_once_and_is_reshuffled() -> None:
    first, second, third, fourth = epochs(10, 4, seed=0, batches=4)
    assert len(set(torch.cat([first, second]).tolist())) == 8
    assert len(set(torch.cat([third, fourth]).tolist())) == 8
    assert not torch.equal(torch.cat([first, second]), torch.cat([third, fourth]))


def test_batch_order_depends_on_its_seed_alone() -> None:
    torch.manual_seed(1)
    ours = torch.stack(epochs(10, 5, seed=7, batches=4))
    torch.manual_seed(2)
    assert torch.equal(ours, torch.stack(epochs(10, 5, seed=7, batches=4)))
    assert not torch.equal(ours, torch.stack(epochs(10, 5, seed=8, batches=4)))


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(UsageError, match=r"batch_size=11 is not valid: the training set has 10"):
        next(batch_indices(10, 11, 0, CPU))


class Noisy(TensorData):
    """Augments by a method of its own, and keeps a tensor of its own."""

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        super().__init__(inputs, targets)
        self.scale = torch.ones(1, dtype=torch.float64)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        inputs, targets = super().batch(indices)
        return inputs + self.scale.to(inputs) * torch.randn_like(inputs), targets


def test_a_subclass_survives_the_move_to_a_device() -> None:
    moved = Noisy(torch.zeros(4, 2), torch.zeros(4)).to(CPU, torch.float64)
    assert type(moved) is Noisy
    assert moved.batch(torch.arange(4))[0].dtype == torch.float64
    assert moved.batch(torch.arange(4))[0].std() > 0


@pytest.mark.parametrize("kind", ["subclass", "transform"])
def test_augmentation_has_a_stream_of_its_own(kind: str) -> None:
    """It is the same whatever else draws, and nothing else is shifted by it."""
    zeros = torch.zeros(8, 2), torch.zeros(8)
    data = (
        Noisy(*zeros)
        if kind == "subclass"
        else TensorData(*zeros, transform=lambda x: x + torch.randn_like(x) + np.random.rand())
    )

    def run(draws: int) -> tuple[Tensor, Tensor]:
        torch.manual_seed(0)
        batches = data.batches(batch_indices(8, 4, 0, CPU), 5)
        drawn = []
        for inputs, _ in islice(batches, 4):
            drawn.append(inputs)
            torch.randn(draws)
            np.random.rand(draws)
        return torch.stack(drawn), torch.randn(3)

    few, many = run(1), run(7)
    assert torch.equal(few[0], many[0])
    torch.manual_seed(0)
    for _ in range(4):
        torch.randn(1)
    assert torch.equal(few[1], torch.randn(3))
    assert not torch.equal(few[0][0], few[0][1])
