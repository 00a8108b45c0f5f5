"""Records survive the disk unchanged; damaged and foreign files are named and skipped."""

import contextlib
import json
import math
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bench
from bench.errors import DamagedRecordWarning
from bench.runs import conditions, store
from bench.runs.record import COLUMNS, SCHEMA_VERSION, RunRecord
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


def rewrite(path: Path, facts: dict[str, Any], table: pa.Table | None = None) -> None:
    """Write a file anew as an older version did, without a checksum."""
    table = pq.read_table(path) if table is None else table
    pq.write_table(table.replace_schema_metadata({"optbench": json.dumps(facts)}), path)


@pytest.mark.parametrize("version", [1, 2])
def test_a_record_of_an_older_version_is_read(tmp_path: Path, version: int) -> None:
    """Version 1 knew no curvature; neither had a checksum."""
    path = store.save(made_record(curvature=made_curvature(0)), tmp_path)
    facts = made_record(curvature=made_curvature(0)).metadata() | {"schema_version": version}
    if version == 1:
        del facts["curvature"], facts["environment"]["shared"], facts["config"]["curvature_every"]
    rewrite(path, facts)
    (loaded,) = bench.load(tmp_path)
    assert (len(loaded.curvature), loaded.shared) == ({1: 0, 2: 2}[version], False)
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
    def break_off(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", break_off)
    with pytest.raises(OSError, match="No space left"):
        store.save(made_record(), tmp_path)
    assert list((tmp_path / "runs").iterdir()) == []


def flipped(content: bytes, bit: int) -> bytes:
    """The same bytes, but for one bit."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize(
    "record",
    [
        made_record(),
        made_record(losses=[1.0, math.nan], status="diverged", diverged_at=1, evaluations=[]),
        made_record(curvature=[*made_curvature(0), *made_curvature(20, q99=math.inf)]),
    ],
    ids=["completed", "diverged", "with curvature"],
)
def test_no_bit_can_flip_unseen(record: RunRecord) -> None:
    """Every eighth bit of all, each place within a byte in turn; the names of keys are in there."""
    content = store.encode(record)
    assert store.decode(content).metadata() == record.metadata()
    for bit in range(0, 8 * len(content), 9):
        with pytest.raises(ValueError, match=r"\S"):
            store.decode(flipped(content, bit))


def test_a_bit_of_the_version_opens_no_way_round() -> None:
    """A record that says to be older is held to its checksum; one without its mark is no older."""
    content = store.encode(made_record())
    version = content.index(b'"schema_version": 3') + len('"schema_version": ')
    assert flipped(content, 8 * version)[version] == ord("2")
    with pytest.raises(ValueError, match="its content is not what its checksum is of"):
        store.decode(flipped(content, 8 * version))
    with pytest.raises(ValueError, match="it has no checksum"):
        store.decode(content.replace(b"SHA-256 of", b"SHA-257 of"))


def test_text_like_a_checksum_is_none() -> None:
    """Whatever order keys have in a file."""
    record = made_record(label=f"a\nSHA-256 of all but this: {64 * '0'}", error=64 * "0")
    assert store.decode(store.encode(record)).label == record.label


CURVED = made_curvature(0)[0]
EVALUATION = made_record().evaluations[0]
THREE = pa.table({name: made_record().values[name] for name in COLUMNS})
CUT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda content: content[: len(content) // 2], "Parquet magic bytes not found"),
    "empty": (lambda content: b"", "Parquet file size is 0 bytes"),
    "bit flipped": (lambda content: flipped(content, 1000), "not what its checksum is of"),
}
COLUMNS_OF: dict[str, tuple[pa.Table, str]] = {
    "column missing": (THREE.drop_columns(["loss"]), "columns are iteration, accuracy"),
    "column of text": (
        THREE.set_column(1, "loss", pa.array(["a", "b", "c"])), "column loss holds something else"
    ),
    "column with nothing": (
        THREE.set_column(1, "loss", pa.array([1.0, None, 2.0])), "column loss holds something else"
    ),
    "iterations not whole": (
        THREE.set_column(0, "iteration", pa.array([0.5, 1.5, 2.5])), "column iteration holds"
    ),
}  # fmt: skip
FACTS: dict[str, tuple[Any, str]] = {
    "metadata of another kind": ([1, 2], "'list' object"),
    "later schema": ({"schema_version": 99}, "schema version 99, this optbench reads 1 to 3"),
    "a version that is true": ({"schema_version": True}, "schema version True"),
    "start without time zone": ({"started_at": "2026-01-02T03:04:05"}, "start is not in UTC"),
    "start of another kind": ({"started_at": 5}, "started_at is 5"),
    "status unknown": ({"status": "done"}, "status is 'done'"),
    "diverged somewhere": ({"diverged_at": "1"}, "diverged_at is '1'"),
    "no text in error": ({"error": None}, "error is None"),
    "memory of half a byte": ({"peak_memory_bytes": 0.5}, r"peak_memory_bytes is 0\.5"),
    "a time of letters": ({"wall_s": "long"}, "'long' is no number"),
    "configuration of another kind": ({"config": []}, r"config is \[\]"),
    "seed of letters": ({"config": {"seed": "x"}}, r"config\.seed is 'x'"),
    "seed true": ({"config": {"seed": True}}, r"config\.seed is True"),
    "role unknown": ({"config": {"role": "test"}}, r"config\.role is 'test'"),
    "label of another kind": ({"config": {"label": 1}}, r"config\.label is 1"),
    "settings of another kind": ({"config": {"settings": []}}, r"config\.settings is \[\]"),
    "target without a value": ({"config": {"until": ["loss"]}}, "not enough values"),
    "target of letters": ({"config": {"until": ["loss", "low"]}}, "'low' is no number"),
    "budget of letters": ({"config": {"iterations": "3"}}, r"config\.iterations is '3'"),
    "environment incomplete": ({"environment": {"threads": ...}}, "of environment lacks threads"),
    "shared by letters": ({"environment": {"shared": "no"}}, r"environment\.shared is 'no'"),
    "allocator unknown": (
        {"environment": {"allocator": {}}}, r"of environment\.allocator lacks libc, tuned"
    ),
    "no torch": ({"environment": {"versions": {}}}, r"of environment\.versions lacks torch"),
    "gpu without name": ({"environment": {"gpu": {}}}, r"of environment\.gpu lacks name"),
    "checksum of another kind": ({"data": {"checksum": []}}, r"data\.checksum is \[\]"),
    "a metric of no direction": ({"metrics": {"loss": "low"}}, "loss is 'low'"),
    "evaluations of another kind": ({"evaluations": {}}, r"evaluations is \{\}"),
    "number too large": ({"evaluations": [EVALUATION | {"loss": 10**400}]}, "too large"),
    "number of letters": ({"evaluations": [EVALUATION | {"loss": "1"}]}, "'1' is no number"),
    "evaluation nowhere": ({"evaluations": [EVALUATION | {"iteration": "nan"}]}, "no iteration"),
    "curvature incomplete": ({"curvature": [{"layer": "all"}]}, "a row of curvature is not"),
    "target of no metric": ({"config": {"until": ["speed", 1]}}, "of 'speed', which is no metric"),
    "layer all missing": ({"curvature": [CURVED | {"layer": "0"}]}, "lacks the layer all"),
    "layer without name": ({"curvature": [CURVED | {"layer": 1}]}, "a layer without a name"),
    "curvature nowhere": ({"curvature": [CURVED | {"iteration": None}]}, "has no iteration"),
}  # fmt: skip
TEXTS = {
    "metadata damaged": ("{", "property name"),
    "metadata nested without end": ("[" * 100_000, "recursion"),
}


def spoil(path: Path, kind: str) -> str:
    """Damage a file; why it is refused. All that a checksum would tell is of an older version."""
    facts = made_record(label="bad", optimizer="bad").metadata() | {"schema_version": 2}
    if kind in CUT:
        change, reason = CUT[kind]
        path.write_bytes(change(path.read_bytes()))
    elif kind in COLUMNS_OF:
        table, reason = COLUMNS_OF[kind]
        rewrite(path, facts, table)
    elif kind in TEXTS:
        text, reason = TEXTS[kind]
        pq.write_table(THREE.replace_schema_metadata({"optbench": text}), path)
    else:
        changes, reason = FACTS[kind]
        rewrite(path, merged(facts, changes))
    return reason


def merged(facts: Any, changes: Any) -> Any:
    """Facts with changes at some depth; ``...`` takes one away, and what is empty takes all."""
    if not changes or not isinstance(changes, dict) or not isinstance(facts, dict):
        return changes
    found = facts | {name: merged(facts.get(name), new) for name, new in changes.items()}
    return {name: value for name, value in found.items() if value is not ...}


@pytest.mark.parametrize("kind", [*CUT, *COLUMNS_OF, *TEXTS, *FACTS])
def test_a_damaged_or_foreign_file_is_named_and_the_rest_is_used(tmp_path: Path, kind: str) -> None:
    damaged = store.save(made_record(label="bad", optimizer="bad"), tmp_path)
    store.save(made_record(run_id="fedcba9876543210"), tmp_path)
    reason = f"'.*{damaged.name}' is not a readable record: .*{spoil(damaged, kind)}"
    with pytest.warns(DamagedRecordWarning, match=reason):
        loaded = bench.load(tmp_path)
    assert [record.run_id for record in loaded] == ["fedcba9876543210"]
    with pytest.warns(DamagedRecordWarning, match=reason):
        assert store.find(tmp_path, "0123456789abcdef", None) is None


def test_a_parquet_file_of_something_else_is_named(tmp_path: Path) -> None:
    path = store.save(made_record(), tmp_path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(ValueError, match=rf"{path.name}.*: it holds no optbench metadata"):
        store.read(path)


@pytest.mark.parametrize("name", ["fedcba9876543210-20260103T000000000000Z", "copy"])
def test_a_file_under_the_name_of_another_is_named(tmp_path: Path, name: str) -> None:
    """What a file holds decides what it is, and its name is by what it is found."""
    path = store.save(made_record(), tmp_path)
    other = path.with_name(f"{name}.parquet")
    shutil.copy(path, other)
    reason = rf"{name}\.parquet' is not a readable record: it holds {path.stem}"
    with pytest.warns(DamagedRecordWarning, match=reason):
        assert [record.path for record in bench.load(tmp_path)] == [path]
    run_id = name.partition("-")[0]
    with contextlib.nullcontext() if run_id == name else pytest.warns(DamagedRecordWarning):
        assert store.find(tmp_path, run_id) is None
        assert list(store.Index(tmp_path).executions(run_id)) == []


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
