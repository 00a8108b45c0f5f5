"""A comparison as a table, as Markdown for a pull request, and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.regress.compare import Comparison
from bench.regress.outcome import Line, Outcome
from bench.statistics.launches import Estimate, blamed
from bench.support.numbers import milliseconds
from bench.support.text import plural

_SHOWN = 6
_HEADER = ["benchmark", "phase", "base ms", "head ms", "head / base", "threshold", "verdict"]
_UNCHANGED = (
    "Unchanged: two one-sided tests reject a change as large as the threshold (5 % per line, so "
    "that the 99 % interval may reach beyond it)."
)
_NOTE = (
    "Intervals: 99 %, for all lines together and whenever it stopped (Bonferroni, error spending; "
    "Student's t over launches). Slower: the interval excludes 1 and the ratio exceeds the "
    f"threshold. {_UNCHANGED} Undecided: neither; a longer --budget narrows the interval. Ratios "
    "leave the fastest and the slowest fifth of iterations out, unless 'mean' stands there."
)
_FILE_HEADER = [
    "benchmark", "base cost", "head cost", "head / base", "threshold", "verdict", "base ms",
    "head ms",
]  # fmt: skip
_FILE_NOTE = (
    "Cost: multiples of a plain gradient measured in the same session; the verdict is on it. "
    "Milliseconds are of different days: advice only. Intervals: 99 %, for all lines together, and "
    "for what launches of today differ by: the file is taken to be one more of them, and no line "
    f"to scatter less than all do on average. {_UNCHANGED} What moves costs from day to day is not "
    "in them; two revisions in one session are safer."
)


@dataclass(frozen=True, kw_only=True)
class Account:
    """An outcome in words: what each kind of comparison says in its own way.

    Attributes:
        outcome: What was found.
        table: Its lines, under a header.
        note: What the table means.
        answer: All of it in one sentence.
        worst: One sentence per benchmark that got slower.
        remarks: What else there is to know.
        commands: What measures it again, as Markdown.
        document: Everything, as JSON takes it.
    """

    outcome: Outcome
    table: tuple[list[str], list[list[str]]]
    note: str
    answer: str
    worst: Sequence[str] = ()
    remarks: Sequence[str]
    commands: Sequence[str]
    document: Mapping[str, Any]


def of_sides(found: Comparison, commands: Mapping[str, str], tree: str = "") -> Account:
    """What is said of two sides.

    Args:
        found: As they were measured.
        commands: By benchmark, what measures it again.
        tree: Of a working tree that is no commit, what it is.
    """
    outcome = found.outcome
    one_sided = {"appeared": outcome.appeared, "vanished": outcome.vanished}
    unjudged = {"failed": outcome.failed, **one_sided}
    until = "every line was decided" if outcome.decided else "the time budget was spent"
    return Account(
        outcome=outcome,
        table=(
            _HEADER,
            [
                *([line.benchmark, line.quantity, *_judged(line)] for line in outcome.lines),
                *([name, "", "", "", "", "", "failed"] for name in outcome.failed),
                *([name, "", "–", "", "", "", "appeared"] for name in outcome.appeared),
                *([name, "", "", "–", "", "", "vanished"] for name in outcome.vanished),
            ],
        ),
        note=_NOTE,
        answer=_answer(
            outcome,
            f"{outcome.launches} launches of each in {outcome.elapsed_s:.0f} s, until {until}",
            *(f"{len(names)} {what}" for what, names in unjudged.items() if names),
        ),
        worst=_worst(outcome),
        remarks=[
            *(f"{name} {what}: {why}" for what in unjudged for name, why in unjudged[what].items()),
            *_rare(outcome),
            *outcome.remarks,
            *_detectable(outcome),
            _measured_on(found),
            *filter(None, [tree]),
        ],
        commands=[f"{name}: `{command}`" for name, command in commands.items()],
        document=_document(outcome)
        | one_sided
        | {
            "head": outcome.head,
            "when": found.when,
            "machine": found.machine,
            "decided": outcome.decided,
            "failed": outcome.failed,
            "measured": {name: list(ends) for name, ends in found.measured.items()},
            "remarks": outcome.remarks,
            "sides": found.described,
            "data": found.data,
            "commands": dict(commands),
            **{
                field: {
                    name: [launch[kind].tolist() for launch in launches]
                    for name, launches in found.blocks.items()
                }
                for kind, field in enumerate(("trimmed_blocks_s", "blocks_s"))
            },
        },
    )


def of_file(outcome: Outcome, command: str) -> Account:
    """What is said of the present code against a stored file of the suite.

    Args:
        outcome: What was found.
        command: What measures it again.
    """
    one_sided = {"appeared": outcome.appeared, "vanished": outcome.vanished}
    return Account(
        outcome=outcome,
        table=(
            _FILE_HEADER,
            [
                [_bracketed(n.benchmark), *_judged(n), *map(milliseconds, (n.base_s, n.head_s))]
                for n in outcome.lines
            ],
        ),
        note=_FILE_NOTE,
        answer=_answer(
            outcome, f"the suite ran {outcome.launches} times in {outcome.elapsed_s:.0f} s"
        ),
        remarks=[
            *outcome.remarks,
            *_detectable(outcome),
            *(_listed(what, names) for what, names in one_sided.items() if names),
        ],
        commands=[f"`{command}`"],
        document=_document(outcome)
        | {what: list(names) for what, names in one_sided.items()}
        | {"command": command},
    )


def markdown(account: Account) -> str:
    """A comment for a pull request."""
    marks = {"slower": "🔴 slower", "faster": "🟢 faster"}
    lines = [f"### optbench: {_headline(account.outcome)}", ""]
    worst = (f"**{text}**" for text in account.worst)
    for text in (account.answer, *worst, *account.remarks):
        lines += [text, ""]
    header, body = account.table
    for row in (header, ["---"] * len(header), *body):
        lines.append("| " + " | ".join(_cell(marks.get(cell, cell)) for cell in row) + " |")
    lines += ["", account.note, ""]
    if complaints := account.outcome.complaints:
        lines += ["Timings may be spoilt:", "", *(f"- {text}" for text in complaints), ""]
    lines += ["To reproduce:", "", *(f"- {command}" for command in account.commands)]
    return "\n".join(lines) + "\n"


def _judged(line: Line) -> list[str]:
    """Base, head, their ratio, the threshold and the verdict."""
    shown = milliseconds if line.unit == "s" else "{:.3f}×".format
    threshold = f"{100 * line.threshold:g} %"
    return [shown(line.base), shown(line.head), _ratio(line), threshold, line.verdict]


def _ratio(line: Line) -> str:
    """Ratio and interval."""
    return f"{_shown(line.estimate)}{' mean' if line.judged.by_mean else ''}"


def _shown(estimate: Estimate) -> str:
    return f"{estimate.ratio:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"


def _rare(outcome: Outcome) -> list[str]:
    """Lines whose change is in few iterations, with what all others say."""
    return [
        f"{line.benchmark} {line.quantity}: the change is in few iterations; without the fastest "
        f"and the slowest fifth the ratio is {_shown(line.judged.trimmed)}."
        for line in outcome.lines
        if line.judged.by_mean
    ]


def _detectable(outcome: Outcome) -> list[str]:
    """How small a change could have been found, where some lines are undecided."""
    if not any(line.verdict == "undecided" for line in outcome.lines):
        return []
    lines = sorted(outcome.lines, key=lambda line: line.estimate.detectable)
    ends = dict.fromkeys((lines[0], lines[-1]))
    shown = " to ".join(
        f"{max(n.estimate.detectable, n.threshold):.1%} ({_bracketed(n.benchmark)}"
        f"{f' {n.quantity}' if n.unit == 's' else ''})"
        for n in ends
    )
    return [f"The smallest change that could have been called slower or faster, by line: {shown}."]


def _answer(outcome: Outcome, how: str, *more: str) -> str:
    counted = Counter(line.verdict for line in outcome.lines)
    parts = [*(f"{count} {verdict}" for verdict, count in counted.items()), *more]
    return f"{outcome.head} against {outcome.base}: {', '.join(parts)}; {how}."


def _worst(outcome: Outcome) -> list[str]:
    """One sentence per benchmark that got slower, naming the phase that costs most time."""
    found = []
    for name in dict.fromkeys(line.benchmark for line in outcome.slower):
        lines = {line.quantity: line for line in outcome.lines if line.benchmark == name}
        phase = blamed(
            [line.base for line in lines.values()],
            [line.estimate.ratio for line in lines.values()],
            [line.verdict for line in lines.values()],
        )
        if phase is None:
            found.append(f"{name} is slower: {_ratio(lines['total'])}; no phase stands out.")
            continue
        added_s = lines[phase].base * (lines[phase].estimate.ratio - 1)
        found.append(
            f"{name} is slower in {phase}: {_ratio(lines[phase])}, "
            f"{milliseconds(added_s)} ms more per iteration."
        )
    return found


def _measured_on(found: Comparison) -> str:
    """Device and data of the benchmarks, and the libraries in which the sides differ."""
    text = "Measured on " + "; ".join(dict.fromkeys(found.data.values())) + "."
    base, head = (found.described[side]["versions"] for side in ("base", "head"))
    differing = [
        f"{name} {base.get(name, 'absent')} and {head.get(name, 'absent')}"
        for name in dict.fromkeys((*base, *head))
        if base.get(name) != head.get(name)
    ]
    return f"{text} Base and head have {', '.join(differing)}." if differing else text


def _listed(what: str, names: Mapping[str, str]) -> str:
    """The first of the benchmarks that one side of many lacks, with the reason they all have."""
    shown = ", ".join(_bracketed(name) for name in [*names][:_SHOWN])
    more = len(names) - _SHOWN
    rest = f" and {more} more (--json lists them)" if more > 0 else ""
    return f"{len(names)} {what} ({next(iter(names.values()))}): {shown}{rest}."


def _document(outcome: Outcome) -> dict[str, Any]:
    """What every kind of comparison tells a program."""
    return {
        "base": outcome.base,
        "slower": sorted({line.benchmark for line in outcome.slower}),
        "lines": [_line(line) for line in outcome.lines],
        "launches": outcome.launches,
        "elapsed_s": outcome.elapsed_s,
        "budget_s": outcome.budget_s,
        "complaints": outcome.complaints,
    }


def _line(line: Line) -> dict[str, Any]:
    """A line by the names that programs know: those of costs and of seconds differ."""
    fields = asdict(line)
    judged = fields.pop("judged")
    fields |= {"verdict": line.verdict, "estimate": asdict(line.estimate)}
    fields |= {"trimmed_mean": judged["trimmed"], "mean": judged["mean"]}
    base, head, unit = (fields.pop(name) for name in ("base", "head", "unit"))
    if unit == "s":
        return fields | {"base_s": base, "head_s": head}
    phase = fields.pop("quantity")
    return fields | {"phase": phase, "base_cost": base, "head_cost": head}


def _headline(outcome: Outcome) -> str:
    """What a whole comparison comes to."""
    verdicts = {line.verdict for line in outcome.lines}
    failed = f"; {plural(len(outcome.failed), 'benchmark')} failed" if outcome.failed else ""
    if "slower" in verdicts:
        return f"slower{failed}"
    if "undecided" in verdicts:
        return f"inconclusive: no regression found, some lines undecided{failed}"
    return f"not slower{failed}"


def _bracketed(name: str) -> str:
    """The parameters in the name of a test."""
    return name.partition("[")[2].rstrip("]") or name


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
