"""The tables ``summary`` and ``time_to_target``: what comparisons found, tidy, for other tools.

Both have a row per comparison, optimizer and quantity (or target and unit): the median over seeds,
its interval, how many runs it is over, and the probability with which such an interval holds the
median. ``standing`` is ``best``, ``tied`` (cannot be told from the best), ``behind`` (probably: it
would be worse if this pair alone were compared), ``worse``, ``lost`` (it lost runs), or empty where
nothing can be told. ``seen_from`` and ``seen_to`` are the medians of the
evaluations between which the target was met; ``certified`` is the iteration from which on the mean
over seeds is past it, with p < 1 % at every evaluation to the end.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from bench.comparison import groups
from bench.comparison.analysis import Analysis, analyse
from bench.comparison.summary import Row
from bench.runs import store
from bench.runs.export import Source
from bench.runs.views import printable
from bench.statistics.intervals import Spread

_INTERVAL = {
    "median": pa.float64(),
    "low": pa.float64(),
    "high": pa.float64(),
    "runs": pa.int64(),
    "coverage": pa.float64(),
}
_OF = {
    "comparison": pa.string(),
    "problem": pa.string(),
    "label": pa.string(),
    "optimizer": pa.string(),
}
FIELDS: Mapping[str, Mapping[str, pa.DataType]] = {
    "summary": {
        **_OF, "quantity": pa.string(), "unit": pa.string(), **_INTERVAL, "standing": pa.string(),
    },
    "time_to_target": {
        **_OF, "metric": pa.string(), "target": pa.float64(), "unit": pa.string(), **_INTERVAL,
        "seen_from": pa.float64(), "seen_to": pa.float64(), "reached": pa.int64(),
        "certified": pa.float64(),
    },
}  # fmt: skip


def tables(
    found: Iterable[Source], sweeps: Iterable[str], *, sigma: float | None = None
) -> dict[str, pa.RecordBatchReader]:
    """Both tables, by name.

    Args:
        found: The records.
        sweeps: Names of sweeps: their runs are no comparison.
        sigma: Standard deviation of a metric between seeds, if it is known.
    """
    records = (store.read(source.path) for source in found)
    analyses = [analyse(group, sigma=sigma) for group in groups.split(records, sweeps)]
    rows = {"summary": _summary(analyses), "time_to_target": _times(analyses)}
    return {
        name: pa.Table.from_pylist(
            [_shown(row) for row in found], pa.schema(FIELDS[name])
        ).to_reader()
        for name, found in rows.items()
    }


def _summary(analyses: Sequence[Analysis]) -> Iterator[dict[str, Any]]:
    for one in analyses:
        for row in one.rows:
            for key, spread in row.spreads.items():
                ranking = one.rankings.get(key)
                yield {
                    **_of(one, row),
                    "quantity": key,
                    "unit": row.quantities[key].unit,
                    **_interval(spread),
                    "standing": ranking.standing(row.label) if ranking else "",
                }


def _times(analyses: Sequence[Analysis]) -> Iterator[dict[str, Any]]:
    for one in analyses:
        for row in one.rows:
            for level in one.targets:
                certified, _ = one.certified_to(level, row.label)
                for unit in ("iterations", "seconds", "gradients"):
                    found = one.time_to(level, row.label, unit)
                    spread = one.spread_to(level, row.label, unit)
                    seen = one.bracket_to(level, row.label, unit)
                    if spread is not None and seen is not None:
                        yield {
                            **_of(one, row),
                            "metric": f"{one.split}_{one.metric}",
                            "target": level,
                            "unit": one.to(level, unit).unit,
                            **_interval(spread),
                            "seen_from": seen[0],
                            "seen_to": seen[1],
                            "reached": sum(value < math.inf for value in found.values()),
                            "certified": certified if unit == "iterations" else math.nan,
                        }


def _of(one: Analysis, row: Row) -> dict[str, Any]:
    return {
        "comparison": one.group.name,
        "problem": str(one.group.first.config["problem"]),
        "label": row.label,
        "optimizer": str(row.optimizer),
    }


def _interval(spread: Spread) -> dict[str, Any]:
    return {
        "median": spread.median, "low": spread.low, "high": spread.high, "runs": spread.count,
        "coverage": spread.coverage,
    }  # fmt: skip


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose text can be written as UTF-8."""
    return {
        name: printable(value) if isinstance(value, str) else value for name, value in row.items()
    }
