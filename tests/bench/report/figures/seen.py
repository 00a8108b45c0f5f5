"""What is seen in a figure: its lines, texts and legend; and runs to draw."""

import io
from typing import Any

from matplotlib.figure import Figure as Drawn

from bench.comparison.analysis import Analysis
from bench.report.document import Figure
from bench.report.figures import axes, convergence
from bench.runs.record import RunRecord
from tests.bench.records import made_record


def first(figures: list[Figure], number: int = 0) -> Drawn:
    """A figure as it is shown at first."""
    return figures[number].variants[0].draw()


def lines(drawn: Drawn, part: str = "line") -> list[Any]:
    """The lines of optimizers, or their single runs, which are the part ``seeds``."""
    return [line for line in drawn.axes[0].lines if str(line.get_gid()).endswith(f":{part}")]


def three(**fields: Any) -> list[RunRecord]:
    """Three seeds whose losses are 1, 2 and 9."""
    return [
        made_record(seed=seed, minutes=seed, losses=[value] * 3, **fields)
        for seed, value in enumerate([1.0, 2.0, 9.0])
    ]


def losses(one: Analysis) -> list[Figure]:
    """The figures of the training loss."""
    return convergence.losses(one, axes.items(one, axes.series([one])), "stem")


def drawn(figure: Drawn) -> Drawn:
    """The figure once it was drawn, so that its layout and ticks are final."""
    figure.savefig(io.BytesIO(), format="svg")
    return figure


def texts(figure: Drawn) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def legend(figure: Drawn) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]
