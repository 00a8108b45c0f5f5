"""The loop launches until every line has a verdict, or until no launch fits into the budget."""

from typing import Any

import numpy as np
import pytest

from bench.machine.watch import Watch
from bench.regress import outcome as outcomes
from bench.regress.outcome import Outcome, launch_until_decided
from bench.statistics.launches import Array, Judged


class Launches:
    """Launches that take 10 s each, and find a ratio with a scatter."""

    def __init__(self, ratio: float, scatter: float) -> None:
        self._ratio, self._scatter = ratio, scatter
        self._generator, self.now = np.random.default_rng(0), 100.0

    def __call__(self) -> Array:
        self.now += 10
        return np.log([[self._ratio]]) + self._generator.normal(0, self._scatter, (1, 1))


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Any:
    def judged(
        launches: Launches, budget_s: float
    ) -> tuple[Outcome, list[Judged], list[tuple[int, float]]]:
        monkeypatch.setattr(outcomes, "perf_counter", lambda: launches.now)
        monkeypatch.setattr(Watch, "complaints", lambda _: ["it was hot"])
        found, told = Outcome(base="a", head="b", budget_s=budget_s), list[tuple[int, float]]()
        lines = launch_until_decided(
            found, launches, [0.025], launches="launches", watch=Watch(), began=100.0,
            on_launch=lambda *launched: told.append(launched),
        )  # fmt: skip
        return found, lines, told

    return judged


def test_what_is_clear_is_decided_at_the_first_look(judge: Any) -> None:
    found, (judged,), told = judge(Launches(1.5, 0.001), 100)
    assert judged.verdict == "slower"
    assert judged.estimate.ratio == pytest.approx(1.5, rel=0.01)
    assert (found.launches, found.elapsed_s, found.decided) == (5, 50, True)
    assert told == [(number, number / 10) for number in range(1, 6)]
    assert found.complaints == ["it was hot"]


def test_what_is_not_clear_takes_the_budget_and_no_launch_more(judge: Any) -> None:
    """After eleven launches, one more of 10 s would exceed 115 s."""
    found, (judged,), _ = judge(Launches(1.02, 0.05), 115)
    assert judged.verdict == "undecided"
    assert (found.launches, found.elapsed_s, found.decided) == (11, 110, False)


def test_the_least_is_launched_whatever_the_budget_and_the_overrun_is_told(judge: Any) -> None:
    found, _, _ = judge(Launches(1.02, 0.05), 20)
    assert (found.launches, found.elapsed_s) == (5, 50)
    assert found.complaints == [
        "it was hot",
        "the least of 5 launches took 50 s, longer than the budget of 20 s",
    ]
