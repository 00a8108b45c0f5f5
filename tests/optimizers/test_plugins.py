"""The ways to plug something in by name, and what is told when there is none."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from optimizers import REGISTRY, UsageError, plugins


def test_an_entry_point_is_found_and_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("theirs", "torch.optim:RAdam", "optbench.optimizers")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])
    assert [found.name for found in REGISTRY.installed()] == ["theirs"]
    assert REGISTRY.get("theirs").load_factory() is torch.optim.RAdam


def test_a_reference_is_imported() -> None:
    spec = REGISTRY.get("torch.optim:NAdam")
    assert (spec.name, spec.load_factory()) == ("torch.optim:NAdam", torch.optim.NAdam)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "agam",
            r"Unknown optimizer 'agam'\. Did you mean 'adam'\? Known: adam, adamw, diag_ggn_exact",
        ),
        ("torch.optim:NAdm", r"Unknown attribute of module 'torch\.optim': 'NAdm'.*'NAdam'"),
        ("no_such_module:Class", r"Cannot import 'no_such_module' for .*: No module named"),
        ("torch.optim:", r"not of the form package\.module:attribute"),
        ("math:pi", r"'math:pi' is a float; an optimizer is a torch\.optim\.Optimizer class"),
    ],
)
def test_a_wrong_name_is_told_with_alternatives(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        REGISTRY.get(name)


def test_a_module_that_fails_on_import_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaks_on_import.py").write_text("raise KeyError('what')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"Cannot import 'breaks_on_import'.*KeyError: 'what'"):
        REGISTRY.get("breaks_on_import:Class")
