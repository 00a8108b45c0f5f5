"""Data as tensors, and how mini-batches are drawn."""

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.errors import UsageError

MNIST_MEAN, MNIST_STD = 0.1307, 0.3081


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """Which data a run used. Results from different sources are never compared.

    Attributes:
        name: Identifies the data, for example ``"mnist"`` or ``"mnist-embedded"``.
        detail: Sizes, for people.
        checksum: MD5 over the content.
        origin: Where it was found.
    """

    name: str
    detail: str
    checksum: str
    origin: str = "made here"


class TensorData:
    """Inputs and targets held as tensors, drawn by index.

    A subclass may override :meth:`batch`, to augment; it is kept where the data are moved, and what
    it draws at random comes from a stream of the run's own.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        dtype: torch.dtype | None = None,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Hold data.

        Args:
            inputs: ``[N, ...]``; uint8 images are normalised when drawn, other integers stay.
            targets: ``[N, ...]``.
            dtype: Floating-point type of what is drawn; torch's default if ``None``.
            transform: Augments the inputs of a mini-batch, ``[B, ...]``, when it is drawn; for
                training data only. It may draw from the global generators of torch, NumPy and
                Python, which hold a stream of the run's own meanwhile.
        """
        self.inputs, self.targets, self.transform = inputs, targets, transform
        self._dtype = dtype or torch.get_default_dtype()

    def __len__(self) -> int:
        """Number of data."""
        return len(self.inputs)

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.inputs.device

    def to(self, device: torch.device, dtype: torch.dtype) -> "TensorData":
        """The same data on a device, to be drawn in a floating-point type."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        moved._dtype = dtype
        return moved

    def part(self, indices: Tensor) -> "TensorData":
        """Some of the data, drawn as these are."""
        return self.holding(self, indices)

    def holding(self, other: "TensorData", indices: Tensor) -> "TensorData":
        """Some of other data, drawn as these are."""
        held = copy.copy(self)
        held.inputs, held.targets = other.inputs[indices], other.targets[indices]
        return held

    def without_transform(self) -> "TensorData":
        """The same data, as they are."""
        plain = copy.copy(self)
        plain.transform = None
        return plain

    def batches(self, indices: Iterator[Tensor], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Draw mini-batches.

        Args:
            indices: Which data, for each mini-batch.
            seed: Of what is drawn at random.

        Yields:
            What :meth:`batch` returns.
        """
        if self.transform is None and type(self).batch is TensorData.batch:
            yield from map(self.batch, indices)
            return
        stream = Stream(seed, self.device)
        for index in indices:
            with stream:
                drawn = self.batch(index)
            yield drawn

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a mini-batch.

        Args:
            indices: Which data, ``[B]``, on the data's device.

        Returns:
            Inputs ``[B, ...]`` and targets ``[B, ...]``; images as ``(x / 255 - mean) / std``.
        """
        inputs = self.inputs.index_select(0, indices)
        targets = self.targets.index_select(0, indices)
        if inputs.dtype == torch.uint8:
            inputs = inputs.to(self._dtype)
            inputs.mul_(1.0 / (255.0 * MNIST_STD)).sub_(MNIST_MEAN / MNIST_STD)
        elif inputs.is_floating_point():
            inputs = inputs.to(self._dtype)
        if targets.is_floating_point():
            targets = targets.to(self._dtype)
        if self.transform is not None:
            inputs = self.transform(inputs)
        return inputs, targets


class Stream:
    """The global generators of torch, NumPy and Python, with a state of their own for a while."""

    def __init__(self, seed: int, device: torch.device) -> None:
        """Begin a stream.

        Args:
            seed: Its seed.
            device: Where torch draws, too.
        """
        self._cuda = device if device.type == "cuda" else None
        outer = self._states()
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        self._own = self._states()
        self._set(outer)

    def __enter__(self) -> None:
        """Go on with it."""
        self._outer = self._states()
        self._set(self._own)

    def __exit__(self, *_: object) -> None:
        """Leave the generators as they were."""
        self._own = self._states()
        self._set(self._outer)

    def _states(self) -> tuple[Any, ...]:
        cuda = None if self._cuda is None else torch.cuda.get_rng_state(self._cuda)
        return torch.get_rng_state(), cuda, np.random.get_state(), random.getstate()

    def _set(self, states: tuple[Any, ...]) -> None:
        cpu, cuda, numpy, python = states
        torch.set_rng_state(cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(cuda, self._cuda)
        np.random.set_state(numpy)
        random.setstate(python)


def batch_indices(size: int, batch_size: int, seed: int, device: torch.device) -> Iterator[Tensor]:
    """Endless mini-batches of indices, reshuffled every epoch.

    The order comes from a generator of its own on the CPU, so that it is the same on every device.
    What does not fill a mini-batch at the end of an epoch is left out.

    Args:
        size: Number of data.
        batch_size: Indices per mini-batch.
        seed: Seed of the order.
        device: Where the indices are wanted.

    Yields:
        Indices, ``[batch_size]``.

    Raises:
        UsageError: The mini-batch is larger than the data set.
    """
    if batch_size > size:
        raise UsageError(f"batch_size={batch_size} is not valid: the training set has {size} data.")
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(size, generator=generator).to(device)
        yield from order[: size - size % batch_size].split(batch_size)
