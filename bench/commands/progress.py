"""Progress of a comparison on the terminal: a bar with the time left, or plain lines."""

import time
from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console

from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.support.console import Bar, time_left

_REFRESH_S = 0.25


class ComparisonProgress:
    """Shows how a comparison goes; satisfies ``bench.training.session.Observer``."""

    def __init__(self, console: Console) -> None:
        """Show on a console: a live bar on a terminal, else a line per run."""
        self._bar = Bar(console, "runs")
        self._done = 0
        self._todo: list[RunSpec] = []
        self._spent: defaultdict[str, list[float]] = defaultdict(list)
        self._began = self._drawn = 0.0

    def __enter__(self) -> "ComparisonProgress":
        """Begin to draw."""
        self._bar.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self._bar.__exit__()

    def planned(self, runs: Sequence[RunSpec]) -> None:
        """These runs are left to do."""
        self._todo = list(runs)
        self._began = time.perf_counter()
        self._bar.update(total=len(runs))

    def started(self, spec: RunSpec) -> None:
        """A run begins."""
        self._bar.update(description=f"{spec.label}, seed {spec.seed}")

    def iterated(self, done: int) -> None:
        """The run has done so many iterations; redrawn four times a second at the most."""
        if self._bar.live and time.perf_counter() - self._drawn >= _REFRESH_S:
            self._drawn = time.perf_counter()
            spec = self._todo[0]
            total = f"/{spec.iterations}" if spec.iterations else ""
            self._bar.update(
                description=f"{spec.label}, seed {spec.seed}, iteration {done}{total}",
                left=self._left(done),
            )

    def finished(self, record: RunRecord) -> None:
        """A run ended and is stored."""
        now = time.perf_counter()
        self._spent[record.label].append(now - self._began)
        self._began = now
        self._todo = self._todo[1:]
        self._done += 1
        self._bar.update(completed=self._done)
        if not self._todo:
            self._bar.update(description="peak memory", left="nearly done")
        loss = record.values["loss"][-1] if len(record.values["loss"]) else float("nan")
        self._bar.line(
            f"{record.label}, seed {record.config['seed']}: {record.status}, "
            f"{len(record.values['loss'])} iterations, last loss {loss:.3g}, "
            f"{record.wall_s:.0f} s; {len(self._todo)} runs to go, {self._left()}"
        )

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        self._bar.note(message)

    def _left(self, done: int = 0) -> str:
        """Time left, from what each label took before, or else from how far its run is.

        A label that is still to come is expected to take the average.

        Args:
            done: Iterations of the present run.
        """
        if not self._todo:
            return "done"
        elapsed = time.perf_counter() - self._began
        known = {label: sum(runs) / len(runs) for label, runs in self._spent.items()}
        current = self._todo[0]
        if current.label not in known and done and current.iterations:
            known[current.label] = elapsed * current.iterations / done
        if not known:
            return "time left unknown yet"
        average = sum(known.values()) / len(known)
        expected = sum(known.get(spec.label, average) for spec in self._todo)
        return time_left(expected - elapsed)
