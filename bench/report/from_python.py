"""What stored runs say, from Python: the table, what is best, the page."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.comparison import groups
from bench.comparison.analysis import Analysis, analyse
from bench.comparison.frame import frame
from bench.errors import UsageError, unknown
from bench.report import material
from bench.runs.record import RunRecord
from bench.statistics.ranking import Ranking

if TYPE_CHECKING:
    import pandas as pd

Source = str | Path | Iterable[RunRecord]


def summary(source: Source = "results", *, comparison: str = "") -> "pd.DataFrame":
    """The table of ``optbench run``: medians over seeds with their intervals.

    Runs of sweeps are left out, as in the report: they are judged there.

    Args:
        source: A results folder, or records, of which all count.
        comparison: Only those whose name begins so, such as ``mnist_cnn, 201 iterations``.

    Returns:
        A row per label, the best first, and per comparison where runs took place under different
        conditions; see :func:`bench.comparison.frame.frame` for the columns.

    Raises:
        UsageError: There is no such folder or comparison.
    """
    return frame(_analyses(source, comparison))


def ranking(source: Source = "results", quantity: str = "", *, comparison: str = "") -> Ranking:
    """Which optimizer is best, which ones seeds cannot tell from it, and which are worse.

    Args:
        source: A results folder, or records, of which all count.
        quantity: A column of :func:`summary` that is better one way; if empty the first held-out
            metric other than the loss.
        comparison: How its name in :func:`summary` begins, where there are several.

    Raises:
        UsageError: There is no such folder, comparison or quantity, or not one comparison.
    """
    analyses = _analyses(source, comparison)
    if len(analyses) != 1:
        found = "; ".join(f"'{one.group.name}'" for one in analyses) or "none"
        raise UsageError(
            f"A ranking is of one comparison, here are {len(analyses)}: name one with comparison=, "
            f"or how its name begins. Known: {found}."
        )
    (one,) = analyses
    known = one.rankings
    if quantity and quantity not in known:
        raise unknown("quantity", quantity, known)
    return known[quantity or one.ranked.key]


def write_report(
    results: str | Path | Sequence[str | Path] = "results", folder: str | Path | None = None
) -> Path:
    """Write the page of ``optbench report``, with figures, of all that is stored.

    Args:
        results: One results folder, or several.
        folder: Where to; ``report`` in the first results folder if ``None``.

    Returns:
        The path of ``report.html``; ``report.md`` and ``figures`` are beside it.

    Raises:
        UsageError: There is no such folder, or the report cannot be written.
    """
    from bench.report import contents, writer

    named = [results] if isinstance(results, (str, Path)) else results
    folders = [Path(one) for one in named]
    command = shlex.join(["optbench", "report", *map(str, folders)])  # which makes it as well
    made = contents.of_results(material.gather(folders), command)
    return writer.write(Path(folder) if folder else folders[0] / "report", made)


def _analyses(source: Source, comparison: str) -> list[Analysis]:
    """What the comparisons of a folder, or of records, say."""
    if isinstance(source, (str, Path)):
        held = material.gather([Path(source)])
        found = groups.split(held.records, held.sweep_sessions)
    else:
        found = groups.split(source)
    wanted = [one for one in found if f"{one.name},".startswith(f"{comparison},") or not comparison]
    if found and not wanted:
        raise unknown("comparison", comparison, [one.name for one in found])
    return [analyse(group) for group in wanted]
