"""Blocks of each side's own code, and no code from anywhere else."""

import re
import shutil
import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import optimizers
from bench.errors import SideError
from bench.regress.launch import Worker
from bench.regress.worker import HARNESS
from tests.bench.regress.repositories import OPTIMIZER, made, stepping
from tests.bench.regress.workers import BENCHMARK, own, setup, side

OLD = "db418c7"  # a revision whose optimizers are compared with those of today


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of this side."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder of the other side."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


def test_blocks_have_the_counted_iterations_and_a_delay_goes_to_its_phase(tmp_path: Path) -> None:
    made(tmp_path, mine=OPTIMIZER)
    with Worker(side(tmp_path), setup()) as worker:
        assert own(worker.ready())
        assert len(worker.block(0, 3, 5)) == 5
        delayed = np.array(worker.block(0, 1, 9, ("backward", 0.02)))
        assert (delayed[:, 2] >= 0.02).all()
        assert np.median(delayed[:, 3]) < 0.02
        assert np.median(worker.block(0, 1, 9), axis=0)[2] < 0.02


def test_code_imported_from_elsewhere_is_noticed(
    here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something that is imported at start-up shadows the side's own copy."""
    for folder in (here, there):
        made(folder, mine=OPTIMIZER)
    (there / "sitecustomize.py").write_text(
        f"import sys\nsys.path.insert(0, {str(there)!r})\nimport mine\nsys.path.pop(0)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(there))
    with Worker(side(here), setup()) as worker:
        (state,) = worker.ready()["benchmarks"]
    assert "was imported from" in state["error"]
    assert "not from this side's" in state["error"]


def test_code_of_the_other_side_is_noticed_even_where_this_side_holds_none(
    here: Path, there: Path
) -> None:
    """As when an editable installation leads from a worktree back to the working tree."""
    made(there, mine=OPTIMIZER)
    (here / "sitecustomize.py").write_text(f"import sys\nsys.path.append({str(there)!r})\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(here))
        with Worker(replace(side(here), others=(there,)), setup()) as worker:
            (state,) = worker.ready()["benchmarks"]
    assert f"was imported from {there}" in state["error"]


def test_a_helper_from_the_other_side_is_noticed_whoever_imports_it(
    here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that is new in the working tree, which is on the path."""
    optional = "try:\n    import fast\nexcept ImportError:\n    fast = None\n"
    made(here, mine=optional + textwrap.dedent(OPTIMIZER))
    made(there, fast="SPEED = 2\n")
    with Worker(replace(side(here), others=(there,)), setup()) as worker:
        assert own(worker.ready())
    monkeypatch.setenv("PYTHONPATH", str(there))
    with Worker(replace(side(here), others=(there,)), setup()) as worker:
        (state,) = worker.ready()["benchmarks"]
    assert f"Module 'fast' was imported from {there}/fast.py, which is the other" in state["error"]


def test_a_helper_that_is_imported_in_a_step_is_noticed_too(
    here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(here, mine=stepping("import fast"))
    made(there, fast="SPEED = 2\n")
    monkeypatch.setenv("PYTHONPATH", str(there))
    with Worker(replace(side(here), others=(there,)), setup()) as worker:
        assert own(worker.ready())
        with pytest.raises(SideError, match="Module 'fast' was imported from"):
            worker.survey(0, 5)


def test_an_error_of_several_lines_is_told_by_its_kind_and_first_line(tmp_path: Path) -> None:
    made(tmp_path, mine=stepping("raise ValueError('first\\nsecond')"))
    with Worker(side(tmp_path), setup()) as worker:
        worker.ready()
        told = r"failed in quadratic/mine:Mine: ValueError: first \(.*mine.py, line 12\)$"
        with pytest.raises(SideError, match=re.compile(told, re.MULTILINE)) as caught:
            worker.block(0, 1, 2)
    assert "in step" in "".join(caught.value.__notes__)  # the traceback, for --debug


def test_an_error_that_says_nothing_is_told_by_its_line_of_code(tmp_path: Path) -> None:
    made(tmp_path, mine=stepping("assert 1 > 2"))
    with Worker(side(tmp_path), setup()) as worker:
        worker.ready()
        with pytest.raises(SideError, match=r"AssertionError: assert 1 > 2 \(.*mine.py, line 12\)"):
            worker.block(0, 1, 2)


def test_an_environment_inside_the_folder_is_not_code_under_test(tmp_path: Path) -> None:
    """``.venv`` lies in many a working tree."""
    packages = tmp_path / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    made(packages, mine=OPTIMIZER)
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.path.append({str(packages)!r})\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        with Worker(side(tmp_path), setup()) as worker:
            assert not own(worker.ready())


def test_a_name_that_the_side_lacks_is_missing_and_not_an_error(tmp_path: Path) -> None:
    made(tmp_path, mine=OPTIMIZER)
    with Worker(side(tmp_path), setup(optimizer="mine:Your")) as worker:
        assert "Your" in worker.ready()["benchmarks"][0]["missing"]
    with Worker(side(tmp_path), setup(optimizer="ours:Your")) as worker:
        assert "ours" in worker.ready()["benchmarks"][0]["missing"]


def test_a_loss_that_is_no_longer_finite_ends_the_comparison(tmp_path: Path) -> None:
    made(tmp_path, mine=OPTIMIZER)
    with Worker(side(tmp_path), setup(hyperparameters={"lr": 1e9})) as worker:
        worker.ready()
        with pytest.raises(
            SideError, match=r"this side failed in .*: FloatingPointError: the loss"
        ):
            worker.block(0, 1, 200)


def test_a_side_holding_the_optimizers_package_is_measured_with_its_own(tmp_path: Path) -> None:
    """As in this repository: ``optimizers`` comes from the side, ``bench`` from the harness."""
    shutil.copytree(Path(optimizers.__file__).parent, tmp_path / "optimizers")
    changed = tmp_path / "optimizers" / "diag_ggn.py"
    changed.write_text(changed.read_text() + "\nraise RuntimeError('the copy of this side')\n")
    with Worker(side(tmp_path), setup(optimizer="diag_ggn_mc")) as worker:
        assert "the copy of this side" in worker.ready()["benchmarks"][0]["error"]
    with Worker(side(tmp_path), setup(optimizer="sgd")) as worker:
        assert not own(worker.ready())


def test_an_old_revision_of_the_optimizers_is_measured_by_this_harness(tmp_path: Path) -> None:
    """As when this repository is compared with its own past."""
    archived = subprocess.run(
        ["git", "archive", OLD, "optimizers"], cwd=HARNESS, capture_output=True, check=False
    )
    if archived.returncode:
        pytest.skip(f"the history here lacks {OLD}")
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=archived.stdout, check=True)
    benchmarks = [BENCHMARK | {"optimizer": name} for name in ("sgd", "diag_ggn_mc")]
    with Worker(side(tmp_path), {"tuned": False, "benchmarks": benchmarks}) as worker:
        states = worker.ready()["benchmarks"]
        assert [state.get("own") for state in states] == [False, True], states
        for number in range(2):
            assert worker.survey(number, 3)[0]
            assert len(worker.block(number, 1, 3)) == 3


def test_in_this_repository_the_harness_is_no_stranger(tmp_path: Path) -> None:
    """The other side is the working tree that ``bench`` and the worker's script come from."""
    package = Path(optimizers.__file__).parent
    shutil.copytree(package, tmp_path / "optimizers")
    with Worker(
        replace(side(tmp_path), others=(package.parent,)), setup(optimizer="diag_ggn_mc")
    ) as worker:
        assert own(worker.ready())
