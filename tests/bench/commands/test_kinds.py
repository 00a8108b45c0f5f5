"""The README's tutorial: four kinds of optimizers in one command, held against loops by hand."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.problems.data import batch_indices
from bench.runs import store
from bench.runs.spec import RunSpec
from bench.training.prepare import prepare
from bench.training.seeding import initial_model, stream_seed

README = Path(__file__).resolve().parents[3] / "optimizers" / "README.md"
STEPS, EVERY = 9, 3
Step = Callable[[Callable[[], Tensor]], None]

pytestmark = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")


def sam(parameters: dict[str, nn.Parameter], lr: float = 0.1, rho: float = 0.05) -> Step:
    def step(gradient: Callable[[], Tensor]) -> None:
        steepest = gradient()
        vector = nn.utils.parameters_to_vector(parameters.values()).detach()
        put(parameters, vector + rho * steepest / steepest.norm())
        put(parameters, vector - lr * gradient())

    return step


def schedule_free(parameters: dict[str, nn.Parameter], lr: float = 0.5) -> tuple[Step, Any]:
    points = {"z": nn.utils.parameters_to_vector(parameters.values()).detach()}
    points["x"], number = points["z"], 0

    def step(gradient: Callable[[], Tensor]) -> None:
        nonlocal number
        number += 1
        points["z"] = points["z"] - lr * gradient()
        points["x"] = (1 - 1 / number) * points["x"] + points["z"] / number
        put(parameters, 0.1 * points["z"] + 0.9 * points["x"])

    def judged() -> Tensor:
        return points["x"]

    return step, judged


def squared(parameters: dict[str, nn.Parameter], lr: float = 0.001, damping: float = 0.01) -> Step:
    def step(gradient: Callable[[], Tensor]) -> None:
        found = gradient()
        vector = nn.utils.parameters_to_vector(parameters.values()).detach()
        put(parameters, vector - lr * found / (found**2 + damping))

    return step


def muon(parameters: dict[str, nn.Parameter]) -> Step:
    from optimizers import OPTIMIZERS

    given = OPTIMIZERS["muon"].hyperparameters({})
    hidden = parameters["3.weight"]  # of mnist_mlp's three
    first = torch.optim.Muon([hidden], lr=given["lr"], weight_decay=given["weight_decay"])
    second = torch.optim.AdamW(
        [p for p in parameters.values() if p is not hidden],
        lr=given["adamw_lr"],
        betas=given["adamw_betas"],
        weight_decay=given["adamw_weight_decay"],
    )

    def step(gradient: Callable[[], Tensor]) -> None:
        found, start = gradient(), 0
        for p in parameters.values():
            p.grad = found[start : start + p.numel()].view_as(p).clone()
            start += p.numel()
        first.step()
        second.step()

    return step


def put(parameters: dict[str, nn.Parameter], vector: Tensor) -> None:
    with torch.no_grad():
        nn.utils.vector_to_parameters(vector, parameters.values())


def by_hand(label: str) -> tuple[list[float], list[float]]:
    """Mini-batch losses, and held-out losses where the optimizer is judged, in float64."""
    problem = prepare(RunSpec(problem="mnist_mlp", optimizer="sgd", device="cpu")).problem
    cpu = torch.device("cpu")
    assert problem.held_out is not None
    train, held_out = (data.to(cpu, torch.float64) for data in (problem.train, problem.held_out))
    model, loss_fn = initial_model(problem, 0).double(), problem.make_loss()
    parameters, judged = dict(model.named_parameters()), None
    if label == "ScheduleFree":
        step, judged = schedule_free(parameters)
    else:
        step = {"SAM": sam, "SQUARED": squared, "muon": muon}[label](parameters)
    batches = batch_indices(len(train), problem.batch_size, stream_seed(0, "batches"), cpu)
    losses, evaluations = list[float](), list[float]()

    def evaluate() -> None:
        vector = nn.utils.parameters_to_vector(parameters.values()).detach()
        if judged is not None:
            put(parameters, judged())
        with torch.no_grad():
            evaluations.append(float(problem.evaluate(model, loss_fn, held_out)["loss"]))
        put(parameters, vector)

    evaluate()
    for iteration in range(STEPS):
        inputs, targets = train.batch(next(batches))
        seen = list[float]()

        def gradient(inputs: Any = inputs, targets: Any = targets, seen: Any = seen) -> Tensor:
            loss = loss_fn(model(inputs), targets)
            seen.append(loss.item())
            found = torch.autograd.grad(loss, list(parameters.values()))
            return nn.utils.parameters_to_vector(found)

        step(gradient)
        losses.append(seen[0])
        if (iteration + 1) % EVERY == 0:
            evaluate()
    return losses, evaluations


def test_four_kinds_of_optimizers_are_compared_in_one_command(tmp_path: Path) -> None:
    text = README.read_text()
    block = next(
        one for one in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S) if "kinds.py" in one
    )
    (tmp_path / "kinds.py").write_text(block)
    line = next(
        line for line in text.splitlines() if line.startswith("optbench run") and "kinds:" in line
    )
    small = f"--seeds 1 --iterations {STEPS} --eval-every {EVERY} --dtype float64 --results results"
    command = [sys.executable, "-m", "bench", *shlex.split(f"{line} {small}")[1:]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "The curvature of 'squared' is unchecked" in done.stderr + done.stdout
    records = [one for one in store.load(tmp_path / "results") if one.role == "training"]
    assert [one.label for one in records] == ["SAM", "ScheduleFree", "SQUARED", "muon"]
    for record in records:
        losses, evaluations = by_hand(record.label)
        judged = [one["loss"] for one in record.evaluations]
        np.testing.assert_allclose(record.values["loss"], losses, rtol=1e-9, err_msg=record.label)
        np.testing.assert_allclose(judged, evaluations, rtol=1e-9, err_msg=record.label)
        assert losses[-1] < losses[0]
