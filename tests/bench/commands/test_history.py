"""``optbench history``: changes with their commits, JSON, and what it refuses."""

import json
from pathlib import Path

import pytest

from bench.runs import store
from tests.bench.commands.typed import optbench
from tests.bench.records import made_record
from tests.bench.regress.sessions import ten_days


@pytest.fixture
def results(here: Path) -> Path:
    return ten_days(here)


def said(*arguments: str) -> str:
    result = optbench("history", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_names_the_change_and_its_commits(results: Path) -> None:
    printed = said()
    assert "optbench run" in printed
    assert "+4" in printed
    assert "slow it down" in printed
    assert (results / "report" / "history-total.png").stat().st_size > 5_000


def test_json_has_points_and_changes(results: Path) -> None:
    (series,) = json.loads(said("--json"))
    assert len(series["points"]) == 10
    assert series["judged"] == "relative"
    (change,) = series["changes"]
    assert change["first"] == 5
    assert change["ratio"] == pytest.approx(14.5 / 10, rel=0.01)
    assert any("slow it down" in line for line in change["log"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--phase", "stp"], "Unknown phase 'stp'. Did you mean 'step'?"),
        (["--results", "nowhere"], "Results folder 'nowhere' does not exist."),
        (["-o", "sdg"], "Unknown optimizer in 'results': 'sdg'. Did you mean 'sgd'?"),
    ],
)
def test_wrong_usage_is_one_line(results: Path, arguments: list[str], message: str) -> None:
    result = optbench("history", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_one_problem_or_optimizer_is_chosen(results: Path) -> None:
    store.save(made_record(problem="quadratic", label="adam", session="x"), results)
    names = [series["series"] for series in json.loads(said("--json"))]
    assert len(names) == 2
    for arguments, kept in ((("-p", "quadratic"), "quadratic/adam"), (("-o", "sgd"), "/sgd")):
        (series,) = json.loads(said("--json", *arguments))
        assert kept in series["series"]


def test_without_a_change_it_says_how_many_sessions_one_takes(results: Path) -> None:
    """A phase that stayed as it was: SGD's data are part of the total only."""
    store.save(made_record(problem="quadratic", label="adam", session="x"), results)
    printed = said("-p", "quadratic", "--phase", "step")
    assert "No change point (at least 4 sessions on either side)." in printed
    assert printed.splitlines()[-1] == "Figure: results/report/history-step.png"


def test_versions_that_changed_with_it_are_named(here: Path) -> None:
    """Where git knows neither commit there is no log."""
    for day in range(8):
        store.save(
            made_record(
                minutes=24 * 60 * day, session=f"day {day}", run_id=f"{day}",
                phase_s=(0.0, 0.0, 0.0, 0.001 if day < 4 else 0.002),
                versions={"torch": "2.11" if day < 4 else "2.14", "numpy": "1"},
            ),
            "results",
        )  # fmt: skip
    printed = " ".join(said().split())
    assert "1.00 ms to 2.00 ms (+100.0 %) at 2026-01-06 03:04 UTC" in printed
    assert "UTC torch 2.11 became 2.14 Figure" in printed
