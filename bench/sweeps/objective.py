"""What settings are judged by."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.errors import UsageError
from bench.recommend.swept import Measure
from bench.runs.reached import reach
from bench.runs.record import RunRecord
from bench.statistics import intervals
from bench.support.text import in_words

Kind = Literal["train_loss", "final", "time_to"]
_TARGET = re.compile(r"time_to\(\s*val_(?P<metric>\w+)\s*=\s*(?P<value>[^()]+)\)")
MISSED = "missed the target"
_EVALUATIONS_TO_TARGET = 20


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One number per run; see :func:`parse_objective`.

    Attributes:
        name: How it is written.
        kind: The training loss, a metric of the last evaluation, or the time to a target.
        metric: The evaluation's metric; empty for the training loss.
        target: What the metric is to reach, for ``time_to``.
    """

    name: str
    kind: Kind
    metric: str = ""
    target: float = math.nan

    @property
    def timed(self) -> bool:
        """Whether it is a time, so that it matters where and beside what a run took place."""
        return self.kind == "time_to"

    @property
    def until(self) -> tuple[str, float] | None:
        """What ends a run early."""
        return (self.metric, self.target) if self.kind == "time_to" else None

    def eval_every(self, iterations: int) -> int:
        """Iterations between evaluations: only as many as the objective needs, or 0 for none."""
        if self.kind == "train_loss":
            return 0
        if self.kind == "time_to":
            return max(1, iterations // _EVALUATIONS_TO_TARGET)
        return iterations

    def measure(self, metrics: Mapping[str, str]) -> Measure:
        """How scores of it compare.

        Args:
            metrics: The problem's metrics and which way is better.

        Raises:
            UsageError: The problem lacks the metric.
        """
        if self.kind == "train_loss":
            return Measure(name=self.name, better="min", logarithmic=True)
        if self.metric not in metrics:
            known = ", ".join(f"val_{name}" for name in metrics)
            raise UsageError(
                f"Objective '{self.name}' is not valid here: the problem is evaluated by {known}."
            )
        if self.kind == "time_to":
            return Measure(name=self.name, better="min", logarithmic=True, unit="s")
        if metrics[self.metric] == "max":
            return Measure(name=self.name, better="max")
        return Measure(name=self.name, better="min", logarithmic=True)

    def score(self, record: RunRecord) -> float | str:
        """The score of a run, or why it has none."""
        if record.status != "completed":
            return in_words(record.status)
        if self.kind == "train_loss":
            return intervals.final_loss(record.values["loss"])
        if self.kind == "final":
            return record.evaluations[-1][self.metric]
        moment = reach(record, self.metric, self.target).at
        return MISSED if moment.iterations == math.inf else moment.seconds

    def untrained(self, record: RunRecord) -> float:
        """The measure before training, on a run's first mini-batch; NaN if that does not tell."""
        column = "loss" if self.kind == "train_loss" else self.metric
        if self.kind == "time_to" or column not in ("loss", "accuracy"):
            return math.nan
        values = record.values[column]
        return float(values[0]) if len(values) else math.nan


def parse_objective(text: str) -> Objective:
    """Read an objective.

    ``train_loss`` is the mean of a run's last mini-batch losses, ``val_loss`` and
    ``val_accuracy`` (``val_`` and a metric of the problem) the last evaluation on the validation
    split, ``time_to(val_accuracy=0.95)`` the clocked seconds until the target is reached, between
    two evaluations by linear interpolation.

    Raises:
        UsageError: It is none of these.
    """
    text = text.strip()
    if text == "train_loss":
        return Objective(name=text, kind="train_loss")
    if re.fullmatch(r"val_\w+", text):
        return Objective(name=text, kind="final", metric=text.removeprefix("val_"))
    if match := _TARGET.fullmatch(text):
        try:
            target = float(match["value"])
        except ValueError:
            target = math.nan
        if math.isfinite(target):
            return Objective(name=text, kind="time_to", metric=match["metric"], target=target)
    raise UsageError(
        f"Objective '{text}' is not valid: it is train_loss, val_loss, val_accuracy or "
        "time_to(val_accuracy=0.95)."
    )
