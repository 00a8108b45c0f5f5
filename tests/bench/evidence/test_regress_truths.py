"""Known truths: what waits as it is said, what counts as wrong, and what is kept."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from bench.evidence import regress_truths as truths
from bench.evidence import scratch
from bench.evidence.regress_truths import Case
from tests.bench.evidence.scripts import call


def waits(case: Case, phase: str, iterations: int) -> list[float]:
    """What a phase waits in each iteration, in seconds, by the module's own clock."""
    space: dict[str, Any] = {}
    exec(truths.source(case, 0.01), space)

    class Clock:
        now = 0.0

        def perf_counter(self) -> float:
            self.now += 1e-5
            return self.now

    clock = space["time"] = Clock()
    wait, found = space["Waiting"](), []
    for _ in range(iterations):
        before = clock.now
        wait(phase)
        found.append(clock.now - before)
    return found


@pytest.mark.parametrize(
    ("kind", "iterations", "share"),
    [
        ("all", 10, 1.0), ("every 10th", 20, 1.0), ("every 200th", 400, 1.0),
        ("1 in 50", 50_000, 1.0), ("the first 300", 600, 0.5), ("growing", 1000, 0.5),
    ],
)  # fmt: skip
def test_a_case_waits_for_its_share(kind: str, iterations: int, share: float) -> None:
    found = waits(Case("step", 0.1, kind), "step", iterations)
    rel = 0.2 if kind == "1 in 50" else 0.05
    assert sum(found) / iterations == pytest.approx(share * 0.001, rel=rel)
    assert sum(waits(Case("step", 0.1, kind), "forward", 3)) == 0


def test_the_model_is_mnist_cnn_and_waits_in_its_passes() -> None:
    space: dict[str, Any] = {}
    exec(truths.source(Case("backward", 0.1), 0.01), space)
    model = space["Model"](torch.nn.Linear(3, 2))
    called: list[str] = []
    model.wait = called.append
    inputs = torch.ones(4, 3)
    model(inputs).sum().backward()
    assert called == ["forward", "backward"]
    assert model.inner.weight.grad is not None
    model.eval()
    assert torch.equal(model(inputs), model.inner(inputs))
    assert called == ["forward", "backward"]


@pytest.mark.parametrize(
    ("case", "quantity", "expected"),
    [
        (Case("step", 0.1), "step", 2.0),
        (Case("step", 0.1), "total", 2.0),
        (Case("step", 0.1), "forward", 1.0),
        (Case("step", 0.1, reversed=True), "step", 0.0),
        (Case("step", 0.1, "the first 300"), "step", 1.0),
        (Case("step", 0.1, "growing"), "step", 1.4),
    ],
)
def test_the_truth_is_of_the_iterations_that_were_measured(
    case: Case, quantity: str, expected: float
) -> None:
    line = {"quantity": quantity, "base_s": 0.001}
    assert truths.truth(case, line, (301, 499), 0.01) == pytest.approx(expected)
    if case.kind == "the first 300":
        assert truths.truth(case, line, (201, 400), 0.01) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("verdict", "true", "wrong"),
    [
        ("slower", 1.0, True), ("slower", 1.01, False), ("faster", 1.0, True),
        ("faster", 0.9, False), ("unchanged", 1.02, False), ("unchanged", 1.03, True),
        ("unchanged", 0.97, True), ("undecided", 1.3, False),
    ],
)  # fmt: skip
def test_what_contradicts_the_truth_is_wrong(verdict: str, true: float, wrong: bool) -> None:
    assert truths.is_wrong(verdict, true) is wrong


def test_every_case_is_compared_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compared: list[str] = []

    def told(folder: Path, *command: str, fine: tuple[int, ...] = (0,)) -> str:
        if "regress" not in command:
            return subprocess.run(command, cwd=folder, check=True, capture_output=True).args[0]
        compared.append((folder / "mine.py").read_text())
        lines = [
            {"quantity": quantity, "base_s": 0.01, "threshold": 0.025, "verdict": "unchanged",
             "estimate": {"ratio": 1.0, "low": 0.98, "high": 1.02, "kind": "mean"}}
            for quantity in ("forward", "backward", "step", "total")
        ]  # fmt: skip
        document = {"lines": lines, "measured": {"mine": [5, 54]}, "remarks": ["iterations"]}
        return json.dumps(document | {"blocks_s": {}})

    monkeypatch.setattr(scratch, "call", told)
    call(truths.main, monkeypatch, "--output", str(tmp_path))
    assert len(compared) == len(set(map(str, truths.CASES))) == len(truths.CASES)
    call(truths.main, monkeypatch, "--output", str(tmp_path))
    assert len(compared) == len(truths.CASES)  # what is kept is not measured again
    table = pd.read_csv(tmp_path / "truths.csv")
    assert len(table) == 4 * len(truths.CASES)
    still = table[table["case"] == "none"]
    assert still["holds"].all()
    assert not still["wrong"].any()
    assert table[(table["case"] == "+30 % in step") & (table["quantity"] == "step")]["wrong"].all()
    assert "verdicts are wrong." in capsys.readouterr().out
