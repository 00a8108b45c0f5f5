"""What a report says of a group of runs: figures, tables, where it comes from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.comparison import tables
from bench.comparison.analysis import Analysis
from bench.comparison.summary import Row as Summary
from bench.report.document import (
    Block,
    Cell,
    Column,
    Facts,
    Figures,
    Folded,
    Heading,
    Paragraph,
    Row,
    Section,
    Series,
    Table,
)
from bench.report.figures import axes, convergence, phase_bars, targets
from bench.report.figures.axes import MOST_SERIES, Items
from bench.report.sections import origin
from bench.report.sections.cells import number, plain_table, single
from bench.report.sections.main_table import anchor, column, outcomes
from bench.runs import settings, yardsticks
from bench.support import numbers


def section(one: Analysis, index: int, known: Sequence[Series], command: str) -> Section:
    """All that is said of one group.

    Args:
        one: The group.
        index: Its place in the report.
        known: All optimizers of the report.
        command: The command line that made the report.
    """
    items, stem = axes.items(one, known), f"comparison-{index + 1}"
    blocks: list[Block] = []
    if len(one.labels) > MOST_SERIES:
        blocks.append(
            Paragraph(
                text=f"Figures show the first {MOST_SERIES} of {len(one.labels)} optimizers; the "
                "table above has all. Name those to see with -o."
            )
        )
    losses = convergence.losses(one, items, stem)
    metrics = convergence.metrics(one, items, stem)
    if losses or metrics:
        blocks.append(Heading(text="Convergence"))
        blocks += [Figures(figures=found) for found in (losses, metrics) if found]
        blocks.append(
            Paragraph(
                text="Lines are medians over seeds, bands their 95 % interval (fewer than six "
                "seeds: their range). Losses are means over the last 10 mini-batches. A cross is "
                "where a run diverged; from there on it counts as infinitely bad. A "
                "gradient-equivalent is the time of one plain gradient."
            )
        )
    blocks += _targets(one, items, stem, index)
    if bars := phase_bars.phase_bars(one, items, stem):
        blocks += [Heading(text="Where the time goes"), Figures(figures=[bars])]
    if any(row.curvature for row in one.rows):
        blocks += [Heading(text=tables.CURVATURE_TITLE), _curvature(one)]
    blocks += [
        Heading(text="Where this comes from"),
        Paragraph(text=yardsticks.steadiness(one.group.yardsticks).sentence),
        Facts(
            pairs=[
                *origin.facts(one.group.training, command),
                ("To run it again", origin.rerun(one.group.training)),
            ]
        ),
        Folded(summary="Settings", blocks=[_settings(one)]),
        Folded(
            summary=f"The runs behind the numbers ({len(one.group.training)})",
            blocks=[
                _runs(one, row, anchor(index, position)) for position, row in enumerate(one.rows)
            ],
        ),
    ]
    return Section(title=one.group.name, anchor=stem, blocks=blocks)


def _targets(one: Analysis, items: Items, stem: str, place: int) -> list[Block]:
    """How long it took to reach each target; in iterations where nothing was timed."""
    if not one.targets:
        return []
    timed = any("iteration_s" in row.spreads for row in one.rows)
    unit = "seconds" if timed else "iterations"
    index = {item.label: number for number, item in items}
    rows = []
    for position, row in enumerate(one.rows):
        if not row.applies:
            continue
        cells = [Cell(text=row.label, value=row.label)]
        for level in one.targets:
            values = one.time_to(level, row.label, unit)
            quantity = one.to(level, unit)
            cell = number(
                one.spread_to(level, row.label, unit), quantity.format, values, row.seeds,
                runs=anchor(place, position),
                quantity=quantity.heading if timed else "iterations",
            )  # fmt: skip
            steps = one.time_to(level, row.label, "iterations")
            reached = sum(math.isfinite(value) for value in steps.values())
            details = [cell.detail, f"{reached} of {len(steps)} runs"]
            low, high = one.bracket_to(level, row.label, unit) or (math.inf, math.inf)
            if low < high:
                details.append(f"seen from {quantity.format(low)} to {quantity.format(high)}")
            cells.append(replace(cell, detail=", ".join(filter(None, details))))
        rows.append(Row(cells=cells, series=index.get(row.label)))
    found = targets.times_to_targets(one, items, stem)
    unit_name = "Clocked seconds" if timed else "Iterations"
    table = Table(
        caption=f"{unit_name} to a {one.split} {one.metric} of",
        columns=[
            Column(name="optimizer"),
            *(Column(name=f"{level:g}", numeric=True) for level in one.targets),
        ],
        rows=rows,
        notes=[
            "Medians over seeds with their interval; a run that never reached the target counts "
            "as ∞. A run is seen at its evaluations: the time is interpolated between the first "
            "that meets the target and the one before. 'Seen from' and 'to' are the medians of "
            "these two: between them is all that is certain."
        ],
    )
    drawn = [Figures(figures=found)] if found else []
    return [Heading(text="Time to target"), *drawn, table, *_certified(one, index)]


def _certified(one: Analysis, index: Mapping[str, int]) -> list[Table]:
    """From which iteration on each target is passed for certain; nothing if none is by anybody."""
    rows, any_told = [], False
    for row in one.rows:
        if not row.applies:
            continue
        cells = [Cell(text=row.label, value=row.label)]
        for level in one.targets:
            iteration, why = one.certified_to(level, row.label)
            any_told |= not why
            cells.append(Cell(text=numbers.whole(iteration), value=iteration, tip=why))
        rows.append(Row(cells=cells, series=index.get(row.label)))
    if not any_told:
        return []
    spread = "the standard deviation given" if one.sigma is not None else "Student's t"
    return [
        Table(
            caption=f"Iterations to a {one.split} {one.metric}, certified",
            columns=[
                Column(name="optimizer"),
                *(Column(name=f"{level:g}", numeric=True) for level in one.targets),
            ],
            rows=rows,
            notes=[
                "The earliest evaluation from which on every one to the end of the budget has a "
                f"mean over seeds past the target with one-sided p < 1 % ({spread}); tested from "
                "the last one backwards, so that no correction is needed."
            ],
        )
    ]


def _curvature(one: Analysis) -> Table:
    header, body = tables.curvature(one.rows)
    return plain_table(tables.CURVATURE_TITLE, (header, body), notes=[tables.CURVATURE_NOTE])


def _settings(one: Analysis) -> Table:
    body = [[row.label, row.optimizer, settings.written(row.hyperparameters)] for row in one.rows]
    return plain_table(
        "Settings", (["optimizer", "registered as", "settings"], body), numeric=False
    )


def _runs(one: Analysis, row: Summary, name: str) -> Table:
    """Every run of a label with all that it contributed."""
    told = [(quantity, row.values.get(quantity.key, {})) for quantity in outcomes([row])]
    told += [(one.to(level), one.time_to(level, row.label, "seconds")) for level in one.targets]
    told += [
        (quantity, row.values[quantity.key])
        for quantity in tables.shown([row], "cost")
        if quantity.read is not None
    ]
    records = {record.key: record for record in one.records[row.label]}
    return Table(
        caption=f"Runs of {row.label}",
        anchor=name,
        columns=[
            Column(name="run"),
            Column(name="seed", numeric=True),
            Column(name="status"),
            Column(name="iterations", numeric=True),
            *(column(quantity) for quantity, _ in told),
            Column(name="commit"),
        ],
        rows=[
            Row(
                cells=[
                    Cell(text=key),
                    _count(record.config["seed"]),
                    Cell(text=record.ended, tip=record.reason),
                    _count(len(record.values["loss"])),
                    *(single(values.get(key), quantity.format) for quantity, values in told),
                    Cell(text=origin.commit(record) or numbers.MISSING),
                ]
            )
            for key, record in records.items()
        ],
    )


def _count(value: int) -> Cell:
    return Cell(text=str(value), value=float(value))
