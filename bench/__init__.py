"""How optimizers are compared: run them, record them, load the records.

>>> import bench
>>> record = bench.run(bench.RunSpec(problem="quadratic", optimizer="sgd", iterations=10))
>>> len(record.iterations)
10
"""

from typing import TYPE_CHECKING, Any

from bench.runs.spec import RunSpec

if TYPE_CHECKING:
    from bench.runs.record import RunRecord
    from bench.runs.store import load, save
    from bench.training.loop import run

__all__ = ["RunRecord", "RunSpec", "load", "run", "save"]

_HOMES = {
    "run": "training.loop",
    "RunRecord": "runs.record",
    "load": "runs.store",
    "save": "runs.store",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch or pyarrow only when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bench' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"bench.{_HOMES[name]}"), name)
