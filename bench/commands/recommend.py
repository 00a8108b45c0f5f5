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


def conclude(record: "SweepRecord", results: Path, *, named: bool = True, as_json: bool) -> None:
    """Print what a sweep found, draw it, and end as its runs did.

    Args:
        record: The sweep.
        results: The results folder.
        named: Whether the optimizers were, so that one that is not applicable is a failure.
        as_json: Whether to print JSON.
    """
    from bench.runs import store
    from bench.sweeps import outcome as outcomes

    outcome = outcomes.gather(record, store.Index(results).executions)
    expected = outcome.swept or not outcome.refused
    if expected and not (outcome.full or outcome.failed):
        raise UsageError(
            f"Sweep '{record.experiment.name}' has no finished run of "
            f"{plural(record.experiment.iterations, 'iteration')} in '{results}': run it again, it "
            "goes on."
        )
    if outcome.full or as_json:
        _tell(outcome, results, as_json=as_json)
    for text in outcome.refused.values():
        console.complain(f"optbench: {text}")
    for cell, run in outcome.failed:
        console.complain(
            f"optbench: {cell} failed: {run.reason} ('optbench show {run.key} --results "
            f"{results}' tells all)"
        )
    if outcome.failed or (named and outcome.refused):
        raise typer.Exit(shared.FAILED)


def _tell(outcome: "Outcome", results: Path, *, as_json: bool) -> None:
    """Print what is recommended, and write the report."""
    from bench.recommend import wording
    from bench.report import contents, writer
    from bench.sweeps import advice as advising
    from bench.sweeps import file as records

    experiment = outcome.record.experiment
    advice = advising.advise(outcome)
    notes = advising.notes(outcome, advice) if outcome.full else []
    if not as_json:  # before the report, so that nothing can come between
        for one in advice:
            console.print_table(_title(outcome, one.label), wording.table(one.found))
            console.tell(*one.sentences)
            console.tell(*(f"Note: {warning}" for warning in one.warnings), dim=True)
        console.tell(*notes, dim=True)
    path = None
    if outcome.full:
        made = contents.of_sweep(outcome, advice, shared.command_line())
        path = writer.write(results / shared.REPORT / experiment.name, made)
    if as_json:
        document = {
            "sweep": experiment.name,
            "labels": [one.to_json() for one in advice],
            "refused": dict(outcome.refused),
            "notes": notes,
            "report": str(path) if path else None,
        }
        print(json.dumps(with_nulls(document), indent=2, allow_nan=False))
    else:
        console.say(f"Sweep:   {records.path_of(results, experiment)}")
        console.say(f"Report:  {path}")


def _title(outcome: "Outcome", label: str) -> str:
    experiment, (_, first) = outcome.record.experiment, outcome.full[0]
    budget = plural(experiment.iterations, "iteration")
    return f"{label} on {experiment.problem}, {budget}: {first.data['detail']}"
