"""What a report says of throughput: over time, in the suite, and how sure verdicts are."""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from bench import errors
from bench.regress.calibration import judgements as judging
from bench.regress.calibration.trials import read_settings
from bench.regress.history import TOTAL, Series
from bench.report.document import (
    Block,
    Cell,
    Column,
    Figure,
    Figures,
    Paragraph,
    Row,
    Section,
    Table,
    Variant,
)
from bench.report.figures import history
from bench.report.sections.cells import MISSING, plain_table, single
from bench.runs.record import PHASES
from bench.statistics.change_points import MIN_SEGMENT
from bench.statistics.launches import THRESHOLD
from bench.support.numbers import Show, milliseconds, times

DRAWN = 12
SUITE_PHASES = (*(phase for phase in PHASES if phase != "data"), TOTAL)
_Key = tuple[str, str, str, str]


def over_time(series: Sequence[Series]) -> Section | None:
    """How throughput developed, where there are at least two sessions.

    Args:
        series: Of whole iterations.
    """
    long = [item for item in series if len(item.points) > 1]
    if not long:
        return None
    long.sort(key=lambda item: (-len(item.changes), -len(item.points)))
    blocks: list[Block] = []
    figures = []
    for number, item in enumerate(long[:DRAWN]):
        told = [
            f"{item.name} changed to {change.ratio:.3g} times what it was, on "
            f"{change.when:%Y-%m-%d %H:%M}{_between(change.commits)}."
            for change in item.changes
        ]
        if item.drift is not None:
            told.append(
                f"{item.name} drifts: its last session takes {item.drift:.3g} times its first, "
                "without a session where it changed."
            )
        blocks += [Paragraph(text=sentence, warning=True) for sentence in told]
        figures.append(
            Figure(
                stem=f"history-{number + 1}",
                title=item.name,
                alt=f"Milliseconds per iteration and cost in plain gradients over "
                f"{len(item.points)} sessions. {' '.join(told) or 'No change point.'}",
                variants=[Variant(draw=partial(history.history, [item]))],
                wide=True,
            )
        )
    if not any(item.changes or item.drift for item in long):
        enough = any(len(item.points) >= 2 * MIN_SEGMENT for item in long)
        none = f"No change point: no level moved for good by more than {100 * THRESHOLD:g} %."
        few = f"Fewer than {2 * MIN_SEGMENT} sessions are too few to look for changes."
        blocks.append(Paragraph(text=none if enough else few))
    if len(long) > DRAWN:
        blocks.append(Paragraph(text=f"{len(long) - DRAWN} more series: see 'optbench history'."))
    return Section(
        title="Throughput over time", anchor="history", blocks=[*blocks, Figures(figures=figures)]
    )


def _between(commits: tuple[str | None, str | None]) -> str:
    if commits == (None, None):
        return ""
    before, after = (commit[:10] if commit else "unknown" for commit in commits)
    return f" (from commit {before} to {after})"


def suite(series: Mapping[str, Sequence[Series]]) -> Section | None:
    """The latest measurement of each benchmark of the suite.

    Args:
        series: Of the suite, by phase.
    """
    latest: dict[_Key, dict[str, pd.Series]] = {}
    for phase, items in series.items():
        for item in items:
            point = item.points.iloc[-1]
            key = (point["problem"], point["label"], str(point["batch_size"]), point["device"])
            known = latest.setdefault(key, {}).get(phase)
            if known is None or known["when"] < point["when"]:
                latest[key][phase] = point
    rows = [
        Row(
            cells=[
                *(Cell(text=part) for part in key),
                *(_of(phases.get(phase), "median_s", milliseconds) for phase in SUITE_PHASES),
                _of(phases.get(TOTAL), "relative", times),
            ]
        )
        for key, phases in latest.items()
    ]
    if not rows:
        return None
    table = Table(
        caption="Milliseconds of each phase, median over rounds",
        columns=[
            *(Column(name=name) for name in ("problem", "optimizer", "batch size", "device")),
            *(Column(name=name, numeric=True) for name in (*SUITE_PHASES, "cost")),
        ],
        rows=rows,
        notes=["From the latest file of pytest bench/ --benchmark-only in baselines/."],
    )
    return Section(title="Benchmark suite", anchor="suite", blocks=[table])


def _of(point: "pd.Series | None", column: str, show: Show) -> Cell:
    if point is None or pd.isna(point[column]):
        return MISSING
    return single(float(point[column]), show)


def calibration(results: Path) -> Section | None:
    """How often ``optbench regress`` was right here, if that was measured."""
    path = results / "calibration" / "judgements.csv"
    if not path.is_file():
        path = results / "judgements.csv"
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(path, keep_default_na=False)
        judgements = [
            judging.Judgement(**{str(name): value for name, value in row.items()})
            for row in table.to_dict("records")
        ]
        settings = read_settings(path.parent)
        caption = judging.title(settings, table["trial"].nunique())
        tables = judging.tables(judging.rows(judgements), caption)
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = (
            f"Skipped: '{path}' holds no readable judgements ({error}): optbench calibrate makes "
            "them anew from the trials."
        )
        warnings.warn(message, errors.DamagedRecordWarning, stacklevel=2)
        return None
    return Section(
        title="How often regress is right here",
        anchor="calibration",
        blocks=[
            *(plain_table(caption, table) for caption, table in tables.items()),
            Paragraph(text=f"{judging.NOTE} Measured by optbench calibrate."),
        ],
    )
