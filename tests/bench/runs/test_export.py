"""Exported tables: what is stored comes back from other tools as it was."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.errors import DamagedRecordWarning, UsageError
from bench.runs import export, store, views
from bench.support import console
from tests.bench.records import made_curvature, made_record

HOSTILE = (
    'says "no"', "two\nlines", "two\r\nlines", "a,b;c\td", "=1+1", "\x01\x1b[31m", "nul\0", "'",
    "\\", " spaces ", "ﬁ\u2028\U0001f600", '"', "NaN", "",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def results() -> Path:
    """Two runs, the younger one with the smaller name; one has curvature and diverged."""
    folder = Path("results")
    store.save(made_record(run_id="f" * 16, seed=1, peak_memory_bytes=2**40), folder)
    diverged = made_record(
        run_id="a" * 16,
        minutes=1,
        label="ggn",
        optimizer="diag_ggn_mc",
        losses=[1.0, math.inf, -math.inf, math.nan, 0.1 + 0.2],
        status="diverged",
        diverged_at=1,
        curvature=[*made_curvature(0), *made_curvature(20, damping=math.nan)],
        hyperparameters={"lr": 1e-05, "name": 'a "b", c'},
    )
    store.save(diverged, folder)
    return folder


def optbench(*arguments: str) -> Result:
    console._console.cache_clear()
    return CliRunner().invoke(app, ["export", *arguments])


def exported(format_: str = "csv", *arguments: str) -> dict[str, Path]:
    result = optbench(*arguments, "--format", format_)
    assert result.exit_code == 0, result.output
    return {path.stem: path for path in Path("results/export").glob(f"*.{format_}")}


def test_every_table_is_a_file_and_is_told_with_its_rows(results: Path) -> None:
    printed = optbench().stdout.splitlines()
    assert printed == [
        "results/export/runs.csv: 2 rows",
        "results/export/iterations.csv: 8 rows",
        "results/export/evaluations.csv: 8 rows",
        "results/export/curvature.csv: 4 rows",
        "results/export/summary.csv: 16 rows",
        "results/export/time_to_target.csv: 12 rows",
    ]
    assert sorted(path.name for path in (results / "export").iterdir()) == [
        "curvature.csv", "evaluations.csv", "iterations.csv", "runs.csv", "summary.csv",
        "time_to_target.csv",
    ]  # fmt: skip


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


def test_folders_are_merged_and_an_execution_counts_once(results: Path) -> None:
    store.save(made_record(run_id="f" * 16, seed=1), Path("other"))
    store.save(made_record(run_id="b" * 16, minutes=0.5), Path("other"))
    printed = optbench("results", "other", "--output", "all/tables").stdout
    assert "all/tables/runs.csv: 3 rows" in printed
    assert "all/tables/iterations.csv: 11 rows" in printed
    assert pd.read_csv("all/tables/runs.csv")["run"].str[0].tolist() == ["f", "b", "a"]


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_one_table_goes_to_standard_output_and_no_file_is_written(
    results: Path, format_: str
) -> None:
    result = optbench("--table", "evaluations", "--format", format_)
    assert result.exit_code == 0, result.output
    assert not (results / "export").exists()
    assert result.stdout_bytes == exported(format_)["evaluations"].read_bytes()


COMMAND = (sys.executable, "-Pc", "from bench.cli import main; main()", "export", "--table")


def test_whoever_reads_may_stop() -> None:
    """More than a pipe holds, of which the reader takes one line."""
    store.save(made_record(losses=[1.0] * 5_000), Path("results"))
    with subprocess.Popen(
        [*COMMAND, "iterations"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'"run","problem"')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_standard_output_is_told(results: Path) -> None:
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run(
            [*COMMAND, "runs"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert finished.returncode == 2
    assert finished.stderr == (
        "optbench: Standard output cannot be written: No space left on device.\n"
    )


@pytest.mark.parametrize(("format_", "text"), [("csv", '"'), ("json", "[]\n")])
def test_an_empty_folder_makes_empty_tables(format_: str, text: str) -> None:
    Path("results").mkdir()
    result = optbench("--format", format_)
    assert result.exit_code == 0
    assert "results/export/curvature" in result.stdout
    assert "There are no runs in 'results': the tables are empty." in result.stdout
    for path in Path("results/export").iterdir():
        content = path.read_text()
        assert content.startswith(text)
        assert content.count("\n") == 1


def test_damaged_files_are_named_once_and_the_rest_is_exported(results: Path) -> None:
    (results / "runs" / "broken.parquet").write_bytes(b"PAR1")
    with pytest.warns(DamagedRecordWarning, match=r"broken\.parquet") as caught:
        assert "runs.csv: 2 rows" in optbench().stdout
    assert len(caught) == 1


def test_a_record_that_is_damaged_meanwhile_leaves_no_half_a_table(results: Path) -> None:
    tables = export.tables(export.sources([results]))
    max((results / "runs").iterdir()).write_bytes(b"PAR1")
    with pytest.raises(UsageError, match="A record changed while it was exported"):
        export.write(tables["iterations"], Path("out"), "csv")
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
    pieces = export.encode(export.tables(sources)["iterations"], "csv")
    assert next(pieces)[1] == 0
    assert read == []
    assert next(pieces)[1] == 3
    assert read == [sources[0].path]


def test_other_tables_are_written_likewise() -> None:
    fields = {"label": pa.string(), "seconds": pa.float64()}
    rows: list[dict[str, Any]] = [{"label": "a", "seconds": math.inf}, {"label": "b"}]

    def table() -> export.Table:
        return export.Table.from_rows("summary", rows, fields)

    path, count = export.write(table(), Path("out"), "csv")
    assert (path, count) == (Path("out/summary.csv"), 2)
    assert path.read_bytes() == b'"label","seconds"\n"a",inf\n"b",\n'
    path, _ = export.write(table(), Path("out"), "json")
    assert json.loads(path.read_text()) == [
        {"label": "a", "seconds": None}, {"label": "b", "seconds": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "cvs"], "Unknown format 'cvs'. Did you mean 'csv'? Known: csv, json."),
        (["--table", "run"], "Unknown table 'run'. Did you mean 'runs'?"),
        (["--table", "runs", "--output", "x"], "--output is not valid with --table"),
        (["nowhere"], "Results folder 'nowhere' does not exist."),
        (["results", "nowhere"], "Results folder 'nowhere' does not exist."),
        (["--output", "file"], "Output 'file/runs.csv' cannot be written: File exists."),
        (["--output", "/proc/x"], "Output '/proc/x/runs.csv' cannot be written: No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line(results: Path, arguments: list[str], message: str) -> None:
    Path("file").touch()
    result = optbench(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("optbench: ")
    assert message in line
    assert not (results / "export").exists()
