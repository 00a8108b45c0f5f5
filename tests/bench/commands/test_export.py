"""``optbench export`` as users start it: what it prints, where it writes, and how it fails."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import DamagedRecordWarning
from bench.runs import store
from tests.bench.exports import optbench, two_runs
from tests.bench.records import made_record

COMMAND = (sys.executable, "-Pc", "from bench.cli import main; main()", "export")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def results() -> Path:
    return two_runs(Path("results"))


def test_every_table_is_a_file_and_is_told_with_its_rows(results: Path) -> None:
    printed = optbench().stdout.splitlines()
    assert printed == [
        "results/export/runs.csv: 2 rows",
        "results/export/iterations.csv: 8 rows",
        "results/export/evaluations.csv: 8 rows",
        "results/export/curvature.csv: 4 rows",
        "results/export/summary.csv: 18 rows",
        "results/export/time_to_target.csv: 12 rows",
    ]
    assert sorted(path.name for path in (results / "export").iterdir()) == [
        "curvature.csv", "evaluations.csv", "iterations.csv", "runs.csv", "summary.csv",
        "time_to_target.csv",
    ]  # fmt: skip


def test_folders_are_merged_and_an_execution_counts_once(results: Path) -> None:
    store.save(made_record(run_id="f" * 16, seed=1), Path("other"))
    store.save(made_record(run_id="b" * 16, minutes=0.5), Path("other"))
    printed = optbench("results", "other", "--output", "all/tables").stdout
    assert "all/tables/runs.csv: 3 rows" in printed
    assert "all/tables/iterations.csv: 11 rows" in printed
    assert pd.read_csv("all/tables/runs.csv")["run"].str[0].tolist() == ["f", "b", "a"]


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_one_table_goes_to_standard_output_and_no_file_is_written(
    results: Path, format_: str
) -> None:
    result = optbench("--table", "evaluations", "--format", format_)
    assert result.exit_code == 0, result.output
    assert not (results / "export").exists()
    assert optbench("--format", format_).exit_code == 0
    written = results / "export" / f"evaluations.{format_}"
    assert result.stdout_bytes == written.read_bytes()


def test_whoever_reads_may_stop() -> None:
    """More than a pipe holds, of which the reader takes one line."""
    store.save(made_record(losses=[1.0] * 5_000), Path("results"))
    with subprocess.Popen(
        [*COMMAND, "--table", "iterations"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'"run","problem"')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_standard_output_is_told(results: Path) -> None:
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run(
            [*COMMAND, "--table", "runs"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert finished.returncode == 2
    assert finished.stderr == (
        "optbench: Standard output cannot be written: No space left on device.\n"
    )


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_an_empty_folder_makes_empty_tables(format_: str) -> None:
    Path("results").mkdir()
    result = optbench("--format", format_)
    assert result.exit_code == 0
    assert "results/export/curvature" in result.stdout
    assert "There are no runs in 'results': the tables are empty." in result.stdout
    for path in Path("results/export").iterdir():
        content = path.read_text()
        if format_ == "json":
            assert json.loads(content) == []
        else:
            assert content.startswith('"')
            assert content.count("\n") == 1


def test_damaged_files_are_named_once_and_the_rest_is_exported(results: Path) -> None:
    (results / "runs" / "broken.parquet").write_bytes(b"PAR1")
    with pytest.warns(DamagedRecordWarning, match=r"broken\.parquet") as caught:
        assert "runs.csv: 2 rows" in optbench().stdout
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "cvs"], "Unknown format 'cvs'. Did you mean 'csv'? Known: csv, json."),
        (["--table", "run"], "Unknown table 'run'. Did you mean 'runs'?"),
        (["--table", "runs", "--output", "x"], "--output is not valid with --table"),
        (["nowhere"], "Results folder 'nowhere' does not exist."),
        (["results", "nowhere"], "Results folder 'nowhere' does not exist."),
        (["--output", "file"], "Output 'file/runs.csv' cannot be written: File exists."),
        (["--output", "/proc/x"], "Output '/proc/x/runs.csv' cannot be written: No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line(results: Path, arguments: list[str], message: str) -> None:
    Path("file").touch()
    result = optbench(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("optbench: ")
    assert message in line
    assert not (results / "export").exists()


@pytest.mark.parametrize("format_", ["csv", "json"])
@pytest.mark.parametrize("folder", ["it's", "~", 'a "b"; c', "é"])
def test_a_folder_may_have_any_name(results: Path, folder: str, format_: str) -> None:
    for output in (folder, "plain"):
        assert optbench("--output", output, "--format", format_).exit_code == 0
    written, plain = (
        {path.name: path.read_bytes() for path in Path(output).iterdir()}
        for output in (folder, "plain")
    )
    assert written == plain
    assert len(written) == 6


def test_a_folder_whose_name_is_no_text_is_told(results: Path) -> None:
    result = optbench("--output", "caf\udce9")
    assert result.exit_code == 2
    assert "cannot be written: Invalid Input Error: Python Conversion Failure" in result.stderr


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_a_full_disk_is_told_and_leaves_no_half_a_table(format_: str) -> None:
    """A limit on the size of files stands for it."""
    store.save(made_record(losses=[1.0] * 5_000), Path("results"))
    finished = subprocess.run(
        [*COMMAND, "--format", format_], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )  # fmt: skip
    assert finished.returncode == 2
    assert finished.stderr == (
        f"optbench: Output 'results/export/iterations.{format_}' cannot be written: "
        "File too large. Name another folder with --output DIR.\n"
    )
    assert [path.name for path in Path("results/export").iterdir()] == [f"runs.{format_}"]


def test_ctrl_c_leaves_no_half_a_table() -> None:
    for number in range(10):
        losses = [1.0 / 3] * 50_000
        store.save(made_record(run_id=f"{number:016}", losses=losses), Path("results"))
    process = subprocess.Popen(
        [*COMMAND, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while not list(Path("results").glob("export/.iterations.json.*")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (130, "Interrupted.\n")
    assert [path.name for path in Path("results/export").iterdir()] == ["runs.json"]
