"""Data sets of torch's, and loaders, as data that mini-batches are drawn from by index.

What gives the same items whenever it is read, and fits, is held as tensors; anything else is read
item by item while training, by as many workers as the loader has, in the order of the run's own
mini-batches.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    default_collate,
)

from bench.errors import UsageError
from bench.problems.data import TensorData

LARGEST_BYTES = 2 * 2**30
_SAMPLE = 256
_READ_AT_ONCE = 1024

Collate = Callable[[list[Any]], Any]


def adapt(data: Any, what: str, *, training: bool) -> TensorData:
    """Turn data into what mini-batches are drawn from.

    Args:
        data: ``TensorData``, a map-style ``Dataset``, or a ``DataLoader`` over one.
        what: What they are, for messages.
        training: Whether they may be random, as under augmentation.

    Raises:
        UsageError: They cannot be used; see the message.
    """
    if isinstance(data, TensorData):
        return data
    dataset, collate, workers = data, default_collate, 0
    if isinstance(data, DataLoader):
        _require_plain(data, what)
        dataset, collate, workers = data.dataset, data.collate_fn, data.num_workers
    if isinstance(dataset, IterableDataset) or not (
        hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    ):
        raise UsageError(
            f"The {what} are a {type(dataset).__name__}: give TensorData, a torch Dataset with "
            "__len__ and __getitem__, or a DataLoader over one."
        )
    size = len(dataset)
    sample = torch.randperm(size, generator=torch.Generator().manual_seed(0))[:_SAMPLE].tolist()
    first, second = (_read(dataset, collate, sample, what) for _ in range(2))
    fixed = all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    if not fixed and not training:
        raise UsageError(
            f"The {what} differ when they are read twice: evaluations could not be compared. Leave "
            "augmentation to the training data."
        )
    sampled = sum(part.numel() * part.element_size() for part in first)
    import psutil  # the other interpreter of "optbench regress" may lack it

    room = min(LARGEST_BYTES, psutil.virtual_memory().available // 2)
    if not fixed or sampled * size / len(sample) > room:
        return Iterated(dataset, collate, workers, first, what, random=not fixed)
    parts = [
        _read(dataset, collate, range(begin, min(size, begin + _READ_AT_ONCE)), what)
        for begin in range(0, size, _READ_AT_ONCE)
    ]
    inputs, targets = (torch.cat(column) for column in zip(*parts, strict=True))
    return TensorData(inputs, targets)


def _require_plain(loader: "DataLoader[Any]", what: str) -> None:
    """Which mini-batches there are is the run's own: refuse what would be left out silently."""
    if type(loader.batch_sampler) not in (BatchSampler, type(None)) or type(loader.sampler) not in (
        RandomSampler,
        SequentialSampler,
    ):
        raise UsageError(
            f"The DataLoader of the {what} has a sampler of its own, which a run would not use: "
            "mini-batches are drawn in the run's own order. Give the Dataset."
        )


def _read(
    dataset: "Dataset[Any]", collate: Collate, indices: Sequence[int], what: str
) -> tuple[Tensor, Tensor]:
    try:
        found = collate([dataset[index] for index in indices])
    except TypeError as error:
        raise UsageError(
            f"The {what} cannot be made tensors: {error}. Images need transforms.ToTensor()."
        ) from error
    if not (
        isinstance(found, (tuple, list))
        and len(found) == 2
        and all(isinstance(part, Tensor) for part in found)
    ):
        raise UsageError(f"The {what} are no pairs of inputs and targets, both tensors or numbers.")
    inputs, targets = found
    if inputs.dtype == torch.uint8:
        raise UsageError(
            f"The inputs of the {what} are whole numbers from 0 to 255: make them floating point "
            "and normalise them in the Dataset, as with transforms.ToTensor()."
        )
    return inputs, targets


class Iterated(TensorData):
    """Data that are read item by item, since they are random or do not fit."""

    def __init__(
        self,
        dataset: "Dataset[Any]",
        collate: Collate,
        workers: int,
        sample: tuple[Tensor, Tensor],
        what: str,
        *,
        random: bool,
    ) -> None:
        """Read from a data set.

        Args:
            dataset: The data set.
            collate: Makes a mini-batch of items.
            workers: Processes that read; 0 for none.
            sample: Some of its items.
            what: What they are, for messages.
            random: Whether items differ when they are read again.
        """
        super().__init__(sample[0][:0], sample[1][:0])
        self._dataset, self._collate, self._workers, self._what = dataset, collate, workers, what
        self._chosen: Tensor | None = None
        self._sample, self.random = sample, random

    def __len__(self) -> int:
        """Number of data."""
        return len(self._dataset if self._chosen is None else self._chosen)  # type: ignore[arg-type]

    @property
    def targets(self) -> Tensor:
        """All targets, which are read one by one."""
        return _read(self._dataset, self._collate, range(len(self)), self._what)[1]

    @targets.setter
    def targets(self, value: Tensor) -> None: ...

    def digest(self) -> str:
        """Hash how many there are, and a sample of them."""
        digest = hashlib.sha256(f"{len(self)}".encode())
        for part in self._sample:
            digest.update(str(part.dtype).encode() + part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def part(self, indices: Tensor) -> "Iterated":
        """Some of them."""
        chosen = copy.copy(self)
        chosen._chosen = indices if self._chosen is None else self._chosen[indices]
        return chosen

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Read a mini-batch; see ``TensorData.batch``."""
        return self._finished(
            *_read(self._dataset, self._collate, self._items(indices), self._what)
        )

    def batches(self, indices: Iterator[Tensor], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Read mini-batches; see ``TensorData.batches``."""
        if not self._workers:
            yield from super().batches(indices, seed)
            return
        loader = DataLoader(
            self._dataset,
            batch_sampler=_Order(self._items(index) for index in indices),
            num_workers=self._workers,
            collate_fn=self._collate,
            generator=torch.Generator().manual_seed(seed),
        )
        for inputs, targets in loader:
            yield self._finished(inputs, targets)

    def _items(self, indices: Tensor) -> list[int]:
        chosen = indices if self._chosen is None else self._chosen[indices.cpu()]
        return chosen.tolist()

    def _finished(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        inputs, targets = (part.to(self.device) for part in (inputs, targets))
        return (
            inputs.to(self._dtype) if inputs.is_floating_point() else inputs,
            targets.to(self._dtype) if targets.is_floating_point() else targets,
        )


class _Order:
    """Batches of indices, as a loader wants them."""

    def __init__(self, batches: Iterator[list[int]]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        return self._batches
