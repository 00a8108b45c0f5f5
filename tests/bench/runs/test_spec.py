"""What a run is asked to be, and which of it decides its id."""

from dataclasses import MISSING, fields
from typing import Any

from bench.runs.spec import RunSpec


def test_what_is_at_its_default_is_not_hashed_so_that_new_fields_change_no_id() -> None:
    """The defaults themselves are part of every id: they never change."""
    assert RunSpec(label="mine", data_root="there").decisive() == {"hyperparameters": {}}
    given: dict[str, Any] = {
        "seed": 3,
        "dtype": "float64",
        "until": ("accuracy", 0.9),
        "role": "memory",
    }
    assert RunSpec(**given).decisive() == {"hyperparameters": {}, **given}
    assert {item.name: item.default for item in fields(RunSpec)} == {
        "problem": "mnist_cnn",
        "optimizer": "diag_ggn_mc",
        "label": "",
        "hyperparameters": MISSING,
        "seed": 0,
        "iterations": 201,
        "seconds": None,
        "until": None,
        "batch_size": None,
        "device": "auto",
        "dtype": "float32",
        "split": "test",
        "eval_every": 50,
        "eval_first": True,
        "curvature_every": 20,
        "data_root": None,
        "role": "training",
    }
