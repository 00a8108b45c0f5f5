"""Progress on the terminal: a bar with the time left, or plain lines."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.support.console import Bar, time_left
from bench.support.text import plural

if TYPE_CHECKING:
    from bench.sweeps.experiment import Cell
    from bench.sweeps.objective import Objective

_REFRESH_S = 0.25
_LINES, _QUARTERS = 20, 4


class Remaining:
    """How long what is to come takes, from how long its like took before.

    A kind of which nothing has ended takes as long as the present one does at its pace so far, or
    else the average of the other kinds.
    """

    def __init__(self, kinds: Iterable[str] = (), width: int = 1) -> None:
        """Expect things.

        Args:
            kinds: What kind each of them is of.
            width: How many go on at a time.
        """
        self._width, self._todo = width, Counter(kinds)
        self._took: defaultdict[str, list[float]] = defaultdict(list)

    def ended(self, kind: str, seconds: float) -> None:
        """One of them is over."""
        self._todo[kind] -= 1
        self._took[kind].append(seconds)

    def seconds(self, present: str = "", elapsed_s: float = 0.0, share: float = 0.0) -> float:
        """Seconds that are left; NaN if nothing tells.

        Args:
            present: The kind of what goes on.
            elapsed_s: Since when.
            share: How much of it is done.
        """
        means = {kind: sum(took) / len(took) for kind, took in self._took.items()}
        if share:
            means.setdefault(present, elapsed_s / share)
        if not means:
            return math.nan
        average = sum(means.values()) / len(means)
        expected = sum(count * means.get(kind, average) for kind, count in self._todo.items())
        return expected / self._width - elapsed_s

    def told(self, present: str = "", elapsed_s: float = 0.0, share: float = 0.0) -> str:
        """The same in words."""
        if not self._todo.total():
            return "done"
        seconds = self.seconds(present, elapsed_s, share)
        return "time left unknown yet" if math.isnan(seconds) else time_left(seconds)


class ComparisonProgress:
    """Shows how a comparison goes; satisfies ``bench.training.session.Observer``."""

    def __init__(self, bar: Bar) -> None:
        """Show on a bar, or by a line per run."""
        self._bar, self.note = bar, bar.note
        self._todo: list[RunSpec] = []
        self._remaining = Remaining()
        self._done, self._began, self._drawn = 0, 0.0, 0.0

    def planned(self, runs: Sequence[RunSpec]) -> None:
        """These runs are left to do."""
        self._todo, self._remaining = list(runs), Remaining(spec.label for spec in runs)
        self._began = perf_counter()
        self._bar.update(total=len(runs))

    def started(self, spec: RunSpec) -> None:
        """A run begins."""
        self._bar.update(description=f"{spec.label}, seed {spec.seed}")

    def iterated(self, done: int) -> None:
        """The run has done so many iterations; redrawn four times a second at the most."""
        now = perf_counter()
        if self._bar.live and now - self._drawn >= _REFRESH_S:
            self._drawn, spec = now, self._todo[0]
            total = f"/{spec.iterations}" if spec.iterations else ""
            share = done / spec.iterations if spec.iterations else 0.0
            self._bar.update(
                description=f"{spec.label}, seed {spec.seed}, iteration {done}{total}",
                left=self._remaining.told(spec.label, now - self._began, share),
            )

    def finished(self, record: RunRecord) -> None:
        """A run ended and is stored."""
        now = perf_counter()
        self._remaining.ended(record.label, now - self._began)
        self._began, self._todo, self._done = now, self._todo[1:], self._done + 1
        self._bar.update(completed=self._done)
        if not self._todo:
            self._bar.update(description="peak memory", left="nearly done")
        losses = record.values["loss"]
        loss = losses[-1] if len(losses) else float("nan")
        self._bar.line(
            f"{record.label}, seed {record.config['seed']}: {record.ended}, "
            f"{plural(len(losses), 'iteration')}, last loss {loss:.3g}, {record.wall_s:.0f} s; "
            f"{plural(len(self._todo), 'run')} to go, {self._remaining.told()}"
        )


class SweepProgress:
    """Shows how a sweep goes; satisfies ``bench.sweeps.sweep.Observer``."""

    def __init__(self, bar: Bar, objective: "Objective", width: int) -> None:
        """Show on a bar, or by some twenty lines.

        Args:
            bar: Where to.
            objective: What settings are judged by.
            width: How many runs go on at a time.
        """
        self._bar, self._objective, self._width = bar, objective, width
        self._scores: defaultdict[str, list[float]] = defaultdict(list)  # by setting
        self._lost: set[str] = set()  # settings with a run that has no score
        self._refusals: set[str] = set()
        self._remaining = Remaining()
        self._done, self._total = 0, 0
        self._sign, self._told = 1.0, set[str]()
        bar.update(description="checking the settings", total=None)

    def planned(self, runs: "Sequence[tuple[Cell, RunRecord]]", stored: int) -> None:
        """These runs come next; so many others of the batch are stored."""
        # Runs on several workers overlap, so that wall time is their sum over the workers.
        self._remaining = Remaining((cell.label for cell, _ in runs), self._width)
        self._done, self._total = 0, len(runs)
        for known in (self._scores, self._lost):
            known.clear()  # the next budget may be another
        if not runs and stored:
            everything = "The only run is" if stored == 1 else f"All {stored} runs are"
            self._bar.note(f"{everything} stored already")
        if not runs:
            return
        cell, blank = runs[0]
        better = self._objective.measure(blank.metrics).better
        self._sign = 1.0 if better == "min" else -1.0
        data = f"Data: {blank.data['detail']} ({blank.data['origin']})"
        notes = [str(one.environment.get("note", "")) for _, one in runs]
        for note in dict.fromkeys([data, *notes]):
            if note and note not in self._told:
                self._bar.note(note)
        self._told |= {data, *notes}
        already = f" ({stored} more {'is' if stored == 1 else 'are'} stored already)"
        self._bar.note(
            f"{plural(len(runs), 'run')} of {plural(cell.iterations, 'iteration')}, "
            f"{self._width} at a time{already if stored else ''}"
        )
        self._bar.update(description=self._best(), total=len(runs), completed=0, left="")

    def reused(self, cell: "Cell", record: RunRecord, score: float | str) -> None:
        """A run was stored before, or cannot begin: of a label that is said once."""
        refusal = record.relabelled(cell.label).refusal
        if refusal and refusal not in self._refusals:
            self._refusals.add(refusal)
            self._bar.note(refusal)
        self._score(cell, score)

    def _score(self, cell: "Cell", score: float | str) -> None:
        if isinstance(score, str) or not math.isfinite(score):
            self._lost.add(cell.setting)
        else:
            self._scores[cell.setting].append(score)

    def finished(self, cell: "Cell", record: RunRecord, score: float | str) -> None:
        """A run ended and is stored."""
        self._done += 1
        self._remaining.ended(cell.label, record.wall_s)
        self._score(cell, score)
        left = self._remaining.told()
        self._bar.update(description=self._best(), completed=self._done, left=left)
        if record.status == "failed":
            self._bar.note(f"{cell} failed: {record.reason}")
        step = max(1, self._total // _LINES)
        if self._done % step == 0 or self._done == self._total:
            self._bar.line(f"{self._done}/{self._total} runs, {left}; {self._best()}")

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


class LaunchProgress:
    """Shows how much of a time budget is gone, or how many of many trials are done."""

    def __init__(self, bar: Bar, what: str, total: int = 1) -> None:
        """Show on a bar, or by a few lines.

        Args:
            bar: Where to.
            what: What is under way.
            total: How many budgets are to be spent, one after the other.
        """
        self._bar, self._what, self._total = bar, what, total
        self._remaining = Remaining([what] * total)
        self._done, self._told, self._began = 0, 0, perf_counter()
        bar.update(description=what, total=float(total))
        bar.line(what)

    def launched(self, launches: int, gone: float) -> None:
        """A launch ended.

        Args:
            launches: How many there were.
            gone: Share of the present budget that is gone.
        """
        gone, launched = min(gone, 1.0), plural(launches, "launch")
        self._bar.update(
            completed=self._done + gone,
            description=f"{self._what}, {launched}",
            left=self._left(gone),
        )
        quarters = int(_QUARTERS * gone)
        if self._total == 1 and quarters > self._told:
            self._told = quarters
            self._bar.line(f"{launched}, {gone:.0%} of the time budget")

    def finished(self) -> None:
        """A budget is spent, and its result is stored."""
        now = perf_counter()
        self._remaining.ended(self._what, now - self._began)
        self._began, self._done = now, self._done + 1
        self._bar.line(f"{self._done} of {self._total} done, {self._left()}")

    def _left(self, gone: float = 0.0) -> str:
        """At most, since a comparison may end early."""
        elapsed_s = perf_counter() - self._began
        return time_left(self._remaining.seconds(self._what, elapsed_s, gone), "at most")
