"""What all figures share: their look, colours that can be told apart, how they are saved."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter

from bench.support.text import plain, shorten

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
LONGEST = 100  # characters of a line
DASHES = ("-", "--", "-.", ":")
STYLE = {
    **sns.axes_style("whitegrid"),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "svg.hashsalt": "optbench",
    "svg.fonttype": "none",
    "text.parse_math": False,
}

# How files are saved, by ending: without dates, so that the same figure gives the same bytes.
FORMATS: Mapping[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
    "png": {"metadata": {"Software": None}, "dpi": 150},
}


def palette(labels: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """A colour per label that colour-blind readers can tell apart."""
    return dict(zip(labels, sns.color_palette("colorblind", len(labels)), strict=True))


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG, the same bytes for the same figure."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_suffix(f".{ending}") for ending in ("png", "svg")]
    fit_texts(figure)
    with mpl.rc_context(STYLE):
        for path in paths:
            figure.savefig(path, bbox_inches="tight", **FORMATS[path.suffix[1:]])
    return paths


def fit_texts(figure: Figure) -> None:
    """Make the texts of a figure fit for it, whatever labels are: see :mod:`bench.support.text`."""
    for text in _texts(figure):
        lines = text.get_text().split("\n")
        text.set_text("\n".join(shorten(plain(line), LONGEST) for line in lines))


def _texts(figure: Figure) -> Iterator[Text]:
    """All texts but those at ticks: to ask axes for their ticks takes as long as to draw them."""
    legends = [*figure.legends]
    yield from figure.texts
    for axes in figure.axes:
        yield from axes.texts
        yield from (axes.title, axes.xaxis.label, axes.yaxis.label)
        legends += [legend] if (legend := axes.get_legend()) else []
    for legend in legends:
        yield from (legend.get_title(), *legend.get_texts())


def log_scale(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers: labels are text here, never mathematics.

    Over less than three decades, the numbers 1, 2 and 5 of each are written, so that at least two
    are.
    """
    axes.set_yscale("log")
    log_ticks(axes.yaxis, *axes.get_ylim())


def log_ticks(axis: Axis, low: float, high: float) -> None:
    """Ticks of a logarithmic axis; see :func:`log_scale`.

    Args:
        axis: The axis.
        low: Where it begins.
        high: Where it ends.
    """
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
