"""Where numbers come from: the command that is given makes the same runs again."""

import shlex
from typing import Any

import pytest

from bench.report.sections import origin
from bench.runs import settings as options
from bench.runs.spec import RunSpec
from tests.bench.records import made_record


def asked_for(command: str) -> list[RunSpec]:
    """The runs that a command line asks for, as ``optbench run`` reads it."""
    words = shlex.split(command)
    assert words[:2] == ["optbench", "run"]
    given: dict[str, list[str]] = {}
    for name, value in zip(words[2::2], words[3::2], strict=True):
        given.setdefault(name, []).append(value)
    base = RunSpec(
        problem=given["-p"][0],
        batch_size=int(given["--batch-size"][0]),
        iterations=int(given["--iterations"][0]),
        until=options.parse_until(given.get("--until", [None])[0]),
        split=given["--split"][0],
    )
    seeds = options.parse_seeds(given["--seeds"][0])
    return options.comparison_specs(
        base, given["-o"], given.get("--set", []), seeds,
        steps=given.get("--step", []), groups=given.get("--group", []),
    )  # fmt: skip


@pytest.mark.parametrize("seeds", [[0], [5], [0, 1, 2], [3, 9]])
def test_the_command_asks_for_the_same_runs(seeds: list[int]) -> None:
    records = [
        made_record(seed=seed, optimizer=optimizer, label=label, settings=settings)
        for seed in seeds
        for label, optimizer, settings in (
            ("sgd", "sgd", {"lr": 0.1}),
            ("fast", "sgd", {"lr": 0.5}),
            ("adam", "adam", {"lr": 0.01, "betas": [0.9, 0.95]}),
        )
    ]
    specs = asked_for(origin.rerun(records))
    assert {spec.seed for spec in specs} == set(seeds)
    first = {spec.label: spec for spec in specs}
    assert [(s.label, s.optimizer) for s in first.values()] == [
        ("sgd", "sgd"), ("fast", "sgd"), ("adam", "adam"),
    ]  # fmt: skip
    assert dict(first["fast"].hyperparameters) == {"lr": 0.5}
    assert dict(first["adam"].hyperparameters) == {"lr": 0.01, "betas": (0.9, 0.95)}
    assert first["sgd"].iterations == 3
    assert first["sgd"].batch_size == 128


def test_how_steps_are_taken_and_groups_are_asked_for_too() -> None:
    groups = [["ndim<2", {"weight_decay": 0.0, "lr": 0.5}], ["*.bias", {"lr": 0.1}]]
    record = made_record(label="sam", optimizer="m:SAM", settings={"lr": 0.1})
    record.config.update(groups=groups, step="backward_then_closure")  # type: ignore[attr-defined]
    (spec,) = asked_for(origin.rerun([record]))
    assert spec.step == "backward_then_closure"
    assert spec.groups == tuple((selector, own) for selector, own in groups)


def test_a_target_and_a_label_that_no_option_can_hold() -> None:
    record = made_record(label="a.b, c", until=("accuracy", 0.97))
    (spec,) = asked_for(origin.rerun([record]))
    assert spec.optimizer == "sgd"
    assert spec.until == ("accuracy", 0.97)


def test_hostile_names_stay_one_word_each() -> None:
    command = origin.rerun([made_record(problem="x; rm -rf /", optimizer="$(reboot)")])
    assert shlex.split(command)[3] == "x; rm -rf /"


def facts(**fields: Any) -> dict[str, str]:
    return dict(origin.facts([made_record(**fields)], "optbench report"))


def test_facts_name_command_data_machine_and_versions() -> None:
    found = facts()
    assert found["Report made by"] == "optbench report"
    assert found["Data"] == "MNIST (here)"
    assert "A processor, 2 cores, 2 threads, no GPU" in found["Machine"]
    assert found["Versions"] == "torch 2.14"
    assert found["Commit"] == "not in a git repository"


def test_a_gpu_and_a_dirty_commit_are_named() -> None:
    found = facts(gpu={"name": "H100"}, commit="0123456789abcdef-dirty")
    assert "H100" in found["Machine"]
    assert found["Commit"] == "0123456789-dirty"
