"""``optbench report``: a page of what is stored."""

import os
from pathlib import Path
from typing import Annotated

import typer

from bench.commands import shared
from bench.support import console


@shared.in_one_line
def report(
    results: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RESULTS", help="Results folders; 'results' by default."),
    ] = None,
    problem: Annotated[
        list[str] | None, typer.Option("-p", "--problem", metavar="NAME[,...]", help="Only these.")
    ] = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option("-o", "--optimizer", metavar="LABEL[,...]", help="Only these labels."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC=VALUE", help="Measure the time to it, as in accuracy=0.97; repeatable."
        ),
    ] = None,
    sigma: shared.Sigma = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to; the first RESULTS/report by default."),
    ] = None,
) -> None:
    """Write report.html, report.md and figures of all that is stored.

    The page needs neither a network nor a server. Runs under different conditions stand in sections
    of their own; sweeps, throughput over time and a calibration have theirs.
    """
    from bench.report import contents, material, writer
    from bench.runs import settings

    folders = results or [Path("results")]
    wanted = [found for text in target or [] if (found := settings.parse_until(text, "--target"))]
    held = material.gather(folders)
    made = contents.of_results(
        held,
        shared.command_line(),
        problems=_listed(problem),
        labels=optimizer or [],
        wanted=wanted,
        sigma=sigma,
    )
    console.tell(*made.answer)
    console.tell(*(f"Warning: {text}" for text in made.warnings), dim=True)
    folder = output or folders[0] / shared.REPORT
    path = writer.write(folder, made, jobs=os.cpu_count() or 1)
    console.say(f"Report:  {path} (report.md and figures/ beside it)")


def _listed(options: list[str] | None) -> list[str]:
    return [part.strip() for option in options or [] for part in option.split(",") if part.strip()]
