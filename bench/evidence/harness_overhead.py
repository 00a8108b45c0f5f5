"""What the harness adds to an iteration: its loop against the same loop by hand.

Both train ``mnist_logreg`` with SGD in one process, in turns of balanced order. Everything that
the harness does besides the training itself counts: the clock, keeping and reading losses,
mini-batch accuracy.

    python -m bench.evidence.harness_overhead --rounds 100 --output results/reference/speed
"""

import argparse
import itertools
import time
from pathlib import Path

import pandas as pd

from bench.machine import allocator
from bench.problems.data import batch_indices
from bench.runs.spec import RunSpec
from bench.statistics.intervals import spread
from bench.training import loop
from bench.training.prepare import Prepared, prepare

ITERATIONS = 400
SKIPPED = 20
TARGET_US = 20.0


def harness_s(prepared: Prepared) -> float:
    """Seconds per iteration of the harness, between two calls of its progress hook."""
    marks: dict[int, float] = {}

    def mark(done: int) -> None:
        if done in (SKIPPED, ITERATIONS):
            marks[done] = time.perf_counter()

    record = loop.execute(prepared, on_iteration=mark)
    assert record.status == "completed", record.error
    return (marks[ITERATIONS] - marks[SKIPPED]) / (ITERATIONS - SKIPPED)


def by_hand_s(prepared: Prepared) -> float:
    """Seconds per iteration of the same training without a harness."""
    import torch

    device = torch.device(prepared.resolved.device)
    problem = prepared.problem
    train = problem.train.to(device, torch.float32)
    model, loss_fn = problem.make_model().to(device), problem.make_loss()
    optimizer = torch.optim.SGD(model.parameters(), **dict(prepared.optimizer.defaults))
    batches = batch_indices(len(train), problem.batch_size, 0, device)
    start = 0.0
    for iteration in range(ITERATIONS):
        if iteration == SKIPPED:
            start = time.perf_counter()
        inputs, targets = train.batch(next(batches))
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / (ITERATIONS - SKIPPED)


def main() -> None:
    """Measure in rounds, print the difference with its interval, keep the raw numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    allocator.tune()
    spec = RunSpec(problem="mnist_logreg", optimizer="sgd", iterations=ITERATIONS, eval_every=0)
    prepared = prepare(spec)
    kinds = {"harness_us": harness_s, "by_hand_us": by_hand_s}
    rows = []
    for number, order in zip(
        range(options.rounds), itertools.cycle([list(kinds), list(kinds)[::-1]]), strict=False
    ):
        measured = {kind: 1e6 * kinds[kind](prepared) for kind in order}
        rows.append({"round": number, "first": order[0], **measured})
    table = pd.DataFrame(rows)
    added = table["harness_us"] - table["by_hand_us"]
    found = spread(list(added))  # a median, since what else the machine does comes in bursts
    assert found is not None
    print(
        f"by hand {table['by_hand_us'].median():.0f} us, harness {table['harness_us'].median():.0f}"
        f" us per iteration (medians of {options.rounds} rounds of {ITERATIONS - SKIPPED})"
    )
    print(
        f"added by the harness: {found.median:.1f} us per iteration ({found.coverage:.0%} interval "
        f"of the median {found.low:.1f} to {found.high:.1f}; target <= {TARGET_US:.0f})"
    )
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        table.round(2).to_csv(options.output / "harness_overhead.csv", index=False)


if __name__ == "__main__":
    main()
