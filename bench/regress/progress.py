"""Progress of comparisons on the terminal: a bar with the time left, or a few plain lines."""

from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

_QUARTERS = 4


class LaunchProgress:
    """Shows how much of a time budget is gone, or how many of many trials are done.

    It draws only when it is told something, between launches, so that no thread of its own
    disturbs what is being timed.
    """

    def __init__(self, console: Console, what: str, total: int = 1) -> None:
        """Show on a console.

        Args:
            console: A live bar on a terminal, else lines.
            what: What is under way.
            total: How many budgets are to be spent, one after the other.
        """
        self._console, self._total, self._done, self._gone = console, total, 0, 0.0
        self._what, self._told, self._began = what, 0, perf_counter()
        self._live = console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bar.add_task(what, total=float(total), left="")

    def __enter__(self) -> "LaunchProgress":
        """Begin to draw."""
        if self._live:
            self._bar.start()
            self._bar.refresh()
        else:
            self._console.print(self._what, highlight=False, markup=False, soft_wrap=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._live:
            self._bar.stop()

    def launched(self, launches: int, gone: float) -> None:
        """A launch ended.

        Args:
            launches: How many there were.
            gone: Share of the present budget that is gone.
        """
        self._gone = self._done + min(gone, 1.0)
        self._bar.update(
            self._task,
            completed=self._gone,
            description=f"{self._what}, {launches} launches",
            left=self._left(),
        )
        if self._live:
            self._bar.refresh()
        elif self._total == 1 and int(_QUARTERS * gone) > self._told:
            self._told = int(_QUARTERS * gone)
            self._line(f"{launches} launches, {min(gone, 1):.0%} of the time budget")

    def finished(self) -> None:
        """A budget is spent, and its result is stored."""
        self._done += 1
        self._gone = float(self._done)
        self._line(f"{self._done} of {self._total} done, {self._left()}")

    def _line(self, text: str) -> None:
        if not self._live:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _left(self) -> str:
        """Time left at the pace so far; at most, since a comparison may end early."""
        left = (perf_counter() - self._began) * (self._total - self._gone) / self._gone
        return f"at most {left / 60:.0f} min left" if left >= 90 else f"at most {left:.0f} s left"
