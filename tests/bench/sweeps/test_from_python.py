"""A sweep from Python: values for options, classes for names, in this process or in others."""

import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bench
from bench.errors import UsageError
from bench.problems import PROBLEMS, Problem, ProblemOptions
from bench.problems.quadratic import quadratic
from bench.runs.record import RunRecord
from bench.sweeps.outcome import Outcome
from bench.training import loop
from optimizers import OPTIMIZERS, OptimizerSpec
from tests import poison
from tests.bench.recommend.cases import line, outcome

QUICK: dict[str, Any] = {"problem": "quadratic", "seeds": 2, "iterations": 5}


class Mine(torch.optim.SGD):
    def __init__(self, params: Any, lr: float = 0.1, betas: tuple[float, float] = (0, 0)) -> None:
        super().__init__(params, lr=lr)


def made(scale: float) -> type[torch.optim.Optimizer]:
    class Made(Mine):
        def __init__(self, params: Any, lr: float = 0.1) -> None:
            super().__init__(params, lr=scale * lr)

    return Made


def small(options: ProblemOptions) -> Problem:
    return replace(quadratic(options), batch_size=8)


def sweep(results: Path, **fields: Any) -> Outcome:
    return bench.sweep(**QUICK | {"grid": {"lr": [0.01, 0.1]}, "results": results} | fields)


def recommended(*given: Any) -> dict[str, dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The best setting|Only 1 of|The plateau of|One seed")
        return bench.recommended(*given)


def test_names_classes_and_specs_are_swept_side_by_side(tmp_path: Path) -> None:
    spec = OptimizerSpec(name="spec", factory=Mine, search_space={"lr": (0.05, 0.1)})
    found = sweep(tmp_path, optimizers=["sgd", Mine, spec, made(1.0)], problem=small)
    assert [swept.label for swept in found.swept] == ["sgd", "Mine", "spec", "Made"]
    assert len(found.full) == 4 * 2 * 2
    assert found.failed == []
    assert repr(found) == (
        f"<Sweep {found.record.experiment.name}: sgd, Mine, spec, Made; 16 finished runs, 0 failed>"
    )
    assert {run.config["batch_size"] for _, run in found.full} == {8}
    assert not [name for name in (*OPTIMIZERS, *PROBLEMS) if ":" in name or "@" in name]


def test_the_recommended_settings_are_hyperparameters_of_a_run(tmp_path: Path) -> None:
    found = sweep(
        tmp_path,
        optimizers={"mine": Mine, "adam": "adam"},
        grid={"mine.lr": [1e-4, 0.1], "adam.betas": [(0.9, 0.9), (0.9, 0.99)]},
        settings={"adam.lr": 0.01, "mine.betas": (0.5, 0.5)},
    )
    settings = recommended(found)
    assert settings["mine"] == {"betas": (0.5, 0.5), "lr": 0.1}
    assert settings["adam"].keys() == {"lr", "betas"}
    assert recommended(str(tmp_path)) == recommended(tmp_path, found.record.experiment.name)
    assert recommended(tmp_path) == settings
    record = bench.run(
        bench.RunSpec(
            problem="quadratic", optimizer=Mine, iterations=5, hyperparameters=settings["mine"]
        )
    )
    assert record.config["settings"] == settings["mine"]


def test_what_to_know_of_a_recommendation_is_a_warning(tmp_path: Path) -> None:
    found = sweep(tmp_path, optimizers=Mine)
    with pytest.warns(UserWarning, match=r"The best setting of Mine has lr=0\.1, the largest"):
        bench.recommended(found)


def test_a_label_without_a_recommendation_is_absent_and_told(tmp_path: Path) -> None:
    found = sweep(tmp_path, optimizers=Mine, grid={"lr": [1e30, 1e31]})
    with pytest.warns(UserWarning, match="All 4 runs of Mine diverged: there is nothing to recom"):
        assert bench.recommended(found) == {}


def test_what_is_stored_is_not_run_again_until_a_class_is_edited(tmp_path: Path) -> None:
    sweep(tmp_path, optimizers={"made": made(1.0)})
    files = {record.key for record in bench.load(tmp_path)}
    sweep(tmp_path, optimizers={"made": made(1.0)})
    assert {record.key for record in bench.load(tmp_path)} == files
    edited = sweep(tmp_path, optimizers={"made": made(0.5)})
    assert not files & {run.key for _, run in edited.full}


def test_a_class_of_main_that_is_edited_is_run_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name leads to another class by then."""
    losses = []
    for scale in (1.0, 0.5):
        cls = made(scale)
        cls.__module__, cls.__qualname__ = "__main__", "Cell"
        monkeypatch.setattr("__main__.Cell", cls, raising=False)
        found = sweep(tmp_path, optimizers={"cell": cls})
        assert found.record.arms[0].optimizer == "__main__:Cell"
        losses.append([run.values["loss"][-1] for _, run in found.full])
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("values", "axis"),
    [
        ([0.1, 1], (0.1, 1)),
        ((True, False), (True, False)),
        ([None, "word"], (None, "word")),
        ([(0.9, 0.99)], ((0.9, 0.99),)),
        ([(1,), (2, 3)], ((1,), (2, 3))),
        (np.array([0.25, 0.5]), (0.25, 0.5)),
        (0.1, (0.1,)),
        ("1:100:log3", (1, 10, 100)),
    ],
    ids=str,
)
def test_a_grid_takes_values_or_the_command_lines_words(
    tmp_path: Path, values: Any, axis: tuple[Any, ...]
) -> None:
    def taking(params: Any, anything: Any = None) -> torch.optim.Optimizer:
        return torch.optim.SGD(params, lr=0.1)

    found = sweep(tmp_path, optimizers=taking, grid={"anything": values}, seeds=[3], iterations=1)
    assert found.record.arms[0].axes["anything"].values == axis
    assert {cell.seed for cell, _ in found.full} == {3}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"grid": {"lr": ["0.1"]}}, r"grid={'lr': \['0\.1'\]} is not valid: values are numbers"),
        ({"settings": {"lr": torch.ones(1)}}, r"settings={'lr': tensor.* is not valid"),
        ({"grid": {"lrr": [1]}}, "Unknown hyperparameter 'lrr'. Did you mean 'lr'?"),
        ({"optimizers": [Mine, made(1.0), Mine]}, "Two optimizers are called 'Mine': give them by"),
        ({"optimizers": "agam"}, "Unknown optimizer 'agam'. Did you mean 'adam'?"),
        ({"seeds": [1, 1]}, "--seeds '1-1,1-1' is not valid"),
        ({"jobs": 0}, "jobs=0 is not valid: it is a whole number >= 1"),
        (
            {"jobs": 2, "optimizers": made(1.0)},
            r"jobs=2 is not valid with \S*made\.<locals>\.Made@\w+, which other processes cannot",
        ),
        (
            {"jobs": 2, "objective": "time_to(val_loss=0.1)"},
            "jobs=2 is not valid with objective 'time_to.* Take jobs=1",
        ),
    ],
    ids=str,
)
def test_what_is_not_valid_is_told_before_anything_runs(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        sweep(tmp_path, **{"optimizers": "sgd"} | fields)
    assert not list(tmp_path.rglob("*.parquet"))


def test_several_jobs_run_what_other_processes_can_import(tmp_path: Path) -> None:
    found = sweep(tmp_path, optimizers=[torch.optim.SGD], jobs=2)
    assert found.shared
    assert (len(found.full), found.record.threads) == (4, 1)


def test_ctrl_c_ends_the_sweep_and_the_same_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, done = loop.execute, []

    def interrupted_once(prepared: Any, **options: Any) -> RunRecord:
        done.append(execute(prepared, **options))
        return replace(done[-1], status="interrupted") if len(done) == 3 else done[-1]

    monkeypatch.setattr(loop, "execute", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, optimizers=Mine)
    assert [record.status for record in bench.load(tmp_path)] == ["completed"] * 2
    assert len(sweep(tmp_path, optimizers=Mine).full) == 4
    assert len(done) == 3 + 2


def test_a_run_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def picky(params: Any, lr: float = 0.1) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(params, lr=lr)
        if lr < 0.05:
            monkey: Any = optimizer
            monkey.step = lambda: 1 / 0
        return optimizer

    with caplog.at_level(logging.INFO):
        found = sweep(tmp_path, optimizers=picky)
    assert [(cell.settings, run.status) for cell, run in found.failed] == [
        ({"lr": 0.01}, "failed"),
        ({"lr": 0.01}, "failed"),
    ]
    assert len(found.full) == 2
    assert "4 runs to go, 0 are stored" in caplog.text
    assert "picky lr=0.01, seed 0: failed" in caplog.text


def test_what_is_not_applicable_is_told_and_has_no_recommendation() -> None:
    sgd = line({0.01: (0.2, 0.21), 0.1: (0.05, 0.051), 1.0: (0.2, 0.21)})
    found = replace(outcome(sgd), refused={"newton": "newton: not applicable: no rule"})
    with pytest.warns(UserWarning, match="^newton: not applicable: no rule$"):
        assert list(bench.recommended(found)) == ["sgd"]


def test_in_a_sweep_of_poisons_everybody_else_gets_the_bits_that_it_gets_alone(
    tmp_path: Path,
) -> None:
    options: dict[str, Any] = {**QUICK, "grid": {"lr": [0.01, 0.02]}, "jobs": 2}
    alone = bench.sweep(optimizers="sgd", results=tmp_path / "alone", **options)
    poisons = {name: f"tests.poison:{name}" for name in poison.NAMES}
    among = bench.sweep(optimizers={**poisons, "sgd": "sgd"}, results=tmp_path / "among", **options)
    mine = {run.run_id: run for cell, run in among.full if cell.label == "sgd"}
    assert mine.keys() == {run.run_id for _, run in alone.full}
    assert len(mine) == 4
    for _, run in alone.full:
        np.testing.assert_array_equal(run.values["loss"], mine[run.run_id].values["loss"])
    failed = {cell.label for cell, _ in among.failed}
    assert failed == poison.FAILS.keys()
