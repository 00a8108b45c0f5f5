"""How optimizers are compared: run them, record them, load the records, ask what they say.

>>> import bench
>>> record = bench.run(bench.RunSpec(problem="quadratic", optimizer="sgd", iterations=10))
>>> len(record.iterations)
10
"""

from typing import TYPE_CHECKING

from bench.runs.spec import RunSpec
from bench.support import imported, lazy

if TYPE_CHECKING:
    from bench.report.from_python import ranking, summary, write_report
    from bench.runs.record import RunRecord
    from bench.runs.store import load, save
    from bench.sweeps.from_python import recommended, sweep
    from bench.training.loop import run

__all__ = [
    "RunRecord",
    "RunSpec",
    "load",
    "ranking",
    "recommended",
    "run",
    "save",
    "summary",
    "sweep",
    "write_report",
]

imported.begin()

# No name here is a file's or a folder's: once that is imported, it would be found instead.
__getattr__ = lazy.attributes(
    __name__,
    {
        "RunRecord": "runs.record",
        "load": "runs.store",
        "save": "runs.store",
        "run": "training.loop",
        "sweep": "sweeps.from_python",
        "recommended": "sweeps.from_python",
        "summary": "report.from_python",
        "ranking": "report.from_python",
        "write_report": "report.from_python",
    },
)


def __dir__() -> list[str]:
    """Names to complete: what is offered, imported already or not."""
    return sorted({*globals(), *__all__})
