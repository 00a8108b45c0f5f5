"""The tables of what comparisons found: the numbers of the report, with where a label stands."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.comparison import export as compared
from bench.runs import export as exporting
from bench.runs import store
from bench.runs.record import RunRecord
from bench.sweeps.file import names
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


def exported(tmp_path: Path, records: list[RunRecord]) -> dict[str, list[dict[str, Any]]]:
    """The rows of both tables, by name, as pandas reads them."""
    for record in records:
        store.save(record, tmp_path)
    tmp_path.joinpath("runs").mkdir(exist_ok=True)
    found = {}
    tables = compared.tables(exporting.sources([tmp_path]), names([tmp_path]))
    for name, table in tables.items():
        path, _ = exporting.write(name, table, tmp_path, "csv")
        rows = pd.read_csv(path, keep_default_na=False).to_dict("records")
        found[name] = [{str(column): value for column, value in row.items()} for row in rows]
    return found


def only(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    (row,) = [row for row in rows if wanted.items() <= row.items()]
    return row


def test_the_summary_has_a_row_per_label_and_quantity(tmp_path: Path) -> None:
    rows = exported(tmp_path, [*runs("good", 0.9), *runs("poor", 0.5)])["summary"]
    row = only(rows, label="good", quantity="test_accuracy")
    assert (row["median"], row["low"], row["high"]) == pytest.approx((0.901, 0.9, 0.902))
    assert (row["runs"], row["coverage"], row["standing"]) == (3, 0.75, "best")
    assert only(rows, label="poor", quantity="test_accuracy")["standing"] == "worse"
    # forward takes 2 ms in made-up records
    forward = only(rows, label="poor", quantity="forward_s")
    assert (forward["median"], forward["unit"]) == (pytest.approx(0.002), "s")
    standings = {only(rows, label=n, quantity="forward_s")["standing"] for n in ("good", "poor")}
    assert standings == {"best", "tied"}
    assert {row["comparison"] for row in rows} == {"mnist_logreg, 3 iterations"}


def test_times_to_targets_have_misses(tmp_path: Path) -> None:
    rows = exported(tmp_path, [*runs("good", 0.9), *runs("poor", 0.5)])["time_to_target"]
    found = only(rows, label="good", target=0.9, unit="iterations")
    assert found["median"] == pytest.approx(3 * 0.8 / 0.801)
    assert (found["seen_from"], found["seen_to"]) == (0, 3)
    assert found["certified"] == "nan"  # 0.9 to 0.902: not past 0.9 for certain
    easy = only(rows, label="good", target=0.5, unit="iterations")
    assert float(easy["certified"]) == 3
    missed = only(rows, label="poor", target=0.9, unit="seconds")
    assert missed["median"] == missed["seen_from"] == missed["seen_to"] == math.inf
    assert missed["reached"] == 0


def test_no_runs_give_empty_tables(tmp_path: Path) -> None:
    assert exported(tmp_path, []) == {"summary": [], "time_to_target": []}
