"""On CUDA: the sum of the phases over wall time that was synchronised.

Events time what the device does between them; if they are placed rightly, the phases of many
iterations add up to nearly the wall time of the loop between two synchronisations.

    python -m bench.evidence.cuda_phases
"""

import time

import torch

from bench.runs.spec import RunSpec
from bench.training import loop
from optimizers import OPTIMIZERS

ITERATIONS = 500
SKIPPED = 50


def ratio(optimizer: str) -> float:
    """Clocked seconds over synchronised wall seconds, for the iterations after ``SKIPPED``."""
    marks: dict[int, float] = {}

    def mark(done: int) -> None:
        if done in (SKIPPED, ITERATIONS):
            torch.cuda.synchronize()
            marks[done] = time.perf_counter()

    spec = RunSpec(optimizer=optimizer, device="cuda", iterations=ITERATIONS, eval_every=0)
    record = loop.run(spec, on_iteration=mark)
    assert record.status == "completed", record.error
    return float(record.seconds[SKIPPED:].sum() / (marks[ITERATIONS] - marks[SKIPPED]))


def main() -> None:
    """Print the ratio for every built-in optimizer."""
    if not torch.cuda.is_available():
        raise SystemExit("This benchmark needs a CUDA device; there is none here.")
    print(torch.cuda.get_device_name())
    for optimizer in OPTIMIZERS:
        print(f"{optimizer}: phases / wall = {ratio(optimizer):.3f}")


if __name__ == "__main__":
    main()
