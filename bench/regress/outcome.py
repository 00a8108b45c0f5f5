"""What a comparison found, whatever the base is, and the loop that launches until it is decided."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal

import numpy as np

from bench.machine.watch import Watch, overrun
from bench.runs.spec import RunSpec
from bench.statistics.launches import MIN_LAUNCHES, Array, Estimate, Monitor, Verdict

SECONDS: Literal["s"] = "s"
COSTS: Literal["plain gradients"] = "plain gradients"
OnLaunch = Callable[[int, float], None]


@dataclass(frozen=True, kw_only=True)
class Line:
    """What is said of one quantity of one benchmark.

    Attributes:
        benchmark: Its key, or its name in the suite.
        quantity: A phase, or ``total``.
        base: The base, per iteration.
        head: The head; over launches, like the base where it was launched too.
        unit: What both are counted in.
        base_s: Seconds of the base per iteration, as they were measured.
        head_s: Of the head. Where costs are judged, these are of another day: advice only.
        estimate: The ratio head / base.
        threshold: The smallest change that counts, as a share.
        verdict: What follows.
    """

    benchmark: str
    quantity: str
    base: float
    head: float
    unit: Literal["s", "plain gradients"]
    base_s: float
    head_s: float
    estimate: Estimate
    threshold: float
    verdict: Verdict


@dataclass(kw_only=True)
class Outcome:
    """Everything that a comparison found.

    Attributes:
        base: Name of the base.
        head: Name of the head.
        unit: What is judged: seconds of two sides, or costs where the base is a stored file.
        lines: One per benchmark and quantity.
        appeared: Benchmarks that only the head has, and why the base lacks them.
        vanished: Likewise of the base.
        launches: How many launches of each side.
        elapsed_s: How long it took.
        budget_s: How long it might have taken.
        decided: Whether it ended because every line had a verdict.
        complaints: What may have spoilt the timings.
        when: The start, UTC. This and what follows is of two sides only.
        machine: The hardware; see ``bench.machine.environment.machine``.
        benchmarks: Those that both sides have, by key.
        described: Versions, threads, GPU and commit of ``base`` and ``head``.
        data: By benchmark, the device and the data.
        blocks: By benchmark and launch, seconds per iteration of each block,
            ``[turns, sides, quantities]``.
    """

    base: str
    head: str
    unit: Literal["s", "plain gradients"]
    lines: list[Line] = field(default_factory=list)
    appeared: dict[str, str] = field(default_factory=dict)
    vanished: dict[str, str] = field(default_factory=dict)
    launches: int = 0
    elapsed_s: float = 0.0
    budget_s: float = 0.0
    decided: bool = False
    complaints: list[str] = field(default_factory=list)
    when: str = ""
    machine: dict[str, Any] = field(default_factory=dict)
    benchmarks: dict[str, RunSpec] = field(default_factory=dict)
    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, list[Array]] = field(default_factory=dict)

    @property
    def slower(self) -> list[Line]:
        """The regressions."""
        return [line for line in self.lines if line.verdict == "slower"]


def launch_until_decided(
    outcome: Outcome,
    monitor: Monitor,
    launch: Callable[[], Array],
    *,
    least: str,
    watch: Watch,
    began: float,
    on_launch: OnLaunch,
    on_notice: Callable[[str], None] | None = None,
) -> list[Estimate]:
    """Launch until every line has a verdict or another launch would exceed the budget.

    Args:
        outcome: Is told how often it launched, how long that took, and what disturbed it.
        monitor: Says when to stop.
        launch: Measures once more; the log ratios of the quantities, ``[quantities]``.
        least: What the least number of launches is called.
        watch: What watched the machine in each launch.
        began: When the budget began to be spent, of ``time.perf_counter``.
        on_launch: Told how many launches there were, and the share of the budget that is gone.
        on_notice: Told at once if the budget is too short for the least.

    Returns:
        The estimates, one per quantity.
    """
    effects: list[Array] = []
    longest = 0.0
    while True:
        effects.append(launch())
        elapsed_s = perf_counter() - began
        longest = max(longest, elapsed_s - outcome.elapsed_s)
        outcome.launches, outcome.elapsed_s = len(effects), elapsed_s
        shortest = MIN_LAUNCHES * longest
        if on_notice is not None and outcome.launches == 1 and shortest > outcome.budget_s:
            on_notice(
                f"The least, {least}, takes about {shortest:.0f} s, longer than the budget of "
                f"{outcome.budget_s:.0f} s."
            )
        gone = elapsed_s / outcome.budget_s
        on_launch(outcome.launches, gone)
        last = elapsed_s + longest > outcome.budget_s
        if monitor.stops(np.array(effects), gone, last=last):
            break
    outcome.decided = "undecided" not in monitor.verdicts()
    outcome.complaints += [
        *watch.complaints(),
        *overrun(least, outcome.elapsed_s, outcome.budget_s),
    ]
    assert monitor.estimates is not None
    return monitor.estimates
