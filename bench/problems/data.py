"""Data as tensors, and how mini-batches are drawn."""

from collections.abc import Iterator
from dataclasses import dataclass

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
    """Inputs and targets held as tensors, drawn by index."""

    def __init__(self, inputs: Tensor, targets: Tensor, dtype: torch.dtype | None = None) -> None:
        """Hold data.

        Args:
            inputs: ``[N, ...]``; uint8 images are normalised when drawn, other integers stay.
            targets: ``[N, ...]``.
            dtype: Floating-point type of what is drawn; torch's default if ``None``.
        """
        self.inputs, self.targets = inputs, targets
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
        return TensorData(self.inputs.to(device), self.targets.to(device), dtype)

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
        return inputs, targets


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
