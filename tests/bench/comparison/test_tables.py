"""A summary as cells of text."""

from bench.comparison import tables
from bench.comparison.summary import summarise
from tests.bench.records import made_record, made_refusal


def test_only_failed_runs_make_a_row_of_dashes() -> None:
    (row,) = summarise([made_record(losses=[], status="failed", evaluations=[])], [], {})
    assert tables.convergence([row])[1] == [["sgd", "–", "1 failed"]]
    assert tables.cost([row])[1] == [["sgd"] + ["–"] * 8]


def test_length_is_told_where_runs_can_end_early() -> None:
    until = ("accuracy", 0.8)
    evaluations = [{"iteration": 2.0, "seconds": 0.02, "loss": 1.0, "accuracy": 0.7}]
    runs = [
        made_record(seed=0, until=until),
        made_record(seed=1, until=until, losses=[1.0] * 2, evaluations=evaluations, minutes=1),
    ]
    (row,) = summarise(runs, [], {})
    assert tables.lengths_differ([row])
    assert tables.length([row])[1] == [
        ["sgd", "2 (2–3)", "0.0250 (0.0200–0.0300)", "accuracy=0.8", "1 of 2"]
    ]
    assert not tables.lengths_differ(summarise([made_record()], [], {}))


def test_one_run_of_another_length_is_seen_however_many_there_are() -> None:
    """It lies outside of the interval of the median."""
    runs = [made_record(seed=seed, minutes=seed) for seed in range(20)]
    assert not tables.lengths_differ(summarise(runs, [], {}))
    (row,) = summarise([*runs, made_record(seed=20, losses=[1.0], minutes=20)], [], {})
    assert row.spreads["iterations"].low == row.spreads["iterations"].high == 3
    assert tables.lengths_differ([row])


def test_a_metric_that_was_never_evaluated_has_no_column() -> None:
    """Peak memory has one always, with a dash where it was not measured."""
    full, bare = (
        summarise([record], [], {}) for record in (made_record(), made_record(evaluations=[]))
    )
    assert tables.convergence(full)[0] == [
        "optimizer", "train loss", "test accuracy", "test loss", "runs"
    ]  # fmt: skip
    assert tables.convergence(bare)[0] == ["optimizer", "train loss", "runs"]
    header, (cells,) = tables.cost(bare)
    assert (header[-1], cells[-1]) == ("peak memory", "–")


def test_quantities_that_mean_the_same_are_explained_together() -> None:
    over_seeds, told = tables.notes(summarise([made_record()], [], {}))
    assert over_seeds == tables.OVER_SEEDS
    assert "Total, data, forward, backward, step: a run's total time over its iterations." in told
    assert "Test accuracy, test loss: the last evaluation of a run." in told


def test_what_is_not_applicable_is_said_and_reached_no_target() -> None:
    rows = summarise([made_refusal(until=("accuracy", 0.8))], [], {})
    assert tables.convergence(rows)[1] == [["refused", "–", "1 not applicable"]]
    assert tables.length(rows)[1] == [["refused", "–", "–", "accuracy=0.8", "–"]]
