"""The scratch repository of examples, and the optimizer in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.evidence import scratch
from tests.bench.evidence.scripts import stepped


def test_its_optimizer_is_gradient_descent() -> None:
    assert stepped(scratch.OPTIMIZER) == pytest.approx([1 - 0.3, 2 - 0.4], rel=1e-15)


def test_a_commit_holds_the_module(tmp_path: Path) -> None:
    scratch.create(tmp_path)
    scratch.commit(tmp_path, "ONE = 1\n", "first")
    scratch.commit(tmp_path, "TWO = 2\n", "second")
    told = scratch.call(tmp_path, "git", "log", "--format=%an %s")
    assert told.splitlines() == ["nobody second", "nobody first"]
    assert scratch.call(tmp_path, "git", "show", "HEAD~1:mine.py") == "ONE = 1\n"
    assert scratch.call(tmp_path, "git", "status", "--porcelain") == ""


def test_an_exit_code_that_is_not_fine_is_an_error(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "print('said'); raise SystemExit(3)")
    assert scratch.call(tmp_path, *command, fine=(0, 3)) == "said\n"
    with pytest.raises(subprocess.CalledProcessError, match="exit status 3"):
        scratch.call(tmp_path, *command)
