"""The answer in words: what is best, what is tied, what it costs, what was lost."""

import math
from dataclasses import replace
from typing import Any

import pytest

from bench.comparison import groups
from bench.comparison.analysis import analyse
from bench.report.sections import answer
from bench.runs.record import RunRecord
from bench.statistics.ranking import Ranking
from tests.bench.records import made_record, made_refusal

NOISE = (0.001, -0.002, 0.0015)


def said(records: list[RunRecord], **options: Any) -> str:
    (group,) = groups.split(records)
    return " ".join(answer.sentences(analyse(group, **options)))


def runs(label: str, end: float, seeds: int = 3, **fields: Any) -> list[RunRecord]:
    found = []
    for seed in range(seeds):
        last = end + NOISE[seed] * (1 if label < "m" else -1)
        evaluations = [
            {"iteration": 0.0, "seconds": 0.0, "loss": 2.3, "accuracy": 0.1},
            {"iteration": 3.0, "seconds": 0.03, "loss": 0.4, "accuracy": last},
        ]
        given = {"evaluations": evaluations, "minutes": seed, "seed": seed, **fields}
        found.append(made_record(label=label, **given))
    return found


def yardstick() -> RunRecord:
    return made_record(role="plain_gradient", label="plain gradient", minutes=-1)


def test_the_best_and_the_worse() -> None:
    text = said([*runs("adam", 0.95), *runs("sgd", 0.7)])
    assert "After 3 iterations, adam has the best test accuracy, 0.951 (0.948–0.951)" in text
    assert "; the other is worse." in text


def test_what_cannot_be_told_apart_is_said_to_be_tied() -> None:
    text = said([*runs("adam", 0.95), *runs("sgd", 0.95), *runs("poor", 0.5)])
    assert "sgd cannot be told from it (tied), poor is worse." in text or (
        "adam cannot be told from it (tied), poor is worse." in text
    )


def test_a_best_by_accuracy_with_twice_the_loss_of_another_is_told_with_it() -> None:
    def with_loss(label: str, accuracy: float, loss: float) -> list[RunRecord]:
        return [
            replace(one, evaluations=[{**row, "loss": loss} for row in one.evaluations])
            for one in runs(label, accuracy)
        ]

    sure = with_loss("adam", 0.95, 0.3)
    text = said([*sure, *with_loss("sgd", 0.9, 0.15)])
    assert "adam has the best test accuracy" in text
    assert "sgd has the lowest test loss, 0.150, where adam has 0.300." in text
    assert "lowest" not in said([*sure, *with_loss("sgd", 0.9, 0.16)])


def test_what_is_probably_behind_is_said_to_be() -> None:
    behind = Ranking(leader="a", best="a", tied=("b", "c"), behind=("d",), worse=("e", "f"))
    assert answer._against(behind) == (
        "b and c cannot be told from it (tied), d is probably behind, e and f are worse"
    )
    assert answer._against(replace(behind, tied=())) == "d is probably behind, e and f are worse"


def test_one_seed_tells_nothing() -> None:
    text = said([*runs("adam", 0.95, seeds=1), *runs("sgd", 0.7, seeds=1)])
    assert "adam has the best test accuracy, 0.951, but " in text
    assert "worse" not in text


def test_one_optimizer_is_not_called_best() -> None:
    text = said([*runs("adam", 0.95), yardstick()])
    assert "best" not in text
    assert "adam has a test accuracy of 0.951" in text
    assert "An iteration of adam costs as much as 2.00 plain gradients." in text


def test_the_cost_goes_from_the_cheapest_to_the_dearest() -> None:
    slow = runs("slow", 0.7, phase_s=(0.001, 0.002, 0.013, 0.004))
    text = said([*runs("adam", 0.95), *slow, yardstick()])
    assert "An iteration costs from 2.00× (adam) to 4.00× (slow) a plain gradient." in text


def test_what_never_completed_has_no_cost_in_words() -> None:
    lost = runs("lost", 0.9, status="diverged", losses=[1.0, math.inf], evaluations=[],
                phase_s=(0.001, 0.9, 0.9, 0.9))  # fmt: skip
    for record in lost:
        record.config["iterations"] = 3  # type: ignore[index]
    text = said([*runs("adam", 0.95), *lost, yardstick()])
    assert "An iteration of adam costs" in text or "An iteration costs" in text
    assert "(lost) a plain gradient" not in text


def test_per_second_names_who_missed() -> None:
    text = said([*runs("adam", 0.95), *runs("sgd", 0.7)], wanted=[("accuracy", 0.9)])
    assert "Per second, adam is the first to reach test accuracy 0.9, in 0.0282 s (between " in text
    assert "sgd never did." in text


def test_lost_runs_are_counted() -> None:
    lost = runs("bad", 0.9, status="diverged", losses=[1.0, math.inf], evaluations=[])
    for record in lost:
        record.config["iterations"] = 3  # type: ignore[index]
    text = said([*runs("adam", 0.95), *lost])
    assert "3 of 3 runs of bad diverged." in text


@pytest.mark.parametrize("status", ["diverged", "failed", "interrupted"])
def test_no_completed_run_at_all(status: str) -> None:
    lost = runs("bad", 0.9, status=status, losses=[1.0], evaluations=[])
    assert "No run completed, so that nothing can be compared." in said(lost)


def test_partial_misses_are_told_as_such() -> None:
    some = [*runs("adam", 0.95), *runs("half", 0.95, seeds=2), *runs("half", 0.5)[2:]]
    text = said(some, wanted=[("accuracy", 0.9)])
    assert "Only 2 of 3 runs of half reached it." in text
    assert "never" not in text


def test_without_common_seeds_it_says_so() -> None:
    other = [
        made_record(label="b", seed=seed, minutes=seed, evaluations=[
            {"iteration": 3.0, "seconds": 0.03, "loss": 0.4, "accuracy": 0.95}])
        for seed in (7, 8)
    ]  # fmt: skip
    text = said([*runs("a", 0.95, seeds=2), *other], wanted=[("accuracy", 0.9)])
    assert "can be called the first to reach test accuracy 0.9: the optimizers have no seed" in text
    assert "in all of its runs" not in text


def test_what_is_not_applicable_is_named_with_the_reason_and_beats_nobody() -> None:
    text = said([*runs("adam", 0.95), made_refusal(), yardstick()], wanted=[("accuracy", 0.9)])
    assert text == (
        "After 3 iterations, adam has a test accuracy of 0.951 (0.948–0.951). adam reaches test "
        "accuracy 0.9 in 0.0282 s (between evaluations at 0 and 0.0300 s). An iteration of adam "
        "costs as much as 2.00 plain gradients. "
        "refused: not applicable: no rule for Tanh: use another"
    )
    assert said([made_refusal("a")]).startswith("No run completed, so that nothing can be compared")
