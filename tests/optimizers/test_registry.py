"""The built-in optimizers, by name."""

import math

import pytest
import torch

from optimizers import OPTIMIZERS, REGISTRY, OptimizerSpec


def test_built_in_optimizers() -> None:
    assert list(OPTIMIZERS) == [
        "diag_ggn_mc", "diag_ggn_exact", "adam", "sgd", "adamw", "muon",
    ]  # fmt: skip


def test_all_built_in_optimizers_are_swept_with_as_many_cells() -> None:
    cells = {
        name: math.prod(len(values) for values in spec.search_space.values())
        for name, spec in OPTIMIZERS.items()
    }
    assert set(cells.values()) == {21}


def test_a_dict_entry_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = OptimizerSpec(name="mine", factory=torch.optim.RMSprop)
    monkeypatch.setitem(OPTIMIZERS, "mine", spec)
    assert REGISTRY.get("mine") is spec
