"""Stored runs become comparisons: like with like, the newest execution, labels that say which."""

from typing import Any

import pytest

from bench.comparison import groups
from bench.comparison.groups import Group
from bench.runs.record import RunRecord
from tests.bench.records import made_record


def only(records: list[RunRecord], **options: Any) -> Group:
    (group,) = groups.split(records, **options)
    return group


@pytest.mark.parametrize(
    ("field", "other", "told"),
    [
        ("problem", "mnist_cnn", "mnist_cnn, 3 iterations"),
        ("batch_size", 64, "mnist_logreg, 3 iterations, batch size 64"),
        ("device", "cuda", "mnist_logreg, 3 iterations, on cuda"),
        ("dtype", "float64", "mnist_logreg, 3 iterations, float64"),
        ("split", "validation", "mnist_logreg, 3 iterations, judged on validation"),
        ("threads", 1, "mnist_logreg, 3 iterations, threads: 1"),
        ("versions", {"torch": "2.6"}, "mnist_logreg, 3 iterations, torch 2.6"),
        ("fingerprint", "xyz", "mnist_logreg, 3 iterations, A processor xyz"),
        ("iterations", 9, "mnist_logreg, 9 iterations"),
        ("seconds", 2.0, "mnist_logreg, 3 iterations or 2 s"),
        ("until", ("accuracy", 0.9), "mnist_logreg, until accuracy=0.9, 3 iterations at most"),
    ],
)
def test_runs_under_other_conditions_are_another_group(field: str, other: Any, told: str) -> None:
    records = [made_record(), made_record(minutes=1, **{field: other})]
    later, earlier = groups.split(records)
    assert later.name == told
    assert [len(later.training), len(earlier.training)] == [1, 1]


def test_the_group_with_the_latest_run_comes_first() -> None:
    records = [
        made_record(problem="old", minutes=0),
        made_record(problem="new", minutes=2),
        made_record(problem="old", seed=1, minutes=1),
    ]
    assert [group.first.config["problem"] for group in groups.split(records)] == ["new", "old"]


def test_the_newest_finished_execution_counts() -> None:
    records = [
        made_record(minutes=0, losses=[1.0]),
        made_record(minutes=1, losses=[2.0], iterations=1),
        made_record(minutes=2, losses=[3.0], status="interrupted"),
    ]
    for record in records:
        record.config["iterations"] = 3  # type: ignore[index]
    group = only(list(reversed(records)))
    assert [record.values["loss"][0] for record in group.training] == [2.0]
    assert group.superseded == 2


def test_after_an_edit_runs_of_other_code_are_not_mixed_in() -> None:
    """Of one label, what the newest run's code is: seeds that were not run again are left out."""
    old = [made_record(seed=seed, minutes=seed) for seed in range(3)]
    new = [made_record(seed=seed, minutes=5 + seed) for seed in (0, 1)]
    for record in new:
        record.environment["source"] = "edited"  # type: ignore[index]
    group = only([*old, *new])
    assert [(r.config["seed"], r.environment.get("source")) for r in group.training] == [
        (0, "edited"),
        (1, "edited"),
    ]
    assert group.superseded == 3
    failed = made_record(seed=2, minutes=9, status="failed")
    failed.environment["source"] = "broken"  # type: ignore[index]
    assert len(only([*old, failed]).training) == 3


def test_whole_numbers_and_floats_are_one_setting() -> None:
    records = [made_record(seed=seed, settings={"lr": lr}) for seed, lr in ((0, 1), (1, 1.0))]
    assert {record.label for record in only(records).training} == {"sgd"}


def test_an_execution_that_had_the_machine_for_itself_counts_before_a_later_one() -> None:
    group = only([made_record(minutes=0), made_record(minutes=1, shared=True)])
    assert not group.training[0].shared


@pytest.mark.parametrize("interrupted_at", [0, 2], ids=["before", "after"])
def test_a_finished_execution_counts_before_one_that_had_the_machine_for_itself(
    interrupted_at: float,
) -> None:
    """What a run found matters more than how well it was timed."""
    group = only(
        [
            made_record(minutes=1, shared=True),
            made_record(minutes=interrupted_at, status="interrupted"),
        ]
    )
    assert [(r.status, r.shared) for r in group.training] == [("completed", True)]


def test_a_failed_run_stays_where_there_is_no_better_one() -> None:
    assert only([made_record(status="failed", losses=[])]).training[0].status == "failed"


def test_a_label_with_several_settings_is_told_apart_by_what_differs() -> None:
    records = [
        made_record(settings={"lr": 0.1, "momentum": 0.9}),
        made_record(settings={"lr": 0.5, "momentum": 0.9}),
        made_record(label="adam", optimizer="adam"),
    ]
    labels = [record.label for record in only(records).training]
    assert labels == ["sgd (lr=0.1)", "sgd (lr=0.5)", "adam"]


def test_a_label_for_several_optimizers_is_told_apart_by_them() -> None:
    records = [made_record(label="mine"), made_record(label="mine", optimizer="adam")]
    assert [r.label for r in only(records).training] == ["mine (sgd)", "mine (adam)"]


def test_a_label_whose_steps_are_taken_in_several_ways_is_told_apart_by_them() -> None:
    records = [made_record(), made_record(), made_record()]
    for record, step in zip(records[1:], ("", "closure"), strict=True):  # older ones have none
        record.config["step"] = step  # type: ignore[index]
    found = [record.label for record in only(records).training]
    assert sorted(set(found)) == ["sgd (step as it tells)", "sgd (step closure)"]


def test_a_label_with_several_parameter_groups_is_told_apart_by_them() -> None:
    records = [made_record(), made_record(), made_record()]
    for record, groups_ in zip(records[1:], ((), [["ndim<2", {"lr": 1}]]), strict=True):
        record.config["groups"] = groups_  # type: ignore[index]
    found = [record.label for record in only(records).training]
    assert sorted(set(found)) == ["sgd (ndim<2: lr=1)", "sgd (no groups)"]


def test_labels_stay_apart_whatever_they_are() -> None:
    records = [
        made_record(label="a (lr=1)", settings={"lr": 2}),
        made_record(label="a", settings={"lr": 1}),
        made_record(label="a", settings={"lr": 3}),
    ]
    labels = [record.label for record in only(records).training]
    assert len(set(labels)) == 3


def test_runs_of_sweeps_are_left_to_their_sweeps() -> None:
    records = [made_record(session="a sweep"), made_record(session="s1", seed=1)]
    assert only(records, sweeps=["a sweep"]).seeds == [1]
    assert only(records).seeds == [0, 1]


def test_yardsticks_and_memory_go_to_their_group() -> None:
    records = [
        made_record(),
        made_record(role="plain_gradient", label="plain gradient"),
        made_record(role="plain_gradient", label="plain gradient", session="other"),
        made_record(role="plain_gradient", label="plain gradient", problem="quadratic"),
        made_record(role="memory", peak_memory_bytes=5, run_id="of other code"),
        made_record(role="memory", peak_memory_bytes=7, session="other", minutes=1),
        made_record(role="memory", peak_memory_bytes=9, settings={"lr": 3}),
    ]
    group = only(records)
    assert len(group.yardsticks) == 1
    assert group.memory == {"sgd": [7]}  # the newest


def test_of_memory_runs_the_newest_that_are_alike_count() -> None:
    """As many as a comparison makes, also where it was interrupted and made the last ones later."""
    old = made_record(role="memory", peak_memory_bytes=1, run_id="of other code")
    measured = [
        made_record(role="memory", peak_memory_bytes=n, minutes=n, session=f"s{n}") for n in (2, 3)
    ]
    assert only([made_record(), old, *measured]).memory == {"sgd": [2, 3]}
    measured += [made_record(role="memory", peak_memory_bytes=n, minutes=n) for n in (4, 5)]
    assert only([made_record(), old, *measured]).memory == {"sgd": [3, 4, 5]}
    assert only([made_record(), old]).memory == {"sgd": [1]}


def test_peak_memory_of_training_itself_counts() -> None:
    assert only([made_record(peak_memory_bytes=11)]).memory == {"sgd": [11]}


def test_a_setting_that_is_lacking_is_said_to_be() -> None:
    records = [
        made_record(settings={"lr": 0.1}),
        made_record(settings={"lr": 0.1, "momentum": 0.9}),
    ]
    labels = [record.label for record in only(records).training]
    assert labels == ["sgd (without momentum)", "sgd (momentum=0.9)"]


def test_resolved_hyperparameters_tell_runs_apart_where_settings_do_not() -> None:
    records = [
        made_record(settings={}, hyperparameters={"lr": 0.1, "eps": 1}),
        made_record(settings={}, hyperparameters={"lr": 0.2, "eps": 1}),
    ]
    assert [r.label for r in only(records).training] == ["sgd (lr=0.1)", "sgd (lr=0.2)"]


def test_budgets_that_are_written_alike_are_not_the_same() -> None:
    records = [made_record(until=("accuracy", value)) for value in (0.99999901, 0.99999949)]
    assert len(groups.split(records)) == 2
