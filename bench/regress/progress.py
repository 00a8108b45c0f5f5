"""Progress of comparisons on the terminal: a bar with the time left, or a few plain lines."""

from time import perf_counter

from rich.console import Console

from bench.support.console import Bar, time_left

_QUARTERS = 4


class LaunchProgress:
    """Shows how much of a time budget is gone, or how many of many trials are done."""

    def __init__(self, console: Console, what: str, total: int = 1) -> None:
        """Show on a console.

        Args:
            console: A live bar on a terminal, else lines.
            what: What is under way.
            total: How many budgets are to be spent, one after the other.
        """
        self._total, self._done, self._gone = total, 0, 0.0
        self._what, self._told, self._began = what, 0, perf_counter()
        self._bar = Bar(console)
        self._bar.update(description=what, total=float(total))

    def __enter__(self) -> "LaunchProgress":
        """Begin to draw."""
        self._bar.__enter__()
        self._bar.line(self._what)
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self._bar.__exit__()

    def launched(self, launches: int, gone: float) -> None:
        """A launch ended.

        Args:
            launches: How many there were.
            gone: Share of the present budget that is gone.
        """
        self._gone = self._done + min(gone, 1.0)
        self._bar.update(
            completed=self._gone,
            description=f"{self._what}, {launches} launches",
            left=self._left(),
        )
        quarters = int(_QUARTERS * min(gone, 1.0))
        if self._total == 1 and quarters > self._told:
            self._told = quarters
            launched = f"{launches} {'launch' if launches == 1 else 'launches'}"
            self._bar.line(f"{launched}, {min(gone, 1):.0%} of the time budget")

    def notice(self, message: str) -> None:
        """Say something, above the bar where there is one."""
        self._bar.note(message)

    def finished(self) -> None:
        """A budget is spent, and its result is stored."""
        self._done += 1
        self._gone = float(self._done)
        self._bar.line(f"{self._done} of {self._total} done, {self._left()}")

    def _left(self) -> str:
        """Time left at the pace so far; at most, since a comparison may end early."""
        left = (perf_counter() - self._began) * (self._total - self._gone) / self._gone
        return time_left(left, "at most")
