"""The loop by hand that other libraries' optimizers are held against."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import bench
from bench.evidence import libraries
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "PROBLEM", "mnist_logreg")
    monkeypatch.setattr(libraries, "ITERATIONS", 4)
    monkeypatch.setattr(libraries, "EVERY", 2)


def run(name: str, **fields: Any) -> RunRecord:
    return bench.run(
        RunSpec(
            problem="mnist_logreg",
            optimizer=name,
            iterations=4,
            eval_every=2,
            warmup=1,
            device="cpu",
            **fields,
        )
    )


@pytest.mark.parametrize("name", ["torch.optim:Adam", "torch.optim:LBFGS"])
def test_both_agree_to_the_bit(name: str) -> None:
    row = libraries.compared(name, run(name))
    assert (row["status"], row["agree"], row["note"]) == ("completed", "yes", "")


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_what_knows_matrices_alone_is_composed_on_both_sides() -> None:
    settings = {"hidden": "torch.optim:Muon", "select": libraries.MATRICES}
    record = run(libraries.COMPOSITE, hyperparameters=settings)
    row = libraries.compared("torch.optim:Muon", record)
    assert (row["status"], row["agree"], row["note"]) == ("completed", "yes", "")


def test_another_loss_or_evaluation_is_noticed() -> None:
    record = run("torch.optim:SGD")
    losses = record.values["loss"].copy()
    losses[2] += 1e-7
    row = libraries.compared(
        "torch.optim:SGD", replace(record, values={**record.values, "loss": losses})
    )
    assert row["agree"] == "no"
    assert row["note"].startswith("losses differ from iteration 2")
    judged = [{**one, "loss": one["loss"] + 1e-7} for one in record.evaluations]
    row = libraries.compared("torch.optim:SGD", replace(record, evaluations=judged))
    assert row["agree"] == "no"
    assert row["note"].startswith("evaluations differ")


def test_what_is_exported_is_found_once() -> None:
    found = libraries.exported("torch.optim")
    assert len(found) == len(set(found)) > 10
    assert "torch.optim:SparseAdam" not in found
    row = libraries.compared("torch.optim:SGD", "optbench: it lacks a setting")
    assert (row["status"], row["note"]) == ("refused", "optbench: it lacks a setting")


def test_what_is_committed_is_nearly_all_and_agrees() -> None:
    folder = Path(__file__).resolve().parents[3] / "results" / "reference" / "libraries"
    files = sorted(folder.glob("*.csv"))
    assert len(files) == len(libraries.LIBRARIES)
    table = pd.concat([pd.read_csv(path, keep_default_na=False) for path in files])
    complete = table["status"].isin(["completed", "diverged"])
    assert complete.mean() >= 0.95
    assert set(table["agree"][complete]) == {"yes"}
    told = (Path(libraries.__file__).parent / "README.md").read_text()
    assert f"tried {len(table)} optimizers of {len(files)} libraries: {complete.sum()} comp" in told
    left = [name.partition(":")[2] for name in table["optimizer"][~complete]]
    assert [n for n in left if not n.endswith("AdamAtan2") and f"`{n}`" not in told] == []
