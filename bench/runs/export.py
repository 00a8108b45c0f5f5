"""Records as tidy tables for other tools, in CSV or JSON, as DuckDB writes them.

``runs`` has a row per execution; ``iterations``, ``evaluations`` and ``curvature`` have the rows
of the views of the same names, each with the columns of ``KEYS``, so that a table is of use by
itself. Rows come by age. Records are read as their rows are written: memory does not grow with
the number of rows.

Columns are as in ``bench.runs.views``, but for ``started_at`` (ISO 8601, UTC) and ``file`` (within
its results folder). Hyperparameters are JSON in one column.

CSV is as RFC 4180 has it, in UTF-8, with a header, and with lines that end in a line feed. All text
is quoted, so that an empty text (``""``) differs from a missing value (nothing). Numbers that are
not finite are ``nan``, ``inf`` and ``-inf``, which pandas, DuckDB and R read back as numbers. No
text is changed; what a reader makes of a leading ``=`` or of a NUL is up to it.

JSON is an array of objects, one a line. It is strict and has neither NaN nor infinities: they are
null there, as missing values are, and only CSV tells them apart.

Finite numbers are written alike in both, with the fewest digits that read back to the bit, such as
``1e-05``; those of a column that can hold fractions always have a point or an exponent.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from bench.errors import UsageError
from bench.runs import store, views
from bench.runs.record import COLUMNS, RunRecord
from bench.support import atomic

FOLDER = "export"
FORMATS = ("csv", "json")
KEYS = ("run", "problem", "label", "optimizer", "seed", "role")
_Fields = Mapping[str, pa.DataType]
_RowsOf = Callable[[RunRecord], pa.RecordBatch]
_LONG: Mapping[str, tuple[_Fields, _RowsOf]] = {
    "iterations": (
        dict.fromkeys(COLUMNS, pa.float64()) | {"iteration": pa.int64()},
        lambda record: pa.record_batch(dict(record.values)),
    ),
    "evaluations": (views.EVALUATION_FIELDS, views.evaluations),
    "curvature": (views.CURVATURE_FIELDS, views.curvature),
}
TABLES = ("runs", *_LONG)
_ONE_A_LINE = (
    r"header false, quote '', escape '', delimiter e'\n', "
    r"prefix e'[\n', suffix e'\n]\n', new_line e',\n'"
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


def tables(found: Sequence[Source]) -> dict[str, pa.RecordBatchReader]:
    """All tables of records, by name; records are read again as rows are asked for."""
    fields = views.RUN_FIELDS | {"started_at": pa.string()}
    runs = pa.Table.from_pylist([source.row for source in found], pa.schema(fields))
    return {"runs": runs.to_reader()} | {name: _long(found, *_LONG[name]) for name in _LONG}


def write(name: str, rows: pa.RecordBatchReader, folder: Path, format_: str) -> tuple[Path, int]:
    """Write a table to a file, whole or not at all.

    Args:
        name: What the table is called.
        rows: The table, which is used up.
        folder: Where to; it is made if need be.
        format_: One of ``FORMATS``.

    Returns:
        The file, ``<folder>/<table>.<format>``, and its number of rows.

    Raises:
        UsageError: It cannot be written, or a record cannot be read any more.
    """
    path = folder / f"{name}.{format_}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic.writing(path) as file:
            return path, _copy(rows, file.name, format_)
    except (OSError, duckdb.Error) as error:
        raise UsageError(
            f"Output '{path}' cannot be written: {_reason(error)}. Name another folder "
            "with --output DIR."
        ) from error


def _long(found: Sequence[Source], fields: _Fields, rows_of: _RowsOf) -> pa.RecordBatchReader:
    """The rows of each record, with the keys of its run."""
    schema = pa.schema({**{name: views.RUN_FIELDS[name] for name in KEYS}, **fields})

    def pieces() -> Iterator[pa.RecordBatch]:
        for source in found:
            try:
                rows = rows_of(store.read(source.path))
            except ValueError as error:
                raise UsageError(f"A record changed while it was exported: {error}") from error
            keys = {name: [source.row[name]] * len(rows) for name in KEYS}
            columns = {name: rows[name] for name in rows.schema.names} | keys
            yield pa.RecordBatch.from_pydict(columns, schema)

    return pa.RecordBatchReader.from_batches(schema, pieces())


def _copy(rows: pa.RecordBatchReader, path: str, format_: str) -> int:
    """Have DuckDB write a table to a file of ours; the number of its rows."""
    failures: list[BaseException] = []

    def pieces() -> Iterator[pa.RecordBatch]:
        try:
            yield from rows
        except BaseException as error:  # raised below: DuckDB would make text of it
            failures.append(error)

    if format_ == "csv":
        texts = [f'"{field.name}"' for field in rows.schema if pa.types.is_string(field.type)]
        query, options = "from exported", f"header, force_quote ({', '.join(texts)})"
    else:
        members = " || ', ' || ".join(map(_member, rows.schema))
        query, options = f"select '{{' || {members} || '}}' from exported", _ONE_A_LINE
    quoted = os.path.join(os.curdir, path).replace("'", "''")  # DuckDB knows ~ as the home folder
    with duckdb.connect(config={"threads": 1}) as connection:  # rows stay in order
        connection.register("exported", pa.RecordBatchReader.from_batches(rows.schema, pieces()))
        try:
            ((count,),) = connection.execute(
                f"copy ({query}) to '{quoted}' (format csv, use_tmp_file false, {options})"
            ).fetchall()
        except RuntimeError as error:  # what DuckDB makes of Ctrl-C
            raise KeyboardInterrupt from error
    if failures:
        raise failures[0]
    return int(count)


def _member(field: pa.Field) -> str:
    """SQL for a column within the JSON object of its row.

    Not ``(format json, array true)``: that writes 1e20 with all its zeros, which pandas misreads.
    """
    text = f'to_json("{field.name}")'
    if pa.types.is_floating(field.type):
        text = f'case when isfinite("{field.name}") then "{field.name}"::varchar end'
    return f"'\"{field.name}\": ' || coalesce({text}, 'null')"


def _reason(error: OSError | duckdb.Error) -> str:
    """What the system says; DuckDB has it somewhere in a message of its own."""
    told = " ".join(str(error).split())
    known = map(os.strerror, errno.errorcode)
    return getattr(error, "strerror", None) or next((text for text in known if text in told), told)
