"""Cells of tables: numbers with their interval, and how they are written."""

import math
from collections.abc import Mapping, Sequence

from bench.comparison import tables
from bench.report.document import Cell, Column, Mark, Row, Table
from bench.statistics.intervals import Spread
from bench.statistics.ranking import Ranking
from bench.support import numbers
from bench.support.numbers import Show
from bench.support.text import plural

SEEDS_TOLD = 8

MISSING = Cell(text=numbers.MISSING, value=math.nan)  # what was not measured


def number(
    spread: Spread | None,
    show: Show,
    values: Mapping[str, float],
    seeds: Mapping[str, int],
    *,
    mark: Mark = "",
    runs: str = "",
    quantity: str = "",
) -> Cell:
    """A median with its interval; on pointing at it, the runs behind it.

    Args:
        spread: The median; ``None`` for none.
        show: How a value is written.
        values: By run.
        seeds: By run.
        mark: Whether it is best or tied.
        runs: Anchor of the runs behind it.
        quantity: Name of the column there.
    """
    if spread is None:
        return MISSING
    told = [f"seed {seeds[run]}: {show(value)}" for run, value in values.items() if run in seeds]
    count = plural(spread.count, "run")
    holds = f" The interval holds the median with {100 * spread.coverage:.0f} %."
    return Cell(
        text=show(spread.median),
        detail=numbers.interval(spread, show),
        value=spread.median,
        mark=mark,
        tip=(f"{count}. {first_few(told)}." if told else f"{count}.")
        + (holds if spread.count > 1 else ""),
        runs=runs,
        quantity=quantity,
    )


def first_few(texts: Sequence[str]) -> str:
    """Some texts with commas between, dots in the place of many."""
    return ", ".join(texts if len(texts) <= SEEDS_TOLD else [*texts[:SEEDS_TOLD], "..."])


def single(value: float | None, show: Show) -> Cell:
    """One value; a dash where there is none."""
    return MISSING if value is None else Cell(text=show(value), value=value)


def mark(ranking: Ranking | None, label: str) -> Mark:
    """What a ranking says of a label."""
    standing = ranking.standing(label) if ranking else ""
    return standing if standing in ("best", "tied", "behind") else ""


def plain_table(
    caption: str, cells: tables.Table, *, numeric: bool = True, notes: Sequence[str] = ()
) -> Table:
    """A table of text as one of a report, its columns but the first as numbers if so wanted."""
    header, body = cells
    return Table(
        caption=caption,
        columns=[
            Column(name=name, numeric=numeric and position > 0)
            for position, name in enumerate(header)
        ],
        rows=[Row(cells=[Cell(text=text) for text in line]) for line in body],
        notes=notes,
    )
