"""Cells of tables: numbers with their interval, and how they are written."""

import math
from collections.abc import Callable, Mapping, Sequence

from bench import tables
from bench.report.document import Cell, Column, Mark, Row, Table
from bench.stats import Spread
from bench.ties import Ranking

SEEDS_TOLD = 8

Show = Callable[[float], str]


def significant(value: float) -> str:
    """Three significant digits; ``∞`` for a miss."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:#.3g}".rstrip(".")


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds with three significant digits."""
    return significant(1e3 * seconds)


def mebibytes(count: float) -> str:
    """Bytes as MiB."""
    return f"{count / 2**20:.0f} MiB"


def times(cost: float) -> str:
    """A multiple, such as ``1.99×``."""
    return f"{cost:.2f}×"


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
        return Cell(text="–", value=math.nan)
    told = [f"seed {seeds[run]}: {show(value)}" for run, value in values.items() if run in seeds]
    if len(told) > SEEDS_TOLD:
        told = [*told[:SEEDS_TOLD], "..."]
    count = f"{spread.count} run" + ("s" if spread.count > 1 else "")
    holds = f" The interval holds the median with {100 * spread.coverage:.0f} %."
    return Cell(
        text=show(spread.median),
        detail=f"{show(spread.low)}–{show(spread.high)}" if spread.count > 1 else "",
        value=spread.median,
        mark=mark,
        tip=(f"{count}. {', '.join(told)}." if told else f"{count}.")
        + (holds if spread.count > 1 else ""),
        runs=runs,
        quantity=quantity,
    )


def mark(ranking: Ranking | None, label: str) -> Mark:
    """What a ranking says of a label."""
    if ranking is None or ranking.best is None:
        return ""
    if label == ranking.best:
        return "best"
    return "tied" if label in ranking.tied else ""


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
