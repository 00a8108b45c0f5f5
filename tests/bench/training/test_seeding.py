"""Streams of a seed are independent of each other and of other seeds."""

from typing import get_args

from bench.training.seeding import Stream, stream_seed


def test_streams_and_seeds_differ() -> None:
    seeds = {stream_seed(seed, stream) for seed in range(50) for stream in get_args(Stream)}
    assert len(seeds) == 150


def test_a_stream_is_reproducible_and_torch_takes_its_seed() -> None:
    assert stream_seed(3, "batches") == stream_seed(3, "batches")
    assert all(0 <= stream_seed(seed, "training") < 2**63 for seed in range(50))
