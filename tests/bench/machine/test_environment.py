"""Each record carries its own environment."""

import torch

from bench.machine import environment


def test_description_names_machine_libraries_threads_and_allocator() -> None:
    described = environment.describe(torch.device("cpu"))
    assert described["threads"] == torch.get_num_threads()
    assert described["versions"]["torch"] == torch.__version__.partition("+")[0] or (
        described["versions"]["torch"] == torch.__version__
    )
    assert set(described["allocator"]) == {"libc", "tuned"}
    assert described["cpu"]
    assert described["gpu"] is None


def test_fingerprint_follows_the_hardware_only() -> None:
    facts = environment.machine() | {"gpu": None}
    same = environment.fingerprint(facts | {"kernel": "another"})
    assert environment.fingerprint(facts) == same
    for name, value in {"cpu": "X", "logical_cores": 99, "gpu": {"name": "H100"}}.items():
        assert environment.fingerprint(facts | {name: value}) != same
