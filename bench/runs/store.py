"""Records on disk: one Parquet file per execution, written whole or not at all."""

import dataclasses
import json
import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import DamagedRecordWarning, UsageError
from bench.runs import conditions
from bench.runs.record import COLUMNS, DONE, RunRecord
from bench.support import atomic

RUNS = "runs"
_METADATA_KEY = b"optbench"
_UNREADABLE = (
    OSError, pa.ArrowException, KeyError, TypeError, AttributeError, ValueError, OverflowError,
    RecursionError,
)  # fmt: skip


def runs_folder(results: Path) -> Path:
    """Where a results folder keeps its runs."""
    return results / RUNS


def require_writable(results: Path) -> None:
    """Make the folder for runs, and make sure that files can be written there.

    Raises:
        UsageError: They cannot.
    """
    folder = runs_folder(results)
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"Results folder '{results}' cannot be written: {error.strerror or error}. "
            "Name another with --results DIR."
        ) from error


def save(record: RunRecord, results: str | Path) -> Path:
    """Write a record.

    The file appears under its name only when it is complete and on the disk.

    Args:
        record: The record.
        results: The results folder.

    Returns:
        The file, ``<results>/runs/<id>-<start, UTC>.parquet``.
    """
    folder = runs_folder(Path(results))
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"{record.key}.parquet"
    metadata = json.dumps(record.metadata(), allow_nan=False)
    table = pa.table({name: record.values[name] for name in COLUMNS})
    table = table.replace_schema_metadata({_METADATA_KEY: metadata.encode()})
    with atomic.writing(final) as file:
        pq.write_table(table, file, write_page_checksum=True)
    return final


def note(record: RunRecord, results: str | Path) -> RunRecord:
    """Store what cannot be run, unless an execution says the same already.

    Returns:
        The record that is stored.
    """
    for found in executions(Path(results), record.run_id):
        if (found.status, found.error) == (record.status, record.error):
            return found.relabelled(record.label)
    save(record, results)
    return record


def read(path: Path) -> RunRecord:
    """Read one record; nothing in it is evaluated.

    Raises:
        ValueError: The file is damaged, or not a record.
    """
    try:
        # Not pq.read_table: to set up its scan of a data set takes longer than to read the file.
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
            metadata = (file.schema_arrow.metadata or {}).get(_METADATA_KEY)
            if metadata is None:
                raise ValueError("it holds no optbench metadata")
            table = file.read(use_threads=False)
        values = {name: _numbers(name, table[name]) for name in table.column_names}
        record = RunRecord.from_metadata(json.loads(metadata), values)
        _require_types(record)
        return dataclasses.replace(record, path=path)
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"'{path}' is not a readable record: {reason}") from error


def _numbers(name: str, column: pa.ChunkedArray) -> np.ndarray:
    values = np.asarray(column.to_numpy())
    if values.dtype.kind not in ("iu" if name == "iteration" else "iuf") or column.null_count:
        raise ValueError(f"column {name} holds something else than numbers")
    return values


def _require_types(record: RunRecord) -> None:
    """What would else make every reader of the folder fail, not only one of this record."""
    if record.started_at.utcoffset() != timedelta(0):
        raise ValueError("the start is not in UTC")
    for name in ("seed", "batch_size"):
        if not isinstance(record.config[name], int):
            raise ValueError(f"{name} is no whole number")
    if lacking := {"libc", "tuned"} - record.environment["allocator"].keys():
        raise ValueError(f"metadata of the allocator lacks {', '.join(sorted(lacking))}")
    if "torch" not in record.environment["versions"]:
        raise ValueError("the version of torch is missing")
    whole = [row["iteration"] for row in (*record.evaluations, *record.curvature)]
    if not all(isinstance(count, int | float) and float(count).is_integer() for count in whole):
        raise ValueError("an evaluation or a row of curvature has no iteration")
    if not all(isinstance(row["layer"], str) for row in record.curvature):
        raise ValueError("a layer of curvature has no name")


def files(folder: Path) -> list[Path]:
    """The files of a folder, or of its ``runs`` folder, that should be records; by name.

    Raises:
        UsageError: There is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"Results folder '{folder}' does not exist.")
    nested = runs_folder(folder)
    return sorted((nested if nested.is_dir() else folder).glob("*.parquet"))


def readable(paths: Iterable[Path]) -> Iterator[tuple[Path, RunRecord]]:
    """Read records one by one.

    Files that are not readable records are named in a ``DamagedRecordWarning`` and skipped.
    """
    for path in paths:
        try:
            yield path, read(path)
        except ValueError as error:
            warnings.warn(f"Skipped: {error}", DamagedRecordWarning, stacklevel=2)


def load(folder: str | Path) -> list[RunRecord]:
    """Read every record of a results folder, by age.

    Args:
        folder: A results folder, or the folder with the records itself.

    Returns:
        The readable records; others are named in a ``DamagedRecordWarning``.

    Raises:
        UsageError: There is no such folder.
    """
    found = [record for _, record in readable(files(Path(folder)))]
    return sorted(found, key=lambda record: record.started_at)


class Index:
    """The files of a results folder by run, from one look at the folder.

    For whoever asks for many runs: to look again for each takes time that grows with the square
    of their number.
    """

    def __init__(self, results: Path) -> None:
        """List the folder; nothing is read yet.

        Raises:
            UsageError: There is no such folder.
        """
        self._paths: defaultdict[str, list[Path]] = defaultdict(list)
        for path in reversed(files(results)):
            self._paths[path.stem.rpartition("-")[0]].append(path)

    def executions(self, run_id: str) -> Iterator[RunRecord]:
        """The readable executions of a run, newest first; each is read when it is asked for."""
        return (record for _, record in readable(self._paths.get(run_id, ())))


def executions(results: Path, run_id: str) -> Iterator[RunRecord]:
    """The readable executions of a run, newest first."""
    paths = sorted(runs_folder(results).glob(f"{run_id}-*.parquet"), reverse=True)
    return (record for _, record in readable(paths))


def find(
    results: Path,
    run_id: str,
    under: Mapping[str, object] | None = None,
    *,
    shared: bool = False,
) -> RunRecord | None:
    """The newest finished execution of a run, if there is one.

    Args:
        results: The results folder.
        run_id: The run.
        under: Only executions under these conditions, by key of :mod:`bench.runs.conditions`;
            any if ``None``.
        shared: Under conditions, also executions that shared the machine with other runs, whose
            times are no timings.
    """
    wanted = [(conditions.BY_KEY[key], value) for key, value in (under or {}).items()]
    for record in executions(results, run_id):
        fit = under is None or (
            (shared or not record.shared)
            and all(condition.read(record) == value for condition, value in wanted)
        )
        if record.status in DONE and fit:
            return record
    return None
