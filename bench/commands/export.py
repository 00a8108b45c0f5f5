"""``optbench export``: stored runs as tables for other tools."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bench.commands import shared
from bench.errors import UsageError, unknown
from bench.support import console
from bench.support.text import plural


@shared.in_one_line
def export(
    results: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RESULTS", help="Results folders, merged; results by default."),
    ] = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="csv|json",
            help="In JSON, numbers that are not finite are null; in CSV nan, inf and -inf.",
        ),
    ] = "csv",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Folder for the files; export in the first results folder by default.",
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Print this table only, and write no file."),
    ] = None,
    sigma: shared.Sigma = None,
) -> None:
    """Export stored runs as tidy tables, one file each.

    runs, iterations, evaluations and curvature have every raw value; each row tells its run,
    problem, label, optimizer, seed and role. summary and time_to_target have what comparisons
    found: medians over seeds with their intervals.
    """
    from bench.comparison import export as compared
    from bench.runs import export as exporting
    from bench.sweeps import file as sweep_file

    folders = results or [Path("results")]
    if format_ not in exporting.FORMATS:
        raise unknown("format", format_, exporting.FORMATS)
    if table is not None and output is not None:
        raise UsageError("--output is not valid with --table, which prints and writes no file.")
    known = [*exporting.TABLES, *compared.FIELDS]
    if table is not None and table not in known:
        raise unknown("table", table, known)
    found = exporting.sources(folders)
    tables = exporting.tables(found)
    if table is None or table in compared.FIELDS:
        tables |= compared.tables(found, sweep_file.names(folders), sigma=sigma)
    if table is not None:
        with tempfile.TemporaryDirectory() as folder:
            path, _ = exporting.write(table, tables[table], Path(folder), format_)
            _print(path)
        return
    for name, rows in tables.items():
        path, count = exporting.write(name, rows, output or folders[0] / exporting.FOLDER, format_)
        console.say(f"{path}: {plural(count, 'row')}")
    if not found:
        named = ", ".join(f"'{folder}'" for folder in folders)
        console.say(f"There are no runs in {named}: the tables are empty.")


def _print(path: Path) -> None:
    try:
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # whoever read has enough, as 'head' does
            raise UsageError(f"Standard output cannot be written: {error.strerror}.") from error
