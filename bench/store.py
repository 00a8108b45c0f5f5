"""Records on disk: one Parquet file per execution, written whole or not at all."""

import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import atomic
from bench.record import COLUMNS, DONE, RunRecord
from optimizers.errors import UsageError

RUNS = "runs"
_METADATA_KEY = b"optbench"


class DamagedRecordWarning(UserWarning):
    """A file in the results folder is not a readable record and was skipped."""


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


def read(path: Path) -> RunRecord:
    """Read one record; nothing in it is evaluated.

    Raises:
        ValueError: The file is damaged, or not a record.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True, partitioning=None)
        metadata = (table.schema.metadata or {}).get(_METADATA_KEY)
        if metadata is None:
            raise ValueError("it holds no optbench metadata")
        facts = json.loads(metadata)
        values = {name: np.asarray(table[name].to_numpy()) for name in table.column_names}
        return RunRecord.from_metadata(facts, values)
    except (OSError, pa.ArrowException, KeyError, TypeError, AttributeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"'{path}' is not a readable record: {reason}") from error


def scan(folder: Path) -> Iterator[tuple[Path, RunRecord]]:
    """Read every record of a folder, or of its ``runs`` folder, by age.

    Files that are not readable records are named in a ``DamagedRecordWarning`` and skipped.
    """
    nested = runs_folder(folder)
    found: list[tuple[Path, RunRecord]] = []
    for path in sorted((nested if nested.is_dir() else folder).glob("*.parquet")):
        try:
            found.append((path, read(path)))
        except ValueError as error:
            warnings.warn(f"Skipped: {error}", DamagedRecordWarning, stacklevel=2)
    yield from sorted(found, key=lambda item: item[1].started_at)


def load(folder: str | Path) -> list[RunRecord]:
    """Read every record of a results folder, by age.

    Args:
        folder: A results folder, or the folder with the records itself.

    Returns:
        The readable records; others are named in a ``DamagedRecordWarning``.

    Raises:
        UsageError: There is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"Results folder '{folder}' does not exist.")
    return [record for _, record in scan(folder)]


def executions(results: Path, run_id: str) -> Iterator[RunRecord]:
    """The readable executions of a run, newest first."""
    for path in sorted(runs_folder(results).glob(f"{run_id}-*.parquet"), reverse=True):
        try:
            yield read(path)
        except ValueError as error:
            warnings.warn(f"Skipped: {error}", DamagedRecordWarning, stacklevel=2)


def find(
    results: Path,
    run_id: str,
    fingerprint: str | None,
    *,
    tuned: bool | None = None,
    shared: bool = False,
) -> RunRecord | None:
    """The newest finished execution of a run, if there is one.

    Args:
        results: The results folder.
        run_id: The run.
        fingerprint: Only executions on the machine of this fingerprint; any machine if ``None``.
        tuned: Only executions with the allocator tuned, or not; either if ``None``.
        shared: With a fingerprint, also executions that shared the machine with other runs, whose
            times are no timings.
    """
    for record in executions(results, run_id):
        environment = record.environment
        if (
            record.status in DONE
            and (
                fingerprint is None
                or (fingerprint == environment["fingerprint"] and (shared or not record.shared))
            )
            and tuned in (None, environment["allocator"]["tuned"])
        ):
            return record
    return None
