"""What a comparison found, whatever its base is, and the loop that launches until it is decided."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal

import numpy as np

from bench.machine.watch import Watch, overrun
from bench.statistics.launches import MIN_LAUNCHES, Array, Estimate, Judged, Monitor, Verdict

Threshold = Callable[[str, str], float]
OnLaunch = Callable[[int, float], None]


@dataclass(frozen=True, kw_only=True)
class Line:
    """What is said of one quantity of one benchmark.

    Attributes:
        benchmark: Its key, or its name in the suite.
        quantity: A phase, or all of them.
        base: What it takes per iteration of the base, over launches if there are several, and by
            the kind of mean that the verdict rests on.
        head: Likewise of the head.
        unit: Of both: seconds (``s``), or multiples of a plain gradient of the same session.
        base_s: Seconds of the base, beside costs: of another day, and advice only.
        head_s: Likewise of the head.
        judged: The ratio head / base and what follows.
        threshold: The smallest change that counts, as a share.
    """

    benchmark: str
    quantity: str
    base: float
    head: float
    unit: Literal["s", "plain gradients"]
    base_s: float = math.nan
    head_s: float = math.nan
    judged: Judged
    threshold: float

    @property
    def verdict(self) -> Verdict:
        """What follows."""
        return self.judged.verdict

    @property
    def estimate(self) -> Estimate:
        """The ratio head / base that the verdict rests on."""
        return self.judged.estimate


@dataclass(kw_only=True)
class Outcome:
    """What a comparison found.

    Attributes:
        base: Name of the base.
        head: Name of the head.
        appeared: Benchmarks that only the head has, and why the base lacks them.
        vanished: Likewise of the base.
        failed: Benchmarks whose code failed on a side, and how.
        lines: One per quantity of a benchmark that both have and that ran.
        launches: How many launches of a side.
        elapsed_s: How long it took.
        budget_s: How long it might have taken.
        decided: Whether it ended because every line had a verdict.
        complaints: What may have spoilt the timings.
        remarks: What the timings are of, and what was noticed beside them.
    """

    base: str
    head: str
    appeared: dict[str, str] = field(default_factory=dict)
    vanished: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    launches: int = 0
    elapsed_s: float = 0.0
    budget_s: float = 0.0
    decided: bool = False
    complaints: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def slower(self) -> list[Line]:
        """The regressions."""
        return [line for line in self.lines if line.verdict == "slower"]


def launch_until_decided(
    outcome: Outcome,
    launch: Callable[[], Array],
    thresholds: Sequence[float],
    *,
    launches: str,
    watch: Watch,
    began: float,
    on_launch: OnLaunch,
    against_one: bool = False,
) -> list[Judged]:
    """Launch until every line has a verdict, or another launch would exceed the budget.

    Args:
        outcome: With its budget; is given the launches, the time and what disturbed them.
        launch: Launches once; returns log ratios head / base, ``[kinds, quantities]``.
        thresholds: The smallest change that counts, by quantity.
        launches: What launches are called.
        watch: What looks at the machine in each launch.
        began: When the time began to count, by ``perf_counter``.
        on_launch: Told after each launch how many there were and the share of the budget gone.
        against_one: The base is a single launch; see ``bench.statistics.launches.estimates``.

    Returns:
        What is said of each quantity.
    """
    monitor = Monitor(thresholds, against_one=against_one)
    effects: list[Array] = []
    longest, stops = 0.0, False
    while not stops:
        effects.append(launch())
        elapsed = perf_counter() - began
        longest = max(longest, elapsed - outcome.elapsed_s)
        outcome.launches, outcome.elapsed_s = len(effects), elapsed
        gone = elapsed / outcome.budget_s
        on_launch(outcome.launches, gone)
        last = elapsed + longest > outcome.budget_s
        stops = monitor.stops(np.array(effects), gone, last=last)
    outcome.complaints += watch.complaints()
    least = f"{MIN_LAUNCHES} {launches}"
    outcome.complaints += overrun(least, outcome.elapsed_s, outcome.budget_s)
    outcome.decided = "undecided" not in monitor.verdicts()
    return monitor.judged
