"""The catalogue of quantities: what a run is told by in one number, and how it is called and shown.

To add one is to add a row to ``QUANTITIES``: the terminal, the page, Markdown, ``--json``, the
export, the view ``quantities`` and ``optbench list quantities`` have it then. How an optimizer's
runs become a median with an interval is in ``bench.comparison.summary``.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.runs.record import DONE, PHASE_COLUMNS, RunRecord
from bench.runs.spec import MEMORY_RUNS
from bench.runs.yardsticks import Yardsticks
from bench.statistics import intervals
from bench.support.numbers import mebibytes, milliseconds, significant, times, whole

if TYPE_CHECKING:
    import pyarrow as pa

# Repeated memory runs of mnist_cnn and mnist_logreg differ by up to 0.3 MiB, and blocks below
# 64 KiB may hide in what the process has already.
LEAST_MEMORY_BYTES = 2**20

Read = Callable[[RunRecord, float], float | None]
Better = Literal["min", "max", ""]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number of a run, or of the time that it took to a target.

    Attributes:
        key: Its name for programs: in ``Row.values``, ``--json``, exports and SQL.
        title: Its name for people.
        unit: What its values are counted in; nothing for losses and shares.
        better: Whether small or large values are better; nothing if neither is.
        format: Writes a value for people.
        help: What it is, in a sentence.
        shown_in: What ``format`` counts in where the text does not say it, such as ``ms``.
        ratio: Whether ratios are compared (of losses, errors, times) rather than differences.
        table: Which table of the terminal has it.
        brief: Whether the terminal shows the median without its interval.
        optional: Whether its column is left out where no run tells it.
        of: Which runs tell it: ``completed`` ones, or ``timed`` ones: those that completed or
            diverged and had the machine for themselves.
        read: ``(record, seconds of a plain gradient around it or NaN) -> value``; ``None`` or NaN
            if the run does not tell it. ``None`` for what other runs tell.
    """

    key: str
    title: str
    unit: str = ""
    better: Better = ""
    format: Callable[[float], str]
    help: str
    shown_in: str = ""
    ratio: bool = True
    table: Literal["convergence", "length", "cost"]
    brief: bool = False
    optional: bool = False
    of: Literal["completed", "timed"] = "timed"
    read: Read | None = None

    @property
    def heading(self) -> str:
        """Its title where nothing else says what its numbers count, such as ``backward ms``."""
        return f"{self.title} {self.shown_in}".strip()


def _iteration_s(record: RunRecord) -> float:
    return intervals.per_iteration([record.seconds])


def _memory(count: float) -> str:
    if count < LEAST_MEMORY_BYTES:
        return f"< {mebibytes(LEAST_MEMORY_BYTES)}"
    return mebibytes(count)


def _over(count: float, seconds: float) -> float:
    """A rate or a multiple; NaN, which is nothing told, of times too short for the clock."""
    return count / seconds if seconds else math.nan


def _per_iteration(key: str, title: str, read: Read) -> Quantity:
    return Quantity(
        key=key,
        title=title,
        unit="s",
        better="min",
        format=milliseconds,
        help="A run's total time over its iterations.",
        shown_in="ms",
        table="cost",
        brief=True,
        read=read,
    )


def _phase(column: str) -> Quantity:
    return _per_iteration(
        column,
        column.removesuffix("_s"),
        lambda record, _: intervals.per_iteration([record.values[column]]),
    )


QUANTITIES = (
    Quantity(
        key="train_loss",
        title="train loss",
        better="min",
        format=significant,
        help=f"Mean of the last {intervals.FINAL_WINDOW} mini-batch losses of a run.",
        table="convergence",
        of="completed",
        read=lambda record, _: intervals.final_loss(record.values["loss"]),
    ),
    Quantity(
        key="iterations",
        title="iterations",
        unit="iterations",
        format=whole,
        help="How long a run was.",
        table="length",
        of="completed",
        read=lambda record, _: float(len(record.values["loss"])),
    ),
    Quantity(
        key="clocked_s",
        title="seconds",
        unit="s",
        format=significant,
        help="What a run's iterations took, without evaluation.",
        table="length",
        of="completed",
        read=lambda record, _: None if record.shared else float(record.seconds.sum()),
    ),
    _per_iteration("iteration_s", "total", lambda record, _: _iteration_s(record)),
    Quantity(
        key="plain_gradients",
        title="cost",
        unit="plain gradients",
        better="min",
        format=times,
        help="Seconds per iteration as a multiple of a plain gradient: forward and backward of the "
        "same model without curvature, measured right before and after each run.",
        table="cost",
        read=lambda record, plain_gradient_s: _over(_iteration_s(record), plain_gradient_s),
    ),
    Quantity(
        key="samples_per_s",
        title="samples/s",
        unit="samples per second",
        better="max",
        format=whole,
        help="Mini-batch size over seconds per iteration.",
        table="cost",
        brief=True,
        read=lambda record, _: _over(record.config["batch_size"], _iteration_s(record)),
    ),
    *map(_phase, PHASE_COLUMNS),
    Quantity(
        key="peak_memory_bytes",
        title="peak memory",
        unit="bytes",
        format=_memory,
        help="Of training: allocated on CUDA; on the CPU by how much a process of its own grew, "
        f"the median of {MEMORY_RUNS} with the range; below {mebibytes(LEAST_MEMORY_BYTES)} is "
        "below what can be told.",
        table="cost",
    ),
)


def metric(name: str, better: Better, split: str) -> Quantity:
    """A held-out metric of a problem.

    Args:
        name: As the problem calls it.
        better: As the problem says.
        split: What it was evaluated on, ``"test"`` or ``"validation"``.
    """
    worst = -math.inf if better == "max" else math.inf

    def read(record: RunRecord, _: float) -> float | None:
        """The last evaluation; NaN is infinitely bad, since such a model is useless."""
        if not record.evaluations:
            return None
        value = record.evaluations[-1][name]
        return worst if math.isnan(value) else value

    return Quantity(
        key=f"{split}_{name}",
        title=f"{split} {name}",
        better=better,
        format=significant,
        help="The last evaluation of a run.",
        ratio=better == "min",
        table="convergence",
        optional=True,
        of="completed",
        read=read,
    )


def of_problem(metrics: Mapping[str, str], split: str) -> dict[str, Quantity]:
    """All quantities of runs, by key: the catalogue's, with the problem's metrics after the loss.

    Args:
        metrics: Names, and which way is better. The one called ``loss`` comes last.
        split: What they were evaluated on.
    """
    ordered = sorted(metrics, key=lambda name: name == "loss")
    held_out = [metric(name, "max" if metrics[name] == "max" else "min", split) for name in ordered]
    first, *rest = QUANTITIES
    return {quantity.key: quantity for quantity in (first, *held_out, *rest)}


def of_record(record: RunRecord) -> dict[str, Quantity]:
    """All quantities that a run may tell, by key."""
    return of_problem(record.metrics, record.config["split"])


def to_target(name: str, level: float, unit: str) -> Quantity:
    """What it took until a metric was at a target.

    Args:
        name: The metric, as the problem calls it.
        level: The target.
        unit: ``seconds``, ``iterations`` or ``gradients`` (gradient-equivalents).
    """
    what = {"gradients": "plain gradients"}.get(unit, unit)
    return Quantity(
        key=f"{what.replace(' ', '_')}_to_{name}_{level:g}",
        title=f"{what} to {name} {level:g}",
        unit=what,
        better="min",
        format=whole if unit == "iterations" else significant,
        help=f"Clocked {what}, without evaluation, until the target was reached, between two "
        "evaluations; ∞ for runs that never got there.",
        table="convergence",
    )


def is_timed(record: RunRecord) -> bool:
    """Whether a run's times are timings: it is done, and had the machine for itself."""
    return record.status in DONE and not record.shared and len(record.seconds) > 0


def values(record: RunRecord, plain_gradient_s: float) -> dict[str, float]:
    """What a run tells, by key.

    Args:
        record: A training run.
        plain_gradient_s: Seconds of a plain gradient around it; NaN if unknown.
    """
    whole_run = record.status == "completed" and len(record.values["loss"]) > 0
    told = {"completed": whole_run, "timed": is_timed(record)}
    found = {}
    for key, quantity in of_record(record).items():
        if quantity.read is not None and told[quantity.of]:
            value = quantity.read(record, plain_gradient_s)
            if value is not None and not math.isnan(value):
                found[key] = value
    return found


def view(records: Iterable[RunRecord]) -> "pa.Table":
    """The SQL view ``quantities``: what each training run tells, a row per run and quantity."""
    import pyarrow as pa

    from bench.runs.views import printable

    every = [record for record in records if record.role in ("training", "plain_gradient")]
    yardsticks = Yardsticks([record for record in every if record.role == "plain_gradient"])
    rows = [
        {
            "run": printable(record.key),
            "quantity": printable(key),
            "unit": quantities[key].unit,
            "value": value,
        }
        for record in every
        if record.role == "training"
        for quantities in [of_record(record)]
        for key, value in values(record, yardsticks.around(record)).items()
    ]
    names = {"run": pa.string(), "quantity": pa.string(), "unit": pa.string()}
    return pa.Table.from_pylist(rows, pa.schema(names | {"value": pa.float64()}))
