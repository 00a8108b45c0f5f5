"""What a report consists of, before it becomes a page or Markdown: text, tables and figures.

Everything is text as people wrote it, hostile or not; templates escape it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from matplotlib.figure import Figure as Drawn

Scale = Literal["linear", "log"]
Mark = Literal["", "best", "tied", "behind"]


@dataclass(frozen=True, kw_only=True)
class Series:
    """An optimizer as it is drawn everywhere in a report.

    Attributes:
        label: Its label.
        colour: Such as ``#0173b2``.
        marker: Matplotlib's name of its marker.
        dash: Matplotlib's name of its line style.
    """

    label: str
    colour: str
    marker: str
    dash: str


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it says.
        detail: Said in small print after it, such as an interval.
        value: What it is sorted by, the smaller the earlier; its text if ``None``. Infinite is
            a miss, NaN was not measured, and either comes last.
        mark: Whether it is the best of its column, cannot be told from the best, or is probably
            behind it.
        tip: Said when it is pointed at, in plain text.
        runs: Anchor of the table with the runs behind it; none if empty.
        quantity: Name of the column there that it comes from.
    """

    text: str
    detail: str = ""
    value: float | str | None = None
    mark: Mark = ""
    tip: str = ""
    runs: str = ""
    quantity: str = ""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its header.
        numeric: Whether its cells are aligned as numbers.
        help: What it means; nothing if empty.
    """

    name: str
    numeric: bool = False
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table.

    Attributes:
        cells: One per column.
        series: Index of the optimizer that it is about, which can be hidden; ``None`` for none.
    """

    cells: Sequence[Cell]
    series: int | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        caption: What it shows.
        columns: Its columns; the first one names the rows.
        rows: Its rows, in the order in which they stand at first.
        anchor: Its id in the page; none if empty.
        notes: Small print below it.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    anchor: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A figure with axes of certain scales.

    Attributes:
        x: Scale of the horizontal axis.
        y: Scale of the vertical axis.
        draw: Draws it. Artists whose ``gid`` is ``series:<index>:line`` belong to an optimizer,
            those with ``series:<index>:seeds`` are its single runs, hidden at first.
    """

    draw: Callable[[], Drawn]
    x: Scale = "linear"
    y: Scale = "linear"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure.

    Attributes:
        stem: Name of its files, without folder and ending; unique in a report, of ``a-z0-9-``.
        title: What it shows, in a few words.
        alt: What one sees in it, for readers who do not.
        caption: How to read it; may be empty.
        variants: The first is shown at first, and saved as files.
        wide: Whether it takes a whole row.
    """

    stem: str
    title: str
    alt: str
    variants: Sequence[Variant]
    caption: str = ""
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """A paragraph; a warning is set apart."""

    text: str
    warning: bool = False


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures side by side, as far as there is room.

    Attributes:
        figures: At least one.
        large: Whether two of them take a row, instead of three.
    """

    figures: Sequence[Figure]
    large: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Pairs of a name and what it is."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Folded:
    """Blocks behind a summary that opens on a click.

    Attributes:
        summary: What is in there.
        blocks: The blocks.
    """

    summary: str
    blocks: Sequence["Block"]


Block = Paragraph | Heading | Table | Figures | Facts | Folded


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a report.

    Attributes:
        title: Its heading.
        anchor: Its id in the page, of ``a-z0-9-``.
        blocks: What is in it.
    """

    title: str
    anchor: str
    blocks: Sequence[Block]


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report.

    Attributes:
        title: Its heading.
        answer: What it found, a sentence each.
        warnings: What to know before relying on it.
        table: The one table of the first screen; ``None`` if nothing was compared.
        series: The optimizers that are drawn, by index.
        sections: The rest.
        identity: Short hash of the runs behind it, to cite it by.
        cite: A line to cite it with.
    """

    title: str
    answer: Sequence[str]
    warnings: Sequence[str] = ()
    table: Table | None = None
    series: Sequence[Series] = field(default_factory=list)
    sections: Sequence[Section] = field(default_factory=list)
    identity: str = ""
    cite: str = ""
