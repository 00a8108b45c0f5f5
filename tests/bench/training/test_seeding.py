"""Streams of a seed are independent of each other and of other seeds."""

import random
from typing import get_args

import numpy as np

from bench.training.seeding import Stream, global_state_kept, stream_seed


def test_streams_and_seeds_differ() -> None:
    seeds = {stream_seed(seed, stream) for seed in range(50) for stream in get_args(Stream)}
    assert len(seeds) == 200


def test_a_stream_is_reproducible_and_torch_takes_its_seed() -> None:
    assert stream_seed(3, "batches") == stream_seed(3, "batches")
    assert all(0 <= stream_seed(seed, "training") < 2**63 for seed in range(50))


def test_global_generators_go_on_where_they_were() -> None:
    random.seed(0)
    np.random.seed(0)
    with global_state_kept():
        first = (random.random(), np.random.random())
    assert (random.random(), np.random.random()) == first
