"""Records survive the disk unchanged; damaged and foreign files are named and skipped."""

import json
import math
import os
import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bench
from bench.errors import DamagedRecordWarning
from bench.runs import conditions, store
from bench.runs.record import COLUMNS, SCHEMA_VERSION
from optimizers import UsageError
from tests.bench.records import made_curvature, made_record

HERE = conditions.values(made_record(), "times")


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record = bench.run(bench.RunSpec(problem="quadratic", optimizer="adam", iterations=7))
    bench.save(record, str(tmp_path))
    (loaded,) = bench.load(str(tmp_path))
    assert loaded.metadata() == record.metadata()
    for name in COLUMNS:
        np.testing.assert_array_equal(loaded.values[name], record.values[name])
    assert loaded.iterations.equals(record.iterations)


def test_non_finite_values_come_back(tmp_path: Path) -> None:
    evaluation = {"iteration": 1.0, "seconds": 0.1, "loss": math.inf, "accuracy": math.nan}
    record = made_record(
        losses=[1.0, math.nan], status="diverged", diverged_at=1, evaluations=[evaluation]
    )
    store.save(record, tmp_path)
    (loaded,) = bench.load(tmp_path)
    assert math.isnan(loaded.values["loss"][1])
    assert loaded.evaluations[0]["loss"] == math.inf
    assert math.isnan(loaded.evaluations[0]["accuracy"])


def test_curvature_comes_back(tmp_path: Path) -> None:
    curvature = [*made_curvature(0), *made_curvature(20, damping=math.nan, q99=math.inf)]
    store.save(made_record(curvature=curvature), tmp_path)
    (loaded,) = bench.load(tmp_path)
    assert loaded.curvature[:2] == curvature[:2]
    assert [type(value) for value in loaded.curvature[2].values()] == [int, str, *[float] * 10]
    assert math.isnan(loaded.curvature[2]["damping"])
    assert loaded.curvature[2]["q99"] == math.inf


def test_a_record_of_version_1_is_read_without_curvature(tmp_path: Path) -> None:
    path = store.save(made_record(), tmp_path)
    table = pq.read_table(path)
    facts = json.loads(table.schema.metadata[b"optbench"])
    del facts["curvature"], facts["environment"]["shared"], facts["config"]["curvature_every"]
    facts["schema_version"] = 1
    older = table.replace_schema_metadata({"optbench": json.dumps(facts)})
    pq.write_table(older, path)
    (loaded,) = bench.load(tmp_path)
    assert (loaded.curvature, loaded.shared) == ([], False)
    assert loaded.schema_version == SCHEMA_VERSION
    store.save(loaded, tmp_path)
    assert bench.load(tmp_path)[0].metadata() == loaded.metadata()


def test_committed_records_are_readable() -> None:
    folders = list((Path(__file__).parents[3] / "results" / "reference").glob("*/runs"))
    assert folders
    for folder in folders:
        assert len(bench.load(folder)) == len(list(folder.glob("*.parquet"))) > 0


def test_a_run_that_shared_the_machine_is_no_timing(tmp_path: Path) -> None:
    store.save(made_record(minutes=0), tmp_path)
    store.save(made_record(minutes=1, shared=True), tmp_path)
    timed, any_machine = (store.find(tmp_path, "0123456789abcdef", under) for under in (HERE, None))
    assert timed is not None
    assert any_machine is not None
    assert (timed.shared, any_machine.shared) == (False, True)


def test_a_run_without_iterations_comes_back(tmp_path: Path) -> None:
    store.save(made_record(losses=[], status="failed", error="Traceback"), tmp_path)
    (loaded,) = bench.load(tmp_path)
    assert (len(loaded.iterations), loaded.error) == (0, "Traceback")


def test_file_is_named_by_id_and_start(tmp_path: Path) -> None:
    path = store.save(made_record(), tmp_path)
    assert path == tmp_path / "runs" / "0123456789abcdef-20260102T030405678901Z.parquet"


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(table: pa.Table, file: object, **options: object) -> None:
        file.write(b"PAR1 and half of the rest")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", break_off)
    with pytest.raises(OSError, match="No space left"):
        store.save(made_record(), tmp_path)
    assert list((tmp_path / "runs").iterdir()) == []


def spoil(path: Path, kind: str) -> None:
    content = path.read_bytes()
    table = pq.read_table(path)
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "bit flipped":
        middle = content.index(np.float64(0.003).tobytes())
        path.write_bytes(content[:middle] + b"\xff" + content[middle + 1 :])
    elif kind == "foreign parquet":
        pq.write_table(pa.table({"a": [1]}), path)
    elif kind == "column missing":
        pq.write_table(table.drop_columns(["loss"]), path)
    elif kind == "metadata damaged":
        pq.write_table(table.replace_schema_metadata({"optbench": "{"}), path)
    elif kind == "later schema":
        later = table.schema.metadata[b"optbench"].replace(
            b'"schema_version": 2', b'"schema_version": 99'
        )
        pq.write_table(table.replace_schema_metadata({"optbench": later}), path)
    elif kind == "environment incomplete":
        less = table.schema.metadata[b"optbench"].replace(b'"threads"', b'"strands"')
        pq.write_table(table.replace_schema_metadata({"optbench": less}), path)
    elif kind == "curvature incomplete":
        facts = json.loads(table.schema.metadata[b"optbench"])
        facts["curvature"] = [{"iteration": 0, "layer": "all"}]
        pq.write_table(table.replace_schema_metadata({"optbench": json.dumps(facts)}), path)
    elif kind == "metadata of another kind":
        pq.write_table(table.replace_schema_metadata({"optbench": "[1, 2]"}), path)
    elif kind == "metadata nested without end":
        pq.write_table(table.replace_schema_metadata({"optbench": "[" * 100_000}), path)
    elif kind == "column of text":
        text = pa.array(["a", "b", "c"])
        pq.write_table(table.set_column(1, "loss", text), path)
    elif kind == "column with nothing":
        nothing = pa.array([1.0, None, 2.0])
        pq.write_table(table.set_column(1, "loss", nothing), path)
    elif kind == "iterations not whole":
        halves = pa.array([0.5, 1.5, 2.5])
        pq.write_table(table.set_column(0, "iteration", halves), path)
    else:
        facts = json.loads(table.schema.metadata[b"optbench"])
        evaluation, row = facts["evaluations"][0], made_curvature(0)[0]
        facts |= {
            "start without time zone": {"started_at": "2026-01-02T03:04:05"},
            "number too large": {"evaluations": [{**evaluation, "loss": 10**400}]},
            "evaluation nowhere": {"evaluations": [{**evaluation, "iteration": "nan"}]},
            "layer without name": {"curvature": [{**row, "layer": 1}]},
            "curvature nowhere": {"curvature": [{**row, "iteration": None}]},
            "seed of letters": {"config": {**facts["config"], "seed": "x"}},
            "allocator unknown": {"environment": {**facts["environment"], "allocator": {}}},
            "no torch": {"environment": {**facts["environment"], "versions": {}}},
        }[kind]
        pq.write_table(table.replace_schema_metadata({"optbench": json.dumps(facts)}), path)


@pytest.mark.parametrize(
    "kind",
    [
        "truncated",
        "empty",
        "bit flipped",
        "foreign parquet",
        "column missing",
        "metadata damaged",
        "later schema",
        "environment incomplete",
        "metadata of another kind",
        "curvature incomplete",
        "metadata nested without end",
        "column of text",
        "column with nothing",
        "iterations not whole",
        "start without time zone",
        "seed of letters",
        "allocator unknown",
        "no torch",
        "number too large",
        "evaluation nowhere",
        "layer without name",
        "curvature nowhere",
    ],
)
def test_a_damaged_or_foreign_file_is_named_and_the_rest_is_used(tmp_path: Path, kind: str) -> None:
    damaged = store.save(made_record(label="bad", optimizer="bad"), tmp_path)
    store.save(made_record(run_id="fedcba9876543210"), tmp_path)
    spoil(damaged, kind)
    with pytest.warns(DamagedRecordWarning, match=damaged.name):
        loaded = bench.load(tmp_path)
    assert [record.run_id for record in loaded] == ["fedcba9876543210"]
    with pytest.warns(DamagedRecordWarning, match=damaged.name):
        assert store.find(tmp_path, "0123456789abcdef", None) is None


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    store.save(made_record(), tmp_path)
    (tmp_path / "runs" / "folder.parquet").mkdir()
    with pytest.warns(DamagedRecordWarning, match=r"folder\.parquet"):
        assert len(bench.load(tmp_path)) == 1


def test_values_do_not_keep_a_file_in_memory(tmp_path: Path) -> None:
    """What a long column leaves behind is its numbers, not the bytes of the others."""
    path = store.save(made_record(losses=[1.0] * 10_000), tmp_path)
    before = pa.total_allocated_bytes()
    losses = store.read(path).values["loss"]
    assert losses.nbytes == 80_000
    assert pa.total_allocated_bytes() - before < 1.5 * losses.nbytes


def test_an_index_finds_the_executions_of_a_run(tmp_path: Path) -> None:
    for minutes in range(3):
        store.save(made_record(minutes=minutes), tmp_path)
    store.save(made_record(run_id="fedcba9876543210"), tmp_path)
    index = store.Index(tmp_path)
    found = [record.key for record in index.executions("0123456789abcdef")]
    assert found == [record.key for record in store.executions(tmp_path, "0123456789abcdef")]
    assert found == sorted(found, reverse=True)
    assert len(found) == 3
    assert len(list(index.executions("fedcba9876543210"))) == 1
    assert list(index.executions("0123456789abcde")) == []


def test_an_index_reads_only_what_is_asked_for(tmp_path: Path) -> None:
    damaged = store.save(made_record(minutes=0), tmp_path)
    store.save(made_record(minutes=1), tmp_path)
    damaged.write_bytes(b"PAR1")
    found = store.Index(tmp_path).executions("0123456789abcdef")
    assert next(found).started_at.minute == 5
    with pytest.warns(DamagedRecordWarning, match=damaged.name):
        assert list(found) == []


def test_an_index_looks_at_the_folder_once(tmp_path: Path) -> None:
    store.save(made_record(minutes=0), tmp_path)
    index = store.Index(tmp_path)
    store.save(made_record(minutes=1), tmp_path)
    assert len(list(index.executions("0123456789abcdef"))) == 1
    with pytest.raises(UsageError, match=r"Results folder '.*nowhere' does not exist"):
        store.Index(tmp_path / "nowhere")


def test_only_finished_runs_of_this_machine_are_found(tmp_path: Path) -> None:
    for minutes, status in enumerate(["failed", "interrupted"]):
        store.save(made_record(status=status, minutes=minutes), tmp_path)
    assert store.find(tmp_path, "0123456789abcdef", HERE) is None
    store.save(made_record(status="diverged", minutes=2), tmp_path)
    elsewhere = HERE | {"machine": ("another", "A processor")}
    assert store.find(tmp_path, "0123456789abcdef", elsewhere) is None
    found = store.find(tmp_path, "0123456789abcdef", HERE)
    assert found is not None
    assert found.status == "diverged"
    store.save(made_record(minutes=3), tmp_path)
    newest = store.find(tmp_path, "0123456789abcdef", HERE)
    assert newest is not None
    assert newest.status == "completed"


def test_runs_are_loaded_by_age(tmp_path: Path) -> None:
    ids = ["c" * 16, "a" * 16, "b" * 16]
    for minutes, run_id in enumerate(ids):
        store.save(made_record(run_id=run_id, minutes=minutes), tmp_path)
    assert [record.run_id for record in bench.load(tmp_path / "runs")] == ids


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Results folder '.*nowhere' does not exist"):
        bench.load(tmp_path / "nowhere")


def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file stands where the folder should be")
    with pytest.raises(
        UsageError, match=r"Results folder '.*blocked' cannot be written.*--results"
    ):
        store.require_writable(blocked)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(UsageError, match=r"cannot be written: Permission denied"):
        store.require_writable(tmp_path / "results")
