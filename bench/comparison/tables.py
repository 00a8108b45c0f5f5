"""A summary's rows as cells of text, for the terminal and for Markdown alike."""

from collections.abc import Sequence

from bench.comparison.summary import Row
from bench.runs.record import PHASES
from bench.statistics.intervals import FINAL_WINDOW, Spread
from bench.support.numbers import change, memory, milliseconds, spread, statuses

Table = tuple[list[str], list[list[str]]]

NOTES = (
    f"Train loss: mean of the last {FINAL_WINDOW} mini-batch losses. Medians over seeds, in "
    "brackets their 95 % interval; the range of fewer than six seeds.",
    "Milliseconds: a run's total over its iterations. Cost: multiples of a plain gradient (forward "
    "and backward of the same model without curvature, measured right before and after each run).",
)

CURVATURE_TITLE = "Effective curvature share, first to last iteration"
CURVATURE_NOTE = (
    "Effective curvature share: mean of d / (d + damping) over parameters, plain and weighted by "
    "squared gradient. Near 0 the method is plain gradient descent with lr / damping, near 1 it is "
    "undamped."
)


def convergence(rows: Sequence[Row]) -> Table:
    """Where each optimizer got to."""
    metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
    metrics.sort(key=lambda name: name == "loss")
    header = ["optimizer", "train loss", *(f"{rows[0].split} {name}" for name in metrics), "runs"]
    body = [
        [
            row.label,
            spread(row.final_loss),
            *(spread(row.metrics.get(name)) for name in metrics),
            statuses(row.statuses),
        ]
        for row in rows
    ]
    return header, body


def length(rows: Sequence[Row]) -> Table:
    """How long each optimizer trained: worth telling where the budget is not in iterations."""
    header = ["optimizer", "iterations", "seconds", "target", "reached it"]
    body = [
        [
            row.label,
            spread(row.iterations, digits=0),
            spread(row.clocked_s),
            row.target or "–",
            f"{row.reached} of {sum(row.statuses.values())}" if row.target else "–",
        ]
        for row in rows
    ]
    return header, body


def lengths_differ(rows: Sequence[Row]) -> bool:
    """Whether runs could end at different iterations."""
    lengths = {value for row in rows for value in row.values["iterations"].values()}
    return len(lengths) > 1 or any(row.target for row in rows)


def cost(rows: Sequence[Row]) -> Table:
    """What an iteration of each optimizer costs."""
    header = ["optimizer", *PHASES, "total", "cost", "peak memory"]
    body = [
        [
            row.label,
            *(_milliseconds(row.phase_s.get(phase)) for phase in PHASES),
            _milliseconds(row.iteration_s),
            spread(row.plain_gradients, digits=2, unit="×"),
            memory(row.peak_memory_bytes),
        ]
        for row in rows
    ]
    return header, body


def curvature(rows: Sequence[Row]) -> Table:
    """How much of each optimizer's step is curvature; only optimizers that have some."""
    header = ["optimizer", "damping", "plain share", "gradient-weighted share"]
    body = [
        [row.label, *(change(*row.curvature[n]) for n in ("damping", "share", "weighted_share"))]
        for row in rows
        if row.curvature
    ]
    return header, body


def notes(rows: Sequence[Row]) -> list[str]:
    """What the tables of these rows mean."""
    return [*NOTES, *([CURVATURE_NOTE] if any(row.curvature for row in rows) else [])]


def _milliseconds(seconds: Spread | None) -> str:
    return "–" if seconds is None else milliseconds(seconds.median)
