"""Records as tidy tables for other tools, in CSV or JSON.

``runs`` has a row per execution; ``iterations``, ``evaluations`` and ``curvature`` have the rows
of the views of the same names, each with the columns of ``KEYS``, so that a table is of use by
itself. Rows come by age. Tables are read and written in pieces: memory does not grow with them.

Columns are as in ``bench.runs.views``, but for ``started_at`` (ISO 8601, UTC) and ``file`` (within
its results folder). Hyperparameters are JSON in one column.

CSV is as RFC 4180 has it, in UTF-8, with a header, and with lines that end in a line feed. All text
is quoted, so that an empty text (``""``) differs from a missing value (nothing). Numbers that are
not finite are ``nan``, ``inf`` and ``-inf``, which pandas, DuckDB and R read back as numbers. No
text is changed; what a reader makes of a leading ``=`` or of a NUL is up to it.

JSON is an array of objects, one a line. It is strict and has neither NaN nor infinities: they are
null there, as missing values are, and only CSV tells them apart.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from bench.errors import UsageError
from bench.runs import store, views
from bench.runs.record import COLUMNS, RunRecord
from bench.support import atomic

FOLDER = "export"
KEYS = ("run", "problem", "label", "optimizer", "seed", "role")
_RUN_FIELDS = views.RUN_FIELDS | {"started_at": pa.string()}
_ITERATION_FIELDS = {"run": pa.string(), "iteration": pa.int64()} | dict.fromkeys(
    COLUMNS[1:], pa.float64()
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table to be written, once.

    Attributes:
        name: What it and its file are called.
        schema: Names and types of its columns.
        batches: Its rows, in pieces of this schema.
    """

    name: str
    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]

    @classmethod
    def from_rows(
        cls, name: str, rows: Sequence[Mapping[str, Any]], fields: Mapping[str, pa.DataType]
    ) -> "Table":
        """A table that is in memory.

        Args:
            name: What it is called.
            rows: Its rows; what a row lacks is a missing value.
            fields: Its columns, in order, with their types.
        """
        schema = pa.schema(fields)
        return cls(
            name=name, schema=schema, batches=pa.Table.from_pylist(rows, schema).to_batches()
        )


@dataclass(frozen=True, kw_only=True)
class Source:
    """A record to be exported.

    Attributes:
        path: Its file.
        row: Its row of the table ``runs``.
    """

    path: Path
    row: Mapping[str, Any]


def sources(folders: Iterable[Path]) -> list[Source]:
    """The readable records of results folders, by age; an execution that several hold is one.

    Raises:
        UsageError: A folder does not exist.
    """
    found: dict[str, Source] = {}
    for folder in folders:
        for path, record, row in views.runs(store.files(folder)):
            row["started_at"] = f"{record.started_at:%Y-%m-%dT%H:%M:%S.%fZ}"
            row["file"] = views.printable(path.relative_to(folder).as_posix())
            found.setdefault(row["run"], Source(path=path, row=row))
    return sorted(found.values(), key=lambda item: (item.row["started_at"], item.row["run"]))


def tables(found: Sequence[Source]) -> dict[str, Table]:
    """All tables of records, by name; records are read again as rows are asked for."""
    runs = Table.from_rows("runs", [source.row for source in found], _RUN_FIELDS)
    return {"runs": runs} | {
        name: Table(
            name=name,
            schema=(schema := _with_keys(fields)),
            batches=_rows(found, schema, rows_of),
        )
        for name, (fields, rows_of) in _LONG.items()
    }


def encode(table: Table, format_: str) -> Iterator[tuple[bytes, int]]:
    """A table as text.

    Args:
        table: The table.
        format_: One of ``FORMATS``.

    Yields:
        Text, and how many rows it holds.
    """
    return FORMATS[format_](table)


def write(table: Table, folder: Path, format_: str) -> tuple[Path, int]:
    """Write a table to a file, whole or not at all.

    Args:
        table: The table.
        folder: Where to; it is made if need be.
        format_: One of ``FORMATS``.

    Returns:
        The file, ``<folder>/<table>.<format>``, and its number of rows.

    Raises:
        UsageError: It cannot be written.
    """
    path = folder / f"{table.name}.{format_}"
    count = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic.writing(path) as file:
            for text, rows in encode(table, format_):
                file.write(text)
                count += rows
    except OSError as error:
        raise UsageError(
            f"Output '{path}' cannot be written: {error.strerror or error}. Name another folder "
            "with --output DIR."
        ) from error
    return path, count


def _with_keys(fields: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema({name: views.RUN_FIELDS[name] for name in KEYS} | dict(fields))


def _rows(
    found: Iterable[Source], schema: pa.Schema, rows_of: Callable[[RunRecord], pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The rows of each record, with the keys of its run."""
    for source in found:
        try:
            batch = rows_of(store.read(source.path))
        except ValueError as error:
            raise UsageError(f"A record changed while it was exported: {error}") from error
        keys = [
            pa.repeat(pa.scalar(source.row[name], schema.field(name).type), len(batch))
            for name in KEYS
        ]
        yield pa.RecordBatch.from_arrays([*keys, *batch.columns[1:]], schema=schema)


def _iterations(record: RunRecord) -> pa.RecordBatch:
    run = pa.repeat(views.printable(record.key), len(record.values["loss"]))
    columns = [pa.array(record.values[name], _ITERATION_FIELDS[name]) for name in COLUMNS]
    return pa.RecordBatch.from_arrays([run, *columns], schema=pa.schema(_ITERATION_FIELDS))


def _csv(table: Table) -> Iterator[tuple[bytes, int]]:
    yield _csv_text(table.schema.empty_table(), header=True), 0
    for batch in table.batches:
        yield _csv_text(batch, header=False), batch.num_rows


def _csv_text(rows: pa.Table | pa.RecordBatch, *, header: bool) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(rows, sink, pyarrow.csv.WriteOptions(include_header=header))
    return sink.getvalue().to_pybytes()


def _json(table: Table) -> Iterator[tuple[bytes, int]]:
    text_of = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode
    before = "[\n"
    for batch in table.batches:
        if batch.num_rows:
            rows = ",\n".join(map(text_of, _finite(batch).to_pylist()))
            yield (before + rows).encode(), batch.num_rows
            before = ",\n"
    yield (b"[]\n" if before == "[\n" else b"\n]\n"), 0


def _finite(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with nothing where a number is not finite."""
    columns = [
        pc.if_else(pc.is_finite(column), column, None)
        if pa.types.is_floating(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


_LONG: Mapping[str, tuple[Mapping[str, pa.DataType], Callable[[RunRecord], pa.RecordBatch]]] = {
    "iterations": (_ITERATION_FIELDS, _iterations),
    "evaluations": (views.EVALUATION_FIELDS, views.evaluations),
    "curvature": (views.CURVATURE_FIELDS, views.curvature),
}
TABLES = ("runs", *_LONG)
FORMATS: Mapping[str, Callable[[Table], Iterator[tuple[bytes, int]]]] = {
    "csv": _csv,
    "json": _json,
}
