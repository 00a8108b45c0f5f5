"""Progress of a sweep on the terminal: a bar with the time left and the best so far, or lines."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console

from bench.runs.record import RunRecord
from bench.support.console import Bar, time_left
from bench.sweeps.experiment import Cell
from bench.sweeps.objective import Objective

_LINES = 20


class SweepProgress:
    """Shows how a sweep goes; satisfies ``bench.sweeps.sweep.Observer``."""

    def __init__(self, console: Console, objective: Objective, width: int) -> None:
        """Show on a console.

        Args:
            console: A live bar on a terminal, else some twenty lines.
            objective: What settings are judged by.
            width: How many runs go on at a time.
        """
        self._bar, self._objective, self._width = Bar(console, "runs"), objective, width
        self._scores: defaultdict[str, list[float]] = defaultdict(list)  # by setting
        self._walls: defaultdict[str, list[float]] = defaultdict(list)  # by label
        self._lost: set[str] = set()  # settings with a run that has no score
        self._todo: Counter[str] = Counter()  # labels of the runs to come
        self._done, self._total = 0, 0
        self._sign, self._told_data = 1.0, False

    def __enter__(self) -> "SweepProgress":
        """Begin to draw."""
        self._bar.__enter__()
        self._bar.update(description="checking the settings", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self._bar.__exit__()

    def planned(self, runs: Sequence[tuple[Cell, RunRecord]], stored: int) -> None:
        """These runs come next; so many others of the batch are stored."""
        self._todo, self._total = Counter(cell.label for cell, _ in runs), len(runs)
        self._done = 0
        for known in (self._walls, self._scores, self._lost):
            known.clear()  # the next budget may be another
        if not runs:
            self._bar.note(f"All {stored} runs are stored already")
            return
        cell, blank = runs[0]
        better = self._objective.measure(blank.metrics).better
        self._sign = 1.0 if better == "min" else -1.0
        if not self._told_data:
            self._bar.note(f"Data: {blank.data['detail']} ({blank.data['origin']})")
            self._told_data = True
        already = f" ({stored} more are stored already)" if stored else ""
        self._bar.note(
            f"{len(runs)} runs of {cell.iterations} iterations, {self._width} at a time{already}"
        )
        self._bar.update(description=self._best(), total=len(runs), completed=0, left="")

    def reused(self, cell: Cell, score: float | str) -> None:
        """A run was stored before."""
        if isinstance(score, str) or not math.isfinite(score):
            self._lost.add(cell.setting)
        else:
            self._scores[cell.setting].append(score)

    def finished(self, cell: Cell, record: RunRecord, score: float | str) -> None:
        """A run ended and is stored."""
        self._done += 1
        self._todo[cell.label] -= 1
        self._walls[cell.label].append(record.wall_s)
        self.reused(cell, score)
        self._bar.update(description=self._best(), completed=self._done, left=self._left())
        if record.status == "failed":
            self._bar.note(f"{cell} failed: {record.reason}")
        step = max(1, self._total // _LINES)
        if self._done % step == 0 or self._done == self._total:
            self._bar.line(f"{self._done}/{self._total} runs, {self._left()}; {self._best()}")

    def _best(self) -> str:
        """The best setting so far, by the mean over the seeds that it was run with."""
        means = {
            name: sum(scores) / len(scores)
            for name, scores in self._scores.items()
            if name not in self._lost
        }
        if not means:
            return "no result yet"
        best = min(means, key=lambda name: self._sign * means[name])
        return f"best so far: {best}: {self._objective.name} {means[best]:#.3g}"

    def _left(self) -> str:
        """Time left, from how long each label's runs took; a label without any takes the average.

        Runs on several workers overlap, so that wall time is their sum over the workers.
        """
        if not sum(self._todo.values()):
            return "done"
        means = {label: sum(walls) / len(walls) for label, walls in self._walls.items()}
        average = sum(means.values()) / len(means)
        expected = sum(count * means.get(label, average) for label, count in self._todo.items())
        return time_left(expected / self._width)
