"""What a run changes for its whole process is noticed; what torch does by itself is not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import bench
from bench.errors import WorkersError
from bench.training import untouched

SPEC = bench.RunSpec(problem="quadratic", iterations=2, eval_every=0)


def step(poison: Callable[[], object]) -> type[torch.optim.Optimizer]:
    class Poison(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            super().step()
            poison()

    return Poison


@pytest.fixture
def _restored(monkeypatch: pytest.MonkeyPatch) -> Any:
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch.nn.MSELoss, "forward", torch.nn.MSELoss.forward)
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)
    torch.set_grad_enabled(True)


POISONS = {
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch.nn.MSELoss.forward": lambda: setattr(torch.nn.MSELoss, "forward", print),
}


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("name", POISONS)
def test_a_run_that_changed_torch_for_all_is_not_stored(tmp_path: Path, name: str) -> None:
    spec = replace(SPEC, optimizer=step(POISONS[name]), label="poison", warmup=0)
    with pytest.warns(UserWarning, match=f"'poison' is not stored, .*{name}"):
        record = bench.run(spec, results=tmp_path)
    assert record.path is None
    assert bench.load(tmp_path) == []


@pytest.mark.usefixtures("_restored")
def test_a_sweep_here_goes_no_further(tmp_path: Path) -> None:
    with pytest.raises(WorkersError, match=r"is not stored: default dtype .*take jobs=2"):
        bench.sweep(
            problem="quadratic",
            optimizers={"poison": step(POISONS["default dtype"])},
            grid={"lr": [0.1, 0.2]},
            iterations=2,
            results=tmp_path,
        )


def test_what_torch_does_by_itself_is_no_change(tmp_path: Path) -> None:
    for optimizer in ("sgd", "adam", "diag_ggn_mc", torch.optim.LBFGS):
        record = bench.run(replace(SPEC, optimizer=optimizer, label=""), results=tmp_path)
        assert record.path is not None


def test_a_class_that_was_patched_before_is_told_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched.at_first()
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self, closure=None: None)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"torch\.optim\.SGD\.step"):
            bench.run(replace(SPEC, optimizer="adam", label=""), results=tmp_path)
