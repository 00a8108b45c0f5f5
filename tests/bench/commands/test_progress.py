"""What is told while one waits: lines where there is no terminal, and how long it will take."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from bench.commands import progress
from bench.commands.progress import ComparisonProgress, LaunchProgress, Remaining, SweepProgress
from bench.runs.spec import RunSpec
from bench.support.console import Bar
from bench.sweeps.experiment import Cell
from bench.sweeps.objective import parse_objective
from tests.bench.records import made_record, made_refusal

Pass = Callable[[float], None]


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def bar(written: io.StringIO) -> Bar:
    """A bar of no terminal."""
    return Bar(Console(file=written, width=200))


@pytest.fixture
def live(written: io.StringIO) -> Bar:
    """A bar of a terminal, which is never started: its task says what it would draw."""
    return Bar(Console(file=written, width=200, force_terminal=True))


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Lets so many seconds pass."""
    now = [100.0]
    monkeypatch.setattr(progress, "perf_counter", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def told(written: io.StringIO) -> list[str]:
    return written.getvalue().splitlines()


def test_each_kind_takes_what_it_took_and_an_unknown_one_the_average() -> None:
    remaining = Remaining(["a", "a", "b", "b", "c"])
    remaining.ended("a", 10)
    remaining.ended("b", 20)
    assert remaining.seconds() == 10 + 20 + 15
    remaining.ended("a", 30)  # a: 20 on average
    assert remaining.seconds() == 20 + 20


def test_workers_side_by_side_share_what_is_left() -> None:
    remaining = Remaining(["a"] * 5, width=2)
    remaining.ended("a", 10)
    assert remaining.seconds() == 20


def test_a_first_one_takes_what_its_pace_says_and_a_known_one_what_it_took_before() -> None:
    remaining = Remaining(["a", "a"])
    assert remaining.seconds("a", elapsed_s=6, share=0.25) == 2 * 24 - 6
    remaining.ended("a", 30)
    assert remaining.seconds("a", elapsed_s=6, share=0.25) == 30 - 6


def test_before_anything_is_known_no_time_is_made_up() -> None:
    remaining = Remaining(["a"])
    assert remaining.told() == "time left unknown yet"
    assert remaining.told("a", elapsed_s=5, share=0.5) == "about 5 s left"
    remaining.ended("a", 10)
    assert remaining.told() == "done"


def test_a_line_follows_each_run_of_a_comparison(
    bar: Bar, written: io.StringIO, passing: Pass
) -> None:
    shown = ComparisonProgress(bar)
    specs = [RunSpec(problem="quadratic", optimizer=name) for name in ("sgd", "sgd", "adam")]
    shown.planned(specs)
    for label, seconds, losses in (("sgd", 10, [2.0]), ("sgd", 20, [2.0, 1.0]), ("adam", 5, [])):
        passing(seconds)
        shown.finished(made_record(label=label, losses=losses, wall_s=float(seconds)))
    assert told(written) == [
        "sgd, seed 0: completed, 1 iteration, last loss 2, 10 s; 2 runs to go, about 20 s left",
        "sgd, seed 0: completed, 2 iterations, last loss 1, 20 s; 1 run to go, about 15 s left",
        "adam, seed 0: completed, 0 iterations, last loss nan, 5 s; 0 runs to go, done",
    ]


def test_a_terminal_shows_the_iteration_four_times_a_second_at_the_most(
    live: Bar, passing: Pass
) -> None:
    shown = ComparisonProgress(live)
    spec = RunSpec(problem="quadratic", optimizer="sgd", iterations=40)
    shown.planned([spec])
    shown.started(spec)
    (task,) = live._bar.tasks
    for done in (10, 11):
        passing(0.2)
        shown.iterated(done)
    passing(0.6)
    assert (task.description, task.fields["left"]) == (
        "sgd, seed 0, iteration 10/40", "about 1 s left",
    )  # fmt: skip
    shown.iterated(20)
    assert task.fields["left"] == "about 1 s left"
    assert task.description == "sgd, seed 0, iteration 20/40"


def test_a_sweep_tells_its_data_its_size_and_the_best_so_far(
    bar: Bar, written: io.StringIO, passing: Pass
) -> None:
    shown = SweepProgress(bar, parse_objective("val_loss"), 2)
    cells = [
        Cell(label="sgd", settings={"lr": lr}, seed=0, iterations=30) for lr in (0.1, 0.2, 0.3)
    ]
    blank = made_record()
    shown.planned([(cell, blank) for cell in cells], 1)
    scores: list[float | str] = [0.5, 0.25, "diverged"]
    for cell, score in zip(cells, scores, strict=True):
        shown.finished(cell, made_record(wall_s=8.0), score)
    shown.planned([], 3)
    data, *lines = told(written)
    assert data == f"Data: {blank.data['detail']} ({blank.data['origin']})"
    assert lines == [
        "3 runs of 30 iterations, 2 at a time (1 more is stored already)",
        "1/3 runs, about 8 s left; best so far: sgd lr=0.1: val_loss 0.500",
        "2/3 runs, about 4 s left; best so far: sgd lr=0.2: val_loss 0.250",
        "3/3 runs, done; best so far: sgd lr=0.2: val_loss 0.250",
        "All 3 runs are stored already",
    ]


def test_a_sweep_of_one_run_is_told_in_the_singular_and_a_failure_at_once(
    bar: Bar, written: io.StringIO
) -> None:
    shown = SweepProgress(bar, parse_objective("val_loss"), 1)
    cell = Cell(label="sgd", settings={"lr": 0.1}, seed=0, iterations=1)
    shown.planned([(cell, made_record())], 0)
    shown.finished(cell, made_record(status="failed", error="ValueError: no"), "failed")
    shown.planned([], 1)
    assert told(written)[1:] == [
        "1 run of 1 iteration, 1 at a time",
        "sgd lr=0.1, seed 0 failed: ValueError: no",
        "1/1 runs, done; no result yet",
        "The only run is stored already",
    ]


def test_a_sweep_tells_a_note_once(bar: Bar, written: io.StringIO) -> None:
    shown = SweepProgress(bar, parse_objective("val_loss"), 1)
    cell, plain = Cell(label="sgd", settings={}, seed=0, iterations=1), made_record()
    noted = replace(plain, environment={**plain.environment, "note": "It is unchecked."})
    for runs in ([plain, noted, noted], [noted]):
        shown.planned([(cell, blank) for blank in runs], 0)
    assert [line for line in told(written) if "unchecked" in line] == ["It is unchecked."]


def test_a_time_budget_is_told_by_quarters(bar: Bar, written: io.StringIO) -> None:
    shown = LaunchProgress(bar, "Measuring a")
    for launches, gone in ((1, 0.26), (2, 0.4), (3, 0.8), (4, 1.2)):
        shown.launched(launches, gone)
    assert told(written) == [
        "Measuring a",
        "1 launch, 26% of the time budget",
        "3 launches, 80% of the time budget",
        "4 launches, 100% of the time budget",
    ]


def test_what_is_left_of_a_time_budget_is_at_most_what_its_pace_says(
    live: Bar, passing: Pass
) -> None:
    shown = LaunchProgress(live, "Measuring a")
    passing(15)
    shown.launched(1, 0.25)
    (task,) = live._bar.tasks
    assert (task.completed, task.description) == (0.25, "Measuring a, 1 launch")
    assert task.fields["left"] == "at most 45 s left"


def test_trials_are_told_as_they_end(bar: Bar, written: io.StringIO, passing: Pass) -> None:
    shown = LaunchProgress(bar, "Measuring trials", 3)
    for seconds in (100, 140, 120):
        passing(seconds)
        shown.launched(5, 1.0)
        shown.finished()
    assert told(written) == [
        "Measuring trials",
        "1 of 3 done, at most 3 min left",
        "2 of 3 done, at most 2 min left",
        "3 of 3 done, at most 0 s left",
    ]


def test_a_sweep_says_once_of_a_label_that_it_is_not_applicable(
    bar: Bar, written: io.StringIO
) -> None:
    shown = SweepProgress(bar, parse_objective("val_loss"), 1)
    shown.planned([], 0)
    for label in ("one", "two"):
        for seed in (0, 1):
            cell = Cell(label=label, settings={"lr": 0.1}, seed=seed, iterations=1)
            shown.reused(cell, made_refusal("one"), "not applicable")
    assert told(written) == [
        f"{label}: not applicable: no rule for Tanh: use another" for label in ("one", "two")
    ]
