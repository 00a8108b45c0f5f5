"""A worker runs beside any interpreter, and minds neither output nor input of the code."""

import subprocess
import sysconfig
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import SideError
from bench.problems.mnist_files import load_mnist
from bench.regress.launch import Worker
from tests.bench.regress.repositories import made, stepping
from tests.bench.regress.workers import own, setup, side

LITTLE = ("mlxtend", "pandas", "platformdirs", "psutil", "pyarrow", "rich", "scipy", "seaborn",
          "sklearn", "torchvision", "typer")  # fmt: skip  # fmt: skip


def test_what_the_code_under_test_prints_disturbs_nothing(tmp_path: Path) -> None:
    made(tmp_path, mine=stepping("print('loud')"))
    with Worker(side(tmp_path), setup()) as worker:
        worker.ready()
        assert len(worker.block(0, 1, 2)) == 2


def test_code_that_reads_its_input_finds_none(tmp_path: Path) -> None:
    """It does not eat the requests."""
    made(tmp_path, mine=stepping("input('go on? ')"))
    with Worker(side(tmp_path), setup()) as worker:
        worker.ready()
        with pytest.raises(SideError, match=r"failed in quadratic/mine:Mine: EOFError: .*mine.py"):
            worker.block(0, 1, 2)


@pytest.fixture
def bare_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another interpreter, in an environment that lacks most of what this project needs."""
    environment, packages = tmp_path / "environment", tmp_path / "packages"
    venv.create(environment, with_pip=False)
    packages.mkdir()
    for item in Path(sysconfig.get_path("purelib")).iterdir():
        if item.name.partition("-")[0].partition(".")[0] not in LITTLE:
            (packages / item.name).symlink_to(item)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    return str(environment / "bin" / "python")


def test_a_worker_needs_little_beyond_torch(tmp_path: Path, bare_python: str) -> None:
    """Another environment may hold torch, numpy and BackPACK only; MNIST was cached before."""
    load_mnist(split="test", data_root=None)
    check = subprocess.run([bare_python, "-c", "import torch, pandas"], capture_output=True)
    assert b"No module named 'pandas'" in check.stderr
    folder = tmp_path / "code"
    folder.mkdir()
    for optimizer in ("sgd", "diag_ggn_exact"):
        request = setup(problem="mnist_logreg", optimizer=optimizer)
        with Worker(replace(side(folder), python=bare_python), request) as worker:
            assert not own(worker.ready())
            assert len(worker.block(0, 1, 2)) == 2
