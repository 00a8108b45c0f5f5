"""What is said of a group of runs: curvature, targets, and the runs behind the numbers."""

import math
from typing import Any

from bench.report.document import Table
from bench.runs.record import RunRecord
from tests.bench.records import made_curvature, made_record, made_refusal
from tests.bench.report.cases import blocks, comparison, made


def test_the_share_of_curvature_is_told_where_there_is_some() -> None:
    def captions(records: list[RunRecord]) -> str:
        return " ".join(b.caption for b in blocks(made(records)) if isinstance(b, Table))

    assert "curvature" not in captions(comparison())
    assert "curvature" in captions(comparison(curvature=made_curvature(0)))


def tables(records: list[RunRecord], **options: Any) -> dict[str, Table]:
    """All tables of a report by caption."""
    found = blocks(made(records, **options))
    return {block.caption: block for block in found if isinstance(block, Table)}


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_runs_behind_the_numbers_say_how_they_ended() -> None:
    lost = made_record(
        label="one", run_id="lost", seed=2, minutes=2, losses=[2.0, math.inf], iterations=3,
        status="diverged", diverged_at=1, error="",
    )  # fmt: skip
    failed = made_record(
        label="one", run_id="failed", seed=3, minutes=3, losses=[], iterations=3, evaluations=[],
        status="failed", error="Traceback\n  File\nOSError: no", commit="0123456789abcdef-dirty",
    )  # fmt: skip
    found = tables([*comparison(), lost, failed])["Runs of one"]
    names = [column.name for column in found.columns]
    assert names[:4] == ["run", "seed", "status", "iterations"]
    assert [line[1:4] for line in texts(found)] == [
        ["0", "completed", "3"],
        ["1", "completed", "3"],
        ["2", "diverged at iteration 1", "2"],
        ["3", "failed", "0"],
    ]
    assert [line[names.index("train loss")] for line in texts(found)] == ["1.17", "1.50", "–", "–"]
    assert [line[names.index("backward ms")] for line in texts(found)][2:] == ["3.00", "–"]
    assert [line[-1] for line in texts(found)] == ["–", "–", "–", "0123456789-dirty"]
    assert found.rows[3].cells[2].tip == "OSError: no"


def test_times_to_targets_count_who_got_there() -> None:
    found = tables(comparison(), wanted=[("accuracy", 0.5), ("accuracy", 0.95)])
    assert texts(found["Clocked seconds to a test accuracy of"]) == [
        ["one", "0.0150", "∞"], ["two", "0.0150", "∞"],
    ]  # fmt: skip
    details = [cell.detail for cell in found["Clocked seconds to a test accuracy of"].rows[0].cells]
    assert details == [
        "", "0.0150–0.0150, 2 of 2 runs, seen from 0 to 0.0300", "∞–∞, 0 of 2 runs",
    ]  # fmt: skip


def test_where_nothing_was_timed_targets_are_in_iterations() -> None:
    found = tables(comparison(shared=True), wanted=[("accuracy", 0.5)])
    assert texts(found["Iterations to a test accuracy of"]) == [["one", "2"], ["two", "2"]]


def test_settings_are_told_with_the_name_in_the_registry() -> None:
    records = [made_record(label="fast", settings={"lr": 0.5}), made_record(label="slow")]
    assert texts(tables(records)["Settings"]) == [
        ["fast", "sgd", "lr=0.5"],
        ["slow", "sgd", "lr=0.1"],
    ]


def test_what_is_not_applicable_has_runs_and_no_times_to_targets() -> None:
    found = tables([*comparison(), made_refusal()], wanted=[("accuracy", 0.9)])
    times = next(table for caption, table in found.items() if caption.startswith("Clocked seconds"))
    assert [row[0] for row in texts(times)] == ["one", "two"]
    (run,) = texts(found["Runs of refused"])
    assert run[1:4] == ["0", "not applicable", "0"]


def test_certified_steps_are_told_where_anybody_has_some() -> None:
    """Of an accuracy of 0.9 in all seeds, after 3 iterations."""
    caption = "Iterations to a test accuracy, certified"
    found = tables(comparison(), wanted=[("accuracy", 0.5), ("accuracy", 0.95)])
    assert texts(found[caption]) == [["one", "3", "–"], ["two", "3", "–"]]
    assert found[caption].rows[0].cells[2].tip == "it is not past it for certain"
    assert caption not in tables(comparison(), wanted=[("accuracy", 0.95)])
    known = tables(comparison(), wanted=[("accuracy", 0.5)], sigma=9.0)
    assert caption not in known
