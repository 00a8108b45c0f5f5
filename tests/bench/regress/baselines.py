"""Made-up files of the benchmark suite."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.regress import baseline
from bench.regress.baseline import Stored

MACHINE = {
    "cpu": "a cpu", "logical_cores": 2, "memory_gib": 8, "gpu": None, "threads": 2,
    "fingerprint": "abc", "allocator": {"tuned": True}, "versions": {"torch": "2.14"},
}  # fmt: skip
PHASES = ("forward", "backward", "step", "iteration")


def document(costs: Mapping[str, float], **machine: Any) -> dict[str, Any]:
    """A file of the suite, with a relative cost for each optimizer."""
    return {
        "datetime": "2026-01-02T03:04:05+00:00",
        "machine_info": {"optbench": MACHINE | machine},
        "commit_info": {"id": "c0ffee", "dirty": True},
        "benchmarks": [
            {
                "name": f"test_throughput[mnist_cnn-cpu-{optimizer}-{phase}]",
                "stats": {"median": 1e-3 * cost, "mean": 1.1e-3 * cost, "rounds": 7},
                "extra_info": {
                    "phase": phase, "optimizer": optimizer, "problem": "mnist_cnn",
                    "batch_size": 128, "device": "cpu", "data": "mnist",
                    "relative_cost": cost, "relative_cost_median": 0.9 * cost,
                },
            }
            for optimizer, cost in costs.items()
            for phase in PHASES
        ],
    }  # fmt: skip


def stored(folder: Path, costs: Mapping[str, float], **machine: Any) -> Stored:
    path = folder / "base.json"
    path.write_text(json.dumps(document(costs, **machine)))
    return baseline.read(path)
