"""``optbench recommend``: what it prints and keeps of a stored sweep, and how it ends."""

import json
import os
from pathlib import Path

import pytest

from bench.commands import recommend
from bench.report import writer
from bench.report.document import Report
from bench.sweeps.file import path_of
from tests.bench.commands.typed import optbench
from tests.bench.recommend import cases
from tests.bench.recommend.cases import SGD, saved

RESULTS = Path("results")


@pytest.fixture(autouse=True)
def reports(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Report]]:
    """Reports by folder, in the place of writing them, which has tests of its own."""
    made: list[tuple[Path, Report]] = []

    def write(folder: Path, report: Report) -> Path:
        made.append((folder, report))
        return folder / "report.html"

    monkeypatch.setattr(writer, "write", write)
    return made


def test_nothing_to_recommend_is_told() -> None:
    finished = optbench("recommend")
    assert finished.exit_code == 2
    assert finished.stdout == ""
    assert finished.stderr == (
        "optbench: There is no sweep in 'results': 'optbench sweep' makes one.\n"
    )


def test_it_prints_the_recommendation_and_where_the_report_is(
    reports: list[tuple[Path, Report]],
) -> None:
    record = saved(RESULTS, SGD)
    result = optbench("recommend")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "Use --set lr=0.1 for sgd: val_loss 0.05" in said
    assert f"Sweep: results/sweeps/{record.experiment.name}.json" in said
    assert f"Report: results/report/{record.experiment.name}/report.html" in said
    ((folder, made),) = reports
    assert folder == RESULTS / "report" / record.experiment.name
    assert made.title == "Sweep of sgd on mnist_cnn, 201 iterations"


def test_json_is_all_that_goes_to_stdout() -> None:
    record = saved(RESULTS, SGD, cases.line({0.1: (0.2, 0.3, 0.4)}, label="adam"))
    document = json.loads(optbench("recommend", "--json").stdout)
    assert document["sweep"] == record.experiment.name
    assert [(label["label"], label["set"]) for label in document["labels"]] == [
        ("sgd", ["lr=0.1"]), ("adam", ["lr=0.1"]),
    ]  # fmt: skip
    assert document["labels"][0]["chosen"]["scores"] == {"0": 0.05, "1": 0.051, "2": 0.049}


def test_the_sweep_that_was_written_last_is_the_default() -> None:
    early, late = (saved(RESULTS, SGD, seeds=seeds) for seeds in ("3", "0,1,2"))
    for record, seconds in ((late, 1), (early, 2)):
        os.utime(path_of(RESULTS, record.experiment), (seconds, seconds))
    for arguments, record in (([], early), ([late.experiment.name], late)):
        document = json.loads(optbench("recommend", *arguments, "--json").stdout)
        assert document["sweep"] == record.experiment.name
    result = optbench("recommend", "nothing")
    assert result.exit_code == 2
    assert "Unknown sweep 'nothing' in 'results'. Known: " in result.stderr


def test_failed_runs_are_listed_and_exit_code_1() -> None:
    saved(RESULTS, cases.line({0.1: (0.2, 0.3), 1.0: (0.5,)}, of=2), lost="failed")
    result = optbench("recommend")
    assert result.exit_code == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(
        "optbench: sgd lr=1.0, seed 1 failed: OSError: no step today ('optbench "
    )
    assert "Use --set lr=0.1 for sgd" in result.stdout


def test_a_sweep_without_a_finished_run_goes_on_or_failed() -> None:
    nothing = cases.line({0.1: ()}, of=2)
    record = saved(RESULTS, nothing)
    (RESULTS / "runs").mkdir(exist_ok=True)
    result = optbench("recommend")
    assert result.exit_code == 2
    assert (
        f"Sweep '{record.experiment.name}' has no finished run of 201 iterations in 'results': run "
        "it again, it goes on."
    ) in result.stderr
    saved(RESULTS, nothing, lost="failed")
    result = optbench("recommend")
    assert result.exit_code == 1
    assert result.stderr.count("failed: OSError: no step today") == 2


REFUSED = cases.line({0.1: ()}, of=2, label="newton")
TOLD = "newton: not applicable: OSError: no step today"


def test_a_label_that_is_not_applicable_is_told_and_the_others_get_their_recommendation(
    reports: list[tuple[Path, Report]],
) -> None:
    saved(RESULTS, REFUSED, cases.line({0.1: (0.2, 0.3), 1.0: (0.5, 0.6)}), lost="not_applicable")
    result = optbench("recommend")
    assert result.exit_code == 1
    assert result.stderr == f"optbench: {TOLD}\n"
    assert "Use --set lr=0.1 for sgd" in result.stdout
    assert "newton" not in result.stdout
    ((_, made),) = reports
    assert made.answer[-1] == TOLD


def test_where_nothing_is_applicable_nothing_is_recommended_and_it_need_not_go_on() -> None:
    record = saved(RESULTS, REFUSED, lost="not_applicable")
    result = optbench("recommend", "--json")
    assert (result.exit_code, result.stderr) == (1, f"optbench: {TOLD}\n")
    document = json.loads(result.stdout)
    assert (document["labels"], document["refused"]) == ([], {"newton": TOLD})
    recommend.conclude(record, RESULTS, named=False, as_json=False)  # the default of a sweep
