"""The tables of what comparisons found: the numbers of the report, with where a label stands."""

import math
from pathlib import Path

import pandas as pd
import pytest

from bench import export, export_summary, store
from bench.record import RunRecord
from tests.bench.records import made_record


def runs(label: str, end: float) -> list[RunRecord]:
    return [
        made_record(
            run_id=label,
            label=label,
            seed=seed,
            minutes=seed,
            evaluations=[
                {"iteration": 0.0, "seconds": 0.0, "loss": 2.3, "accuracy": 0.1},
                {"iteration": 3.0, "seconds": 0.03, "loss": 0.4, "accuracy": end + seed / 1000},
            ],
        )
        for seed in range(3)
    ]


def exported(tmp_path: Path, records: list[RunRecord]) -> dict[str, pd.DataFrame]:
    for record in records:
        store.save(record, tmp_path)
    tmp_path.joinpath("runs").mkdir(exist_ok=True)
    found = {}
    for table in export_summary.tables(export.sources([tmp_path]), [tmp_path]).values():
        path, _ = export.write(table, tmp_path, "csv")
        found[table.name] = pd.read_csv(path)
    return found


def test_the_summary_has_a_row_per_label_and_quantity(tmp_path: Path) -> None:
    table = exported(tmp_path, [*runs("good", 0.9), *runs("poor", 0.5)])["summary"]
    indexed = table.set_index(["label", "quantity"])
    row = indexed.loc[("good", "test_accuracy")]
    assert (row["median"], row["low"], row["high"]) == pytest.approx((0.901, 0.9, 0.902))
    assert (row["runs"], row["coverage"], row["standing"]) == (3, 0.75, "best")
    assert indexed.loc[("poor", "test_accuracy")]["standing"] == "worse"
    # forward takes 2 ms in made-up records
    forward = indexed.loc[("poor", "forward_s")]
    assert forward["median"] == pytest.approx(0.002)
    assert forward["unit"] == "s"
    assert forward["standing"] == "tied" or indexed.loc[("good", "forward_s")]["standing"] == "tied"
    assert table["comparison"].unique().tolist() == ["mnist_logreg, 3 iterations"]


def test_times_to_targets_have_misses(tmp_path: Path) -> None:
    table = exported(tmp_path, [*runs("good", 0.9), *runs("poor", 0.5)])["time_to_target"]
    indexed = table.set_index(["label", "target", "unit"])
    assert indexed.loc[("good", 0.9, "iterations")]["median"] == 3
    missed = indexed.loc[("poor", 0.9, "seconds")]
    assert missed["median"] == math.inf
    assert missed["reached"] == 0


def test_no_runs_give_empty_tables(tmp_path: Path) -> None:
    for table in exported(tmp_path, []).values():
        assert table.empty
