"""A sweep read from YAML says what options say."""

from pathlib import Path

import pytest

from bench.sweeps.experiment import Experiment, arms
from bench.sweeps.experiment_file import read_yaml
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


@pytest.mark.parametrize(
    ("step", "steps"),
    [("closure", ("closure",)), ("{a: closure, b: loss}", ("a=closure", "b=loss"))],
)
def test_ways_to_step_are_for_all_or_by_label(
    tmp_path: Path, step: str, steps: tuple[str, ...]
) -> None:
    fields, _ = read_yaml(written(tmp_path, f"step: {step}"))
    assert Experiment(**fields).steps == steps


@pytest.mark.parametrize("group", ['"ndim<2: lr=1"', '["ndim<2: lr=1", "a=*: lr=2"]'])
def test_groups_are_one_or_several(tmp_path: Path, group: str) -> None:
    fields, _ = read_yaml(written(tmp_path, f"group: {group}"))
    assert Experiment(**fields).groups == ("ndim<2: lr=1", "a=*: lr=2")[: 1 + group.count(",")]
    with pytest.raises(UsageError, match="group is to be a list"):
        read_yaml(written(tmp_path, "group: {a: 1}"))


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
