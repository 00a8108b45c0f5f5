"""A record's facts, what is no record, and how one is shown."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench.runs.record import COLUMNS, RunRecord, reaches
from tests.bench.records import made_curvature, made_record

TRACEBACK = """Traceback (most recent call last):
  File "loop.py", line 1, in run
    step()
ValueError: first line
second line
"""


def test_the_key_is_the_id_and_the_start() -> None:
    assert made_record().key == "0123456789abcdef-20260102T030405678901Z"


def test_metadata_are_strict_json_and_come_back() -> None:
    record = made_record(
        evaluations=[{"iteration": 3.0, "seconds": 0.03, "loss": math.inf, "accuracy": 0.5}],
        curvature=made_curvature(0, damping=math.inf),
        peak_memory_bytes=2**40,
        warmup_s=0.5,
    )
    facts = json.loads(json.dumps(record.metadata(), allow_nan=False))
    again = RunRecord.from_metadata(facts, record.values)
    assert again.metadata() == record.metadata()
    assert again.started_at == record.started_at
    assert again.evaluations == record.evaluations
    assert again.curvature == record.curvature


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 4}, "schema version 4, this optbench reads 1 to 3"),
        ({"schema_version": None}, "schema version None"),
        ({"status": ...}, "metadata lacks status"),
        ({"config": {}}, "metadata of config lacks batch_size, device, dtype"),
        ({"evaluations": [{"iteration": 0}]}, "an evaluation lacks one of accuracy, iteration"),
        ({"curvature": [{"layer": "all"}]}, "a row of curvature is not iteration, layer, damping"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_no_record_is_told(change: dict[str, Any], message: str) -> None:
    facts = made_record().metadata() | change
    facts = {name: value for name, value in facts.items() if value is not ...}
    with pytest.raises(ValueError, match=message):
        RunRecord.from_metadata(facts, made_record().values)


def test_other_columns_are_told() -> None:
    record = made_record()
    values = {name: record.values[name] for name in COLUMNS[::-1]}
    with pytest.raises(ValueError, match=r"columns are step_s, .*, not iteration, loss"):
        RunRecord.from_metadata(record.metadata(), values)


def test_seconds_are_those_of_all_phases() -> None:
    record = made_record(losses=[1.0, 2.0], phase_s=(1.0, 0.5, 0.25, 0.125))
    assert record.seconds.tolist() == [1.875, 1.875]
    assert list(record.iterations.columns) == list(COLUMNS)
    np.testing.assert_array_equal(record.iterations["loss"], [1.0, 2.0])


@pytest.mark.parametrize(
    ("until", "reached"),
    [
        (None, False),
        (("accuracy", 0.9), True),
        (("accuracy", 0.91), False),
        (("loss", 0.4), True),
        (("loss", 0.39), False),
    ],
    ids=str,
)
def test_a_target_is_reached_by_the_last_evaluation(
    until: tuple[str, float] | None, reached: bool
) -> None:
    assert made_record(until=until).target_reached is reached
    assert not made_record(until=until, evaluations=[]).target_reached


def test_nothing_that_is_no_number_reaches_a_target() -> None:
    assert (reaches(0.9, 0.8, "max"), reaches(0.9, 0.8, "min")) == (True, False)
    assert (reaches(0.8, 0.8, "max"), reaches(0.8, 0.8, "min")) == (True, True)
    assert (reaches(math.nan, 0.8, "max"), reaches(math.nan, 0.8, "min")) == (False, False)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TRACEBACK, "ValueError: first line"),
        ("The worker process died", "The worker process died"),
        ("", ""),
        ("  only a frame", ""),
    ],
    ids=["traceback", "sentence", "none", "frame"],
)
def test_the_reason_of_a_failure_is_its_exception(error: str, reason: str) -> None:
    assert made_record(status="failed", error=error).reason == reason


def test_the_reason_of_what_is_not_applicable_is_all_of_it_in_one_line() -> None:
    record = made_record(
        status="not_applicable", error="no rule for Tanh:\n  use another", losses=[]
    )
    assert record.reason == "no rule for Tanh: use another"
    assert "not applicable after 0 iterations: no rule for Tanh: use another" in repr(record)
    assert record.ended == "not applicable"
    assert record.refusal == "sgd: not applicable: no rule for Tanh: use another"


def test_how_another_run_ended_is_no_refusal() -> None:
    diverged = made_record(status="diverged", diverged_at=3)
    failed = made_record(status="failed", error="OSError: no")
    assert (diverged.ended, diverged.refusal) == ("diverged at iteration 3", "")
    assert (failed.ended, failed.refusal) == ("failed", "")


def test_a_target_comes_back_as_a_number() -> None:
    facts = made_record(until=("loss", -math.inf)).metadata()
    assert RunRecord.from_metadata(facts, made_record().values).config["until"] == [
        "loss", -math.inf,
    ]  # fmt: skip


def test_a_relabelled_record_is_otherwise_the_same() -> None:
    record = made_record()
    other = record.relabelled("fast")
    assert (other.label, record.label) == ("fast", "sgd")
    assert replace(other, config=record.config).metadata() == record.metadata()


BROKE = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: it broke\n'


@pytest.mark.parametrize(
    ("fields", "first", "second"),
    [
        (
            {},
            "<RunRecord: sgd on mnist_logreg, seed 0: completed after 3 iterations, train loss 1.1",
            " test loss 0.4, accuracy 0.9; not stored>",
        ),
        (
            {"status": "failed", "error": BROKE, "losses": [2.0], "evaluations": []},
            "seed 0: failed after 1 iteration: ValueError: it broke",
            " test not evaluated; not stored>",
        ),
        (
            {"status": "failed", "error": "ValueError: " + 99 * "long ", "label": "a\nb"},
            ": ValueError: long long long long long long long long long lo…",
            "",
        ),
        (
            {"status": "interrupted", "losses": [], "evaluations": [], "split": "validation"},
            "interrupted after 0 iterations",
            " validation not evaluated; not stored>",
        ),
        (
            {"role": "plain_gradient", "label": "plain gradient", "metrics": {}, "losses": [1.0]},
            "<RunRecord: plain_gradient run of plain gradient on mnist_logreg",
            " test not evaluated; not stored>",
        ),
    ],
    ids=["completed", "failed", "a long reason", "interrupted at once", "a yardstick"],
)
def test_a_record_is_shown_on_two_lines(fields: dict[str, Any], first: str, second: str) -> None:
    lines = repr(made_record(**fields)).splitlines()
    assert len(lines) == 2
    assert first in lines[0]
    assert second in lines[1]


def test_where_a_record_is_stored_is_shown_and_not_stored_itself(tmp_path: Path) -> None:
    path = bench.save(made_record(), tmp_path)
    (record,) = bench.load(tmp_path)
    assert record.path == path
    assert f"; {path}>" in repr(record)
    assert "path" not in record.metadata()
