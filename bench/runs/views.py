"""Records as SQL: the DuckDB views ``runs``, ``iterations``, ``evaluations`` and ``curvature``."""

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from bench.errors import DamagedRecordWarning, UsageError
from bench.runs import store
from bench.runs.record import COLUMNS, CURVATURE_COLUMNS, RunRecord

Derive = Callable[[Iterable[RunRecord]], pa.Table]

RUN_FIELDS = {
    "run": pa.string(),
    "run_id": pa.string(),
    "started_at": pa.timestamp("us", tz="UTC"),
    "session": pa.string(),
    "role": pa.string(),
    "problem": pa.string(),
    "optimizer": pa.string(),
    "label": pa.string(),
    "seed": pa.int64(),
    "hyperparameters": pa.string(),
    "batch_size": pa.int64(),
    "device": pa.string(),
    "dtype": pa.string(),
    "split": pa.string(),
    "data": pa.string(),
    "status": pa.string(),
    "diverged_at": pa.int64(),
    "iterations": pa.int64(),
    "clocked_s": pa.float64(),
    "peak_memory_bytes": pa.int64(),
    "shared": pa.bool_(),
    "threads": pa.int64(),
    "fingerprint": pa.string(),
    "cpu": pa.string(),
    "gpu": pa.string(),
    "torch": pa.string(),
    "commit": pa.string(),
    "file": pa.string(),
}
EVALUATION_FIELDS = {
    "run": pa.string(),
    "iteration": pa.int64(),
    "seconds": pa.float64(),
    "metric": pa.string(),
    "value": pa.float64(),
}
CURVATURE_FIELDS = {"run": pa.string()} | {
    name: {"iteration": pa.int64(), "layer": pa.string()}.get(name, pa.float64())
    for name in CURVATURE_COLUMNS
}


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database over the readable records of a results folder.

    ``runs`` has a row per execution; ``iterations`` the raw values of each iteration,
    ``evaluations`` a row per metric and evaluation, and ``curvature`` a row per layer and
    observation, all with the key ``run``.

    Raises:
        UsageError: There is no such folder.
    """
    found = [  # tables, not records: these hold several times as much memory
        (row, str(path), evaluations(record), curvature(record))
        for path, record, row in runs(store.files(folder))
    ]
    found.sort(key=lambda item: item[0]["started_at"])
    connection = duckdb.connect()
    # The views' tables stay referenced by the connection.
    connection.register(
        "runs", pa.Table.from_pylist([row for row, *_ in found], pa.schema(RUN_FIELDS))
    )
    connection.register(
        "evaluations",
        pa.Table.from_batches([batch for *_, batch, _ in found], pa.schema(EVALUATION_FIELDS)),
    )
    connection.register(
        "curvature",
        pa.Table.from_batches([batch for *_, batch in found], pa.schema(CURVATURE_FIELDS)),
    )
    if found:
        listed = ", ".join("'" + name.replace("'", "''") + "'" for _, name, *_ in found)
        connection.execute(
            f"create view iterations as select parse_filename(filename, true) as run, "
            f"{', '.join(COLUMNS)} from read_parquet([{listed}], filename = true)"
        )
    else:
        columns = ", ".join(f"{name} double" for name in COLUMNS)
        connection.execute(f"create table iterations (run varchar, {columns})")
    return connection


def runs(paths: Iterable[Path]) -> Iterator[tuple[Path, RunRecord, dict[str, Any]]]:
    """Read records one by one, each with its row of the view ``runs``.

    Files that are not readable records, or hold what the view cannot, such as a number of more than
    64 bits, are named in a ``DamagedRecordWarning`` and skipped.
    """
    schema = pa.schema(RUN_FIELDS)
    for path, record in store.readable(paths):
        try:
            row = _run_row(path, record)
            pa.RecordBatch.from_pylist([row], schema)
        except (OverflowError, pa.ArrowException) as error:
            message = f"Skipped: '{path}' is not a readable record: {error!r}"
            warnings.warn(message, DamagedRecordWarning, stacklevel=2)
            continue
        yield path, record, row


def evaluations(record: RunRecord) -> pa.RecordBatch:
    """A run's rows of the view ``evaluations``."""
    rows = [
        {
            "run": printable(record.key),
            "iteration": int(row["iteration"]),
            "seconds": row["seconds"],
            "metric": printable(metric),
            "value": row[metric],
        }
        for row in record.evaluations
        for metric in record.metrics
    ]
    return pa.RecordBatch.from_pylist(rows, pa.schema(EVALUATION_FIELDS))


def curvature(record: RunRecord) -> pa.RecordBatch:
    """A run's rows of the view ``curvature``."""
    rows = [
        row
        | {
            "run": printable(record.key),
            "iteration": int(row["iteration"]),
            "layer": printable(row["layer"]),
        }
        for row in record.curvature
    ]
    return pa.RecordBatch.from_pylist(rows, pa.schema(CURVATURE_FIELDS))


def printable(text: str) -> str:
    r"""Text that UTF-8 can hold: bytes of a command line that were none become ``\udc..``."""
    return text.encode(errors="backslashreplace").decode()


def query(
    folder: Path, sql: str, derived: Mapping[str, Derive] | None = None
) -> tuple[list[str], list[tuple[object, ...]]]:
    """Run SQL over a results folder.

    Args:
        folder: The results folder.
        sql: One statement.
        derived: Further views by name, made of the folder's records where the SQL names them.

    Returns:
        Column names and rows.

    Raises:
        UsageError: DuckDB refuses the statement.
    """
    connection = connect(folder)
    try:
        for name, derive in (derived or {}).items():
            if name in sql.casefold():
                with warnings.catch_warnings():  # what is damaged was named by now
                    warnings.simplefilter("ignore", DamagedRecordWarning)
                    connection.register(
                        name, derive(r for _, r in store.readable(store.files(folder)))
                    )
        result = connection.execute(sql)
        if result is None or result.description is None:
            raise UsageError("The query is empty: write SQL, as in 'select * from runs'.")
        columns = [str(item[0]) for item in result.description]
        return columns, [tuple(row) for row in result.fetchall()]
    except duckdb.Error as error:
        raise UsageError(f"The query failed: {' '.join(str(error).split())}") from error
    finally:
        connection.close()


def _run_row(path: Path, record: RunRecord) -> dict[str, Any]:
    config, environment = record.config, record.environment
    gpu = environment["gpu"]
    facts = {
        "run": record.key,
        "hyperparameters": json.dumps(config["hyperparameters"]),
        "data": record.data["name"],
        "iterations": len(record.values["loss"]),
        "clocked_s": float(record.seconds.sum()),
        "threads": environment["threads"],
        "fingerprint": environment["fingerprint"],
        "cpu": environment["cpu"],
        "gpu": gpu["name"] if gpu else None,
        "torch": environment["versions"]["torch"],
        "commit": environment["commit"],
        "file": str(path),
        "role": record.role,
        "label": record.label,
    }
    for name in RUN_FIELDS:
        if name not in facts:
            facts[name] = config[name] if name in config else getattr(record, name)
    return {
        name: printable(value) if isinstance(value, str) else value for name, value in facts.items()
    }
