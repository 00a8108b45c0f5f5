"""What all figures share: their look, colours that can be told apart, how they are saved."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
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


def palette(labels: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """A colour per label that colour-blind readers can tell apart."""
    return dict(zip(labels, sns.color_palette("colorblind", len(labels)), strict=True))


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG, the same bytes for the same figure."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    with mpl.rc_context(STYLE):
        figure.savefig(paths[0], dpi=150, bbox_inches="tight", metadata={"Software": None})
        figure.savefig(paths[1], bbox_inches="tight", metadata={"Date": None})
    return paths


def log_scale(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers: labels are text here, never mathematics."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    low, high = axes.get_ylim()
    axes.yaxis.set_minor_formatter("{x:g}" if high < 10 * low else NullFormatter())
