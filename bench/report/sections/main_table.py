"""The one table of the first screen: every optimizer of every comparison."""

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.comparison import tables
from bench.comparison.analysis import Analysis
from bench.comparison.quantities import Quantity
from bench.comparison.summary import Row as Summary
from bench.report.document import Cell, Column, Row, Series, Table
from bench.report.sections.cells import MISSING, first_few, number
from bench.report.sections.cells import mark as mark_of
from bench.runs import settings
from bench.support import numbers
from bench.support.text import in_words

STATUS_HELP = (
    "Runs that completed; the others diverged, failed, were interrupted or not applicable."
)


def anchor(group: int, row: int) -> str:
    """Id of the table with the runs behind a row."""
    return f"runs-{group}-{row}"


def table(analyses: Sequence[Analysis], known: Sequence[Series]) -> Table:
    """One row per optimizer of every group, best first: the one table of the first screen."""
    several = len(analyses) > 1
    reached = [one.to(one.target) for one in analyses if one.target is not None]
    target = [column(quantity) for quantity in reached[:1]]
    if len({quantity.key for quantity in reached}) > 1:
        target = [replace(target[0], name="seconds to target")]
    rows = [row for one in analyses for row in one.rows]
    before = outcomes(rows)
    names = ["length", "cost"] if tables.lengths_differ(rows) else ["cost"]
    after = tables.shown(rows, *names)
    columns = [
        *([Column(name="comparison")] if several else []),
        Column(name="optimizer"),
        *map(column, before),
        *target,
        Column(name="completed", numeric=True, help=STATUS_HELP),
        *map(column, after),
    ]
    index = {item.label: at for at, item in enumerate(known)}
    lines = []
    for place, one in enumerate(analyses):
        for position, row in enumerate(one.rows):
            runs = anchor(place, position)
            cells = [
                *([Cell(text=one.group.name, value=place)] if several else []),
                Cell(text=row.label, value=row.label, tip=settings.written(row.hyperparameters)),
                *(_quantity(one, row, quantity, runs) for quantity in before),
                *(_target(one, row, runs, several) for _ in target),
                _completed(row, runs),
                *(_quantity(one, row, quantity, runs) for quantity in after),
            ]
            lines.append(Row(cells=cells, series=index.get(row.label)))
    return Table(
        caption="All optimizers, the best first" if not several else "All comparisons",
        columns=columns,
        rows=lines,
        anchor="summary",
        notes=[
            "Medians over seeds, below them the 95 % interval of the median, or the range of "
            "fewer than six seeds (three seeds' range holds the median with 75 %, five seeds' "
            "with 94 %). Best is the best mean over the seeds that all have (of logarithms for "
            "losses, times and costs), compared seed by seed. Tied cannot be told from it; behind "
            "is probably behind: it would be worse if this pair alone were compared; what has no "
            "mark beside a best is worse, and with 95 % none in a column is so falsely (columns "
            "are not corrected for one another). In a column without marks nothing can be told. "
            "Optimizers that lost runs are never called best while others lost none. A number "
            "leads to the runs behind it.",
            *(
                f"{one.title.capitalize()}: {one.help[0].lower()}{one.help[1:]}"
                for one in after
                if one.read is None
            ),
        ],
    )


def outcomes(rows: Sequence[Summary]) -> list[Quantity]:
    """Where optimizers got to, what is held out first."""
    return sorted(tables.shown(rows, "convergence"), key=lambda one: one.key == "train_loss")


def column(quantity: Quantity) -> Column:
    """The column of a quantity."""
    return Column(name=quantity.heading, numeric=True, help=quantity.help)


def _quantity(one: Analysis, row: Summary, quantity: Quantity, runs: str) -> Cell:
    values = row.values.get(quantity.key, {})
    return number(
        row.spreads.get(quantity.key), quantity.format, values, row.seeds,
        mark=mark_of(one.rankings.get(quantity.key), row.label),
        runs=runs if values else "", quantity=quantity.heading if values else "",
    )  # fmt: skip


def _completed(row: Summary, runs: str) -> Cell:
    """How many runs completed, and what became of the others."""
    if not row.applies:
        return Cell(
            text=in_words(*row.statuses), value=math.nan, tip=row.refusal, runs=runs,
            quantity="status",
        )  # fmt: skip
    completed, every = row.statuses.get("completed", 0), len(row.runs)
    others = {name: count for name, count in row.statuses.items() if name != "completed"}
    seeds = [str(seed) for seed in sorted(set(row.seeds.values()))]
    return Cell(
        text=f"{completed} of {every}",
        detail=numbers.statuses(others),
        value=completed / every,
        tip=f"Seeds {first_few(seeds)}",
        runs=runs,
        quantity="status",
    )


def _target(one: Analysis, row: Summary, runs: str, several: bool) -> Cell:
    if one.target is None:
        return MISSING
    quantity = one.to(one.target)
    found = number(
        one.spread_to(one.target, row.label, "seconds"),
        quantity.format,
        one.time_to(one.target, row.label, "seconds"),
        row.seeds,
        mark=mark_of(one.rankings.get(quantity.key), row.label),
        runs=runs,
        quantity=quantity.heading,
    )
    if not several or found is MISSING:
        return found
    return replace(found, detail=f"{found.detail} to {one.target:g}".strip())
