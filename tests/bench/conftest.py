"""What tests of the command line share: an empty folder to work in, and nothing slow."""

from pathlib import Path

import pytest

from bench.runs import yardsticks
from bench.support import console
from bench.training import memory, processes
from tests.inprocess import InProcess


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder; memory runs and processes for runs have tests of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "is_supported", lambda: False)
    monkeypatch.setattr(processes, "Processes", InProcess)
    monkeypatch.setattr(processes, "first", lambda: None)
    monkeypatch.setattr(yardsticks, "YARDSTICK_S", 0.01)
    monkeypatch.setenv("OPTBENCH_MALLOC", "0")
    console._console.cache_clear()
    return tmp_path
