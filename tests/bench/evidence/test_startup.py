"""Start-up times of whole processes, which are made up here."""

import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.evidence import startup
from tests.bench.evidence.scripts import call, help_of


def test_the_first_run_of_each_command_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It fills the file cache. A process takes as many tenths of a second as ran before it."""
    now = 0.0
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> None:
        nonlocal now
        now += 0.1 * len(asked)
        asked.append(command[3:])

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(startup.time, "perf_counter", lambda: now)
    call(startup.main, monkeypatch, "--runs", "3", "--output", str(tmp_path))
    assert asked == [["--help"], ["list"]] * 4
    assert capsys.readouterr().out.splitlines() == [
        "optbench --help: median 0.400 s, maximum 0.600 s of 3 (target < 0.5 s)",
        "optbench list: median 0.500 s, maximum 0.700 s of 3 (target < 0.5 s)",
    ]
    assert len(pd.read_csv(tmp_path / "startup.csv")) == 6


def test_it_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--runs RUNS" in help_of(startup.main, monkeypatch, capsys)
