"""Writes a report: ``report.html``, ``report.md`` and its figures as files."""

import io
import itertools
import re
import signal
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure as Drawn

from bench.errors import UsageError, WorkersError
from bench.report import inline, page
from bench.report.document import Figure, Report
from bench.report.figures import style
from bench.support import atomic
from bench.support.text import plain

_STEM = re.compile(r"[a-z0-9][a-z0-9-]*")
_STYLE = {**style.STYLE, "pdf.fonttype": 42}
_WORTH_A_PROCESS = 8  # figures: they take about as long as starting one


def write(folder: Path, report: Report, *, jobs: int = 1) -> Path:
    """Write a report.

    Args:
        folder: Where to; ``report.html``, ``report.md`` and figures of the same names there are
            replaced.
        report: The report.
        jobs: Processes that draw at a time. With several the module that Python runs is imported
            by them, so that a script needs ``if __name__ == "__main__"``.

    Returns:
        The path of ``report.html``.

    Raises:
        UsageError: The report cannot be written there.
        WorkersError: A process that draws was killed.
        ValueError: A figure's stem is no plain name, or two figures share one.
    """
    figures = list(page.figures(report))
    _check_stems([figure.stem for figure in figures])
    _make(folder)
    _make(folder / "figures")
    try:
        drawings = _draw_all(figures, folder / "figures", jobs)
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


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"Report folder '{folder}' cannot be made: {error.strerror}.") from error


def _check_stems(stems: list[str]) -> None:
    for stem, count in Counter(stems).items():
        if not _STEM.fullmatch(stem):
            raise ValueError(f"A figure's stem is of a-z, 0-9 and '-', not {stem!r}.")
        if count > 1:
            raise ValueError(f"Two figures have the stem {stem!r}.")


def _draw_all(figures: Sequence[Figure], folder: Path, jobs: int) -> dict[str, list[Markup]]:
    """Draw all figures; see :func:`_draw`. Few are drawn here, many by processes."""
    tasks = [(figure, folder, f"_f{number}") for number, figure in enumerate(figures)]
    stems = [figure.stem for figure in figures]
    workers = min(jobs, len(tasks) // _WORTH_A_PROCESS)
    if workers < 2:
        return dict(zip(stems, itertools.starmap(_draw, tasks), strict=True))
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_the_parent
    )
    try:
        futures = [pool.submit(_draw, *task) for task in tasks]
        return dict(zip(stems, [future.result() for future in futures], strict=True))
    except BrokenProcessPool as error:
        raise WorkersError("A process that drew figures was killed: is memory short?") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _draw(figure: Figure, folder: Path, prefix: str) -> list[Markup]:
    """Draw all variants, save the first one as files, and return all for the page."""
    shown = []
    for number, variant in enumerate(figure.variants):
        drawn = variant.draw()
        style.fit_texts(drawn)
        if number == 0:
            _save(drawn, folder / figure.stem)
        svg = _rendered(drawn, "svg")
        shown.append(
            inline.svg(
                svg,
                prefix=f"{prefix}-{number}",
                title=plain(figure.title),
                alt=plain(figure.alt),
            )
        )
    return shown


def _save(drawn: Drawn, stem: Path) -> None:
    """Save a figure as files, without the single runs that only the page can show and hide."""
    lines = [line for axes in drawn.axes for line in axes.lines]
    hidden = [line for line in lines if str(line.get_gid()).endswith(":seeds")]
    for line in hidden:
        line.set_visible(False)
    for ending in style.FORMATS:
        stem.with_suffix(f".{ending}").write_bytes(_rendered(drawn, ending))
    for line in hidden:
        line.set_visible(True)


def _rendered(drawn: Drawn, ending: str) -> bytes:
    file = io.BytesIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # labels may be in any script; a box stands for what the font lacks
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        drawn.savefig(file, format=ending, **style.FORMATS[ending])
    return file.getvalue()
