"""What is said of a comparison: rows, sentences, Markdown, and the names that programs read."""

from dataclasses import replace

import numpy as np
import pytest

from bench.regress import presentation
from bench.regress.compare import Comparison
from bench.regress.outcome import Line, Outcome
from bench.statistics.launches import KINDS, QUANTITIES, Estimate, Judged, Verdict

SLOWER: list[Verdict] = ["unchanged", "undecided", "slower", "slower"]
FASTER: list[Verdict] = ["faster"] * 4
ALIKE: list[Verdict] = ["unchanged"] * 4


def estimate(ratio: float) -> Estimate:
    return Estimate(
        ratio=ratio, low=ratio - 0.01, high=ratio + 0.01, alone=(ratio, ratio), launches=6
    )


def lines(name: str, verdicts: list[Verdict], ratio: float) -> list[Line]:
    """Phases that take 1, 2, 3 and altogether 6 ms."""
    return [
        Line(
            benchmark=name,
            quantity=quantity,
            base=base_ms * 1e-3,
            head=base_ms * 1e-3 * ratio,
            unit="s",
            judged=Judged(verdict=verdict, trimmed=estimate(ratio)),
            threshold=0.025,
        )
        for quantity, base_ms, verdict in zip(QUANTITIES, (1, 2, 3, 6), verdicts, strict=True)
    ]


def compared(*found: Line, decided: bool = True) -> Comparison:
    """Two sides with a benchmark that appeared and one that vanished."""
    described = {"threads": 1, "gpu": None, "commit": None}
    return Comparison(
        outcome=Outcome(
            base="main (a1)",
            head="working tree",
            lines=[*found],
            appeared={"quadratic/new": "no module 'a|b'"},
            vanished={"quadratic/old": "it is gone"},
            launches=6,
            elapsed_s=12.4,
            budget_s=20,
            decided=decided,
            complaints=["it was hot"],
        ),
        when="2026-01-02T03:04:05+00:00",
        machine={"cpu": "a cpu"},
        described={
            "base": described | {"versions": {"torch": "2.13", "numpy": "2.0"}},
            "head": described | {"versions": {"torch": "2.14"}},
        },
        data={"quadratic/a": "cpu, made up"},
        blocks={
            "quadratic/a": [np.stack([np.arange(8.0), np.arange(1.0, 9.0)]).reshape(2, 1, 2, 4)]
        },
    )


@pytest.fixture
def judged() -> Outcome:
    """A stored file with two benchmarks, one of which got slower; others came and went."""
    found: list[tuple[str, float, Verdict]] = [("a", 1.0, "unchanged"), ("b", 1.2, "slower")]
    return Outcome(
        base="base.json",
        head="This code",
        lines=[
            Line(
                benchmark=f"test_throughput[mnist-{name}-step]",
                quantity="step",
                base=1.5,
                head=1.5 * ratio,
                unit="plain gradients",
                base_s=0.01,
                head_s=0.02,
                judged=Judged(verdict=verdict, trimmed=estimate(ratio)),
                threshold=0.025,
            )
            for name, ratio, verdict in found
        ],
        appeared={f"test[{number}]": "not in the file" for number in range(8)},
        vanished={"test[z]": "only in the file"},
        launches=5,
        elapsed_s=9,
        budget_s=8,
    )


def test_each_line_of_two_sides_is_a_row_and_what_one_side_lacks_comes_after() -> None:
    header, body = presentation.of_sides(compared(*lines("quadratic/a", SLOWER, 1.2)), {}).table
    assert header == [
        "benchmark",
        "phase",
        "base ms",
        "head ms",
        "head / base",
        "threshold",
        "verdict",
    ]
    assert body[2] == [
        "quadratic/a",
        "step",
        "3.00",
        "3.60",
        "1.200 (1.190–1.210)",
        "2.5 %",
        "slower",
    ]
    assert body[4:] == [
        ["quadratic/new", "", "–", "", "", "", "appeared"],
        ["quadratic/old", "", "", "–", "", "", "vanished"],
    ]


@pytest.mark.parametrize(
    ("decided", "until"), [(True, "every line was decided"), (False, "the time budget was spent")]
)
def test_the_answer_counts_verdicts_and_says_why_it_ended(decided: bool, until: str) -> None:
    found = compared(*lines("quadratic/a", SLOWER, 1.2), decided=decided)
    assert presentation.of_sides(found, {}).answer == (
        "working tree against main (a1): 1 unchanged, 1 undecided, 2 slower, 1 appeared, "
        f"1 vanished; 6 launches of each in 12 s, until {until}."
    )


def test_the_phase_that_costs_most_is_named_with_what_it_costs() -> None:
    """3 ms that take 1.2 times as long are 0.6 ms more; a total alone has no phase to name."""
    total: list[Verdict] = ["unchanged", "unchanged", "unchanged", "slower"]
    found = compared(
        *lines("quadratic/a", SLOWER, 1.2),
        *lines("quadratic/b", total, 1.1),
        *lines("quadratic/c", FASTER, 0.8),
    )
    assert presentation.of_sides(found, {}).worst == [
        "quadratic/a is slower in step: 1.200 (1.190–1.210), 0.600 ms more per iteration.",
        "quadratic/b is slower: 1.100 (1.090–1.110); no phase stands out.",
    ]


def test_remarks_say_why_a_side_lacks_something_and_in_which_libraries_they_differ() -> None:
    assert presentation.of_sides(compared(), {}).remarks == [
        "quadratic/new appeared: no module 'a|b'",
        "quadratic/old vanished: it is gone",
        "Measured on cpu, made up. Base and head have torch 2.13 and 2.14, numpy 2.0 and absent.",
    ]


def test_how_small_a_change_could_have_been_found_is_said_where_a_line_is_undecided() -> None:
    """Intervals of ±0.01 around 1.2 and 1.0: 0.83 and 1 %, but the threshold is 2.5 %."""
    found = [*lines("quadratic/a", SLOWER, 1.2), *lines("quadratic/b", SLOWER, 0.2)]
    assert presentation.of_sides(compared(*found), {}).remarks[2] == (
        "The smallest change that could have been called slower or faster, by line: 2.5% "
        "(quadratic/a forward) to 5.0% (quadratic/b total)."
    )
    (remark, *_) = presentation.of_sides(compared(*lines("quadratic/a", ALIKE, 1.2)), {}).remarks
    assert "smallest" not in remark


def test_a_change_that_only_the_mean_shows_is_marked() -> None:
    *others, step, total = lines("quadratic/a", SLOWER, 1.2)
    mean, trimmed = replace(step.estimate, kind=KINDS[1]), estimate(1.0)
    judged = Judged(verdict="slower", trimmed=trimmed, mean=mean, by_mean=True)
    step = replace(step, judged=judged)
    account = presentation.of_sides(compared(*others, step, total), {})
    assert account.table[1][2][-3:] == ["1.200 (1.190–1.210) mean", "2.5 %", "slower"]
    assert "slower in step: 1.200 (1.190–1.210) mean, 0.600 ms more" in account.worst[0]
    assert account.remarks[2] == (
        "quadratic/a step: the change is in few iterations; without the fastest and the slowest "
        "fifth the ratio is 1.000 (0.990–1.010)."
    )


def test_what_failed_is_a_row_with_its_reason_and_in_the_title() -> None:
    found = compared(*lines("quadratic/a", SLOWER, 1.2))
    found.outcome.failed = {"quadratic/b": "main failed in quadratic/b: ValueError"}
    account = presentation.of_sides(found, {})
    assert account.table[1][4] == ["quadratic/b", "", "", "", "", "", "failed"]
    assert account.remarks[0] == "quadratic/b failed: main failed in quadratic/b: ValueError"
    assert ", 1 failed, 1 appeared, 1 vanished; " in account.answer
    assert presentation.markdown(account).startswith("### optbench: slower; 1 benchmark failed\n")


def test_what_was_noticed_of_a_course_is_said() -> None:
    found = compared()
    found.outcome.remarks = ["quadratic/a: iterations 5 to 54 of training."]
    assert "iterations 5 to 54" in presentation.of_sides(found, {}).remarks[2]


def test_of_a_working_tree_that_is_no_commit_it_is_said_what_it_is() -> None:
    assert presentation.of_sides(compared(), {}, "It is so.").remarks[-1] == "It is so."


@pytest.mark.parametrize(
    ("verdicts", "headline"),
    [
        (SLOWER, "slower"),
        (["undecided"] * 4, "inconclusive: no regression found, some lines undecided"),
        (ALIKE, "not slower"),
        (FASTER, "not slower"),
    ],
    ids=["slower", "undecided", "unchanged", "faster"],
)
def test_a_comment_begins_with_what_it_comes_to(verdicts: list[Verdict], headline: str) -> None:
    account = presentation.of_sides(compared(*lines("quadratic/a", verdicts, 1.2)), {})
    assert presentation.markdown(account).splitlines()[0] == f"### optbench: {headline}"


def test_a_comment_marks_what_got_slower_and_says_how_to_measure_it_again() -> None:
    commands = {"quadratic/a": "optbench regress main"}
    account = presentation.of_sides(compared(*lines("quadratic/a", SLOWER, 1.2)), commands)
    text = presentation.markdown(account)
    assert "| 1.200 (1.190–1.210) | 2.5 % | 🔴 slower |" in text
    assert "**quadratic/a is slower in step: " in text
    assert "Timings may be spoilt:\n\n- it was hot\n" in text
    assert text.endswith("To reproduce:\n\n- quadratic/a: `optbench regress main`\n")


def test_the_document_of_two_sides_has_the_names_that_programs_know() -> None:
    found = compared(*lines("quadratic/a", SLOWER, 1.2))
    document = presentation.of_sides(found, {"quadratic/a": "again"}).document
    assert document.keys() == {
        "base", "head", "when", "machine", "slower", "lines", "appeared", "vanished", "launches",
        "elapsed_s", "budget_s", "decided", "complaints", "sides", "data", "commands", "blocks_s",
        "trimmed_blocks_s", "failed", "measured", "remarks",
    }  # fmt: skip
    assert document["slower"] == ["quadratic/a"]
    line = document["lines"][2]
    assert line.keys() == {
        "benchmark", "quantity", "base_s", "head_s", "estimate", "trimmed_mean",
        "mean", "threshold", "verdict",
    }  # fmt: skip
    assert (line["quantity"], line["base_s"]) == ("step", 0.003)
    assert document["appeared"] == {"quadratic/new": "no module 'a|b'"}
    assert document["trimmed_blocks_s"] == {"quadratic/a": [[[[0, 1, 2, 3], [4, 5, 6, 7]]]]}
    assert document["blocks_s"] == {"quadratic/a": [[[[1, 2, 3, 4], [5, 6, 7, 8]]]]}


def test_a_file_is_judged_by_costs_and_its_milliseconds_are_advice(judged: Outcome) -> None:
    account = presentation.of_file(judged, "again")
    header, body = account.table
    assert dict(zip(header, body[1], strict=True)) == {
        "benchmark": "mnist-b-step",
        "base cost": "1.500×",
        "head cost": "1.800×",
        "head / base": "1.200 (1.190–1.210)",
        "threshold": "2.5 %",
        "verdict": "slower",
        "base ms": "10.0",
        "head ms": "20.0",
    }
    assert account.answer == (
        "This code against base.json: 1 unchanged, 1 slower; the suite ran 5 times in 9 s."
    )
    assert presentation.markdown(account).endswith("To reproduce:\n\n- `again`\n")


def test_of_many_benchmarks_that_the_file_lacks_the_first_are_named(judged: Outcome) -> None:
    assert presentation.of_file(judged, "again").remarks == [
        "8 appeared (not in the file): 0, 1, 2, 3, 4, 5 and 2 more (--json lists them).",
        "1 vanished (only in the file): z.",
    ]


def test_the_document_of_a_file_has_the_names_that_programs_know(judged: Outcome) -> None:
    document = presentation.of_file(judged, "again").document
    assert document.keys() == {
        "base", "lines", "appeared", "vanished", "launches", "elapsed_s", "budget_s", "complaints",
        "slower", "command",
    }  # fmt: skip
    line = document["lines"][1]
    assert line.keys() == {
        "benchmark", "phase", "base_cost", "head_cost", "base_s", "head_s", "estimate",
        "trimmed_mean", "mean", "threshold", "verdict",
    }  # fmt: skip
    assert (line["phase"], line["base_cost"], line["base_s"]) == ("step", 1.5, 0.01)
    assert document["slower"] == ["test_throughput[mnist-b-step]"]
    assert (document["vanished"], document["command"]) == (["test[z]"], "again")
