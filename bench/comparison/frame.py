"""Comparisons as a pandas frame, for notebooks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.comparison.analysis import Analysis

if TYPE_CHECKING:
    import pandas as pd


def frame(analyses: Sequence[Analysis]) -> "pd.DataFrame":
    """A row per comparison and label, the best of a comparison first.

    Args:
        analyses: What comparisons say.

    Returns:
        Indexed by label, with the columns ``comparison``, ``optimizer``, ``runs``, ``completed``
        and ``not_applicable`` (counts), for each quantity of :mod:`bench.comparison.quantities`
        that any run tells its median over seeds under its key, and the ends of its interval as
        ``<key>_low`` and ``<key>_high``, in the quantity's unit; NaN where a label tells it not.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    keys: dict[str, None] = {}
    for one in analyses:
        for row in one.rows:
            told = {
                "label": row.label,
                "comparison": one.group.name,
                "optimizer": row.optimizer,
                "runs": len(row.runs),
                "completed": row.statuses.get("completed", 0),
                "not_applicable": row.statuses.get("not_applicable", 0),
            }
            for key, spread in row.spreads.items():
                keys[key] = None
                told |= {key: spread.median, f"{key}_low": spread.low, f"{key}_high": spread.high}
            rows.append(told)
    facts = ["label", "comparison", "optimizer", "runs", "completed", "not_applicable"]
    intervals = [f"{key}_{end}" for key in keys for end in ("low", "high")]
    return pd.DataFrame(rows, columns=[*facts, *keys, *intervals]).set_index("label")
