"""Exported tables: what is stored comes back from other tools as it was."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bench.errors import UsageError
from bench.runs import export, store, views
from tests.bench.exports import optbench, two_runs
from tests.bench.records import made_record

HOSTILE = (
    'says "no"', "two\nlines", "two\r\nlines", "a,b;c\td", "=1+1", "\x01\x1b[31m", "nul\0", "'",
    "\\", " spaces ", "ﬁ\u2028\U0001f600", '"', "NaN", "",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def results() -> Path:
    return two_runs(Path("results"))


def exported(format_: str = "csv", *arguments: str) -> dict[str, Path]:
    result = optbench(*arguments, "--format", format_)
    assert result.exit_code == 0, result.output
    return {path.stem: path for path in Path("results/export").glob(f"*.{format_}")}


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_every_value_of_the_views_is_in_the_tables(results: Path, format_: str) -> None:
    files = exported(format_)
    for name in ("iterations", "evaluations", "curvature"):
        read = (
            pd.read_csv(files[name])
            if format_ == "csv"
            else pd.DataFrame(json.loads(files[name].read_text()))
        )
        columns, rows = views.query(results, f"select * from {name}")
        expected = pd.DataFrame(rows, columns=columns)
        if format_ == "json":
            expected = expected.replace([math.inf, -math.inf], math.nan)
        pd.testing.assert_frame_equal(
            read[columns].sort_values(columns, ignore_index=True),
            expected.sort_values(columns, ignore_index=True),
            check_exact=True,
            check_dtype=False,
        )


def test_runs_have_the_columns_of_the_view(results: Path) -> None:
    runs = pd.read_csv(exported()["runs"])
    assert list(runs.columns) == list(views.RUN_FIELDS)
    older, younger = runs.to_dict("records")
    assert older["started_at"] == "2026-01-02T03:04:05.678901Z"
    assert pd.Timestamp(older["started_at"]) == made_record().started_at
    assert older["file"] == f"runs/{older['run']}.parquet"
    assert older["peak_memory_bytes"] == 2**40
    assert math.isnan(younger["peak_memory_bytes"])
    assert younger["status"] == "diverged"
    assert json.loads(younger["hyperparameters"]) == {"lr": 1e-05, "name": 'a "b", c'}


def test_a_long_table_is_of_use_by_itself(results: Path) -> None:
    files = exported()
    for name in ("iterations", "evaluations", "curvature"):
        table = pd.read_csv(files[name])
        assert tuple(table.columns[: len(export.KEYS)]) == export.KEYS
        last = table.iloc[-1]
        assert (last["problem"], last["label"]) == ("mnist_logreg", "ggn")
        assert (last["optimizer"], last["seed"], last["role"]) == ("diag_ggn_mc", 0, "training")


def test_rows_come_by_age_and_iteration(results: Path) -> None:
    table = pd.read_csv(exported()["iterations"])
    assert table["run"].str[0].tolist() == ["f"] * 3 + ["a"] * 5
    assert table["iteration"].tolist() == [0, 1, 2, 0, 1, 2, 3, 4]


def test_numbers_that_are_not_finite_are_numbers_for_pandas_and_duckdb(results: Path) -> None:
    path = exported()["iterations"]
    expected = np.array([1.0, math.inf, -math.inf, math.nan, 0.1 + 0.2])
    losses = pd.read_csv(path)["loss"]
    assert losses.dtype == np.float64
    np.testing.assert_array_equal(losses[3:], expected)
    read = duckdb.connect().execute(f"select loss, typeof(loss) from '{path}'").fetchall()
    assert {kind for _, kind in read} == {"DOUBLE"}
    np.testing.assert_array_equal([loss for loss, _ in read[3:]], expected)


def test_numbers_that_are_not_finite_are_null_in_json(results: Path) -> None:
    rows = json.loads(
        exported("json")["iterations"].read_text(encoding="utf-8"), parse_constant=pytest.fail
    )
    assert [row["loss"] for row in rows[3:]] == [1.0, None, None, None, 0.1 + 0.2]
    assert [row["seed"] for row in rows[2:4]] == [1, 0]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_any_text_comes_back(text: str) -> None:
    store.save(made_record(label=text, hyperparameters={"name": text}), Path("results"))
    for name, path in exported().items():
        if name != "curvature":
            table = pd.read_csv(path, keep_default_na=False)
            assert set(table["label"]) == {text}
    (row,) = pd.read_csv("results/export/runs.csv").to_dict("records")
    assert json.loads(row["hyperparameters"]) == {"name": text}
    for name, path in exported("json").items():
        if name != "curvature":
            rows = json.loads(path.read_text(encoding="utf-8"))
            assert {row["label"] for row in rows} == {text}


def test_text_that_utf8_cannot_hold_is_written_out() -> None:
    store.save(made_record(label="caf\udce9"), Path("results"))
    (row,) = pd.read_csv(exported()["runs"]).to_dict("records")
    assert row["label"] == "caf\\udce9"


def test_an_empty_text_differs_from_a_missing_value() -> None:
    store.save(made_record(session=""), Path("results"))
    header, line = exported()["runs"].read_text().splitlines()
    values = dict(zip(header.split(","), line.split(","), strict=False))
    assert values['"session"'] == '""'
    assert line.split(",")[-2] == ""  # the commit
    assert header.split(",")[-2] == '"commit"'


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_the_same_records_make_the_same_bytes(results: Path, format_: str) -> None:
    """In whatever folder they are, and in whatever order they were written."""
    first = {name: path.read_bytes() for name, path in exported(format_).items()}
    assert len(first) == 6
    for path in sorted((results / "runs").iterdir(), reverse=True):
        store.save(store.read(path), Path("copy"))
    assert optbench("copy", "--format", format_).exit_code == 0
    for name, content in first.items():
        assert Path(f"copy/export/{name}.{format_}").read_bytes() == content


def test_a_record_that_is_damaged_meanwhile_leaves_no_half_a_table(results: Path) -> None:
    tables = export.tables(export.sources([results]))
    max((results / "runs").iterdir()).write_bytes(b"PAR1")
    with pytest.raises(UsageError, match="A record changed while it was exported"):
        export.write("iterations", tables["iterations"], Path("out"), "csv")
    assert list(Path("out").iterdir()) == []


def test_a_table_is_read_in_pieces(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record is read before its rows are asked for."""
    read: list[Path] = []
    sources = export.sources([results])
    original = store.read

    def noted(path: Path) -> Any:
        read.append(path)
        return original(path)

    monkeypatch.setattr(store, "read", noted)
    table = export.tables(sources)["iterations"]
    assert read == []
    assert table.read_next_batch().num_rows == 3
    assert read == [sources[0].path]


@pytest.mark.parametrize("format_", export.FORMATS)
def test_memory_does_not_grow_with_the_rows_and_they_stay_in_order(format_: str) -> None:
    schema = pa.schema({"label": pa.string(), "seconds": pa.float64()})
    size, before, held = 5_000, pa.total_allocated_bytes(), 0

    def pieces() -> Iterator[pa.RecordBatch]:
        nonlocal held
        for number in range(100):
            seconds = np.arange(size * number, size * (number + 1), dtype=float)
            yield pa.record_batch([["a"] * size, seconds], schema=schema)
            del seconds
            held = max(held, pa.total_allocated_bytes() - before)

    rows = pa.RecordBatchReader.from_batches(schema, pieces())
    path, count = export.write("long", rows, Path("out"), format_)
    assert count == 100 * size
    assert held < 5 * size * 16  # a few pieces of a hundred
    read = pd.read_csv(path) if format_ == "csv" else pd.DataFrame(json.loads(path.read_text()))
    assert (read["seconds"] == np.arange(100 * size)).all()


def doubles() -> np.ndarray:
    """Finite numbers of all magnitudes: random bits, subnormals, powers of ten, edges."""
    generator = np.random.default_rng(0)
    bits = generator.integers(0, 2**64, 20_000, dtype=np.uint64).view(float)
    subnormal = generator.integers(1, 2**52, 1_000, dtype=np.uint64).view(float)
    powers = [float(f"{sign}1e{power}") for power in range(-323, 309) for sign in ("", "-")]
    edges = [
        0.0,
        -0.0,
        1e-05,
        0.1 + 0.2,
        5e-324,
        2.0**53,
        np.finfo(float).tiny,
        np.finfo(float).max,
    ]
    found = np.concatenate([bits, subnormal, generator.standard_normal(5_000), powers, edges])
    return found[np.isfinite(found)]


@pytest.mark.parametrize(
    ("format_", "read"),
    [
        ("csv", lambda path: pd.read_csv(path)),
        ("csv", lambda path: duckdb.connect().execute(f"from '{path}'").df()),
        ("json", lambda path: pd.DataFrame(json.loads(path.read_text()))),
        ("json", lambda path: duckdb.connect().execute(f"from '{path}'").df()),
    ],
    ids=["csv-pandas", "csv-duckdb", "json-json", "json-duckdb"],
)
def test_numbers_come_back_to_the_bit(format_: str, read: Callable[[Path], pd.DataFrame]) -> None:
    expected = doubles()
    wholes = np.arange(len(expected)) + 2**60
    table = pa.table({"label": ["a"] * len(expected), "value": expected, "whole": wholes})
    path, _ = export.write("numbers", table.to_reader(), Path("out"), format_)
    found = read(path)
    assert (found["value"].dtype, found["whole"].dtype) == (np.float64, np.int64)
    assert (found["value"].to_numpy().view(np.int64) == expected.view(np.int64)).all()
    assert (found["whole"] == wholes).all()


def test_pandas_reads_huge_numbers_from_json() -> None:
    """It takes digits before the point for a whole number, and misreads more than 64 bits."""
    expected = [float(f"1.5784440745455337e{power}") for power in range(15, 30)]
    table = pa.table({"label": ["a"] * len(expected), "value": expected})
    path, _ = export.write("numbers", table.to_reader(), Path("out"), "json")
    assert pd.read_json(path, precise_float=True)["value"].tolist() == expected
    assert pd.read_json(path)["value"].tolist() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("format_", export.FORMATS)
def test_an_interrupted_table_is_none(format_: str) -> None:
    schema = pa.schema({"label": pa.string(), "seconds": pa.float64()})

    def pieces() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch([["a"], [1.0]], schema=schema)
        raise KeyboardInterrupt

    rows = pa.RecordBatchReader.from_batches(schema, pieces())
    with pytest.raises(KeyboardInterrupt):
        export.write("long", rows, Path("out"), format_)
    assert list(Path("out").iterdir()) == []


def test_what_duckdb_makes_of_ctrl_c_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def __enter__(self) -> "Interrupted":
            return self

        def __exit__(self, *_: object) -> None: ...

        def register(self, *_: object) -> None: ...

        def execute(self, _: str) -> None:
            raise RuntimeError("Query interrupted")

    monkeypatch.setattr(duckdb, "connect", lambda **_: Interrupted())
    rows = pa.table({"label": ["a"], "seconds": [1.0]}).to_reader()
    with pytest.raises(KeyboardInterrupt):
        export.write("long", rows, Path("out"), "csv")
    assert list(Path("out").iterdir()) == []


def test_other_tables_are_written_likewise() -> None:
    rows: list[dict[str, Any]] = [{"label": "a", "seconds": math.inf}, {"label": "b"}]
    table = pa.Table.from_pylist(rows, pa.schema({"label": pa.string(), "seconds": pa.float64()}))
    path, count = export.write("summary", table.to_reader(), Path("out"), "csv")
    assert (path, count) == (Path("out/summary.csv"), 2)
    assert path.read_bytes() == b'"label",seconds\n"a",inf\n"b",\n'
    path, count = export.write("summary", table.to_reader(), Path("out"), "json")
    assert (path, count) == (Path("out/summary.json"), 2)
    assert path.read_bytes() == (
        b'[\n{"label": "a", "seconds": null},\n{"label": "b", "seconds": null}\n]\n'
    )
