"""Ratios of sweeps that take turns; the sweeps themselves are made up."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from bench.evidence import sweep_speed as speed
from bench.evidence.tutorial import ratio_interval
from tests.bench.evidence.scripts import call, help_of

Sweeps = list[tuple[str, ...]]


def fake(patch: pytest.MonkeyPatch, *walls_s: float, said: Any = None) -> Sweeps:
    """Sweeps that take so long, one after the other; the options of each."""
    asked: Sweeps = []
    left = iter(walls_s)

    def sweep(*options: str) -> dict[str, Any]:
        asked.append(options)
        return {"wall_s": next(left), "runs": 42, "runs_s": 1.0, "said": said}

    patch.setattr(speed, "sweep", sweep)
    return asked


def test_the_order_turns_around_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake(monkeypatch, *range(1, 7))
    table = speed.measure(2, {"a": ("A",), "b": ("B",), "c": ("C",)})
    assert [options[0] for options in asked] == ["A", "B", "C", "C", "B", "A"]
    assert table["arm"].tolist() == ["a", "b", "c", "c", "b", "a"]
    assert table["wall_s"].tolist() == [1, 2, 3, 4, 5, 6]


def test_ratios_are_paired_within_rounds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, 5.0, 10.0, 11.0, 8.0, 4.0, 9.0)
    table = speed.measure(3, {"halving": (), "grid": ()})
    capsys.readouterr()
    speed.ratios(table, {"halving / grid": ("halving", "grid")})
    ratio, low, high = ratio_interval([5 / 10, 8 / 11, 4 / 9], 0.95)
    assert capsys.readouterr().out == (
        f"halving / grid: {ratio:.3f} (95 % interval {low:.3f} to {high:.3f}, 3 rounds; target <= "
        "0.5)\n"
    )
    speed.ratios(table[table["round"] == 0], {"halving / grid": ("halving", "grid")})
    assert capsys.readouterr().out == "halving / grid: 0.500 (one round; target <= 0.5)\n"


def test_jobs_are_compared_with_one_thread_and_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = fake(monkeypatch, 6.0, 10.0, 8.0)
    call(speed.main, monkeypatch, "jobs", "--rounds", "1", "--output", str(tmp_path))
    assert [options[6:] for options in asked] == [
        ("--jobs", "2"), ("--jobs", "1", "--threads", "1"), ("--jobs", "1", "--threads", "2"),
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert "jobs 2 / one thread: 0.600 (one round" in said
    assert "jobs 2 / two threads: 0.750 (one round" in said
    assert pd.read_csv(tmp_path / "jobs.csv")["wall_s"].tolist() == [6.0, 10.0, 8.0]


@pytest.mark.parametrize(("damping", "place"), [(1, "inside"), (100, "outside")])
def test_halving_says_whether_its_choice_is_in_the_plateau_of_the_grid(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damping: float,
    place: str,
) -> None:
    def trial(value: float) -> dict[str, Any]:
        return {"settings": {"damping": value}}

    label = {"plateau": [trial(1), trial(10)], "trials": [trial(v) for v in (1, 10, 100)],
             "chosen": trial(damping)}  # fmt: skip
    fake(monkeypatch, 4.0, 3.0, said={"labels": [label]})
    speed.halving(1)
    said = capsys.readouterr().out
    assert f"{place} the plateau of the grid, which has 2 of 3 settings" in said


def test_the_machinery_is_what_grows_with_the_cells_beside_their_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """28 cells more, and all runs together take 1 s: what is spent once drops out."""
    costs_ms = [20.0, 30.0, 25.0]
    walls = [3.0, 3.0 + 0.028 * costs_ms[0], 3.0 + 0.028 * costs_ms[1], 3.0, 3.0,
             3.0 + 0.028 * costs_ms[2]]  # fmt: skip
    fake(monkeypatch, *walls)
    speed.machinery(3)
    found = stats.ttest_1samp(costs_ms, 0).confidence_interval(0.95)
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"machinery: 25.0 ms per cell (95 % interval {found.low:.1f} to {found.high:.1f}, 3 "
        "rounds; target < 50); 2.0 s once"
    )


def test_it_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "{jobs,halving,machinery}" in help_of(speed.main, monkeypatch, capsys)
