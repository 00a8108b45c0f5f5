"""What is swept, as options say it."""

import dataclasses
from dataclasses import replace

import pytest

from bench.sweeps.experiment import Experiment, arms
from bench.sweeps.objective import parse_objective
from optimizers import UsageError


def test_pairs_are_values() -> None:
    experiment = Experiment(optimizers=("adam",), grid=("betas=0.9,0.9;0.9,0.99",))
    assert arms(experiment)[0].grid() == [{"betas": (0.9, 0.9)}, {"betas": (0.9, 0.99)}]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strategy": "random"}, r"Unknown strategy 'random'\..*Known: grid, halving, tpe"),
        (
            {"strategy": "halving", "objective": "time_to(val_loss=1)"},
            r"is not valid with halving",
        ),
        ({"trials": 5}, r"trials=5 is not valid: it is a whole number >= 1, with --strategy tpe"),
        ({"trials": 0, "strategy": "tpe"}, r"trials=0 is not valid"),
        ({"seeds": "0"}, r"--seeds '0' is not valid"),
        ({"iterations": 0}, r"iterations=0 is not valid"),
        ({"objective": "loss"}, r"Objective 'loss' is not valid"),
    ],
)
def test_wrong_values_are_told(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Experiment(**fields)  # type: ignore[arg-type]


def test_a_bare_sweep_is_damping_by_learning_rate() -> None:
    (arm,) = arms(Experiment())
    assert arm.optimizer == "diag_ggn_mc"
    assert set(arm.axes) == {"lr", "damping"}
    assert len(arm.grid()) == len(arm.axes["lr"].values) * len(arm.axes["damping"].values)


def test_an_axis_cannot_be_set_too() -> None:
    with pytest.raises(UsageError, match=r"sgd\.lr is swept and set"):
        arms(Experiment(optimizers=("sgd",), grid=("lr=1,2",), settings=("lr=1",)))


def test_something_is_to_be_swept() -> None:
    with pytest.raises(UsageError, match=r"There is nothing to sweep: give a grid, as in --grid"):
        arms(Experiment(optimizers=("torch.optim:NAdam",)))


def test_settings_are_judged_on_the_validation_split() -> None:
    base = Experiment(objective="time_to(val_accuracy=0.9)").base(None)
    assert base.split == "validation"
    assert base.until == ("accuracy", 0.9)


def test_the_objective_is_read_once_and_is_no_part_of_the_definition() -> None:
    experiment, other = Experiment(objective=" val_accuracy "), Experiment(objective="val_accuracy")
    assert experiment.judged_by is experiment.judged_by
    assert experiment.judged_by == parse_objective("val_accuracy") == other.judged_by
    assert dataclasses.asdict(other)["objective"] == "val_accuracy"
    assert dataclasses.asdict(other).keys() == vars(Experiment()).keys() - {"judged_by"}
    assert replace(other, objective="train_loss").judged_by.kind == "train_loss"


def test_the_same_sweep_has_the_same_name() -> None:
    assert Experiment(seeds="3").name == Experiment(seeds="3").name
    assert Experiment(seeds="3").name != Experiment(seeds="4").name
    assert Experiment(problem="my.problem:moons").name.startswith("moons-")


def test_ways_to_step_go_to_their_label_and_change_no_name_where_there_are_none() -> None:
    assert Experiment().name == "mnist_cnn-e2720a95"  # as before there were any
    swept = Experiment(optimizers=("a=sgd", "b=adam"), grid=("lr=0.1,1",), steps=("b=closure",))
    assert [arm.step for arm in arms(swept)] == ["", "closure"]
    assert swept.name != Experiment(optimizers=("a=sgd", "b=adam"), grid=("lr=0.1,1",)).name
