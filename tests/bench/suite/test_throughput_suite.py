"""``pytest bench/ --benchmark-only`` as a user runs it, on its smallest benchmarks."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bench

SUITE = Path(bench.__file__).parent / "suite"
SMALL = ["-k", "logreg and cpu and sgd", "--optbench-rounds=3", "--optbench-no-memory"]


def suite(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", str(SUITE), "--benchmark-only", *arguments]
    command += ["-p", "no:cacheprovider", "--import-mode=importlib", f"--rootdir={folder}"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True,
        env=os.environ | {"OPTBENCH_OFFLINE": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One run with everything that a user may ask for at once, and no baseline yet."""
    folder = tmp_path_factory.mktemp("suite")
    finished = suite(
        folder, *SMALL, "--benchmark-json=b.json", "--benchmark-autosave", "--benchmark-compare",
        "--benchmark-histogram=h", "--benchmark-min-rounds=9",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder, finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def benchmarks(ran: tuple[Path, str]) -> dict[str, Any]:
    document = json.loads((ran[0] / "b.json").read_text())
    return {item["extra_info"]["phase"]: item for item in document["benchmarks"]}


def test_it_times_each_phase_and_the_iteration(benchmarks: dict[str, Any]) -> None:
    assert set(benchmarks) == {"forward", "backward", "step", "iteration"}
    assert all(item["stats"]["rounds"] == 3 for item in benchmarks.values())
    assert benchmarks["forward"]["group"] == "forward: mnist_logreg, batch size default, cpu"


def test_extra_info_says_what_was_timed_and_what_it_costs(benchmarks: dict[str, Any]) -> None:
    for phase, item in benchmarks.items():
        extra, median = item["extra_info"], item["stats"]["median"]
        assert extra["optimizer"] == "sgd"
        assert (extra["problem"], extra["batch_size"], extra["phase"]) == (
            "mnist_logreg", 128, phase,
        )  # fmt: skip
        assert extra["device"] == "cpu"
        assert extra["samples_per_s"] == pytest.approx(128 / median, rel=1e-3)
        unit, mean = extra["plain_gradient_s"], item["stats"]["mean"]
        assert extra["relative_cost_median"] == pytest.approx(median / unit, rel=2e-3)
        assert extra["relative_cost"] == pytest.approx(
            mean / extra["plain_gradient_mean_s"], rel=2e-3
        )


def test_raw_values_are_saved_by_default_under_results(ran: tuple[Path, str]) -> None:
    (saved,) = (ran[0] / "results" / "baselines").rglob("*.json")
    document = json.loads(saved.read_text())
    assert len(document["benchmarks"][0]["stats"]["data"]) == 3
    assert "torch" in document["machine_info"]["optbench"]["versions"]


def test_without_a_baseline_it_says_so_and_runs(ran: tuple[Path, str]) -> None:
    assert "No benchmark files in" in ran[1]
    assert len(list(ran[0].glob("h*.svg"))) == 4


def test_options_that_rounds_of_their_own_ignore_are_named(ran: tuple[Path, str]) -> None:
    assert "--benchmark-min-rounds without effect: use --optbench-rounds" in ran[1]


def test_full_adds_optimizers_problems_and_batch_sizes(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from torch.optim import SGD as Mine\n")
    arguments = ["--optbench-full", "--optbench-optimizer=mine:Mine", "--collect-only", "-q"]
    names = suite(tmp_path, *arguments).stdout
    for part in ("[quadratic-cpu-adam", "[mnist_mlp-512-cpu-Mine", "[mnist_cnn-32-cpu-diag_ggn_mc"):
        assert part in names, part


def test_an_unknown_optimizer_is_refused_before_anything_runs(tmp_path: Path) -> None:
    finished = suite(tmp_path, "--optbench-optimizer=adma")
    assert finished.returncode == 4
    assert "Unknown optimizer 'adma'. Did you mean 'adam'?" in finished.stderr + finished.stdout


def test_rounds_that_are_no_number_are_refused(tmp_path: Path) -> None:
    finished = suite(tmp_path, "--optbench-rounds=many")
    assert finished.returncode == 4
    assert "--optbench-rounds=many is not valid" in finished.stderr + finished.stdout
