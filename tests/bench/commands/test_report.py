"""``optbench report``: what it prints, where it writes, and what it refuses."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.report import writer
from bench.runs import store
from bench.support import console
from tests.bench.records import made_record


def optbench(*arguments: str) -> Result:
    console._console.cache_clear()
    return CliRunner().invoke(app, ["report", *arguments])


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder ``results`` with three seeds of two optimizers, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for label, end in (("adam", 0.9), ("sgd", 0.5)):
        for seed in range(3):
            evaluations = [
                {"iteration": 0.0, "seconds": 0.0, "loss": 2.3, "accuracy": 0.1},
                {"iteration": 3.0, "seconds": 0.03, "loss": 0.4, "accuracy": end + seed / 1000},
            ]
            record = made_record(
                run_id=label, label=label, seed=seed, minutes=seed, evaluations=evaluations
            )
            store.save(record, "results")
    return tmp_path / "results"


def test_it_prints_the_answer_and_where_the_page_is(results: Path) -> None:
    result = optbench()
    assert result.exit_code == 0, result.output
    assert "adam has the best test accuracy, 0.901 (0.900–0.902)" in result.stdout
    assert "Report:  results/report/report.html" in result.stdout
    assert (results / "report" / "report.html").is_file()
    assert (results / "report" / "report.md").is_file()


def test_a_folder_may_be_named_and_several_are_merged(results: Path) -> None:
    store.save(made_record(run_id="other", problem="quadratic", minutes=9), "other")
    result = optbench("results", "other", "--output", "here")
    assert result.exit_code == 0, result.output
    assert "quadratic" in Path("here/report.md").read_text(encoding="utf-8")
    assert not (results / "report").exists()


def test_optimizers_and_targets_are_chosen(results: Path) -> None:
    assert optbench("-o", "sgd", "--target", "accuracy=0.4").exit_code == 0
    text = (results / "report" / "report.md").read_text(encoding="utf-8")
    assert "adam" not in text.replace("--optimizer adam", "")
    assert "seconds to accuracy 0.4" in text


def test_the_same_command_writes_the_same_bytes(results: Path) -> None:
    contents = []
    for _ in range(2):
        assert optbench().exit_code == 0
        files = sorted(path for path in (results / "report").rglob("*") if path.is_file())
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1]


def test_processes_draw_the_same(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_WORTH_A_PROCESS", 100)
    assert optbench("--output", "alone").exit_code == 0
    monkeypatch.setattr(writer, "_WORTH_A_PROCESS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert optbench("--output", "alone2").exit_code == 0
    first, second = (
        [path.read_bytes() for path in sorted(Path(name, "figures").iterdir())]
        for name in ("alone", "alone2")
    )
    assert first == second


def test_an_empty_folder_is_said_to_be_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    result = optbench()
    assert result.exit_code == 0
    assert "There are no finished runs here yet" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "Results folder 'nowhere' does not exist."),
        (["-o", "agam"], "Unknown label 'agam'. Did you mean 'adam'?"),
        (["-p", "mnist"], "Unknown problem 'mnist'"),
        (["--target", "accuracy"], "--target 'accuracy' is not valid: write METRIC=VALUE"),
        (["--target", "acuracy=0.9"], "Unknown metric 'acuracy'. Did you mean 'accuracy'?"),
        (["--output", "results/runs/sgd-20260102T030405678901Z.parquet"], "cannot be made"),
    ],
)
def test_bad_input_is_one_line(results: Path, arguments: list[str], message: str) -> None:
    result = optbench(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
