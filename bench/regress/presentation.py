"""A comparison as a table, as Markdown for a pull request, and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.regress.against_baseline import BaselineLine, BaselineOutcome
from bench.regress.compare import Comparison, Line
from bench.statistics.launches import Verdict, blamed
from bench.support.numbers import milliseconds

HEADER = ["benchmark", "phase", "base ms", "head ms", "head / base", "verdict"]
NOTE = (
    "Intervals: 99 %, for all lines together and whenever it stopped (Bonferroni, error spending; "
    "Student's t over launches). Slower: the interval excludes 1 and the ratio exceeds the "
    "threshold. Unchanged: the interval lies within the threshold. Undecided: neither; a longer "
    "--budget narrows the interval."
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


def ratio(line: Line | BaselineLine) -> str:
    """Ratio and interval."""
    estimate = line.estimate
    return f"{estimate.ratio:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"


def sentence(outcome: Comparison) -> str:
    """The answer in words."""
    counted = Counter(line.verdict for line in outcome.lines)
    parts = [f"{count} {verdict}" for verdict, count in counted.items()]
    parts += [f"{len(outcome.appeared)} appeared"] if outcome.appeared else []
    parts += [f"{len(outcome.vanished)} vanished"] if outcome.vanished else []
    how = "every line was decided" if outcome.decided else "the time budget was spent"
    return (
        f"{outcome.head} against {outcome.base}: {', '.join(parts)}; "
        f"{outcome.launches} launches of each in {outcome.elapsed_s:.0f} s, until {how}."
    )


def one_sided(outcome: Comparison) -> list[str]:
    """What exists on one side only, and why the other lacks it."""
    return [
        f"{name} {what}: {why}"
        for what, names in (("appeared", outcome.appeared), ("vanished", outcome.vanished))
        for name, why in names.items()
    ]


def measured_on(outcome: Comparison) -> str:
    """Device and data of the benchmarks, and the libraries in which the sides differ."""
    text = "Measured on " + "; ".join(dict.fromkeys(outcome.data.values())) + "."
    base, head = (outcome.described[side]["versions"] for side in ("base", "head"))
    differing = [
        f"{name} {base.get(name, 'absent')} and {head.get(name, 'absent')}"
        for name in dict.fromkeys((*base, *head))
        if base.get(name) != head.get(name)
    ]
    return f"{text} Base and head have {', '.join(differing)}." if differing else text


def worst(outcome: Comparison) -> list[str]:
    """One sentence per benchmark that got slower, naming the phase that costs most time."""
    found = []
    for name in dict.fromkeys(line.benchmark for line in outcome.slower):
        lines = {line.quantity: line for line in outcome.lines if line.benchmark == name}
        phase = blamed(
            [line.base_s for line in lines.values()],
            [line.estimate.ratio for line in lines.values()],
            [line.verdict for line in lines.values()],
        )
        if phase is None:
            found.append(f"{name} is slower: {ratio(lines['total'])}; no phase stands out.")
            continue
        added_s = lines[phase].base_s * (lines[phase].estimate.ratio - 1)
        found.append(
            f"{name} is slower in {phase}: {ratio(lines[phase])}, "
            f"{milliseconds(added_s)} ms more per iteration."
        )
    return found


def markdown(outcome: Comparison, commands: Mapping[str, str]) -> str:
    """A comment for a pull request.

    Args:
        outcome: What was found.
        commands: By benchmark, what measures it again.
    """
    return _comment(
        verdicts=[line.verdict for line in outcome.lines],
        sentences=[
            sentence(outcome),
            *(f"**{text}**" for text in worst(outcome)),
            *one_sided(outcome),
            measured_on(outcome),
        ],
        header=HEADER,
        body=rows(outcome),
        note=NOTE,
        complaints=outcome.complaints,
        commands=[f"{name}: `{command}`" for name, command in commands.items()],
    )


def document(outcome: Comparison, commands: Mapping[str, str]) -> dict[str, Any]:
    """Everything, raw block times included, as JSON takes it."""
    return {
        "base": outcome.base,
        "head": outcome.head,
        "when": outcome.when,
        "machine": outcome.machine,
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
        "data": outcome.data,
        "commands": dict(commands),
        "blocks_s": {
            name: [launch.tolist() for launch in launches]
            for name, launches in outcome.blocks.items()
        },
    }


_SHOWN = 6
BASELINE_HEADER = [
    "benchmark", "base cost", "head cost", "head / base", "verdict", "base ms", "head ms",
]  # fmt: skip
BASELINE_NOTE = (
    "Cost: multiples of a plain gradient measured in the same session; the verdict is on it. "
    "Milliseconds are of different days: advice only. Intervals: 99 %, for all lines together, and "
    "for what launches of today differ by: the file is taken to be one more of them. What moves "
    "costs from day to day is not in them; two revisions in one session are safer."
)


def baseline_rows(outcome: BaselineOutcome) -> list[list[str]]:
    """The lines of a comparison with a stored file, after ``BASELINE_HEADER``."""
    return [
        [
            _bracketed(line.benchmark),
            f"{line.base_cost:.3f}×",
            f"{line.head_cost:.3f}×",
            ratio(line),
            line.verdict,
            milliseconds(line.base_s),
            milliseconds(line.head_s),
        ]
        for line in outcome.lines
    ]


def baseline_one_sided(outcome: BaselineOutcome) -> list[str]:
    """What exists on one side only, in sentences."""
    found = []
    for what, names in (("appeared (not in the file)", outcome.appeared),
                        ("vanished (only in the file)", outcome.vanished)):  # fmt: skip
        if names:
            shown = ", ".join(_bracketed(name) for name in names[:_SHOWN])
            rest = f" and {len(names) - _SHOWN} more (--json lists them)" if names[_SHOWN:] else ""
            found.append(f"{len(names)} {what}: {shown}{rest}.")
    return found


def baseline_sentence(outcome: BaselineOutcome) -> str:
    """The answer in words."""
    counted = Counter(line.verdict for line in outcome.lines)
    parts = [f"{count} {verdict}" for verdict, count in counted.items()]
    return (
        f"This code against {outcome.base}: {', '.join(parts)}; the suite ran {outcome.launches} "
        f"times in {outcome.elapsed_s:.0f} s."
    )


def baseline_markdown(outcome: BaselineOutcome, command: str) -> str:
    """A comment for a pull request."""
    return _comment(
        verdicts=[line.verdict for line in outcome.lines],
        sentences=[baseline_sentence(outcome), *baseline_one_sided(outcome)],
        header=BASELINE_HEADER,
        body=baseline_rows(outcome),
        note=BASELINE_NOTE,
        complaints=outcome.complaints,
        commands=[f"`{command}`"],
    )


def baseline_document(outcome: BaselineOutcome, command: str) -> dict[str, Any]:
    """Everything, as JSON takes it."""
    return asdict(outcome) | {
        "slower": sorted(line.benchmark for line in outcome.slower),
        "command": command,
    }


def _comment(
    *,
    verdicts: Sequence[Verdict],
    sentences: Sequence[str],
    header: Sequence[str],
    body: Sequence[Sequence[str]],
    note: str,
    complaints: Sequence[str],
    commands: Sequence[str],
) -> str:
    marks = {"slower": "🔴 slower", "faster": "🟢 faster"}
    lines = [f"### optbench: {_headline(verdicts)}", ""]
    for sentence_ in sentences:
        lines += [sentence_, ""]
    for row in (header, ["---"] * len(header), *body):
        lines.append("| " + " | ".join(_cell(marks.get(cell, cell)) for cell in row) + " |")
    lines += ["", note, ""]
    if complaints:
        lines += ["Timings may be spoilt:", "", *(f"- {text}" for text in complaints), ""]
    lines += ["To reproduce:", "", *(f"- {command}" for command in commands)]
    return "\n".join(lines) + "\n"


def _headline(verdicts: Sequence[Verdict]) -> str:
    """What a whole comparison comes to."""
    if "slower" in verdicts:
        return "slower"
    if "undecided" in verdicts:
        return "no regression found, some lines undecided"
    return "not slower"


def _bracketed(name: str) -> str:
    """The parameters in the name of a test."""
    return name.partition("[")[2].rstrip("]") or name


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
