"""Analyses of made-up runs."""

from typing import Any

from bench.comparison import groups
from bench.comparison.analysis import Analysis, analyse
from bench.runs.record import RunRecord


def analysed(records: list[RunRecord], **options: Any) -> Analysis:
    """What runs of one group say."""
    (group,) = groups.split(records)
    return analyse(group, **options)
