"""Records on disk: one Parquet file per execution, written whole or not at all."""

import dataclasses
import hashlib
import io
import json
import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import DamagedRecordWarning, UsageError
from bench.runs import conditions
from bench.runs.record import COLUMNS, DONE, RunRecord
from bench.support import atomic

RUNS = "runs"
_METADATA_KEY, _SEAL_KEY = b"optbench", b"optbench.checksum"
_SEAL = b"\nSHA-256 of all but this: "  # no JSON text holds a line end
_SEALED_SINCE = 3
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
    content = encode(record)
    with atomic.writing(final) as file:
        file.write(content)
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


def encode(record: RunRecord) -> bytes:
    """A record as the bytes of its file, with a checksum over all of them but its own.

    Not over columns and metadata as pyarrow reads them: DuckDB reads the file too, and believes the
    statistics in its footer.
    """
    metadata = json.dumps(record.metadata(), allow_nan=False)
    table = pa.table({name: record.values[name] for name in COLUMNS})
    buffer = io.BytesIO()
    # The schema of Arrow's own would hold the metadata once more.
    with pq.ParquetWriter(buffer, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_METADATA_KEY: metadata, _SEAL_KEY: _SEAL + b"0" * 64})
    before, _, after = _around_seal(buffer.getvalue())
    return before + _checksum(before, after) + after


def decode(content: bytes) -> RunRecord:
    """A record from the bytes of its file; nothing in it is evaluated.

    Raises:
        ValueError: They are damaged, or no record.
    """
    try:
        before, checksum, after = _around_seal(content)  # before anything else reads them
        if checksum and checksum != _checksum(before, after):
            raise ValueError("its content is not what its checksum is of")
        # Not pq.read_table: to set up its scan of a data set takes longer than to read the file.
        with pq.ParquetFile(
            pa.BufferReader(content), page_checksum_verification=True, pre_buffer=False
        ) as file:
            metadata = (file.schema_arrow.metadata or {}).get(_METADATA_KEY)
            if metadata is None:
                raise ValueError("it holds no optbench metadata")
            table = file.read(use_threads=False)
        values = {name: _numbers(name, table[name]) for name in table.column_names}
        facts = json.loads(metadata)
        record = RunRecord.from_metadata(facts, values)
        if not checksum and facts["schema_version"] >= _SEALED_SINCE:
            raise ValueError("it has no checksum")
        return record
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(reason) from error


def read(path: Path) -> RunRecord:
    """Read one record; see :func:`decode`.

    Raises:
        ValueError: The file is damaged, not a record, or one under another's name.
    """
    try:
        record = decode(path.read_bytes())
        if path.stem != record.key:
            raise ValueError(f"it holds {record.key}")
    except (OSError, ValueError) as error:
        raise ValueError(f"'{path}' is not a readable record: {error}") from error
    return dataclasses.replace(record, path=path)


def _around_seal(content: bytes) -> tuple[bytes, bytes, bytes]:
    """What is before a checksum, the checksum (empty if there is none), and what is after it."""
    before, seal, rest = content.rpartition(_SEAL)
    return before + seal, rest[:64] if seal else b"", rest[64:] if seal else rest


def _checksum(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).hexdigest().encode()


def _numbers(name: str, column: pa.ChunkedArray) -> np.ndarray:
    values = np.asarray(column.to_numpy())
    if values.dtype.kind not in ("iu" if name == "iteration" else "iuf") or column.null_count:
        raise ValueError(f"column {name} holds something else than numbers")
    return values


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
