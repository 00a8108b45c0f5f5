"""A worker that hangs, dies or starts others is told of, and leaves nothing behind."""

import textwrap
from pathlib import Path

import psutil
import pytest

from bench.errors import SideError
from bench.regress import launch
from bench.regress.launch import Worker
from tests.bench.regress.repositories import OPTIMIZER, made, stepping
from tests.bench.regress.workers import own, setup, side


def test_a_side_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, mine=stepping("import time; time.sleep(600)"))
    with Worker(side(tmp_path), setup()) as worker:
        worker.ready()
        monkeypatch.setattr(launch, "PATIENCE_S", 0.5)
        with pytest.raises(SideError, match="this side has not answered for 0 s in quadratic/mine"):
            worker.block(0, 1, 2)


def test_a_fatal_error_is_told_with_its_place(tmp_path: Path) -> None:
    made(tmp_path, mine=stepping("import ctypes; ctypes.string_at(0)"))
    with Worker(side(tmp_path), setup()) as worker:
        worker.ready()
        told = r"crashed in quadratic/mine:Mine \(SIGSEGV\): Fatal Python error: .* File .*ctypes"
        with pytest.raises(SideError, match=told):
            worker.block(0, 1, 2)


def test_what_a_side_starts_is_ended_with_it(tmp_path: Path) -> None:
    """A forked helper holds the worker's pipes; it is neither waited for nor left."""
    forks = "import os, time\nif os.fork() == 0:\n    time.sleep(600)\n    os._exit(0)\n"
    made(tmp_path, mine=forks + textwrap.dedent(OPTIMIZER))
    with Worker(side(tmp_path), setup()) as worker:
        assert own(worker.ready())
        children = psutil.Process(worker._process.pid).children(recursive=True)
        assert len(children) == 2  # the benchmark's own process, and its helper
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
