"""Writes a report: ``report.html``, ``report.md`` and its figures as files."""

import io
import re
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure as Drawn

from bench import atomic, markdown, plots
from bench.report import inline, page
from bench.report.document import Figure, Report
from bench.report.text import plain
from optimizers.errors import UsageError

_STEM = re.compile(r"[a-z0-9][a-z0-9-]*")
_STYLE = {**plots.STYLE, "pdf.fonttype": 42}
# No dates, so that the same figure gives the same bytes.
_FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
    "png": {"metadata": {"Software": None}, "dpi": 150},
}


def write(folder: Path, report: Report) -> Path:
    """Write a report.

    Args:
        folder: Where to; ``report.html``, ``report.md`` and figures of the same names there are
            replaced.
        report: The report.

    Returns:
        The path of ``report.html``.

    Raises:
        UsageError: The report cannot be written there.
        ValueError: A figure's stem is no plain name, or two figures share one.
    """
    figures = list(page.figures(report))
    _check_stems([figure.stem for figure in figures])
    markdown.folder_for(folder)
    markdown.folder_for(folder / "figures")
    try:
        drawings = {
            figure.stem: _draw(figure, folder / "figures", f"_f{number}")
            for number, figure in enumerate(figures)
        }
        for name, text in (
            ("report.md", page.markdown(report)),
            ("report.html", page.html(report, drawings)),
        ):
            with atomic.writing(folder / name) as file:
                file.write(text.encode())
    except OSError as error:
        raise UsageError(
            f"The report cannot be written to '{folder}': {error.strerror or error}."
        ) from error
    return folder / "report.html"


def _check_stems(stems: list[str]) -> None:
    for stem in stems:
        if not _STEM.fullmatch(stem):
            raise ValueError(f"A figure's stem is of a-z, 0-9 and '-', not {stem!r}.")
        if stems.count(stem) > 1:
            raise ValueError(f"Two figures have the stem {stem!r}.")


def _draw(figure: Figure, folder: Path, prefix: str) -> list[Markup]:
    """Draw all variants, save the first one as files, and return all for the page."""
    shown = []
    for number, variant in enumerate(figure.variants):
        drawn = variant.draw()
        svg = _rendered(drawn, "svg")
        if number == 0:
            for ending in _FORMATS:
                content = svg if ending == "svg" else _rendered(drawn, ending)
                (folder / f"{figure.stem}.{ending}").write_bytes(content)
        shown.append(
            inline.svg(
                svg,
                prefix=f"{prefix}-{number}",
                title=plain(figure.title),
                alt=plain(figure.alt),
            )
        )
    return shown


def _rendered(drawn: Drawn, ending: str) -> bytes:
    file = io.BytesIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # labels may be in any script; a box stands for what the font lacks
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        drawn.savefig(file, format=ending, **_FORMATS[ending])
    return file.getvalue()
