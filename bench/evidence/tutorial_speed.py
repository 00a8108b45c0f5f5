"""The tutorial's run by the harness, over the tutorial's own loop with its ``DataLoader``.

Each measurement is a process of its own, and the two kinds take turns. The tutorial's loop is
timed from its first batch to its last step; the harness from the call that runs to the record it
returns, warm-up included. Loading the data set into memory is outside for both.

    python -m bench.evidence.tutorial_speed --pairs 7 --output results/reference/speed
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from bench.evidence.tutorial import BATCH_SIZE, DAMPING, ITERATIONS, LR, RUN, ratio_interval
from bench.training.prepare import prepare

TARGET = 0.75


def harness_seconds() -> float:
    """The harness as the command line ships it."""
    from bench.machine import allocator
    from bench.runs.spec import RunSpec
    from bench.training import loop

    allocator.tune()
    prepared = prepare(RunSpec(**RUN, eval_every=0))
    start = time.perf_counter()
    record = loop.execute(prepared)
    seconds = time.perf_counter() - start
    assert record.status == "completed", record.error
    return seconds


def tutorial_seconds(root: str) -> float:
    """The tutorial's loop, written out: per-batch loading and transforms, one BackPACK pass."""
    import torch
    from backpack import backpack, extend
    from backpack.extensions import DiagGGNMC
    from torchvision import datasets, transforms

    from bench.problems.mnist_cnn import tutorial_cnn

    class DiagonalStep(torch.optim.Optimizer):
        def step(self) -> None:  # type: ignore[override]
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.add_(p.grad / (p.diag_ggn_mc + DAMPING), alpha=-LR)

    steps = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    data = datasets.MNIST(root, train=True, transform=transforms.Compose(steps))
    loader = torch.utils.data.DataLoader(data, batch_size=BATCH_SIZE, shuffle=True)
    torch.manual_seed(0)
    model, loss_fn = extend(tutorial_cnn()), extend(torch.nn.CrossEntropyLoss())
    optimizer = DiagonalStep(model.parameters(), {})
    start = time.perf_counter()
    for index, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        output = model(x)
        accuracy = (output.argmax(dim=1) == y).float().mean()
        loss = loss_fn(output, y)
        with backpack(DiagGGNMC()):
            loss.backward()
        optimizer.step()
        if index % 50 == 0:
            print(f"{index}: {loss.item():.3f} {accuracy.item():.3f}", file=sys.stderr)
        if index + 1 >= ITERATIONS:
            break
    return time.perf_counter() - start


def _measure(kind: str, root: str) -> float:
    command = [sys.executable, "-W", "ignore", "-m", "bench.evidence.tutorial_speed"]
    command += ["--only", kind, "--data-root", root]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(finished.stdout.split()[-1])


def main() -> None:
    """Measure in pairs, print the ratio with its interval, keep the raw seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--data-root", required=True, help="torchvision's layout, full MNIST")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", choices=["harness", "tutorial"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only == "tutorial":
        print(tutorial_seconds(options.data_root))
        return
    if options.only == "harness":
        RUN["data_root"] = options.data_root
        print(harness_seconds())
        return
    rows = []
    for pair in range(options.pairs):
        order = ["harness", "tutorial"] if pair % 2 == 0 else ["tutorial", "harness"]
        seconds = {kind: _measure(kind, options.data_root) for kind in order}
        rows.append({"pair": pair, "first": order[0], **seconds})
        print(
            f"pair {pair}: harness {seconds['harness']:.2f} s, "
            f"tutorial {seconds['tutorial']:.2f} s, "
            f"ratio {seconds['harness'] / seconds['tutorial']:.3f}",
            flush=True,
        )
    table = pd.DataFrame(rows)
    ratio, low, high = ratio_interval((table["harness"] / table["tutorial"]).tolist(), 0.99)
    print(
        f"harness over tutorial, {ITERATIONS} iterations, {options.pairs} pairs: "
        f"{ratio:.3f} (99 % interval {low:.3f} to {high:.3f}; target <= {TARGET})"
    )
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        table.round(4).to_csv(options.output / "tutorial_speed.csv", index=False)


if __name__ == "__main__":
    main()
