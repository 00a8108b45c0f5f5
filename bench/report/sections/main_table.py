"""The one table of the first screen: every optimizer of every comparison."""

from collections.abc import Sequence
from dataclasses import replace

from bench.comparison.analysis import Analysis
from bench.comparison.summary import Row as Summary
from bench.report.document import Cell, Column, Row, Series, Table
from bench.report.sections.cells import (
    MISSING,
    Show,
    first_few,
    mebibytes,
    milliseconds,
    number,
    significant,
    times,
)
from bench.report.sections.cells import mark as mark_of
from bench.runs import settings
from bench.runs.record import PHASES
from bench.statistics.intervals import FINAL_WINDOW, Spread
from bench.support import numbers

LOSS_HELP = f"Mean of the last {FINAL_WINDOW} mini-batch losses of a run."
COST_HELP = (
    "Seconds per iteration as a multiple of a plain gradient: forward and backward of the same "
    "model without curvature, measured right before and after each run."
)
TIME_HELP = "Milliseconds per iteration: a run's total over its iterations."
STATUS_HELP = "Runs that completed; the others diverged, failed or were interrupted."
MEMORY_HELP = (
    "Peak memory of training: allocated on CUDA; on the CPU by how much a separate process grew."
)


def anchor(group: int, row: int) -> str:
    """Id of the table with the runs behind a row."""
    return f"runs-{group}-{row}"


def table(analyses: Sequence[Analysis], known: Sequence[Series]) -> Table:
    """One row per optimizer of every group, best first: the one table of the first screen."""
    several = len(analyses) > 1
    metrics = _metrics(analyses)
    targets = {(one.metric, one.target) for one in analyses if one.target is not None}
    target = "seconds to target"
    if len(targets) == 1:
        target = "seconds to {} {:g}".format(*next(iter(targets)))
    splits = {one.split for one in analyses}
    split = f"{splits.pop()} " if len(splits) == 1 else ""
    columns = [
        *([Column(name="comparison")] if several else []),
        Column(name="optimizer"),
        *(
            Column(name=f"{split}{name}", numeric=True, help="The last evaluation of a run.")
            for name in metrics
        ),
        Column(name="train loss", numeric=True, help=LOSS_HELP),
        Column(
            name=target,
            numeric=True,
            help="Clocked seconds, without evaluation, until the first evaluation at the target; "
            "∞ for runs that never got there.",
        ),
        Column(
            name="completed",
            numeric=True,
            help=STATUS_HELP,
        ),
        Column(name="ms per iteration", numeric=True, help=TIME_HELP),
        *(Column(name=phase, numeric=True, help=TIME_HELP) for phase in PHASES),
        Column(name="cost", numeric=True, help=COST_HELP),
        Column(name="peak memory", numeric=True, help=MEMORY_HELP),
    ]
    index = {item.label: at for at, item in enumerate(known)}
    rows = []
    for place, one in enumerate(analyses):
        for position, row in enumerate(one.rows):
            cells = _main_cells(one, row, anchor(place, position), metrics, several)
            first = [Cell(text=one.group.name, value=place)] if several else []
            rows.append(Row(cells=[*first, *cells], series=index.get(row.label)))
    evaluated = {f"{split}{name}" for name in metrics} | {target}
    kept = [
        at
        for at, column in enumerate(columns)
        if column.name not in evaluated or any(row.cells[at].text != MISSING.text for row in rows)
    ]
    return Table(
        caption="All optimizers, the best first" if not several else "All comparisons",
        columns=[columns[at] for at in kept],
        rows=[replace(row, cells=[row.cells[at] for at in kept]) for row in rows],
        anchor="summary",
        notes=[
            "Medians over seeds, below them the 95 % interval of the median, or the range of "
            "fewer than six seeds (three seeds' range holds the median with 75 %, five seeds' "
            "with 94 %). Best is the best mean over the seeds that all have (of logarithms for "
            "losses, times and costs); tied is what cannot be told from it with 95 % confidence, "
            "compared seed by seed; in a column without marks nothing can be told. Optimizers that "
            "lost runs are never called best while others lost none. A number leads to the runs "
            "behind it; peak memory is measured in a run of its own.",
        ],
    )


def _metrics(analyses: Sequence[Analysis]) -> list[str]:
    """All held-out metrics, those that rank first."""
    names = dict.fromkeys(one.metric for one in analyses if one.metric)
    for one in analyses:
        names |= dict.fromkeys(one.group.first.metrics)
    return list(names)


def _main_cells(
    one: Analysis, row: Summary, runs: str, metrics: Sequence[str], several: bool
) -> list[Cell]:
    def cell(spread: Spread | None, show: Show, quantity: str, name: str) -> Cell:
        values = row.values.get(quantity, {})
        mark = mark_of(one.rankings.get(quantity), row.label)
        return number(spread, show, values, row.seeds, mark=mark, runs=runs, quantity=name)

    target = _target_cell(one, row, runs, several)
    return [
        Cell(text=row.label, value=row.label, tip=settings.written(row.hyperparameters)),
        *(
            cell(row.metrics.get(name), significant, name, f"{one.split} {name}")
            for name in metrics
        ),
        cell(row.final_loss, significant, "train_loss", "train loss"),
        target,
        _completed(row, runs),
        cell(row.iteration_s, milliseconds, "iteration_s", "total ms"),
        *(
            cell(row.phase_s.get(phase), milliseconds, f"{phase}_s", f"{phase} ms")
            for phase in PHASES
        ),
        cell(row.plain_gradients, times, "plain_gradients", "cost"),
        number(row.peak_memory_bytes, mebibytes, {}, {}),
    ]


def _completed(row: Summary, runs: str) -> Cell:
    """How many runs completed, and what became of the others."""
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


def _target_cell(one: Analysis, row: Summary, runs: str, several: bool) -> Cell:
    if one.target is None:
        return MISSING
    values = one.time_to(one.target, row.label, "seconds")
    found = number(
        one.spread_to(one.target, row.label, "seconds"),
        significant,
        values,
        row.seeds,
        mark=mark_of(one.rankings.get("target"), row.label),
        runs=runs,
        quantity=target_name(one, one.target),
    )
    if not several:
        return found
    detail = f"{found.detail} to {one.target:g}".strip()
    return replace(found, detail=detail)


def target_name(one: Analysis, level: float) -> str:
    """Name of the column with the seconds to a target."""
    return f"seconds to {one.metric} {level:g}"
