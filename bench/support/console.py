"""What is written to the terminal: consoles, tables and warnings."""

import functools
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

_PLAIN_WIDTH, _UNBROKEN = 110, 22


def out() -> Console:
    """Standard output."""
    return _console(stderr=False)


def errors() -> Console:
    """Standard error, where progress goes too."""
    return _console(stderr=True)


def say(text: object) -> None:
    """Print text as it is to standard output, however long its lines."""
    out().print(text, markup=False, highlight=False, soft_wrap=True)


def tell(*sentences: str, dim: bool = False) -> None:
    """Print sentences as paragraphs of their own, broken between words."""
    for sentence in sentences:
        out().print(sentence, style="dim" if dim else None, highlight=False, markup=False)
    if sentences:
        out().print()


def complain(text: object) -> None:
    """Print text as it is to standard error, however long its lines."""
    errors().print(text, markup=False, highlight=False, soft_wrap=True)


@functools.cache
def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = max(console.width, _PLAIN_WIDTH)
    return console


def print_table(title: str, table: tuple[list[str], list[list[str]]]) -> None:
    """Print a header and rows of text; only words longer than a column are broken."""
    header, body = table
    rich = Table(
        title=escape(title) or None,
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for index, (name, *cells) in enumerate(zip(header, *body, strict=True)):
        longest_word = max(len(word) for cell in (name, *cells) for word in (cell.split() or [""]))
        rich.add_column(
            escape(name),
            overflow="fold",
            no_wrap=index == 0,
            min_width=min(longest_word, _UNBROKEN),
        )
    for cells in body:
        rich.add_row(*(escape(cell) for cell in cells))
    out().print(rich, highlight=False)
    out().print()


class Bar:
    """A progress bar where there is a terminal; elsewhere its users print lines.

    It draws only when it is told something, so that no thread of its own disturbs what is timed.

    Attributes:
        live: Whether there is a terminal.
    """

    def __init__(self, console: Console, count: str = "") -> None:
        """Show on a console.

        Args:
            console: Where to.
            count: What is counted, shown as ``done/total count``; nothing if empty.
        """
        counted = f"{{task.completed}}/{{task.total}} {count}, " if count else ""
        self._console, self.live = console, console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn(f"{counted}{{task.fields[left]}}"),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bar.add_task("", total=1, left="")

    def __enter__(self) -> "Bar":
        """Begin to draw."""
        if self.live:
            self._bar.start()
            self._bar.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self.live:
            self._bar.stop()

    def update(self, **fields: Any) -> None:
        """Change ``description``, ``completed``, ``total`` or ``left`` (the time), and draw."""
        self._bar.update(self._task, **fields)
        if self.live:
            self._bar.refresh()

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        self._console.print(message, highlight=False, markup=False, soft_wrap=True)

    def line(self, message: str) -> None:
        """Print a line where there is no bar."""
        if not self.live:
            self.note(message)


def time_left(seconds: float, bound: str = "about") -> str:
    """Such as ``about 3 min left``."""
    amount = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(0.0, seconds):.0f} s"
    return f"{bound} {amount} left"


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A stand-in for ``warnings.showwarning`` that tells a warning in one line."""
    complain(f"Warning: {message}")
