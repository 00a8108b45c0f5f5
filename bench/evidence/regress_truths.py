"""``optbench regress`` where the truth is known: delays that are put into a phase of mnist_cnn.

A scratch repository holds an optimizer and a model that wait, busily, for a share of an iteration:
in the forward pass, the backward pass or the step; in every iteration, every tenth or every 200th,
at random, in the first 300 only, or longer and longer. Each change is compared with a commit that
waits nowhere, or the other way round; what is said stands beside the truth.

    python -m bench.evidence.regress_truths --output results/reference/truths
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.evidence import scratch
from bench.statistics.launches import QUANTITIES, THRESHOLD

PHASES = QUANTITIES[:-1]
BEGINNING, GROWS = 300, 1000  # iterations of a slow beginning; by which a growing wait is whole
SOURCE = '''
import random
import time
from dataclasses import replace

import torch

from bench.problems import REGISTRY

PHASE, KIND, SECONDS = {phase!r}, {kind!r}, {seconds!r}


class Waiting:
    """Waits in some iterations or in all of them."""

    def __init__(self):
        self.done, self.random = 0, random.Random()

    def __call__(self, phase):
        if phase != PHASE:
            return
        self.done += 1
        share = {{
            "all": 1.0,
            "every 10th": 10.0 * (self.done % 10 == 0),
            "every 200th": 200.0 * (self.done % 200 == 0),
            "1 in 50": 50.0 * (self.random.random() < 0.02),
            "the first 300": self.done <= {beginning},
            "growing": self.done / {grows},
        }}[KIND]
        end = time.perf_counter() + share * SECONDS
        while time.perf_counter() < end:
            pass


class Backward(torch.autograd.Function):
    @staticmethod
    def forward(context, outputs, wait):
        context.wait = wait
        return outputs.view_as(outputs)

    @staticmethod
    def backward(context, gradient):
        context.wait("backward")
        return gradient, None


class Model(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner, self.wait = inner, Waiting()

    def forward(self, inputs):
        if self.training:
            self.wait("forward")
        return Backward.apply(self.inner(inputs), self.wait)


def problem(options):
    """mnist_cnn, waiting."""
    built = REGISTRY.get("mnist_cnn").load_builder()(options)
    make = built.make_model
    return replace(built, make_model=lambda: Model(make()))


class Mine(torch.optim.Optimizer):
    """Gradient descent, waiting."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {{"lr": lr}})
        self.wait = Waiting()

    @torch.no_grad()
    def step(self, closure=None):
        self.wait("step")
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(parameter.grad, alpha=group["lr"])
'''


@dataclass(frozen=True)
class Case:
    """A change.

    Attributes:
        phase: Which waits.
        share: Of an iteration, on average.
        kind: In which iterations.
        reversed: Whether it is the base that waits.
    """

    phase: str
    share: float
    kind: str = "all"
    reversed: bool = False

    def __str__(self) -> str:
        """How it is called."""
        if not self.share:
            return "none"
        kind = "" if self.kind == "all" else f", {self.kind}"
        return f"{'-' if self.reversed else '+'}{100 * self.share:g} % in {self.phase}{kind}"


CASES = (
    Case("step", 0.0),
    *(Case(phase, share) for phase in PHASES for share in (0.03, 0.05, 0.1, 0.3)),
    Case("step", 0.1, "every 10th"),
    Case("step", 0.1, "every 200th"),
    Case("step", 0.1, "1 in 50"),
    Case("step", 0.3, "the first 300"),
    Case("step", 1.0, "growing"),
    Case("forward", 0.1, reversed=True),
)


def source(case: Case, iteration_s: float) -> str:
    """The repository's module, of an iteration so long."""
    seconds = case.share * iteration_s
    return SOURCE.format(
        phase=case.phase, kind=case.kind, seconds=seconds, beginning=BEGINNING, grows=GROWS
    )


def truth(case: Case, line: dict[str, Any], measured: tuple[int, int], iteration_s: float) -> float:
    """The ratio head / base that a line is to find, from the waits of the measured iterations.

    Args:
        case: The change.
        line: Of the document.
        measured: The first and the last iteration.
        iteration_s: What shares are of.
    """
    if line["quantity"] not in (case.phase, "total"):
        return 1.0
    first, last = measured
    share = case.share
    if case.kind == "the first 300":
        share *= max(0, min(last, BEGINNING) - first + 1) / (last - first + 1)
    if case.kind == "growing":
        share *= (first + last) / 2 / GROWS
    seconds = share * iteration_s
    return 1 - seconds / line["base_s"] if case.reversed else 1 + seconds / line["base_s"]


def is_wrong(verdict: str, true: float, threshold: float = THRESHOLD) -> bool:
    """Whether a verdict contradicts the truth; *undecided* never does."""
    changed = not 1 / (1 + threshold) < true < 1 + threshold
    return (
        (verdict == "slower" and true <= 1)
        or (verdict == "faster" and true >= 1)
        or (verdict == "unchanged" and changed)
    )


def rows(case: Case, document: dict[str, Any], iteration_s: float) -> Iterator[dict[str, Any]]:
    """What was said of a case, line by line, beside the truth."""
    (measured,) = document["measured"].values()
    for line in document["lines"]:
        true, estimate = truth(case, line, measured, iteration_s), line["estimate"]
        yield {
            "case": str(case),
            "quantity": line["quantity"],
            "true": true,
            "ratio": estimate["ratio"],
            "low": estimate["low"],
            "high": estimate["high"],
            "of": estimate["kind"],
            "holds": estimate["low"] <= true <= estimate["high"],
            "verdict": line["verdict"],
            "wrong": is_wrong(line["verdict"], true, line["threshold"]),
            "first": measured[0],
            "last": measured[1],
        }


def main() -> None:
    """Compare every case that is not kept yet; print and keep what was said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--budget", type=float, default=60.0)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = []
    iteration_s = 0.0
    for case in CASES:
        kept = options.output / f"{str(case).replace(' ', '_').replace('%', 'percent')}.json"
        if not kept.is_file():
            kept.write_text(json.dumps(compared(case, iteration_s, options.budget)) + "\n")
        document = json.loads(kept.read_text())
        iteration_s = iteration_s or document["lines"][-1]["base_s"]
        found += rows(case, document, iteration_s)
        for row in found[-len(QUANTITIES) :]:
            print("{case:32}{quantity:9}{true:7.3f} {ratio:7.3f} ({low:.3f}-{high:.3f}) "
                  "{verdict:10}{holds!s:6}{wrong!s}".format(**row), flush=True)  # fmt: skip
        for remark in document["remarks"]:
            print(f"    {remark}", flush=True)
    table = pd.DataFrame(found)
    table.round(4).to_csv(options.output / "truths.csv", index=False)
    print(f"{int(table['holds'].sum())} of {len(table)} intervals hold the truth; "
          f"{int(table['wrong'].sum())} verdicts are wrong.")  # fmt: skip


def compared(case: Case, iteration_s: float, budget_s: float) -> dict[str, Any]:
    """What ``regress`` says of a case, without its raw blocks."""
    still = source(Case("step", 0.0), 0.0)
    waits = source(case, iteration_s)
    before, after = (waits, still) if case.reversed else (still, waits)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scratch.create(folder)
        scratch.commit(folder, before, "before")
        (folder / "mine.py").write_text(after)
        command = ["-m", "bench", "regress", "main", "-o", "mine:Mine", "-p", "mine:problem"]
        command += ["--json", "--budget", f"{budget_s:g}"]
        said = scratch.call(folder, sys.executable, *command, fine=(0, 3))
    document: dict[str, Any] = json.loads(said)
    return {key: value for key, value in document.items() if not key.endswith("blocks_s")}


if __name__ == "__main__":
    main()
