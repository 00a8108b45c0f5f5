"""``optbench calibrate``: how often ``optbench regress`` is right on this machine."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands import shared
from bench.errors import UsageError
from bench.support import console

if TYPE_CHECKING:
    from bench.regress.calibration.trials import Settings


@shared.in_one_line
def calibrate(
    problem: Annotated[str, typer.Option("-p", "--problem", help="What is trained.")] = "mnist_cnn",
    optimizer: Annotated[str, typer.Option("-o", "--optimizer", help="With what.")] = "sgd",
    trials: Annotated[int, typer.Option(help="How many trials there are to be in the end.")] = 100,
    budget: Annotated[
        float, typer.Option(help="Seconds of one comparison of two sides, launches included.")
    ] = 60.0,
    delays: Annotated[
        str, typer.Option(metavar="PERCENT,...", help="Known delays, each in every trial.")
    ] = "2,2.5,5",
    data_root: shared.DataRoot = None,
    results: Annotated[
        Path, typer.Option("--results", metavar="DIR", help="Where the trials are kept.")
    ] = Path("results/calibration"),
    as_json: shared.AsJson = False,
) -> None:
    """Measure how often 'optbench regress' raises false alarms here, and what it finds.

    Each trial compares the code with itself (A with A'), and with itself plus a known delay in one
    phase. Stored trials are not measured again: after Ctrl-C the same command goes on.
    """
    from bench.commands.progress import LaunchProgress
    from bench.machine import environment
    from bench.regress import configuration
    from bench.regress.calibration import trials as calibration
    from bench.regress.launch import Side

    if trials < 1:
        raise UsageError(f"trials={trials} is not valid: it is a whole number >= 1.")
    shared.absolute_data_root(data_root)
    fields: dict[str, Any] = {
        "problem": problem,
        "optimizer": optimizer,
        "budget_s": configuration.seconds("budget", budget),
        "delays": _shares(delays),
        "tuned": os.environ.get("OPTBENCH_MALLOC") != "0",
        "machine": environment.machine(),
        "versions": environment.library_versions(),
    }
    here = Path.cwd()
    side = Side(name="this code", python=sys.executable, paths=(here,), folder=here)
    benchmark = {"problem": problem, "optimizer": optimizer, "eval_every": 0, "device": "cpu"}
    with shared.ended_by_signals():
        settings = calibration.open_folder(results, side, fields, benchmark)
        missing = calibration.missing(results, trials)
        if missing:
            with console.Bar(console.errors()) as bar:
                progress = LaunchProgress(bar, "Measuring trials", len(missing))
                for number in missing:
                    calibration.measure(
                        settings, number, side, benchmark, results, progress.launched
                    )
                    progress.finished()
    _conclude(settings, results, as_json=as_json)


def _conclude(settings: "Settings", results: Path, *, as_json: bool) -> None:
    from bench.regress.calibration import judgements as judging
    from bench.regress.calibration import trials as calibration
    from bench.report.figures import calibration as figure

    trials = list(calibration.load(results))
    judgements = [j for trial in trials for j in judging.judge(trial, settings)]
    summary = judging.rows(judgements)
    title = judging.title(settings, len(trials))
    figure.write(results, trials, judgements, settings)
    if as_json:
        print(json.dumps({"rows": summary, "results": str(results)}, indent=2))
        return
    for caption, table in judging.tables(summary, title).items():
        console.print_table(caption, table)
    console.say(judging.NOTE)
    console.say(f"Trials, judgements and figure: {results}")


def _shares(text: str) -> tuple[float, ...]:
    """Read percentages as shares."""
    try:
        shares = tuple(float(part) / 100 for part in text.split(","))
    except ValueError:
        shares = ()
    if not shares or not all(0 < share < 10 for share in shares):
        raise UsageError(f"--delays '{text}' is not valid: write percentages, as in 2,2.5,5.")
    return shares
