"""Made-up reports, so that what writes them is tested without any record."""

import math
from collections.abc import Sequence
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Drawn

from bench.report.document import (
    Cell,
    Column,
    Facts,
    Figure,
    Figures,
    Folded,
    Heading,
    Paragraph,
    Report,
    Row,
    Scale,
    Section,
    Series,
    Table,
    Variant,
)
from bench.report.figures import style
from bench.support.text import plain, shorten

HOSTILE = (
    "<script>window.__pwned = 1; alert(1)</script>",
    '"><img src=x onerror="window.__pwned = 1; alert(1)">',
    "</style></script></svg></title><svg onload=alert(1)>",
    "a|b\n# heading\n\n- list",
    "../../etc",
    "\x00\x1b[31m\ud800\ufffe",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}${7*7}",
    "\u202ertl\u2066",
    "🚀 優化器 é",
    "' onfocus='alert(1)' x='",
    "[x](javascript:alert(1)) `c` ~~s~~ _e_ **b** &lt;i&gt; $m$",
    "x" * 2000,
)
NAMES = ("diag_ggn_mc", "diag_ggn_exact", "adam", "sgd")


def made_series(labels: Sequence[str]) -> list[Series]:
    """Series in the looks of all reports."""
    return [
        Series(
            label=label,
            colour=to_hex(colour),
            marker=style.MARKERS[index % len(style.MARKERS)],
            dash=style.DASHES[index % len(style.DASHES)],
        )
        for index, (label, colour) in enumerate(
            zip(labels, style.palette([str(i) for i in range(len(labels))]).values(), strict=True)
        )
    ]


def lines(series: Sequence[Series], x: Scale = "linear", y: Scale = "linear") -> Drawn:
    """A curve per series with a band, and two single runs of each."""
    with mpl.rc_context(style.STYLE):
        figure = Drawn(figsize=(4.6, 3.2))
        axes = figure.add_axes((0.15, 0.3, 0.82, 0.66))
        steps = np.arange(1, 60)
        for index, one in enumerate(series):
            loss = (2.3 + 0.1 * index) * np.exp(-steps / (12 + 4 * index)) + 0.05 * (index + 1)
            band = axes.fill_between(steps, 0.9 * loss, 1.1 * loss, color=one.colour, alpha=0.18)
            band.set_gid(f"series:{index}:line")
            (line,) = axes.plot(
                steps, loss, color=one.colour, ls=one.dash, marker=one.marker, markevery=15, ms=5,
                label=shorten(plain(one.label), 40),
            )  # fmt: skip
            line.set_gid(f"series:{index}:line")
            for factor in (0.92, 1.07):
                (run,) = axes.plot(steps, factor * loss, color=one.colour, lw=0.7)
                run.set_gid(f"series:{index}:seeds")
        if y == "log":
            style.log_scale(axes)
        axes.set_xscale(x)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("iteration")
        axes.set_ylabel("training loss")
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            figure.legend(handles[:4], labels[:4], loc="lower center", ncols=2, frameon=False)
    return figure


def heat_map() -> Drawn:
    """A coloured mesh with a number in each cell, which needs a sheet of paper."""
    with mpl.rc_context(style.STYLE):
        figure = Drawn(figsize=(7, 2.6))
        figure.patch.set_gid("paper")
        axes = figure.add_axes((0.1, 0.2, 0.85, 0.75))
        values = np.linspace(0, 1, 18).reshape(3, 6)
        axes.pcolormesh(values, cmap="Greys")
        for (row, column), value in np.ndenumerate(values):
            ink = "white" if value > 0.5 else "black"
            axes.text(column + 0.5, row + 0.5, f"{value:.2f}", color=ink, ha="center")
        axes.set_xlabel("damping")
    return figure


def made_figure(
    stem: str, series: Sequence[Series], *, y: Scale = "log", title: str = "", text: str = ""
) -> Figure:
    """A figure of all four scales."""
    other: Scale = "linear" if y == "log" else "log"
    return Figure(
        stem=stem,
        title=title or "Training loss against iterations",
        alt=text or "Line plot of four optimizers whose loss falls from 2.3 to about 0.1.",
        caption=text,
        variants=[
            Variant(draw=partial(lines, series, x, scale), x=x, y=scale)
            for x in ("linear", "log")
            for scale in (y, other)
        ],
    )


def runs_table(index: int, label: str, rows: int = 3) -> Table:
    """The runs behind a row of the main table."""
    return Table(
        caption=f"Runs of {label}",
        columns=[
            Column(name="seed", numeric=True),
            Column(name="test accuracy", numeric=True),
            Column(name="train loss", numeric=True),
            Column(name="status"),
        ],
        rows=[
            Row(
                cells=[
                    Cell(text=str(seed), value=seed),
                    Cell(text=f"{0.9 + 0.01 * seed:.2f}", value=0.9 + 0.01 * seed),
                    Cell(text=f"{0.3 - 0.02 * seed:.2f}", value=0.3 - 0.02 * seed),
                    Cell(text="completed"),
                ]
            )
            for seed in range(rows)
        ],
        anchor=f"runs-0-{index}",
    )


def main_table(labels: Sequence[str]) -> Table:
    """One row per label, with ties, a miss and a value that was not measured."""
    rows = []
    for index, label in enumerate(labels):
        accuracy = 0.978 - 0.011 * index
        seconds = [21.5, math.inf, 9.25, math.nan][index % 4]
        link = f"runs-0-{index}"
        cost = Cell(text=f"{1.03 + index:.2f}×", detail="1.00–2.04", value=1.03 + index)
        rows.append(
            Row(
                cells=[
                    Cell(text=label, value=label, tip="lr 0.1, damping 1"),
                    Cell(
                        text=f"{accuracy:.3f}",
                        detail=f"{accuracy - 0.004:.3f}–{accuracy + 0.003:.3f}",
                        value=accuracy,
                        mark="best" if index == 0 else "tied" if index == 1 else "",
                        tip="3 runs. seed 0: 0.975, seed 1: 0.978, seed 2: 0.979.",
                        runs=link,
                        quantity="test accuracy",
                    ),
                    Cell(
                        text=f"{0.183 - 0.03 * (index % 5):.3f}",
                        detail="0.170–0.188",
                        value=0.183 - 0.03 * (index % 5),
                        mark="best" if index == 4 else "",
                        runs=link,
                        quantity="train loss",
                    ),
                    Cell(
                        text="∞" if seconds == math.inf else "–" if seconds != seconds else "x s",
                        value=seconds,
                    ),
                    *(Cell(text=f"{v:.1f}", detail=f"{v - 1:.1f}–{v + 1:.1f}", value=v)
                      for v in (28.7 + index, 0.112, 7.44, 20.7, 0.476)),
                    cost,
                    Cell(text=f"{84 + index} MiB", value=84.0 + index),
                    Cell(text="3 completed", value=3.0, runs=link, quantity="status"),
                ],
                series=index,
            )
        )  # fmt: skip
    time = "A run's total time over its iterations."
    return Table(
        caption="All optimizers, the best first",
        columns=[
            Column(name="optimizer"),
            Column(name="test accuracy", numeric=True, help="The last evaluation of a run."),
            Column(name="train loss", numeric=True, help="Mean of the last 20 losses of a run."),
            Column(name="seconds to accuracy 0.95", numeric=True, help="Clocked seconds."),
            *(
                Column(name=name, numeric=True, help=time)
                for name in ("ms per iteration", "data", "forward", "backward", "step")
            ),
            Column(name="cost", numeric=True, help="As a multiple of a plain gradient."),
            Column(name="peak memory", numeric=True, help="Peak memory of training."),
            Column(name="runs"),
        ],
        rows=rows,
        anchor="summary",
        notes=["Medians over seeds, below them the 95 % interval of the median."],
    )


def made_report(
    labels: Sequence[str] = NAMES, *, warnings: Sequence[str] = (), rows: int = 3
) -> Report:
    """A report of every kind of block."""
    series = made_series(labels)
    return Report(
        title="mnist_cnn on cpu: four optimizers",
        answer=[
            f"{labels[0]} is best by test accuracy: 0.978, tied with {labels[1]}.",
            "Per second sgd reaches 0.95 first, after 9.25 s; an exact curvature costs 7.97 plain "
            "gradients per iteration.",
        ],
        warnings=warnings,
        table=main_table(labels),
        series=series,
        sections=[
            Section(
                title="mnist_cnn",
                anchor="comparison-1",
                blocks=[
                    Heading(text="Convergence"),
                    Figures(
                        figures=[
                            made_figure("loss-iterations", series),
                            made_figure("loss-seconds", series, title="Loss against seconds"),
                            made_figure("accuracy", series, y="linear", title="Accuracy"),
                        ]
                    ),
                    Paragraph(text="Lines are medians over seeds, bands their interval."),
                    Paragraph(text="Timings were not steady.", warning=True),
                    Heading(text="Where this comes from"),
                    Facts(pairs=[("Command", "optbench report"), ("Machine", "2 cores")]),
                    Folded(
                        summary="The runs behind the numbers",
                        blocks=[
                            runs_table(index, label, rows) for index, label in enumerate(labels)
                        ],
                    ),
                ],
            ),
            Section(
                title="Sweep",
                anchor="sweep",
                blocks=[
                    Figures(
                        figures=[
                            Figure(
                                stem="heat-map",
                                title="Score by damping",
                                alt="A heat map of 18 settings.",
                                variants=[Variant(draw=heat_map)],
                                wide=True,
                            )
                        ]
                    )
                ],
            ),
            Section(title="Conditions", anchor="conditions", blocks=[Paragraph(text="As above.")]),
        ],
        identity="3f2a9c81",
        cite="optbench report 3f2a9c81: mnist_cnn on cpu, 12 runs",
    )


def hostile_table(text: str, anchor: str) -> Table:
    values = (math.nan, math.inf, -math.inf, -0.0, 1e300, text, None)
    return Table(
        caption=text,
        columns=[Column(name=text, help=text), Column(name=f"{text} 2", numeric=True, help=text)],
        rows=[
            Row(
                cells=[
                    Cell(text=text, detail=text, tip=text, runs=anchor, quantity=text),
                    Cell(
                        text=text, detail=text, value=value, mark=("best", "tied", "")[n % 3],
                        tip=text, runs=anchor if n % 2 else text, quantity=text,
                    ),
                ],
                series=n % 3,
            )
            for n, value in enumerate(values)
        ],
        anchor=anchor,
        notes=[text],
    )  # fmt: skip


def hostile_report(text: str, series: int = 3) -> Report:
    """A report with the same text wherever there is text."""
    known = made_series([text] * series)
    return Report(
        title=text,
        answer=[text, text],
        warnings=[text],
        table=hostile_table(text, "summary"),
        series=known,
        sections=[
            Section(
                title=text,
                anchor=f"part-{number}",
                blocks=[
                    Heading(text=text),
                    Paragraph(text=text),
                    Paragraph(text=text, warning=True),
                    Figures(
                        figures=[
                            made_figure(f"figure-{number}-{n}", known, title=text, text=text)
                            for n in range(2 if number == 0 else 0)
                        ]
                    ),
                    Facts(pairs=[(text, text)]),
                    Folded(
                        summary=text,
                        blocks=[
                            Folded(summary=text, blocks=[hostile_table(text, f"runs-{number}")])
                        ],
                    ),
                ],
            )
            for number in range(3)
        ],
        identity=text,
        cite=text,
    )
