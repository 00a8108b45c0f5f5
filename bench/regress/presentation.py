"""A comparison as a table, as Markdown for a pull request, and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench.regress.comparison import Comparison, Line
from bench.tables import milliseconds

HEADER = ["benchmark", "phase", "base ms", "head ms", "head / base", "verdict"]
NOTE = (
    "Intervals: 99 %, for all lines together and whenever it stopped (Bonferroni, error spending; "
    "Student's t over launches). Slower: the interval excludes 1 and the ratio exceeds the "
    "threshold. Unchanged: the interval lies within the threshold."
)


def rows(outcome: Comparison) -> list[list[str]]:
    """The lines of a comparison as text, after ``HEADER``; then what exists on one side only."""
    body = [
        [
            line.benchmark,
            line.quantity,
            milliseconds(line.base_s),
            milliseconds(line.head_s),
            ratio(line),
            line.verdict,
        ]
        for line in outcome.lines
    ]
    body += [[name, "", "–", "", "", "appeared"] for name in outcome.appeared]
    body += [[name, "", "", "–", "", "vanished"] for name in outcome.vanished]
    return body


def ratio(line: Line) -> str:
    """Ratio and interval."""
    estimate = line.estimate
    return f"{estimate.ratio:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"


def sentence(outcome: Comparison) -> str:
    """The answer in words."""
    counted = {
        verdict: [line for line in outcome.lines if line.verdict == verdict]
        for verdict in ("slower", "faster", "unchanged", "undecided")
    }
    parts = [f"{len(lines)} {verdict}" for verdict, lines in counted.items() if lines]
    parts += [f"{len(outcome.appeared)} appeared"] if outcome.appeared else []
    parts += [f"{len(outcome.vanished)} vanished"] if outcome.vanished else []
    how = "every line was decided" if outcome.decided else "the time budget was spent"
    return (
        f"{outcome.head} against {outcome.base}: {', '.join(parts)}; "
        f"{outcome.launches} launches of each in {outcome.elapsed_s:.0f} s, until {how}."
    )


def worst(outcome: Comparison) -> list[str]:
    """One sentence per benchmark that got slower, naming the phase that costs most time."""
    found = []
    for name in dict.fromkeys(line.benchmark for line in outcome.slower):
        lines = {line.quantity: line for line in outcome.slower if line.benchmark == name}
        phases = [line for quantity, line in lines.items() if quantity != "total"]
        total = lines.get("total")
        if phases:
            phase = max(phases, key=added_s)
            found.append(
                f"{name} is slower in {phase.quantity}: {ratio(phase)}, "
                f"{milliseconds(added_s(phase))} ms more per iteration."
            )
        elif total is not None:
            found.append(f"{name} is slower as a whole, {ratio(total)}; no phase stands out.")
    return found


def added_s(line: Line) -> float:
    """Seconds that a phase takes more than before."""
    return line.base_s * (line.estimate.ratio - 1)


def markdown(outcome: Comparison, commands: Mapping[str, str]) -> str:
    """A comment for a pull request.

    Args:
        outcome: What was found.
        commands: By benchmark, what measures it again.
    """
    marks = {"slower": "🔴 slower", "faster": "🟢 faster"}
    body = [[*row[:-1], marks.get(row[-1], row[-1])] for row in rows(outcome)]
    table = [HEADER, ["---", "---", "---:", "---:", "---:", "---"], *body]
    lines = [
        f"### optbench: {'slower' if outcome.slower else 'no regression found'}",
        "",
        sentence(outcome),
        *(f"**{text}**" for text in worst(outcome)),
        "",
        *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table),
        "",
        NOTE,
        "",
    ]
    if outcome.complaints:
        lines += ["Timings may be spoilt:", "", *(f"- {text}" for text in outcome.complaints), ""]
    lines += ["To reproduce:", ""]
    lines += [f"- {_cell(name)}: `{command}`" for name, command in commands.items()]
    return "\n".join(lines) + "\n"


def document(outcome: Comparison, commands: Mapping[str, str]) -> dict[str, Any]:
    """Everything, raw block times included, as JSON takes it."""
    return {
        "base": outcome.base,
        "head": outcome.head,
        "slower": sorted({line.benchmark for line in outcome.slower}),
        "lines": [asdict(line) for line in outcome.lines],
        "appeared": outcome.appeared,
        "vanished": outcome.vanished,
        "launches": outcome.launches,
        "elapsed_s": outcome.elapsed_s,
        "budget_s": outcome.budget_s,
        "decided": outcome.decided,
        "complaints": outcome.complaints,
        "sides": outcome.described,
        "commands": dict(commands),
        "blocks_s": {
            name: [launch.tolist() for launch in launches]
            for name, launches in outcome.blocks.items()
        },
    }


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
