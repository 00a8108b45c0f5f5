"""A record says in two lines what it is, how it ended and where it is."""

from pathlib import Path
from typing import Any

import pytest

import bench
from tests.bench.records import made_record

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: it broke\n'


@pytest.mark.parametrize(
    ("fields", "first", "second"),
    [
        (
            {},
            "<RunRecord: sgd on mnist_logreg, seed 0: completed after 3 iterations, train loss 1.1",
            " test loss 0.4, accuracy 0.9; not stored>",
        ),
        (
            {"status": "failed", "error": TRACEBACK, "losses": [2.0], "evaluations": []},
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
