"""``optbench history``: throughput over stored runs, and where it changed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands import shared
from bench.errors import unknown
from bench.support import console
from bench.support.strict_json import with_nulls

if TYPE_CHECKING:
    from bench.regress.history import Change, Series

_DRAWN = 12
_POINT = ("when", "seconds", "median_s", "relative", "commit", "versions")


@shared.in_one_line
def history(
    problem: Annotated[str | None, typer.Option("-p", "--problem", help="Only this one.")] = None,
    optimizer: Annotated[
        str | None, typer.Option("-o", "--optimizer", help="Only this label.")
    ] = None,
    phase: Annotated[str, typer.Option(help="forward, backward, step or total.")] = "total",
    results: shared.Results = Path("results"),
    as_json: shared.AsJson = False,
) -> None:
    """Show throughput over stored runs and benchmark files: change points, commits, a plot.

    A change point is where the cost in plain gradients (or, without one, the time) moved for good,
    by more than 2.5 % and beyond what sessions scatter by. A spike is none; a drift is called so.
    """
    from bench.regress import history as throughput
    from bench.report.figures import history as history_figure
    from bench.report.figures import style
    from bench.statistics.change_points import MIN_SEGMENT
    from bench.statistics.launches import QUANTITIES

    if phase not in QUANTITIES:
        raise unknown("phase", phase, QUANTITIES)
    series = throughput.load(results, phase)
    for kind, column, name in (("problem", "problem", problem), ("optimizer", "label", optimizer)):
        known = {str(item.points[column][0]) for item in series}
        if name is not None and name not in known:
            raise unknown(f"{kind} in '{results}':", name, known)
        series = [item for item in series if name in (None, item.points[column][0])]
    if as_json:
        print(json.dumps(with_nulls([_document(item) for item in series]), allow_nan=False))
        return
    console.print_table(f"Milliseconds per iteration ({phase}) over time", _table(series))
    for item in series:
        for change in item.changes:
            _tell(item, change)
        if item.drift is not None:
            console.say(
                f"{item.name}: drifts by {100 * (item.drift - 1):+.1f} % from the first session to "
                "the last, without a session where it changed."
            )
    if not any(item.changes for item in series):
        console.say(f"No change point (at least {MIN_SEGMENT} sessions on either side).")
    drawn = sorted(series, key=lambda item: (-len(item.changes), -len(item.points)))[:_DRAWN]
    png, _ = style.save(history_figure.history(drawn), results / "report" / f"history-{phase}")
    some = f" ({len(drawn)} of {len(series)} series)" if len(drawn) < len(series) else ""
    console.say(f"Figure: {png}{some}")


def _table(series: Sequence["Series"]) -> tuple[list[str], list[list[str]]]:
    from bench.support import numbers

    header = ["series", "sessions", "last", "ms then", "median ms", "cost then", "changes"]
    return header, [
        [
            item.name,
            str(len(item.points)),
            f"{item.points['when'].iloc[-1]:%Y-%m-%d}",
            numbers.milliseconds(item.points["seconds"].iloc[-1]),
            numbers.milliseconds(item.points["median_s"].iloc[-1]),
            _cost(item.points["relative"].iloc[-1]),
            str(len(item.changes)),
        ]
        for item in series
    ]


def _cost(relative: float) -> str:
    return "–" if relative != relative else f"{relative:.2f}×"


def _tell(series: "Series", change: "Change") -> None:
    from bench.regress import history as throughput
    from bench.support import numbers

    judged = series.judged
    levels = [
        numbers.milliseconds(level) + " ms" if judged == "seconds" else _cost(level)
        for level in (change.before, change.after)
    ]
    console.say(
        f"{series.name}: {levels[0]} to {levels[1]} ({100 * (change.ratio - 1):+.1f} %) at "
        f"{change.when:%Y-%m-%d %H:%M} UTC{_blamed(change)}"
    )
    for line in throughput.commits_between(Path.cwd(), change):
        console.say(f"    {line}")
    versions = series.points["versions"]
    old, new = versions[change.first - 1], versions[change.first]
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            console.say(f"    {name} {old.get(name)} became {new.get(name)}")


def _blamed(change: "Change") -> str:
    """The commits of a change, and between which others it may be by the scatter of sessions."""
    if change.commits == (None, None):
        return ""
    told, around = (
        " and ".join(commit[:12] if commit else "an unknown one" for commit in commits)
        for commits in (change.commits, change.around)
    )
    if change.commits[0] == change.commits[1]:
        told = f", all at commit {str(change.commits[0])[:12]}"
    else:
        told = f", between commits {told}"
    return told if around in told else f"{told}; sessions scatter so that it may be {around}"


def _document(series: "Series") -> dict[str, Any]:
    from bench.regress import history as throughput

    points = series.points.assign(when=series.points["when"].map(lambda when: when.isoformat()))
    return {
        "series": series.name,
        "machine": series.machine,
        "judged": series.judged,
        "drift": series.drift,
        "points": points[list(_POINT)].to_dict("records"),
        "changes": [
            {
                "first": change.first,
                "when": change.when.isoformat(),
                "before": change.before,
                "after": change.after,
                "ratio": change.ratio,
                "commits": list(change.commits),
                "around": list(change.around),
                "log": throughput.commits_between(Path.cwd(), change),
            }
            for change in series.changes
        ],
    }
