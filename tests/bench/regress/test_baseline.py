"""Stored files of the suite: what is accepted, and what is refused."""

import json
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.regress import baseline
from tests.bench.regress.baselines import document, stored


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"benchmarks": [', "is no complete JSON file"),
        ("{}", "is not of optbench's suite"),
        ("[1, 2]", "is not of optbench's suite"),
        ('{"machine_info": {}, "benchmarks": []}', "is not of optbench's suite"),
        (json.dumps(document({})), "is not of optbench's suite"),
        (json.dumps(document({"sgd": 1.0})).replace("relative_cost", "x"), "is not of optbench's"),
        ("null", "is not of optbench's suite .it lacks 'benchmarks'"),
        (json.dumps(document({"sgd": 1.0}, versions=None)), "it lacks 'versions in machine_info'"),
        (json.dumps(document({"sgd": 1.0}, allocator={})), "it lacks 'allocator in machine_info'"),
        (
            json.dumps(document({"sgd": 1.0}) | {"machine_info": {"optbench": "x"}}),
            "it lacks 'optbench in machine_info'",
        ),
        (json.dumps(document({"sgd": 0.0})), "it lacks positive costs and times: it has 0.0"),
    ],
)
def test_truncated_and_foreign_files_are_told_apart(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        baseline.read(path)


def test_a_file_knows_its_commit_and_time(tmp_path: Path) -> None:
    found = stored(tmp_path, {"sgd": 1.0})
    assert found.commit == "c0ffee-dirty"
    assert (found.when.year, found.when.hour) == (2026, 3)


def test_a_file_from_outside_a_repository_has_no_commit(tmp_path: Path) -> None:
    made = document({"sgd": 1.0}) | {"commit_info": {"id": "unversioned", "dirty": False}}
    path = tmp_path / "b.json"
    path.write_text(json.dumps(made))
    assert baseline.read(path).commit is None


def test_costs_of_several_files_are_of_one_kind(tmp_path: Path) -> None:
    """Of means where all files have them; one older file makes them all medians."""
    new, old = stored(tmp_path, {"sgd": 2.0}), tmp_path / "old.json"
    made = document({"sgd": 3.0})
    for item in made["benchmarks"]:
        del item["extra_info"]["relative_cost_median"]
    old.write_text(json.dumps(made))
    before = baseline.read(old)
    assert (new.by_mean, before.by_mean) == (True, False)
    assert [set(costs.values()) for costs in baseline.costs([new, new])] == [{2.0}, {2.0}]
    assert [set(costs.values()) for costs in baseline.costs([new, before])] == [{1.8}, {3.0}]
