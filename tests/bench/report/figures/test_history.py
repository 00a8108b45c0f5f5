"""The history of throughput as it is drawn: sessions, levels between changes, and changes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import date2num

from bench.regress.history import Change, Series
from bench.report.figures.history import history

SECONDS = [0.010, 0.011, 0.012, 0.011, 0.020, 0.022, 0.021, 0.020]


def series(relative: list[float], *firsts: int) -> Series:
    when = pd.date_range("2026-01-01", periods=8, tz="UTC")
    points = pd.DataFrame({"when": when, "seconds": SECONDS, "relative": relative})
    changes = [
        Change(
            first=first,
            before=1.0,
            after=2.0,
            commits=("a", "b"),
            around=("a", "b"),
            when=when[first],
        )
        for first in firsts
    ]
    return Series(
        name="optbench run: sgd", machine="A processor", judged="seconds", points=points,
        changes=changes,
    )  # fmt: skip


def drawn(axes: Any) -> tuple[list[float], list[tuple[float, float]], list[float]]:
    """Dots, levels as (height, number of sessions), and where there is a dashed line."""
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    levels = [line for line in axes.lines if line not in (*dots, *dashed)]
    return (
        np.asarray(dots[0].get_ydata()).tolist(),
        [
            (line.get_ydata()[0], round(float(np.ptp(date2num(line.get_xdata())))) + 1)
            for line in levels
        ],
        [float(date2num(line.get_xdata()[0])) for line in dashed],
    )


def test_a_level_is_the_median_up_to_a_change() -> None:
    item = series([second / 0.01 for second in SECONDS], 4)
    absolute, relative = history([item]).axes
    dots, levels, dashed = drawn(absolute)
    assert dots == pytest.approx([1e3 * second for second in SECONDS])
    assert levels == [(pytest.approx(11.0), 4), (pytest.approx(20.5), 4)]
    assert dashed == [date2num(item.points["when"][4].tz_localize(None))]
    assert drawn(relative)[1] == [(pytest.approx(1.1), 4), (pytest.approx(2.05), 4)]
    assert absolute.get_ylabel() == "ms per iteration"
    assert absolute.get_title(loc="left") == "optbench run: sgd\nA processor"
    assert absolute.get_ylim()[0] >= 0


def test_without_a_plain_gradient_it_says_so() -> None:
    """Where only some sessions have one, those are drawn."""
    nothing, some = series([np.nan] * 8), series([np.nan, *([1.0] * 7)])
    axes = history([nothing, some]).axes
    assert [text.get_text() for text in axes[1].texts] == ["no plain gradient measured"]
    assert not axes[1].lines
    assert drawn(axes[3])[1] == [(1.0, 8)]
    assert len(axes) == 4
