"""Markdown files of reports: text that stays text, tables, and where the numbers come from."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from bench.record import RunRecord
from bench.tables import Table
from optimizers.errors import UsageError

# an underscore within a word is none; entities and mathematics are GitHub's as well
_MARKUP = re.compile(r"[\\|<>`*\[\]&~$]|(?<![^\W_])_|_(?![^\W_])")


def escape(text: str) -> str:
    """Keep text from ending a cell or becoming markup."""
    return _MARKUP.sub(r"\\\g<0>", text).replace("\n", " ")


def table(cells: Table) -> str:
    """A table of text."""
    header, body = cells
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(escape(cell) for cell in line) + " |" for line in lines)


def folder_for(folder: Path) -> None:
    """Make the folder of a report.

    Raises:
        UsageError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"Report folder '{folder}' cannot be made: {error.strerror}.") from error


def write(path: Path, parts: Sequence[str]) -> Path:
    """Write paragraphs, empty ones left out."""
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return path


def origin(records: Sequence[RunRecord], command: str) -> str:
    """Command, data, budget, machine and software behind a report, as a list.

    Args:
        records: The runs, all under the same conditions; the first stands for all.
        command: The command line.
    """
    record = records[0]
    facts, config = record.environment, record.config
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    gpu = facts.get("gpu")
    budget = {name: config[name] for name in ("iterations", "seconds", "until") if config[name]}
    return "\n".join(
        [
            f"- Command: `{command.replace('`', '')}`",
            f"- Data: {escape(record.data['detail'])} ({escape(record.data['origin'])})",
            f"- Budget: {escape(json.dumps(budget))}; batch size {config['batch_size']}; "
            f"{config['dtype']}; seeds {sorted({r.config['seed'] for r in records})}",
            f"- Machine: {escape(facts['cpu'])}, {facts['logical_cores']} cores, "
            f"{facts['threads']} threads" + (f", {escape(gpu['name'])}" if gpu else ""),
            f"- Allocator: {escape(facts['allocator']['libc'])}, "
            + ("tuned (mallopt)" if facts["allocator"]["tuned"] else "as it comes"),
            f"- Versions: {escape(versions)}",
            f"- Commit: {facts['commit'] or 'not in a git repository'}",
        ]
    )
