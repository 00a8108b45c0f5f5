"""``optbench calibrate``: what is missing is measured, and what is stored is concluded from."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.machine import environment
from bench.regress.calibration import trials as calibration
from bench.regress.calibration.trials import Settings
from tests.bench.regress.calibration.trials import made_settings, made_trial


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the first of three trials; the others are made up when they are measured."""
    monkeypatch.setenv("OPTBENCH_MALLOC", "0")
    here = {"machine": environment.machine(), "versions": environment.library_versions()}
    settings = made_settings(**here)
    (tmp_path / "settings.json").write_text(json.dumps(asdict(settings)))
    calibration._store(made_trial(0, settings, 0.01), tmp_path)

    def measure(settings: Settings, number: int, *others: Any) -> None:
        *_, folder, on_launch = others
        on_launch(5, 1.0)
        calibration._store(made_trial(number, settings, 0.01), folder)

    monkeypatch.setattr(calibration, "measure", measure)
    return tmp_path


def calibrate(results: Path, *arguments: str) -> Result:
    fixed = ["calibrate", "-p", "quadratic", "--budget", "40", "--delays", "2,5,10"]
    return CliRunner().invoke(app, [*fixed, "--results", str(results), *arguments])


def test_trials_that_are_missing_are_measured_and_all_are_concluded_from(results: Path) -> None:
    result = calibrate(results, "--trials", "3")
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == [
        "Measuring trials", "1 of 2 done, at most 0 s left", "2 of 2 done, at most 0 s left",
    ]  # fmt: skip
    assert "sgd on quadratic, 3 trials, 40 s per comparison" in result.stdout
    assert "none (A/A')" in result.stdout
    assert result.stdout.splitlines()[-1] == f"Trials, judgements and figure: {results}"
    assert (results / "calibration.png").is_file()


def test_nothing_is_measured_where_nothing_is_missing(results: Path) -> None:
    result = calibrate(results, "--trials", "1", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert document["results"] == str(results)
    assert [row["delay"] for row in document["rows"]] == [0.0, 0.02, 0.05, 0.1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials", "0"], "trials=0 is not valid: it is a whole number >= 1."),
        (["--delays", "5,x"], "--delays '5,x' is not valid: write percentages, as in 2,2.5,5."),
        (["--delays", "-5"], "--delays '-5' is not valid"),
        (["--budget", "0"], "budget=0.0 is not valid"),
        (["-o", "adam"], "holds a calibration with another optimizer (optimizer: sgd, now adam)"),
    ],
)
def test_wrong_usage_is_one_line(results: Path, arguments: list[str], message: str) -> None:
    result = calibrate(results, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
