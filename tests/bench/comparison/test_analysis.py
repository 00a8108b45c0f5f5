"""What a group of runs says: order, targets, times to them, ties, profiles."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.comparison import groups
from bench.comparison.analysis import analyse, profiles
from bench.runs.record import RunRecord
from bench.statistics.ranking import CLOCK_DISAGREES, OTHER_SESSIONS
from tests.bench.comparison.cases import analysed
from tests.bench.records import made_record, made_refusal


def run(label: str, seed: int, ends: float, **fields: Any) -> RunRecord:
    """A run whose accuracy goes from 0.1 to its end in two evaluations."""
    evaluations = [
        {"iteration": 0.0, "seconds": 0.0, "loss": 2.3, "accuracy": 0.1},
        {"iteration": 2.0, "seconds": 0.02, "loss": 1.0, "accuracy": (0.1 + ends) / 2},
        {"iteration": 3.0, "seconds": 0.03, "loss": 1 - ends, "accuracy": ends},
    ]
    given = {"evaluations": evaluations, **fields}
    return made_record(label=label, seed=seed, minutes=seed, **given)


def two(**fields: Any) -> list[RunRecord]:
    return [
        run(label, seed, end + 0.001 * seed, **fields)
        for label, end in (("poor", 0.7), ("good", 0.93))
        for seed in range(3)
    ]


def test_rows_are_ordered_by_the_metric() -> None:
    one = analysed(two())
    assert (one.metric, one.better) == ("accuracy", "max")
    assert one.labels == ["good", "poor"]


def test_a_problem_with_a_loss_alone_is_ranked_by_it() -> None:
    one = analysed(two(metrics={"loss": "min"}))
    assert (one.metric, one.better) == ("loss", "min")
    assert one.labels == ["good", "poor"]


def test_a_label_that_lost_a_run_comes_last_and_is_not_best() -> None:
    records = [*two(), run("best", 0, 0.99), run("best", 1, 0.99, status="diverged")]
    one = analysed(records)
    assert one.labels == ["good", "poor", "best"]
    assert one.rankings["test_accuracy"].best == "good"
    assert one.rankings["test_accuracy"].lost == ("best",)


def test_targets_asked_for_are_taken() -> None:
    one = analysed(two(), wanted=[("accuracy", 0.6), ("accuracy", 0.4), ("loss", 0.1)])
    assert one.targets == (0.4, 0.6)


def test_what_runs_were_to_reach_is_a_target() -> None:
    assert 0.42 in analysed(two(until=("accuracy", 0.42))).targets


def test_the_target_is_the_hardest_that_half_of_the_labels_reach() -> None:
    records = [*two(), *(run("third", seed, 0.2) for seed in range(3))]
    one = analysed(records, wanted=[("accuracy", level) for level in (0.3, 0.6, 0.9, 0.95)])
    assert one.target == 0.6


def test_a_target_that_exactly_half_of_the_labels_reach_is_hard_enough() -> None:
    """Of two labels one gets to 0.9; what none reaches is no target to be judged by."""
    assert analysed(two(), wanted=[("accuracy", n) for n in (0.5, 0.9, 0.95)]).target == 0.9
    assert analysed(two(), wanted=[("accuracy", n) for n in (0.95, 0.99)]).target == 0.95


def test_the_time_to_a_target_in_each_unit() -> None:
    yardstick = made_record(role="plain_gradient", label="plain", minutes=-1)
    one = analysed([*two(), yardstick], wanted=[("accuracy", 0.5), ("accuracy", 0.9)])
    # from 0.1 at iteration 0 to half way to the end at iteration 2
    crossed = [2 * (0.5 - 0.1) / ((0.93 + 0.001 * seed - 0.1) / 2) for seed in range(3)]
    np.testing.assert_allclose(list(one.time_to(0.5, "good", "iterations").values()), crossed)
    seconds = np.array(crossed) / 100
    np.testing.assert_allclose(list(one.time_to(0.5, "good", "seconds").values()), seconds)
    gradients = one.time_to(0.5, "good", "gradients")
    # a plain gradient is forward and backward, 2 and 3 ms in made-up records
    np.testing.assert_allclose(list(gradients.values()), seconds / 0.005)
    assert one.bracket_to(0.5, "good", "iterations") == (0.0, 2.0)
    assert one.bracket_to(0.5, "good", "gradients") == (0.0, pytest.approx(4.0))
    assert one.bracket_to(0.9, "poor", "seconds") == (math.inf, math.inf)
    assert set(one.time_to(0.9, "poor", "gradients").values()) == {math.inf}


def test_runs_that_shared_the_machine_have_iterations_but_no_times() -> None:
    one = analysed(two(shared=True), wanted=[("accuracy", 0.5)])
    assert len(one.time_to(0.5, "good", "iterations")) == 3
    assert one.time_to(0.5, "good", "seconds") == {}
    assert one.spread_to(0.5, "good", "seconds") is None
    assert "iteration_s" not in one.rows[0].spreads


def test_without_a_plain_gradient_there_are_no_gradient_equivalents() -> None:
    assert analysed(two(), wanted=[("accuracy", 0.5)]).time_to(0.5, "good", "gradients") == {}


def test_a_miss_makes_the_median_infinite() -> None:
    records = [run("a", seed, end) for seed, end in enumerate((0.9, 0.3, 0.3))]
    spread = analysed(records, wanted=[("accuracy", 0.8)]).spread_to(0.8, "a", "iterations")
    assert spread is not None
    assert (spread.low, spread.median, spread.high) == (2.75, math.inf, math.inf)  # 0.5 at 2


def test_profiles_are_over_groups_targets_and_seeds_that_all_have() -> None:
    records = [*two(), *two(problem="other"), run("good", 9, 0.9), run("elsewhere", 0, 0.9)]
    analyses = [
        analyse(group, [("accuracy", 0.3), ("accuracy", 0.8)]) for group in groups.split(records)
    ]
    found = profiles(analyses)
    assert found is not None
    assert found.labels == ["good", "poor"]
    assert found.left_out == ["elsewhere"]
    profile = found.by_unit["iterations"]
    assert profile.instances == 2 * 2 * 3
    good = profile.shares[0][found.labels.index("good")]
    poor = profile.shares[-1][found.labels.index("poor")]
    assert good == pytest.approx(1.0)
    assert poor == pytest.approx(0.5)  # never gets to 0.8


def test_there_is_no_profile_of_one_optimizer_or_one_target() -> None:
    alone = [record for record in two() if record.label == "good"]
    assert profiles([analysed(alone)]) is None
    assert profiles([analysed(two(), wanted=[("accuracy", 0.5)])]) is None


def test_a_run_that_ends_with_nan_is_lost_and_never_best() -> None:
    def ending(label: str, accuracy: float, seed: int) -> RunRecord:
        evaluations = [{"iteration": 3.0, "seconds": 0.03, "loss": 1.0, "accuracy": accuracy}]
        return made_record(label=label, seed=seed, minutes=seed, evaluations=evaluations)

    accuracies = {"a": (math.nan, 0.971, 0.972), "b": (0.9, 0.901, 0.902)}
    one = analysed([ending(n, value, s) for n, row in accuracies.items()
                    for s, value in enumerate(row)])  # fmt: skip
    assert one.rankings["test_accuracy"].best == "b"
    assert one.rankings["test_accuracy"].lost == ("a",)
    assert one.labels == ["b", "a"]
    assert one.rows[1].spreads["test_accuracy"].low == -math.inf


def test_rows_are_in_the_order_of_means_where_seeds_can_tell() -> None:
    ends = {"A": (0.96, 0.97, 0.6), "B": (0.95, 0.951, 0.949)}
    one = analysed([run(n, seed, end) for n, row in ends.items() for seed, end in enumerate(row)])
    assert one.rankings["test_accuracy"].best == "B"
    assert one.labels == ["B", "A"]


def test_a_run_that_was_interrupted_before_a_target_does_not_count() -> None:
    records = [run("a", 0, 0.9), run("a", 1, 0.9, status="interrupted", evaluations=[])]
    one = analysed(records, wanted=[("accuracy", 0.5)])
    assert list(one.time_to(0.5, "a", "iterations").values()) == [2.0]


def test_misses_without_a_plain_gradient_have_no_gradient_equivalents() -> None:
    one = analysed(two(), wanted=[("accuracy", 0.9)])
    assert one.time_to(0.9, "poor", "gradients") == {}
    assert set(one.time_to(0.9, "poor", "seconds").values()) == {math.inf}


def test_a_label_that_is_not_applicable_is_no_loser_and_not_compared() -> None:
    lost = [run("lost", seed, 0.99, status="failed") for seed in range(3)]
    refused = [made_refusal("refused", seed=seed) for seed in range(3)]
    one = analysed([*refused, *lost, *two()], wanted=[("accuracy", 0.9)])
    assert [row.label for row in one.rows] == ["good", "poor", "lost", "refused"]
    assert one.labels == ["good", "poor", "lost"]
    for ranking in one.rankings.values():
        told = (*ranking.lost, *ranking.worse, *ranking.behind, *ranking.tied, ranking.best)
        assert "refused" not in told
    assert one.rankings["test_accuracy"].best == "good"


def test_the_target_is_the_hardest_that_half_of_those_reach_that_are_applicable() -> None:
    wanted = [("accuracy", 0.6), ("accuracy", 0.9)]
    assert analysed([*two(), made_refusal()], wanted=wanted).target == 0.9


def test_a_label_that_is_applicable_somewhere_takes_no_instances_from_the_others() -> None:
    wanted = [("accuracy", level) for level in (0.5, 0.9)]
    other = [*two(problem="quadratic"), made_refusal(problem="quadratic")]
    here = [*two(), *(run("refused", seed, 0.8) for seed in range(3))]
    found = profiles([analysed(here, wanted=wanted), analysed(other, wanted=wanted)])
    assert found is not None
    assert (sorted(found.labels), found.left_out) == (["good", "poor"], ["refused"])
    assert found.by_unit["iterations"].instances == 12


def test_nothing_that_is_applicable_is_nothing_to_compare() -> None:
    one = analysed([made_refusal("a"), made_refusal("b")])
    assert (one.labels, one.target, one.ranked.key) == ([], None, "train_loss")
    assert {ranking.best for ranking in one.rankings.values()} == {None}


def test_certified_steps_need_a_fixed_budget_and_every_seed() -> None:
    good = [run("good", seed, 0.93 + 0.001 * seed) for seed in range(3)]

    def told(records: list[RunRecord], level: float = 0.5, **options: Any) -> tuple[float, str]:
        (group,) = groups.split(records)
        one = analyse(group, [("accuracy", level)], **options)
        return one.certified_to(level, "good")

    assert told(good) == (2.0, "")  # 0.515 to 0.516 there, 0.93 to 0.932 at the end
    assert told(good, 0.92) == (3.0, "")
    assert told(good, 0.95)[1] == "it is not past it for certain"
    assert told(good[:1])[1] == "one seed tells no spread"
    assert told(good[:1], sigma=0.01) == (3.0, "")
    assert told(good[:1], sigma=0.3)[1] == "it is not past it for certain"
    lost = run("good", 3, 0.9, status="diverged")
    assert told([*good, lost])[1] == "it lost runs"
    ended = [run("good", seed, 0.93, until=("accuracy", 0.5)) for seed in range(3)]
    assert told(ended)[1] == "its runs end at a target, and not after a fixed budget"
    other = [*good[:2], run("good", 2, 0.93, evaluations=good[0].evaluations[1:])]
    assert told(other)[1] == "its runs were not evaluated at the same iterations"


def test_times_of_labels_from_different_sessions_are_not_compared() -> None:
    together = [record for seed in (0, 1) for record in two(session=f"s{seed}")]
    apart = [replace(one, session=one.label) for one in two()]
    wanted = [("accuracy", 0.5)]
    refused = [*two(), replace(made_refusal(), session="before")]
    for records, told in ((two(), True), (together, True), (refused, True), (apart, False)):
        one = analysed(records, wanted=wanted)
        for key in ("iteration_s", "samples_per_s", one.to(0.5).key):
            assert (one.rankings[key].best is not None) == told
        assert one.rankings["test_accuracy"].best == "good"
    assert one.rankings["iteration_s"].reason == OTHER_SESSIONS


@pytest.mark.parametrize(("wall_s", "told"), [(0.0301, True), (0.032, True), (0.3, False)])
def test_an_order_per_second_is_that_of_the_wall_clock_too(wall_s: float, told: bool) -> None:
    """Of 30 clocked ms; the good one's iterations take longer than the clock says, or much."""
    records = [replace(one, iterating_s=wall_s if one.label == "good" else 0.0301) for one in two()]
    one = analysed(records, wanted=[("accuracy", 0.3)])
    found = one.rankings[one.to(0.3).key]
    assert found.leader == "good"
    assert (found.best == "good") == told
    assert found.reason == ("" if told else CLOCK_DISAGREES)
