"""``optbench recommend``: which setting of a sweep to take, and why."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench import terminal
from bench.commands import shared
from bench.strict_json import with_nulls
from optimizers.errors import UsageError

if TYPE_CHECKING:
    from bench.sweeps.outcome import Outcome
    from bench.sweeps.record import SweepRecord


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
    from bench.sweeps import record

    conclude(record.read(record.find(results, sweep)), results, as_json=as_json)


def conclude(record: "SweepRecord", results: Path, *, as_json: bool) -> None:
    """Print what a sweep found, and draw it."""
    from bench import damping_advice, damping_text, store
    from bench.report import contents, writer
    from bench.sweeps import outcome as outcomes
    from bench.sweeps import record as records

    outcome = outcomes.gather(record, store.Index(results).executions)
    if not outcome.full:
        if _tell_failures(outcome, results):
            raise typer.Exit(shared.FAILED)
        raise UsageError(
            f"Sweep '{record.experiment.name}' has no finished run of "
            f"{record.experiment.iterations} iterations in '{results}': run it again, it goes on."
        )
    advice = damping_advice.advise(outcome)
    notes = damping_advice.notes(outcome, advice)
    if not as_json:  # before the report, so that nothing can come between
        for one in advice:
            terminal.print_table(_title(outcome, one.label), damping_text.table(one.found))
            terminal.tell(*one.sentences)
            terminal.tell(*(f"Note: {warning}" for warning in one.warnings), dim=True)
        terminal.tell(*notes, dim=True)
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
        terminal.say(f"Sweep:   {records.path_of(results, record.experiment)}")
        terminal.say(f"Report:  {path}")
    if _tell_failures(outcome, results):
        raise typer.Exit(shared.FAILED)


def _title(outcome: "Outcome", label: str) -> str:
    experiment, (_, first) = outcome.record.experiment, outcome.full[0]
    return (
        f"{label} on {experiment.problem}, {experiment.iterations} iterations: "
        f"{first.data['detail']}"
    )


def _tell_failures(outcome: "Outcome", results: Path) -> bool:
    """List the runs that failed; whether there are any."""
    for cell, run in outcome.failed:
        terminal.complain(
            f"optbench: {cell} failed: {run.reason} ('optbench show {run.key} --results "
            f"{results}' tells all)"
        )
    return bool(outcome.failed)
