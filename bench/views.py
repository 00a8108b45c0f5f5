"""Records as SQL: the DuckDB views ``runs``, ``iterations``, ``evaluations`` and ``curvature``."""

import json
import warnings
from pathlib import Path

import duckdb
import pyarrow as pa

from bench import store
from bench.record import COLUMNS, CURVATURE_COLUMNS, RunRecord
from optimizers.errors import UsageError

_RUN_FIELDS = {
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
_EVALUATION_FIELDS = {
    "run": pa.string(),
    "iteration": pa.int64(),
    "seconds": pa.float64(),
    "metric": pa.string(),
    "value": pa.float64(),
}
_CURVATURE_FIELDS = {"run": pa.string()} | {
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
    if not folder.is_dir():
        raise UsageError(f"Results folder '{folder}' does not exist.")
    runs = [pa.Table.from_pylist([], pa.schema(_RUN_FIELDS))]
    evaluations, curvature, files = [], [], []
    for path, record in store.scan(folder):
        try:
            runs.append(pa.Table.from_pylist([_run_row(path, record)], pa.schema(_RUN_FIELDS)))
        except (KeyError, TypeError, ValueError, AttributeError, pa.ArrowException) as error:
            message = f"Skipped: '{path}' is not a readable record: {error!r}"
            warnings.warn(message, store.DamagedRecordWarning, stacklevel=2)
            continue
        files.append(str(path))
        evaluations += [
            {
                "run": record.key,
                "iteration": int(row["iteration"]),
                "seconds": row["seconds"],
                "metric": metric,
                "value": row[metric],
            }
            for row in record.evaluations
            for metric in record.metrics
        ]
        curvature += [{"run": record.key, **row} for row in record.curvature]
    connection = duckdb.connect()
    # The views' tables stay referenced by the connection.
    connection.register("runs", pa.concat_tables(runs))
    connection.register(
        "evaluations", pa.Table.from_pylist(evaluations, pa.schema(_EVALUATION_FIELDS))
    )
    connection.register("curvature", pa.Table.from_pylist(curvature, pa.schema(_CURVATURE_FIELDS)))
    if files:
        listed = ", ".join("'" + name.replace("'", "''") + "'" for name in files)
        connection.execute(
            f"create view iterations as select parse_filename(filename, true) as run, "
            f"{', '.join(COLUMNS)} from read_parquet([{listed}], filename = true)"
        )
    else:
        columns = ", ".join(f"{name} double" for name in COLUMNS)
        connection.execute(f"create table iterations (run varchar, {columns})")
    return connection


def query(folder: Path, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Run SQL over a results folder.

    Returns:
        Column names and rows.

    Raises:
        UsageError: DuckDB refuses the statement.
    """
    connection = connect(folder)
    try:
        result = connection.execute(sql)
        if result is None or result.description is None:
            raise UsageError("The query is empty: write SQL, as in 'select * from runs'.")
        columns = [str(item[0]) for item in result.description]
        return columns, [tuple(row) for row in result.fetchall()]
    except duckdb.Error as error:
        raise UsageError(f"The query failed: {' '.join(str(error).split())}") from error
    finally:
        connection.close()


def _run_row(path: Path, record: RunRecord) -> dict[str, object]:
    config, environment = record.config, record.environment
    gpu = environment.get("gpu")
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
    for name in _RUN_FIELDS:
        if name not in facts:
            facts[name] = config[name] if name in config else getattr(record, name)
    return facts
