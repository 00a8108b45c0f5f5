"""The harness and the same loop by hand: both train, and their difference has an interval."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from bench.evidence import harness_overhead as overhead
from bench.runs.spec import RunSpec
from bench.training.prepare import Prepared, prepare
from tests.bench.evidence.scripts import call, help_of


@pytest.mark.parametrize("kind", [overhead.harness_s, overhead.by_hand_s])
def test_both_loops_tell_their_seconds_per_iteration(
    kind: Callable[[Prepared], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overhead, "ITERATIONS", 20)
    monkeypatch.setattr(overhead, "SKIPPED", 5)
    spec = RunSpec(problem="quadratic", optimizer="sgd", device="cpu", iterations=20, eval_every=0)
    assert kind(prepare(spec)) > 0


def test_rounds_take_turns_and_the_difference_has_an_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = {"harness_s": [450e-6, 460e-6, 440e-6], "by_hand_s": [400e-6, 420e-6, 410e-6]}
    order: list[str] = []
    for name, seconds in times.items():
        left = iter(seconds)

        def measured(_: object, name: str = name, left: Iterator[float] = left) -> float:
            order.append(name)
            return next(left)

        monkeypatch.setattr(overhead, name, measured)
    monkeypatch.setattr(overhead, "prepare", lambda spec: spec)
    monkeypatch.setattr(overhead.allocator, "tune", lambda: True)
    call(overhead.main, monkeypatch, "--rounds", "3", "--output", str(tmp_path))
    assert order == [
        "harness_s", "by_hand_s", "by_hand_s", "harness_s", "harness_s", "by_hand_s",
    ]  # fmt: skip
    medians, added = capsys.readouterr().out.splitlines()
    assert medians.startswith("by hand 410 us, harness 450 us per iteration (medians of 3 rounds")
    assert "40.0 us per iteration (75% interval of the median 30.0 to 50.0; target" in added
    assert len(pd.read_csv(tmp_path / "harness_overhead.csv")) == 3


def test_it_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--rounds ROUNDS" in help_of(overhead.main, monkeypatch, capsys)
