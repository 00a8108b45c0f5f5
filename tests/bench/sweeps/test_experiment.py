"""What is swept, from options and from YAML."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest

from bench.sweeps.experiment import Experiment, arms
from bench.sweeps.experiment_file import read_yaml
from bench.sweeps.objective import parse_objective
from optimizers import UsageError

DOCUMENT = """
problem: quadratic
optimizers: {fixed: diag_ggn_mc, plain: sgd}
grid:
  damping: 1e-4:1e2:log7
  lr: [0.1, 1e-2]
  plain.nesterov: [true, false]
set: {momentum: 0.9}
seeds: [3, 5]
iterations: 50
objective: val_loss
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(text)
    return path


def test_yaml_says_what_options_say(tmp_path: Path) -> None:
    fields, text = read_yaml(written(tmp_path, DOCUMENT))
    assert text == DOCUMENT
    assert Experiment(**fields) == Experiment(
        problem="quadratic",
        optimizers=("fixed=diag_ggn_mc", "plain=sgd"),
        grid=("damping=1e-4:1e2:log7", "lr=0.1,1e-2", "plain.nesterov=true,false"),
        settings=("momentum=0.9",),
        seeds="3,5",
        iterations=50,
    )


def test_pairs_in_yaml_are_values() -> None:
    experiment = Experiment(optimizers=("adam",), grid=("betas=0.9,0.9;0.9,0.99",))
    assert arms(experiment)[0].grid() == [{"betas": (0.9, 0.9)}, {"betas": (0.9, 0.99)}]


def test_nested_lists_are_written_as_pairs(tmp_path: Path) -> None:
    fields, _ = read_yaml(written(tmp_path, "grid: {betas: [[0.9, 0.9], [0.9, 0.99]]}"))
    assert fields["grid"] == ("betas=0.9,0.9;0.9,0.99;",)
    (arm,) = arms(Experiment(optimizers=("adam",), grid=("betas=0.9,0.99;",)))
    assert arm.grid() == [{"betas": (0.9, 0.99)}]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("seeds: [7]", {"seeds": "7-7"}),
        ("seeds: 7", {"seeds": "7"}),
        ("seeds: 100-102", {"seeds": "100-102"}),
        ("set: {mc_samples: 010, lr: 1e-3}", {"settings": ("mc_samples=010", "lr=1e-3")}),
        ("batch_size: null\niterations: 5", {"iterations": 5}),
        ("grid: {nesterov: [true, no]}", {"grid": ("nesterov=true,no",)}),
    ],
)
def test_values_are_read_as_they_are_written(
    tmp_path: Path, text: str, fields: dict[str, object]
) -> None:
    assert read_yaml(written(tmp_path, text))[0] == fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("problm: quadratic", r"Unknown key in '.*experiment.yaml': 'problm'\. Did you mean"),
        ("grid: [", r"is not valid YAML"),
        ("- a", r"is to be a mapping of keys"),
        ("", r"is to be a mapping of keys"),
        ("grid: damping", r"grid is to be a mapping, as in 'grid: \{damping: 0.1\}'"),
        ("grid: {lr: {a: 1}}", r"lr is to be a value or a list of values"),
        ("iterations: many", r"iterations='many' is not valid: it is a whole number"),
        ("iterations: true", r"iterations='true' is not valid"),
        ("problem: [a, b]", r"problem is to be a single value"),
        ("optimizers: []", r"optimizers is to be a name, a list of names, or names by label"),
        ("optimizers: [{a: b}]", r"optimizers is to be a name"),
        ("seeds: []", r"seeds is to be a value or a list of values"),
        ("seeds: 3\nseeds: 4", r"the key 'seeds' is given twice"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_yaml(written(tmp_path, text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read: No such file"):
        read_yaml(tmp_path / "nothing.yaml")


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
