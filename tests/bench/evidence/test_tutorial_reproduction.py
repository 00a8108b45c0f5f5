"""The tutorial's printed points against intervals of made-up seeds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.evidence import tutorial_reproduction as reproduction
from bench.evidence.tutorial import ITERATIONS, PRINTED
from bench.runs.record import RunRecord
from tests.bench.evidence.scripts import help_of
from tests.bench.records import made_record


def seeds(loss: float, accuracy: float) -> list[RunRecord]:
    """Ten runs that scatter about a loss and an accuracy."""
    generator = np.random.default_rng(0)
    found = []
    for seed in range(10):
        losses = (loss * generator.lognormal(0, 0.2, ITERATIONS)).tolist()
        record = made_record(seed=seed, losses=losses)
        accuracies = accuracy + generator.normal(0, 0.02, ITERATIONS)
        found.append(replace(record, values={**record.values, "accuracy": accuracies}))
    return found


def rows(records: list[RunRecord]) -> dict[tuple[str, int], dict[str, float]]:
    """The table by quantity and iteration."""
    found = reproduction.intervals(records).to_dict("records")
    return {
        (row["quantity"], row["iteration"]): {str(k): v for k, v in row.items()} for row in found
    }


def test_an_interval_is_where_one_more_run_falls_for_all_points_together() -> None:
    """Of the logarithms of losses; five points at 99 % are 99.8 % each."""
    records = seeds(0.5, 0.9)
    table = rows(records)
    assert len(table) == 2 * len(PRINTED)
    for iteration in PRINTED:
        losses = np.array([record.values["loss"][iteration] for record in records])
        sample = np.log(losses)
        half = stats.t.ppf(1 - 0.01 / 5 / 2, 9) * sample.std(ddof=1) * np.sqrt(1 + 1 / 10)
        row = table["loss", iteration]
        assert row["low"] == pytest.approx(np.exp(sample.mean() - half), rel=1e-9)
        assert row["high"] == pytest.approx(np.exp(sample.mean() + half), rel=1e-9)
        assert row["seeds_median"] == np.median(losses)


def test_a_point_is_inside_or_not() -> None:
    """The seeds are like the end of the tutorial all through; accuracies end at 1."""
    table = rows(seeds(0.36, 0.95))
    inside = {key: bool(row["inside"]) for key, row in table.items()}
    assert [inside["loss", iteration] for iteration in PRINTED] == [False, True, True, True, True]
    assert [inside["accuracy", iteration] for iteration in (0, 200)] == [False, True]
    assert max(row["high"] for (name, _), row in table.items() if name == "accuracy") <= 1.0


@pytest.mark.parametrize(("position", "quantity"), [(0, "loss"), (1, "accuracy")])
def test_the_printed_points_are_drawn(position: int, quantity: str) -> None:
    records = seeds(0.36, 0.95)
    axes = reproduction.draw(records, reproduction.intervals(records)).axes[position]
    assert axes.get_ylabel() == f"mini-batch {quantity}"
    (points,) = [line for line in axes.lines if line.get_label() == "tutorial's printout"]
    assert np.asarray(points.get_xydata()).tolist() == [
        [iteration, printed[position]] for iteration, printed in PRINTED.items()
    ]


def test_it_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--output OUTPUT" in help_of(reproduction.main, monkeypatch, capsys)
