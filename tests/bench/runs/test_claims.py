"""Of several clients, one runs what is to be run."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.runs import claims, store

pytestmark = pytest.mark.skipif(claims.fcntl is None, reason="this system has no such locks")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    store.require_writable(tmp_path)


def test_a_run_is_one_clients_until_it_is_released(tmp_path: Path) -> None:
    mine = claims.claim(tmp_path, "a")
    assert mine is not None
    assert claims.claim(tmp_path, "a") is None
    other = claims.claim(tmp_path, "b")
    assert other is not None
    mine.release()
    again = claims.claim(tmp_path, "a")
    assert again is not None
    again.release()
    other.release()
    assert list(store.runs_folder(tmp_path).iterdir()) == []


def test_who_dies_lets_go(tmp_path: Path) -> None:
    script = (
        "import os, pathlib; from bench.runs import claims\n"
        f"assert claims.claim(pathlib.Path({str(tmp_path)!r}), 'a'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    mine = claims.claim(tmp_path, "a")
    assert mine is not None
    mine.release()
