"""What the figures of a comparison share: optimizers' looks, axes with room for a legend, scales.

Artists carry in their ``gid`` which optimizer they belong to; see ``document.Variant``.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Drawn
from numpy.typing import NDArray

from bench.comparison.analysis import Analysis
from bench.report.document import Scale, Series
from bench.report.figures import style
from bench.support.text import short

MOST_SERIES = 12
KEY = "in the key"
_WIDTH, _PLOT_HEIGHT, _LINE = 4.6, 2.9, 0.21  # inches

Array = NDArray[np.float64]
Items = Sequence[tuple[int, Series]]

AXES = {
    "iterations": "iteration",
    "seconds": "seconds, without evaluation",
    "gradients": "gradient-equivalents",
}


def axis_name(axis: str) -> str:
    """What an axis counts, in a title."""
    return {"gradients": "gradient-equivalents"}.get(axis, axis)


def series(analyses: Sequence[Analysis]) -> list[Series]:
    """The optimizers that are drawn: of every group the first ``MOST_SERIES`` labels."""
    labels = dict.fromkeys(label for one in analyses for label in one.labels[:MOST_SERIES])
    colours = style.palette(list(labels))
    return [
        Series(
            label=label,
            colour=to_hex(colours[label]),
            marker=style.MARKERS[index % len(style.MARKERS)],
            # shifted after the first 40, so that no two of 160 look alike
            dash=style.DASHES[(index + index // 40) % len(style.DASHES)],
        )
        for index, label in enumerate(labels)
    ]


def items(one: Analysis, known: Sequence[Series]) -> list[tuple[int, Series]]:
    """The optimizers of a group that are drawn, the best first, each with its index."""
    index = {item.label: number for number, item in enumerate(known)}
    drawn = [(index[label], known[index[label]]) for label in one.labels if label in index]
    return drawn[:MOST_SERIES]


def empty(labels: Sequence[str]) -> tuple[Drawn, Axes]:
    """A figure with room for a legend below; a layout engine would take most of the time."""
    rows = math.ceil(len(labels) / _columns(labels)) if labels else 0
    height = _PLOT_HEIGHT + 0.1 + _LINE * rows
    figure = Drawn(figsize=(_WIDTH, height))
    bottom = (0.56 + _LINE * rows) / height
    axes = figure.add_axes((0.15, bottom, 0.82, 1 - bottom - 0.08 / height))
    return figure, axes


def legend(figure: Drawn, axes: Axes, names: Mapping[int, str]) -> None:
    """Put the key of a figure below its axes; its entries belong to optimizers, too.

    Args:
        figure: The figure.
        axes: Its axes; the lines with the label ``KEY`` are in the key.
        names: Labels by index. Matplotlib would pass over those that begin with an underscore.
    """
    handles = [line for line in axes.lines if line.get_label() == KEY]
    labels = [names[int(str(line.get_gid()).split(":")[1])] for line in handles]
    key = figure.legend(
        handles, [short(label) for label in labels], loc="lower center", ncols=_columns(labels),
        frameon=False, fontsize=9, handlelength=2.4, columnspacing=1.2, borderaxespad=0.1,
    )  # fmt: skip
    for source, drawn, text in zip(handles, key.legend_handles, key.texts, strict=True):
        for artist in (drawn, text):
            if artist is not None and source.get_gid():
                artist.set_gid(source.get_gid())


def _columns(labels: Sequence[str]) -> int:
    """How many columns of a legend fit, by the length of its longest label."""
    longest = max((len(short(label)) for label in labels), default=0)
    rows = math.ceil(len(labels) / (3 if longest <= 16 else 2 if longest <= 26 else 1))
    return math.ceil(len(labels) / max(1, rows)) or 1


def mark(artists: Sequence[Artist], index: int, part: str = "line") -> None:
    """Say which optimizer artists belong to; those of the part ``seeds`` are its single runs."""
    for artist in artists:
        artist.set_gid(f"series:{index}:{part}")


def scales(axes: Axes, x: Scale, y: Scale, positions: Sequence[Array]) -> None:
    """Set the scales of axes.

    Args:
        axes: The axes.
        x: Of the horizontal axis; if logarithmic it begins at the first positive position.
        y: Of the vertical axis.
        positions: Where there is something; at least two of them positive if ``x`` is logarithmic.
    """
    if y == "log":
        style.log_scale(axes)
    if x == "log":
        positive = [value for value in itertools.chain(*positions) if value > 0]
        axes.set_xscale("log")
        axes.set_xlim(min(positive), max(positive))
        style.log_ticks(axes.xaxis, min(positive), max(positive))
