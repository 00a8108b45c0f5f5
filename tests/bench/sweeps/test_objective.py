"""What settings are judged by."""

import math

import pytest

from bench.recommend.swept import NOT_APPLICABLE
from bench.sweeps.objective import MISSED, parse_objective
from optimizers import UsageError
from tests.bench.records import made_record, made_refusal

METRICS = {"loss": "min", "accuracy": "max"}


def test_the_training_loss_is_the_mean_of_the_last_mini_batches() -> None:
    record = made_record(losses=[100.0, *([1.0] * 10), *([3.0] * 10)])
    assert parse_objective("train_loss").score(record) == 2.0


def test_metrics_are_those_of_the_last_evaluation() -> None:
    record = made_record()
    assert parse_objective("val_loss").score(record) == 0.4
    assert parse_objective("val_accuracy").score(record) == 0.9


def test_time_to_a_target_is_clocked_seconds_or_missed() -> None:
    record = made_record()
    assert parse_objective("time_to(val_accuracy=0.9)").score(record) == pytest.approx(0.03)
    assert parse_objective("time_to(val_accuracy=0.5)").score(record) == pytest.approx(0.015)
    assert parse_objective("time_to( val_loss = 0.1 )").score(record) == MISSED


def test_a_run_that_did_not_complete_has_no_score() -> None:
    assert parse_objective("val_loss").score(made_record(status="diverged")) == "diverged"
    assert parse_objective("val_loss").score(made_refusal()) == NOT_APPLICABLE


@pytest.mark.parametrize(
    ("name", "better", "logarithmic"),
    [
        ("train_loss", "min", True),
        ("val_loss", "min", True),
        ("val_accuracy", "max", False),
        ("time_to(val_accuracy=0.95)", "min", True),
    ],
)
def test_which_way_is_better(name: str, better: str, logarithmic: bool) -> None:
    measure = parse_objective(name).measure(METRICS)
    assert (measure.name, measure.better, measure.logarithmic) == (name, better, logarithmic)


def test_evaluations_are_as_rare_as_the_objective_allows() -> None:
    assert parse_objective("train_loss").eval_every(201) == 0
    assert parse_objective("val_loss").eval_every(201) == 201
    assert parse_objective("time_to(val_loss=1)").eval_every(201) == 10
    assert parse_objective("time_to(val_loss=1)").until == ("loss", 1.0)


@pytest.mark.parametrize(
    "text", ["", "loss", "time_to(0.95)", "time_to(val_accuracy=)", "time_to(val_accuracy=nan)"]
)
def test_other_objectives_are_told(text: str) -> None:
    with pytest.raises(UsageError, match="is not valid: it is train_loss, val_loss, val_accuracy"):
        parse_objective(text)


def test_a_metric_that_the_problem_lacks_is_told() -> None:
    with pytest.raises(UsageError, match="evaluated by val_loss, val_distance"):
        parse_objective("val_accuracy").measure({"loss": "min", "distance": "min"})


def test_what_a_run_is_before_training_is_told_by_its_first_mini_batch() -> None:
    record = made_record(losses=[2.0, 1.0])
    accuracy = float(record.values["accuracy"][0])
    assert parse_objective("train_loss").untrained(record) == 2.0
    assert parse_objective("val_loss").untrained(record) == 2.0
    assert parse_objective("val_accuracy").untrained(record) == pytest.approx(accuracy, nan_ok=True)
    for name in ("val_distance", "time_to(val_accuracy=0.9)"):
        assert math.isnan(parse_objective(name).untrained(record))
    assert math.isnan(parse_objective("val_loss").untrained(made_record(losses=[])))
