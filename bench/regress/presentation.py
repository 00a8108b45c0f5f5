"""A comparison as a table, as sentences, as Markdown for a pull request, and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.regress.outcome import COSTS, Line, Outcome
from bench.statistics.launches import Verdict, blamed
from bench.support.numbers import milliseconds

_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What is said otherwise of two sides than of a stored file.

    Attributes:
        header: The columns of the table.
        note: What they mean.
        launched: How often the head was measured, of ``launches``.
    """

    header: Sequence[str]
    note: str
    launched: str


_SIDES = _Words(
    header=["benchmark", "phase", "base ms", "head ms", "head / base", "verdict"],
    note="Intervals: 99 %, for all lines together and whenever it stopped (Bonferroni, error "
    "spending; Student's t over launches). Slower: the interval excludes 1 and the ratio exceeds "
    "the threshold. Unchanged: the interval lies within the threshold. Undecided: neither; a "
    "longer --budget narrows the interval.",
    launched="{launches} launches of each",
)
_STORED = _Words(
    header=[
        "benchmark", "base cost", "head cost", "head / base", "verdict", "base ms", "head ms",
    ],
    note="Cost: multiples of a plain gradient measured in the same session; the verdict is on it. "
    "Milliseconds are of different days: advice only. Intervals: 99 %, for all lines together, and "
    "for what launches of today differ by: the file is taken to be one more of them. What moves "
    "costs from day to day is not in them; two revisions in one session are safer.",
    launched="the suite ran {launches} times",
)  # fmt: skip


def _words(outcome: Outcome) -> _Words:
    return _STORED if outcome.unit == COSTS else _SIDES


def note(outcome: Outcome) -> str:
    """What the columns of the table mean."""
    return _words(outcome).note


def table(outcome: Outcome) -> tuple[list[str], list[list[str]]]:
    """The lines of a comparison as text; of two sides also what exists on one only."""
    header = list(_words(outcome).header)
    if outcome.unit == COSTS:
        return header, [
            [
                _bracketed(line.benchmark),
                f"{line.base:.3f}×",
                f"{line.head:.3f}×",
                ratio(line),
                line.verdict,
                milliseconds(line.base_s),
                milliseconds(line.head_s),
            ]
            for line in outcome.lines
        ]
    body = [
        [
            line.benchmark,
            line.quantity,
            milliseconds(line.base),
            milliseconds(line.head),
            ratio(line),
            line.verdict,
        ]
        for line in outcome.lines
    ]
    body += [[name, "", "–", "", "", "appeared"] for name in outcome.appeared]
    body += [[name, "", "", "–", "", "vanished"] for name in outcome.vanished]
    return header, body


def ratio(line: Line) -> str:
    """Ratio and interval."""
    estimate = line.estimate
    return f"{estimate.ratio:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"


def sentences(outcome: Outcome) -> list[str]:
    """The answer in words, the whole of it first."""
    found = [_sentence(outcome), *worst(outcome), *one_sided(outcome)]
    return [*found, measured_on(outcome)] if outcome.data else found


def _sentence(outcome: Outcome) -> str:
    counted = Counter(line.verdict for line in outcome.lines)
    parts = [f"{count} {verdict}" for verdict, count in counted.items()]
    launched = _words(outcome).launched.format(launches=outcome.launches)
    until = ""
    if outcome.unit != COSTS:
        parts += [f"{len(outcome.appeared)} appeared"] if outcome.appeared else []
        parts += [f"{len(outcome.vanished)} vanished"] if outcome.vanished else []
        how = "every line was decided" if outcome.decided else "the time budget was spent"
        until = f", until {how}"
    return (
        f"{outcome.head} against {outcome.base}: {', '.join(parts)}; {launched} in "
        f"{outcome.elapsed_s:.0f} s{until}."
    )


def one_sided(outcome: Outcome) -> list[str]:
    """What exists on one side only: why the other lacks it, or which of a file's many it is."""
    both = (("appeared", outcome.appeared), ("vanished", outcome.vanished))
    if outcome.unit != COSTS:
        return [f"{name} {what}: {why}" for what, names in both for name, why in names.items()]
    found = []
    for (what, names), where in zip(both, ("not in the file", "only in the file"), strict=True):
        if names:
            shown = ", ".join(_bracketed(name) for name in list(names)[:_SHOWN])
            more = len(names) - _SHOWN
            rest = f" and {more} more (--json lists them)" if more > 0 else ""
            found.append(f"{len(names)} {what} ({where}): {shown}{rest}.")
    return found


def measured_on(outcome: Outcome) -> str:
    """Device and data of the benchmarks, and the libraries in which the sides differ."""
    text = "Measured on " + "; ".join(dict.fromkeys(outcome.data.values())) + "."
    base, head = (outcome.described[side]["versions"] for side in ("base", "head"))
    differing = [
        f"{name} {base.get(name, 'absent')} and {head.get(name, 'absent')}"
        for name in dict.fromkeys((*base, *head))
        if base.get(name) != head.get(name)
    ]
    return f"{text} Base and head have {', '.join(differing)}." if differing else text


def worst(outcome: Outcome) -> list[str]:
    """One sentence per benchmark that got slower, naming the phase that costs most time.

    None of a stored file's: each of its benchmarks is one phase.
    """
    found = []
    for name in dict.fromkeys(line.benchmark for line in outcome.slower):
        lines = {line.quantity: line for line in outcome.lines if line.benchmark == name}
        if outcome.unit == COSTS:
            continue
        phase = blamed(
            [line.base for line in lines.values()],
            [line.estimate.ratio for line in lines.values()],
            [line.verdict for line in lines.values()],
        )
        if phase is None:
            found.append(f"{name} is slower: {ratio(lines['total'])}; no phase stands out.")
            continue
        added_s = lines[phase].base * (lines[phase].estimate.ratio - 1)
        found.append(
            f"{name} is slower in {phase}: {ratio(lines[phase])}, "
            f"{milliseconds(added_s)} ms more per iteration."
        )
    return found


def markdown(outcome: Outcome, commands: Mapping[str, str]) -> str:
    """A comment for a pull request.

    Args:
        outcome: What was found.
        commands: By benchmark, what measures it again; by nothing, what measures all.
    """
    marks = {"slower": "🔴 slower", "faster": "🟢 faster"}
    lines = [f"### optbench: {_headline([line.verdict for line in outcome.lines])}", ""]
    slower = worst(outcome)
    for sentence in sentences(outcome):
        lines += [f"**{sentence}**" if sentence in slower else sentence, ""]
    header, body = table(outcome)
    for row in (header, ["---"] * len(header), *body):
        lines.append("| " + " | ".join(_cell(marks.get(cell, cell)) for cell in row) + " |")
    lines += ["", note(outcome), ""]
    if outcome.complaints:
        lines += ["Timings may be spoilt:", "", *(f"- {text}" for text in outcome.complaints), ""]
    again = [f"{name}: `{text}`" if name else f"`{text}`" for name, text in commands.items()]
    lines += ["To reproduce:", "", *(f"- {text}" for text in again)]
    return "\n".join(lines) + "\n"


def document(outcome: Outcome, commands: Mapping[str, str]) -> dict[str, Any]:
    """Everything, raw block times included, as JSON takes it; see :func:`markdown`."""
    stored = outcome.unit == COSTS
    common = {
        "base": outcome.base,
        "lines": [_line(line) for line in outcome.lines],
        "appeared": list(outcome.appeared) if stored else outcome.appeared,
        "vanished": list(outcome.vanished) if stored else outcome.vanished,
        "launches": outcome.launches,
        "elapsed_s": outcome.elapsed_s,
        "budget_s": outcome.budget_s,
        "complaints": outcome.complaints,
        "slower": sorted({line.benchmark for line in outcome.slower}),
    }
    if stored:
        return common | {"command": commands[""]}
    return common | {
        "head": outcome.head,
        "when": outcome.when,
        "machine": outcome.machine,
        "decided": outcome.decided,
        "sides": outcome.described,
        "data": outcome.data,
        "commands": dict(commands),
        "blocks_s": {
            name: [launch.tolist() for launch in launches]
            for name, launches in outcome.blocks.items()
        },
    }


def _line(line: Line) -> dict[str, Any]:
    """A line with the names that programs know: a suite's benchmark is one phase, with costs."""
    facts = asdict(line)
    base, head = facts.pop("base"), facts.pop("head")
    if facts.pop("unit") == COSTS:
        facts |= {"phase": facts.pop("quantity"), "base_cost": base, "head_cost": head}
    return facts


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
