"""``optbench run``: compare optimizers."""

import importlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands import shared
from bench.runs.spec import TUTORIAL_ITERATIONS, RunSpec
from bench.support import console
from bench.support.strict_json import with_nulls
from bench.support.text import plural

if TYPE_CHECKING:
    from bench.comparison.summary import Row
    from bench.runs.record import RunRecord
    from bench.training.session import Comparison

UNTIL_ITERATIONS = 2000


@shared.in_one_line
def run(
    problem: Annotated[
        str, typer.Option("-p", "--problem", help="Problem: a name or package.module:builder.")
    ] = "mnist_cnn",
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--optimizer",
            metavar="[LABEL=]NAME[,...]",
            help="Optimizers: names or package.module:Class; by default the tutorial's four.",
        ),
    ] = None,
    setting: shared.Setting = None,
    step: shared.Step = None,
    group: shared.Group = None,
    seeds: shared.Seeds = "3",
    iterations: Annotated[
        int | None,
        typer.Option(
            help=f"Budget of iterations. By default {TUTORIAL_ITERATIONS}; none with --seconds; "
            f"{UNTIL_ITERATIONS} with --until.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Budget of clocked seconds (without evaluation).")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC=VALUE",
            help="Stop when an evaluation reaches this, as in accuracy=0.97.",
        ),
    ] = None,
    batch_size: shared.BatchSize = None,
    eval_every: Annotated[
        int | None,
        typer.Option(
            help="Iterations between evaluations. By default some sixteen, each at most a fifth "
            "later than the one before.",
            show_default=False,
        ),
    ] = None,
    curvature_every: shared.CurvatureEvery = 20,
    warmup: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Iterations on a model that is thrown away, before anything is timed. By default "
            "until two in a row are within 20 %, at most 10.",
            show_default=False,
        ),
    ] = None,
    device: shared.Device = "auto",
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    split: Annotated[
        str, typer.Option(help="Evaluate on: test, or validation (to choose settings).")
    ] = "test",
    data_root: shared.DataRoot = None,
    results: shared.Results = Path("results"),
    fresh: shared.Fresh = False,
    malloc_tuning: shared.MallocTuning = True,
    as_json: shared.AsJson = False,
) -> None:
    """Compare optimizers: train, store every raw value, print a summary, write a report.

    A bare 'optbench run' is BackPACK's tutorial comparison: mnist_cnn, all four optimizers,
    3 seeds, 201 iterations. Runs that are stored already are not run again.
    """
    from bench.runs import settings

    if iterations is None and seconds is None:
        iterations = UNTIL_ITERATIONS if until else TUTORIAL_ITERATIONS
    base = RunSpec(
        problem=problem,
        iterations=iterations,
        seconds=seconds,
        until=settings.parse_until(until),
        batch_size=batch_size,
        device=device,
        dtype=dtype,
        split=split,
        eval_every=eval_every,
        curvature_every=curvature_every,
        warmup=warmup,
        data_root=data_root,
    )

    from bench.training import tasks
    from bench.training.processes import Processes, first

    first()  # it imports torch while this process imports what it will need
    importlib.import_module("bench.report.contents")
    from bench.commands.progress import ComparisonProgress
    from bench.training.session import compare

    under = tasks.Conditions(
        session=f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}", tuned=malloc_tuning
    )
    with Processes() as processes, console.Bar(console.errors(), "runs") as bar:
        specs = settings.comparison_specs(
            base,
            optimizer or [],
            setting or [],
            settings.parse_seeds(seeds),
            lambda name: processes.call(tasks.describe, replace(base, optimizer=name), name),
            step or [],
            group or [],
        )
        outcome = compare(
            specs,
            results,
            under=under,
            fresh=fresh,
            observer=ComparisonProgress(bar),
            processes=processes,
        )
    if outcome.interrupted:
        finished = sum(record.status in ("completed", "diverged") for record in outcome.training)
        console.complain(
            f"Interrupted: {finished} of {len(specs)} runs are finished and stored; "
            "the same command goes on from there."
        )
        raise typer.Exit(shared.INTERRUPTED)
    _conclude(outcome, results, named=bool(optimizer), as_json=as_json)


def _conclude(outcome: "Comparison", results: Path, *, named: bool, as_json: bool) -> None:
    """Print the summary of a comparison, write its report, and end as its runs did.

    Args:
        outcome: The comparison.
        results: The results folder.
        named: Whether the optimizers were, so that one that is not applicable is a failure.
        as_json: Whether to print JSON.
    """
    from bench.comparison import groups
    from bench.comparison.analysis import analyse
    from bench.report import contents, writer
    from bench.runs import store, yardsticks

    analysis = analyse(groups.of_comparison(outcome.training, outcome.yardsticks, outcome.memory))
    asked = list(analysis.records)  # labels, in the order in which they were asked for
    rows = sorted(analysis.rows, key=lambda row: asked.index(row.label))
    steadiness = yardsticks.steadiness(outcome.yardsticks).sentence
    first = outcome.training[0]
    if not as_json:  # before the report, so that nothing can come between
        _print_summary(rows, first, steadiness)
    made = contents.of_comparison(analysis, shared.command_line())
    path = writer.write(results / shared.REPORT, made)
    if as_json:
        document = {
            "data": dict(first.data),
            "rows": [row.to_json() for row in rows],
            "stability": steadiness,
            "records": str(store.runs_folder(results)),
            "report": str(path),
        }
        print(json.dumps(with_nulls(document), indent=2, allow_nan=False))
    else:
        were = f"{plural(outcome.reused, 'run')} {'was' if outcome.reused == 1 else 'were'}"
        reused = f" ({were} stored before)" if outcome.reused else ""
        console.say(f"Records: {store.runs_folder(results)}{reused}")
        console.say(f"Report:  {path}")
    refusals = [row.refusal for row in rows if row.refusal]
    for text in refusals:
        console.complain(f"optbench: {text}")
    failed = [record for record in outcome.training if record.status == "failed"]
    for record in failed:
        console.complain(
            f"optbench: {record.label}, seed {record.config['seed']} failed: {record.reason} "
            f"('optbench show {record.key} --results {results}' has the traceback)"
        )
    if failed or (refusals and named):
        raise typer.Exit(shared.FAILED)


def _print_summary(rows: Sequence["Row"], first: "RunRecord", steadiness: str) -> None:
    from bench.comparison import tables

    config = first.config
    title = f"{config['problem']} on {config['device']}, batch size {config['batch_size']}"
    console.print_table(f"{title}: {first.data['detail']}", tables.convergence(rows))
    if tables.lengths_differ(rows):
        console.print_table("Length of the runs, without evaluation", tables.length(rows))
    console.print_table("Cost of an iteration, times in milliseconds", tables.cost(rows))
    if any(row.curvature for row in rows):
        console.print_table(tables.CURVATURE_TITLE, tables.curvature(rows))
    for note in (*tables.notes(rows), steadiness):
        console.out().print(note, style="dim", highlight=False, markup=False)
