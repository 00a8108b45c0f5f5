"""The grid language."""

from typing import Any

import pytest

from bench.runs.settings import parse_optimizers
from bench.sweeps.grid import Axis, axes_by_label, parse_axis
from optimizers import OPTIMIZERS, UsageError


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("damping=1e-4:1e2:log7", "damping", (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)),
        ("lr = 0.1,1, 10", "lr", (0.1, 1, 10)),
        ("lr=0.1", "lr", (0.1,)),
        ("momentum=0:0.9:lin4", "momentum", (0.0, 0.3, 0.6, 0.9)),
        ("update_every=1:64:log7", "update_every", (1, 2, 4, 8, 16, 32, 64)),
        ("fast.lr=1e-3:1e-1:log5", "fast.lr", (0.001, 0.00316228, 0.01, 0.0316228, 0.1)),
        ("betas=0.9,0.99;0.9,0.999", "betas", ((0.9, 0.99), (0.9, 0.999))),
        ("nesterov=true,false", "nesterov", (True, False)),
    ],
)
def test_ranges_and_lists(text: str, key: str, values: tuple[Any, ...]) -> None:
    found, axis = parse_axis(text)
    assert (found, axis.values) == (key, values)
    assert [type(value) for value in axis.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("damping", r"Grid 'damping' is not valid: write KEY=LOW:HIGH:logN, .*VALUE,VALUE"),
        ("=1,2", r"Grid '=1,2' is not valid"),
        ("lr=", r"Grid 'lr=' is not valid: it lacks a value"),
        ("lr=1,,2", r"it lacks a value"),
        ("lr=1,inf", r"inf is no finite number"),
        ("lr=0.1,0.10", r"it has the value 0\.1 twice"),
        ("lr=1:10", r"Grid 'lr=1:10' is not valid: write"),
        ("lr=1:10:7", r"Grid 'lr=1:10:7' is not valid: write"),
        ("lr=1:10:exp7", r"is not valid: write"),
        ("lr=a:10:log7", r"'a' is no number"),
        ("lr=nan:10:log7", r"'nan' is no number"),
        ("lr=10:1:log7", r"10 is to be less than 1"),
        ("lr=1:10:log1", r"a range has at least two values"),
        ("damping=0:1:log7", r"a logarithmic range begins above 0.*list 0 by hand"),
        ("lr=1:1.0000001:log9", r"9 values are too many to tell apart"),
    ],
)
def test_grids_written_wrongly_are_told(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_axis(text)


def test_an_axis_goes_to_whom_it_concerns() -> None:
    entries = parse_optimizers(["diag_ggn_mc,sgd,adam"])
    axes = axes_by_label(["damping=0.1,1", "lr=1,2", "sgd.lr=3,4"], entries)
    assert axes["diag_ggn_mc"] == {"damping": Axis((0.1, 1)), "lr": Axis((1, 2))}
    assert axes["sgd"] == {"lr": Axis((3, 4))}
    assert axes["adam"] == {"lr": Axis((1, 2))}


def test_without_a_grid_the_registered_search_space_is_swept() -> None:
    axes = axes_by_label([], parse_optimizers(["adam"]))
    assert {name: axis.values for name, axis in axes["adam"].items()} == dict(
        OPTIMIZERS["adam"].search_space
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["dampin=1,2"], r"Unknown hyperparameter 'dampin'\. Did you mean 'damping'"),
        (["adm.lr=1,2"], r"Unknown label 'adm'"),
        (["lr=1,2", "lr=3,4"], r"The grid has two axes 'lr'"),
    ],
)
def test_what_no_optimizer_has_is_told(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        axes_by_label(texts, parse_optimizers(["diag_ggn_mc,sgd"]))
