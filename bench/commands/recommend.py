"""``optbench recommend``: which setting of a sweep to take, and why."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands import shared
from bench.errors import UsageError
from bench.support import console
from bench.support.strict_json import with_nulls
from bench.support.text import plural

if TYPE_CHECKING:
    from bench.sweeps.file import SweepRecord
    from bench.sweeps.outcome import Outcome


@shared.in_one_line
def recommend(
    sweep: Annotated[
        str | None,
        typer.Argument(metavar="[SWEEP]", help="A sweep's name or file; the latest by default."),
    ] = None,
    results: shared.Results = Path("results"),
    as_json: shared.AsJson = False,
) -> None:
    """Recommend a setting from a sweep: the centre of the plateau, not the luckiest cell."""
    from bench.sweeps import file

    conclude(file.read(file.find(results, sweep)), results, as_json=as_json)


def conclude(record: "SweepRecord", results: Path, *, as_json: bool) -> None:
    """Print what a sweep found, and draw it."""
    from bench.recommend import wording
    from bench.report import contents, writer
    from bench.runs import store
    from bench.sweeps import advice as advising
    from bench.sweeps import file as records
    from bench.sweeps import outcome as outcomes

    outcome = outcomes.gather(record, store.Index(results).executions)
    if not outcome.full:
        if _tell_failures(outcome, results):
            raise typer.Exit(shared.FAILED)
        raise UsageError(
            f"Sweep '{record.experiment.name}' has no finished run of "
            f"{plural(record.experiment.iterations, 'iteration')} in '{results}': run it again, it "
            "goes on."
        )
    advice = advising.advise(outcome)
    notes = advising.notes(outcome, advice)
    if not as_json:  # before the report, so that nothing can come between
        for one in advice:
            console.print_table(_title(outcome, one.label), wording.table(one.found))
            console.tell(*one.sentences)
            console.tell(*(f"Note: {warning}" for warning in one.warnings), dim=True)
        console.tell(*notes, dim=True)
    made = contents.of_sweep(outcome, advice, shared.command_line())
    path = writer.write(results / shared.REPORT / record.experiment.name, made)
    if as_json:
        document = {
            "sweep": record.experiment.name,
            "labels": [one.to_json() for one in advice],
            "notes": notes,
            "report": str(path),
        }
        print(json.dumps(with_nulls(document), indent=2, allow_nan=False))
    else:
        console.say(f"Sweep:   {records.path_of(results, record.experiment)}")
        console.say(f"Report:  {path}")
    if _tell_failures(outcome, results):
        raise typer.Exit(shared.FAILED)


def _title(outcome: "Outcome", label: str) -> str:
    experiment, (_, first) = outcome.record.experiment, outcome.full[0]
    budget = plural(experiment.iterations, "iteration")
    return f"{label} on {experiment.problem}, {budget}: {first.data['detail']}"


def _tell_failures(outcome: "Outcome", results: Path) -> bool:
    """List the runs that failed; whether there are any."""
    for cell, run in outcome.failed:
        console.complain(
            f"optbench: {cell} failed: {run.reason} ('optbench show {run.key} --results "
            f"{results}' tells all)"
        )
    return bool(outcome.failed)
