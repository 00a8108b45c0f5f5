"""Independent random streams of one seed.

BackPACK draws its Monte-Carlo samples from torch's *global* generator. Initialisation and batch
order therefore have streams of their own, and every optimizer of a seed meets the same ones.
"""

import contextlib
import random
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import nn

from bench.problems.problem import Problem

Stream = Literal["initialisation", "batches", "training", "augmentation"]
_STREAMS: tuple[Stream, ...] = ("initialisation", "batches", "training", "augmentation")


def stream_seed(seed: int, stream: Stream) -> int:
    """The 63-bit seed of one stream.

    Streams of one seed, and the same stream of two seeds, are independent: they are children of
    ``numpy.random.SeedSequence``.

    Args:
        seed: The run's seed.
        stream: ``"initialisation"`` of parameters, order of ``"batches"``, or ``"training"`` for
            whatever draws from torch's global generator (curvature samples, dropout),
            ``"augmentation"`` for what draws while a mini-batch is made.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(_STREAMS.index(stream),))
    return int(sequence.generate_state(1, dtype=np.uint64)[0]) >> 1


def initial_model(problem: Problem, seed: int) -> nn.Module:
    """The model that every run of a seed begins with; the global generators are left seeded."""
    seed_globally(stream_seed(seed, "initialisation"))
    return problem.make_model()


def seed_globally(seed: int) -> None:
    """Seed the global generators of torch, NumPy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


@contextlib.contextmanager
def global_state_kept() -> Iterator[None]:
    """Leave the global generators of Python and NumPy as they were; torch's has ``fork_rng``."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
