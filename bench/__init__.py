"""How optimizers are compared: run them, record them, load the records.

>>> import bench
>>> record = bench.run(bench.RunSpec(problem="quadratic", optimizer="sgd", iterations=10))
>>> len(record.iterations)
10
"""

from typing import TYPE_CHECKING, Any

from bench.spec import RunSpec

if TYPE_CHECKING:
    from bench.harness import run
    from bench.record import RunRecord
    from bench.store import load, save

__all__ = ["RunRecord", "RunSpec", "load", "run", "save"]

_HOMES = {"run": "harness", "RunRecord": "record", "load": "store", "save": "store"}


def __getattr__(name: str) -> Any:
    """Import what needs torch or pyarrow only when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bench' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"bench.{_HOMES[name]}"), name)
