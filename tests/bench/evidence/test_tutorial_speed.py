"""The tutorial's loop and the harness in turns; processes are made up."""

import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.evidence import tutorial_speed as speed
from bench.evidence.tutorial import ratio_interval
from tests.bench.evidence.scripts import call, help_of


def test_pairs_take_turns_and_their_ratio_has_an_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []
    times = {"harness": iter([6.0, 7.0, 6.5]), "tutorial": iter([10.0, 11.0, 12.0])}

    def measure(kind: str, root: str) -> float:
        assert root == "there"
        order.append(kind)
        return next(times[kind])

    monkeypatch.setattr(speed, "_measure", measure)
    folder = str(tmp_path / "new")
    call(speed.main, monkeypatch, "--pairs", "3", "--data-root", "there", "--output", folder)
    assert order == ["harness", "tutorial", "tutorial", "harness", "harness", "tutorial"]
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[1] == "pair 1: harness 7.00 s, tutorial 11.00 s, ratio 0.636"
    ratio, low, high = ratio_interval([6 / 10, 7 / 11, 6.5 / 12], 0.99)
    assert f"3 pairs: {ratio:.3f} (99 % interval {low:.3f} to {high:.3f}; target" in last
    table = pd.read_csv(tmp_path / "new" / "tutorial_speed.csv")
    assert table["first"].tolist() == ["harness", "tutorial", "harness"]
    assert table["harness"].tolist() == [6.0, 7.0, 6.5]


def test_a_measurement_is_the_last_word_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        assert command[-4:] == ["--only", "harness", "--data-root", "there"]
        return subprocess.CompletedProcess(command, 0, stdout="some notes\n1.25\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert speed._measure("harness", "there") == 1.25


def test_it_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = help_of(speed.main, monkeypatch, capsys)
    assert "--pairs PAIRS" in said
    assert "--only" not in said  # for its own processes
