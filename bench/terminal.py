"""What is written to the terminal: consoles, tables and warnings."""

import functools

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
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


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A stand-in for ``warnings.showwarning`` that tells a warning in one line."""
    complain(f"Warning: {message}")
