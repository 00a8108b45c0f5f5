"""A summary's rows as cells of text, for the terminal and for Markdown alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.comparison.summary import Row
from bench.runs.record import PHASES
from bench.statistics.intervals import FINAL_WINDOW, Spread

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


def change(first: float, last: float) -> str:
    """Two significant digits of each, such as ``0.00012 → 0.0031``; one number if they agree."""
    shown = ["–" if value != value else f"{value:.2g}" for value in (first, last)]
    return " → ".join(dict.fromkeys(shown))


def spread(value: Spread | None, digits: int | None = None, unit: str = "") -> str:
    """Median with interval, such as ``0.187 (0.172–0.201)``; without one of a single run."""
    if value is None:
        return "–"

    def show(number: float) -> str:
        return f"{number:.{digits}f}" if digits is not None else f"{number:#.3g}".rstrip(".")

    if value.count == 1:
        return show(value.median) + unit
    return f"{show(value.median)}{unit} ({show(value.low)}–{show(value.high)})"


def milliseconds(seconds: float) -> str:
    """Three significant digits in ms; a dash for NaN."""
    return "–" if seconds != seconds else f"{1e3 * seconds:#.3g}".rstrip(".")


def _milliseconds(seconds: Spread | None) -> str:
    return "–" if seconds is None else milliseconds(seconds.median)


def memory(count: Spread | None) -> str:
    """A median of bytes as MiB."""
    return "–" if count is None else f"{count.median / 2**20:.0f} MiB"


def statuses(counts: Mapping[str, int]) -> str:
    """Such as ``3 completed`` or ``2 completed, 1 diverged``."""
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def settings(values: Mapping[str, Any]) -> str:
    """Hyperparameters as ``lr=0.003, betas=0.9,0.99``, each as ``--set`` takes it."""
    return ", ".join(assignments(values)) or "its own defaults"


def assignments(values: Mapping[str, Any]) -> list[str]:
    """Hyperparameters as ``--set`` takes them, without a label."""
    texts = {
        name: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        for name, value in values.items()
    }
    return [f"{name}={text}" for name, text in texts.items()]
