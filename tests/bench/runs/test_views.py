"""The stored runs in SQL."""

import shutil
from pathlib import Path

import pytest

from bench.errors import DamagedRecordWarning
from bench.runs import store, views
from bench.runs.record import RunRecord
from optimizers import UsageError
from tests.bench.records import made_curvature, made_record


@pytest.fixture
def results(tmp_path: Path) -> Path:
    store.save(made_record(), tmp_path)
    diverged = made_record(
        run_id="f" * 16, label="o'hare", losses=[3.0], status="diverged", diverged_at=0
    )
    store.save(diverged, tmp_path)
    return tmp_path


def test_runs(results: Path) -> None:
    columns, rows = views.query(
        results, "select label, status, diverged_at, iterations, clocked_s from runs order by label"
    )
    assert columns == ["label", "status", "diverged_at", "iterations", "clocked_s"]
    assert rows == [
        ("o'hare", "diverged", 0, 1, pytest.approx(0.01)),
        ("sgd", "completed", None, 3, pytest.approx(0.03)),
    ]


def test_iterations_join_runs(results: Path) -> None:
    sql = "select label, sum(loss) from iterations join runs using (run) group by label order by 1"
    assert views.query(results, sql)[1] == [("o'hare", 3.0), ("sgd", 3.5)]


def test_evaluations_join_runs(results: Path) -> None:
    sql = (
        "select iteration, value from evaluations join runs using (run) "
        "where metric = 'accuracy' and status = 'completed' order by iteration"
    )
    assert views.query(results, sql)[1] == [(0, 0.1), (3, 0.9)]


def test_curvature_joins_runs(tmp_path: Path) -> None:
    curvature = [*made_curvature(0, share=0.1), *made_curvature(20, damping=float("nan"))]
    store.save(made_record(label="ggn", curvature=curvature), tmp_path)
    store.save(made_record(run_id="f" * 16), tmp_path)
    sql = (
        "select label, iteration, layer, damping, share, weighted_share, q01, q99 "
        "from curvature join runs using (run) where layer = 'all' order by iteration"
    )
    first, second = views.query(tmp_path, sql)[1]
    assert first == ("ggn", 0, "all", 1.0, 0.1, 0.5, 0.01, 0.99)
    assert second[1] == 20
    assert second[3] != second[3]


def test_runs_tell_whether_the_machine_was_shared(tmp_path: Path) -> None:
    store.save(made_record(seed=0), tmp_path)
    store.save(made_record(seed=1, run_id="f" * 16, shared=True), tmp_path)
    sql = "select seed, shared from runs order by seed"
    assert views.query(tmp_path, sql)[1] == [(0, False), (1, True)]


def test_an_empty_folder_has_empty_views(tmp_path: Path) -> None:
    for view in ("runs", "iterations", "evaluations", "curvature"):
        assert views.query(tmp_path, f"select count(*) from {view}")[1] == [(0,)]


def test_a_folder_name_with_a_quote(tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    store.save(made_record(), folder)
    assert views.query(folder, "select count(*) from iterations")[1] == [(3,)]


def test_a_damaged_file_does_not_spoil_the_rest(results: Path) -> None:
    (results / "runs" / "broken.parquet").write_bytes(b"PAR1")
    with pytest.warns(DamagedRecordWarning, match=r"broken\.parquet"):
        assert views.query(results, "select count(*) from iterations")[1] == [(4,)]


def test_a_record_with_a_value_of_another_type_is_skipped(results: Path) -> None:
    store.save(made_record(run_id="e" * 16, seed="zero"), results)
    with pytest.warns(DamagedRecordWarning, match="e" * 16):
        assert views.query(results, "select count(*) from runs")[1] == [(2,)]


def test_a_file_under_the_name_of_another_has_no_rows(results: Path) -> None:
    """Else its iterations would be those of two runs."""
    path = max((results / "runs").iterdir())
    shutil.copy(path, path.with_name("e" * 16 + path.name[16:]))
    with pytest.warns(DamagedRecordWarning, match="e" * 16):
        assert views.query(results, "select count(*) from iterations")[1] == [(4,)]


def test_a_number_that_sql_cannot_hold_is_skipped(results: Path) -> None:
    store.save(made_record(run_id="e" * 16, seed=2**70), results)
    with pytest.warns(DamagedRecordWarning, match="e" * 16):
        assert views.query(results, "select count(*) from runs")[1] == [(2,)]


def test_runs_come_by_age(tmp_path: Path) -> None:
    for minutes, run_id in enumerate(["c" * 16, "a" * 16, "b" * 16]):
        store.save(made_record(run_id=run_id, minutes=minutes), tmp_path)
    found = views.query(tmp_path, "select run_id from runs")[1]
    assert found == [("c" * 16,), ("a" * 16,), ("b" * 16,)]


def test_text_that_utf8_cannot_hold_is_written_out(tmp_path: Path) -> None:
    """Such as a label from a command line in another encoding."""
    store.save(made_record(label="caf\udce9"), tmp_path)
    assert views.query(tmp_path, "select label from runs")[1] == [("caf\\udce9",)]


def test_wrong_sql_is_told(results: Path) -> None:
    with pytest.raises(UsageError, match=r"The query failed: .*losss"):
        views.query(results, "select losss from iterations")


def test_every_field_of_runs_has_a_value_or_null() -> None:
    record: RunRecord = made_record()
    row = views._run_row(Path("file"), record)
    assert set(row) >= set(views.RUN_FIELDS)
