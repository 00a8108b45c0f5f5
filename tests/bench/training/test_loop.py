"""The loop: reproducible, fair between optimizers, honest about divergence and failure."""

import contextlib
import functools
import itertools
import math
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bench
from bench.problems import PROBLEMS, ProblemOptions, ProblemSpec
from bench.problems.data import TensorData
from bench.problems.problem import Problem
from bench.runs.record import CURVATURE_COLUMNS, RunRecord
from bench.training import loop
from bench.training.clock import PhaseClock
from bench.training.prepare import prepare
from bench.training.seeding import stream_seed
from optimizers import OPTIMIZERS, OptimizerSpec
from optimizers.curvature.statistics import Observed, curvature_statistics

BUILT_IN = tuple(name for name in OPTIMIZERS if name != "muon")  # mnist_logreg has one matrix


def quick(**fields: Any) -> bench.RunSpec:
    defaults: dict[str, Any] = {"problem": "mnist_logreg", "optimizer": "sgd", "iterations": 12}
    return bench.RunSpec(**(defaults | fields))


def losses(record: RunRecord) -> np.ndarray:
    assert record.status == "completed", record.error
    return record.values["loss"]


@pytest.mark.parametrize("optimizer", BUILT_IN)
def test_same_seed_gives_bit_identical_losses(optimizer: str, device: str) -> None:
    spec = quick(optimizer=optimizer, seed=3, device=device)
    first, second = bench.run(spec), bench.run(spec)
    if device == "cpu":
        assert losses(first).tobytes() == losses(second).tobytes()
    else:  # some CUDA kernels add in any order
        np.testing.assert_allclose(losses(first), losses(second), rtol=1e-4)


def test_a_run_that_is_stored_is_found_instead_of_run_again(tmp_path: Path) -> None:
    spec = quick(problem="quadratic")
    first = bench.run(spec, results=tmp_path)
    again = bench.run(replace(spec, label="mine"), results=str(tmp_path))
    assert (first.key, first.path) == (again.key, again.path)
    assert (first.label, again.label) == ("sgd", "mine")
    assert [record.key for record in bench.load(tmp_path)] == [first.key]
    fresh = bench.run(spec, results=tmp_path, fresh=True)
    assert fresh.key != first.key
    assert bench.run(spec).path is None
    assert len(bench.load(tmp_path)) == 2


@pytest.mark.parametrize(
    "other",
    [
        lambda record: replace(record, status="failed"),
        lambda record: replace(record, environment={**record.environment, "shared": True}),
        lambda record: replace(record, environment={**record.environment, "fingerprint": "other"}),
        lambda record: replace(
            record, environment={**record.environment, "allocator": {"libc": "", "tuned": None}}
        ),
    ],
    ids=["failed", "shared the machine", "on another machine", "with another allocator"],
)
def test_what_is_no_finished_run_of_this_machine_is_run_again(
    tmp_path: Path, other: Callable[[RunRecord], RunRecord]
) -> None:
    spec = quick(problem="quadratic")
    stored = other(bench.run(spec))
    bench.save(stored, tmp_path)
    assert bench.run(spec, results=tmp_path).key != stored.key


def test_ctrl_c_ends_what_called_a_run_whose_beginning_is_stored(tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(quick(), results=tmp_path, on_iteration=stop)
    (record,) = bench.load(tmp_path)
    assert (record.status, len(record.iterations)) == ("interrupted", 7)


def test_other_seeds_give_other_losses() -> None:
    assert not np.array_equal(losses(bench.run(quick(seed=0))), losses(bench.run(quick(seed=1))))


@pytest.mark.parametrize("optimizer", BUILT_IN)
def test_an_evaluation_changes_no_loss(optimizer: str) -> None:
    spec = quick(optimizer=optimizer)
    often, never = (losses(bench.run(replace(spec, eval_every=every))) for every in (1, 0))
    assert often.tobytes() == never.tobytes()


@pytest.mark.parametrize("settings", [{}, {"update_every": 3, "curvature_ema": 0.5}], ids=str)
@pytest.mark.parametrize("optimizer", ["diag_ggn_mc", "diag_ggn_exact"])
def test_an_observation_changes_no_loss(optimizer: str, settings: dict[str, Any]) -> None:
    spec = quick(optimizer=optimizer, hyperparameters=settings)
    each, never = (bench.run(replace(spec, curvature_every=every)) for every in (1, 0))
    assert losses(each).tobytes() == losses(never).tobytes()
    assert len(each.curvature) == 12 * 2  # one layer, and all
    assert never.curvature == []


@pytest.mark.parametrize(
    ("every", "budget", "observed"),
    [
        (5, {"iterations": 12}, [0, 5, 10, 11]),
        (5, {"iterations": 11}, [0, 5, 10]),
        (20, {"iterations": 1}, [0]),
        (3, {"iterations": 100, "until": ("loss", 1e9), "eval_every": 4}, []),
    ],
    ids=["and the last", "which is the last", "the only one", "none, at the target from the start"],
)
def test_curvature_is_observed_at_intervals_and_at_the_end(
    every: int, budget: dict[str, Any], observed: list[int]
) -> None:
    record = bench.run(quick(optimizer="diag_ggn_exact", curvature_every=every, **budget))
    assert [row["iteration"] for row in record.curvature if row["layer"] == "all"] == observed
    assert all(tuple(row) == CURVATURE_COLUMNS for row in record.curvature)
    assert all(0 < row["share"] < 1 for row in record.curvature)


def test_curvature_is_observed_by_layer() -> None:
    spec = quick(problem="mnist_mlp", optimizer="diag_ggn_mc", iterations=1)
    model = prepare(spec).problem.make_model()
    expected = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    assert [row["layer"] for row in bench.run(spec).curvature] == [*expected, "all"]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "torch.optim:LBFGS"])
def test_an_optimizer_without_a_diagonal_has_none_to_observe(optimizer: str) -> None:
    assert bench.run(quick(optimizer=optimizer, iterations=2)).curvature == []


def test_observations_are_outside_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    running = False
    start, stop = PhaseClock.start, PhaseClock.stop

    def spy(method: Callable[[Any], None], now: bool) -> Callable[[Any], None]:
        def call(self: Any) -> None:
            nonlocal running
            method(self)
            running = now

        return call

    monkeypatch.setattr(PhaseClock, "start", spy(start, True))
    monkeypatch.setattr(PhaseClock, "stop", spy(stop, False))
    clocked = []

    def statistics(observed: Any) -> list[dict[str, Any]]:
        clocked.append(running)
        return curvature_statistics(observed)

    monkeypatch.setattr("bench.training.loop.curvature_statistics", statistics)
    bench.run(quick(optimizer="diag_ggn_mc", curvature_every=1, iterations=5))
    assert clocked == [False] * 5


def test_observations_after_a_divergence_are_dropped_with_their_iterations() -> None:
    spec = quick(
        optimizer="diag_ggn_mc", hyperparameters={"lr": 1e38}, iterations=60, curvature_every=1
    )
    record = bench.run(spec)
    assert record.diverged_at is not None
    assert max(row["iteration"] for row in record.curvature) <= record.diverged_at


class Steady(torch.optim.SGD):
    """A plug-in with a curvature of its own making: ones, which it lets be observed."""

    def __init__(self, params: Any, curvature: Any) -> None:
        super().__init__(params, lr=0.1)

    def backward_context(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def observing(self) -> Iterator[list[Observed]]:
        seen: list[Observed] = []
        yield seen
        for group in self.param_groups:
            for name, parameter in zip(group["param_names"], group["params"], strict=True):
                gradient, ones = parameter.grad, torch.ones_like(parameter)
                seen.append(Observed(parameter=name, diagonal=ones, gradient=gradient, damping=3.0))


class NoCurvature:
    def extend(self, model: nn.Module, loss_fn: nn.Module) -> tuple[nn.Module, nn.Module]:
        return model, loss_fn


def test_any_optimizer_with_curvature_may_be_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = OptimizerSpec(name="steady", factory=Steady, curvature=NoCurvature)
    monkeypatch.setitem(OPTIMIZERS, "steady", spec)
    record = bench.run(quick(optimizer="steady", iterations=2))
    assert {row["share"] for row in record.curvature} == {0.25}
    assert "curvature of 'steady' is unchecked" in record.environment["note"]


def test_an_adapted_damping_shows_in_the_record() -> None:
    spec = quick(
        problem="mnist_cnn",
        optimizer="diag_ggn_mc",
        hyperparameters={"adapt_every": 2, "lr": 0.01},
        iterations=5,
        curvature_every=1,
        eval_every=0,
    )
    record = bench.run(spec)
    assert record.status == "completed", record.error
    dampings = [row["damping"] for row in record.curvature if row["layer"] == "all"]
    assert dampings[0] == dampings[1] == 1.0
    assert dampings[2] == dampings[3] != 1.0
    factors = [after / before for before, after in itertools.pairwise(dampings)]
    allowed = (1.0, 0.95**2, 0.95**-2)
    assert all(min(abs(factor - known) for known in allowed) < 1e-12 for factor in factors)


@pytest.mark.parametrize("shared", [False, True])
def test_a_record_says_whether_the_machine_was_shared(shared: bool) -> None:
    assert bench.run(quick(iterations=1, eval_every=0), shared=shared).shared is shared


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The inputs of every batch that is drawn for training."""
    drawn: list[Tensor] = []
    batch = TensorData.batch

    def spy(self: TensorData, indices: Tensor) -> tuple[Tensor, Tensor]:
        drawn.append(indices.clone())
        return batch(self, indices)

    monkeypatch.setattr(TensorData, "batch", spy)
    return drawn


def test_all_optimizers_see_the_same_batches_and_start_from_the_same_point(
    seen: list[Tensor],
) -> None:
    orders, starts = [], []
    for optimizer in (*BUILT_IN, "torch.optim:LBFGS"):
        seen.clear()
        record = bench.run(quick(optimizer=optimizer, eval_every=0, iterations=4))
        orders.append(torch.stack(seen[-4:]))  # before them: a trial of curvature, the warm-up
        starts.append(losses(record)[0])
    assert all(torch.equal(orders[0], order) for order in orders)
    assert len(set(starts)) == 1


def test_global_random_state_is_left_alone() -> None:
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    bench.run(quick(optimizer="diag_ggn_mc"))
    assert torch.equal(torch.rand(3), expected)


def test_losses_equal_the_loop_written_by_hand() -> None:
    """SGD on the quadratic with the whole data as batch: no randomness but the start."""
    spec = quick(problem="quadratic", hyperparameters={"lr": 0.1}, iterations=5, dtype="float64")
    found = losses(bench.run(spec))
    prepared = prepare(spec)
    torch.manual_seed(stream_seed(0, "initialisation"))
    weight = next(prepared.problem.make_model().double().parameters()).detach().clone()
    data, velocity, expected = prepared.problem.train, torch.zeros_like(weight), []
    momentum = float(OPTIMIZERS["sgd"].defaults.get("momentum", 0.0))
    for _ in range(5):
        error = data.inputs @ weight.T - data.targets
        expected.append((error**2).mean().item())
        velocity = momentum * velocity + 2 * (error.T @ data.inputs) / len(data)
        weight = weight - 0.1 * velocity
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_rows_and_evaluations_of_a_completed_run() -> None:
    record = bench.run(quick(iterations=120, eval_every=50))
    assert list(record.iterations["iteration"]) == list(range(120))
    assert [row["iteration"] for row in record.evaluations] == [0, 50, 100, 120]
    assert record.evaluations[0]["seconds"] == 0
    assert record.evaluations[-1]["seconds"] == pytest.approx(record.seconds.sum())
    phases = record.iterations[["data_s", "forward_s", "backward_s", "step_s"]]
    assert (phases > 0).all(axis=None)
    assert record.iterations["accuracy"].between(0, 1).all()


def test_losses_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between blocks nothing is read from the device: on CUDA that would wait for it."""
    reads: list[int] = []
    tolist, item = Tensor.tolist, Tensor.item
    done = 0

    def spy(method: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        def read(self: Tensor) -> Any:
            reads.append(done)
            return method(self)

        return read

    def count(iterations: int) -> None:
        nonlocal done
        if iterations == 1:
            monkeypatch.setattr(Tensor, "tolist", spy(tolist))
            monkeypatch.setattr(Tensor, "item", spy(item))
        done = iterations

    bench.run(quick(optimizer="sgd", iterations=120, eval_every=0), on_iteration=count)
    assert set(reads) == {50, 100, 120}


def test_clocked_seconds_are_a_budget() -> None:
    record = bench.run(quick(iterations=None, seconds=0.05, eval_every=0))
    total = record.seconds.cumsum()
    assert total[-1] >= 0.05
    assert (total[:-1] < 0.05).all()


def test_a_target_ends_the_run_at_the_evaluation_that_reaches_it() -> None:
    record = bench.run(quick(iterations=2000, until=("accuracy", 0.6), eval_every=5))
    assert record.evaluations[-1]["accuracy"] >= 0.6
    assert all(row["accuracy"] < 0.6 for row in record.evaluations[:-1])
    assert len(record.iterations) == record.evaluations[-1]["iteration"] < 2000


def test_a_target_that_shrinks_is_reached_from_above() -> None:
    record = bench.run(quick(iterations=2000, until=("loss", 1.5), eval_every=5))
    assert record.evaluations[-1]["loss"] <= 1.5
    assert all(row["loss"] > 1.5 for row in record.evaluations[:-1])


class Sabotage(torch.optim.SGD):
    """SGD that does something to the parameters at step ``at``."""

    def __init__(self, params: Any, at: int = 0, raises: bool = False) -> None:
        super().__init__(params, lr=0.01)
        self.at, self.raises, self.steps = at, raises, 0

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        if self.steps == self.at and self.raises:
            raise RuntimeError("the optimizer broke")
        super().step()
        if self.steps == self.at:
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.data.fill_(math.inf)
        self.steps += 1


@pytest.fixture(autouse=True)
def _sabotage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIMIZERS, "sabotage", OptimizerSpec(name="sabotage", factory=Sabotage))


@pytest.mark.parametrize("at", [0, 1, 30, 49, 50, 73])
def test_a_non_finite_loss_ends_the_run_at_its_iteration(at: int) -> None:
    """The step after loss ``at`` spoils the parameters, so loss ``at + 1`` is the first bad one."""
    spec = quick(optimizer="sabotage", hyperparameters={"at": at}, iterations=120, eval_every=0)
    record = bench.run(spec)
    assert (record.status, record.diverged_at) == ("diverged", at + 1)
    assert len(record.iterations) == at + 2
    assert np.isfinite(record.values["loss"][: at + 1]).all()
    assert not np.isfinite(record.values["loss"][at + 1])


def test_parameters_spoiled_by_the_last_step_are_a_divergence() -> None:
    spec = quick(optimizer="sabotage", hyperparameters={"at": 11}, eval_every=50)
    record = bench.run(spec)
    assert (record.status, record.diverged_at, len(record.iterations)) == ("diverged", 12, 12)


def test_an_exception_after_divergence_is_a_divergence() -> None:
    """BackPACK's sampler raises on NaN probabilities: its consequence, not the outcome."""
    spec = quick(optimizer="diag_ggn_mc", hyperparameters={"lr": 1e38}, iterations=60)
    record = bench.run(spec)
    assert record.status == "diverged"
    assert record.diverged_at is not None
    assert 0 < record.diverged_at < 50
    assert np.isfinite(record.values["loss"][: record.diverged_at]).all()


def test_an_exception_is_a_failed_run_with_its_traceback() -> None:
    spec = quick(optimizer="sabotage", hyperparameters={"at": 3, "raises": True}, eval_every=0)
    record = bench.run(spec)
    assert record.status == "failed"
    assert "RuntimeError: the optimizer broke" in record.error
    assert len(record.iterations) == 3


def test_ctrl_c_is_an_interrupted_run_that_keeps_its_rows() -> None:
    def stop(done: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    record = bench.run(quick(), on_iteration=stop)
    assert (record.status, len(record.iterations)) == ("interrupted", 7)


def test_a_closure_without_default_is_given_one_and_its_time_is_split() -> None:
    spec = quick(optimizer="torch.optim:LBFGS", iterations=3, hyperparameters={"lr": 0.1})
    lbfgs, sgd = bench.run(spec), bench.run(quick(iterations=3))
    assert losses(lbfgs)[0] == losses(sgd)[0]
    assert losses(lbfgs)[-1] < losses(lbfgs)[0]
    assert (lbfgs.iterations[["forward_s", "backward_s", "step_s"]] > 0).all(axis=None)


class Impatient(torch.optim.SGD):
    """Takes a closure under another name, and calls it only if asked."""

    def __init__(self, params: Any, calls: bool = True) -> None:
        super().__init__(params, lr=0.1)
        self.calls = calls

    def step(self, recompute: Callable[[], Any]) -> None:  # type: ignore[override]
        if self.calls:
            super().step(recompute)


def test_a_closure_is_given_under_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIMIZERS, "impatient", OptimizerSpec(name="impatient", factory=Impatient))
    assert losses(bench.run(quick(optimizer="impatient")))[-1] < 2.3
    record = bench.run(quick(optimizer="impatient", hyperparameters={"calls": False}))
    assert record.status == "failed"
    assert record.reason == "RuntimeError: Impatient.step did not call its closure"


class Counted(torch.optim.Optimizer):
    """Evaluates its closure twice a step; each call of time advances a fake clock by one."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {})

    def step(self, closure: Callable[[], Any]) -> None:  # type: ignore[override]
        closure()
        closure()


def test_closure_times_are_exclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks at data, step, then twice forward, backward, step: one tick between neighbours."""
    monkeypatch.setitem(OPTIMIZERS, "counted", OptimizerSpec(name="counted", factory=Counted))
    ticks = itertools.count(step=1_000_000_000)
    monkeypatch.setattr("time.perf_counter_ns", lambda: next(ticks))
    record = bench.run(quick(optimizer="counted", iterations=2, eval_every=0))
    phases = record.iterations[["data_s", "forward_s", "backward_s", "step_s"]]
    np.testing.assert_allclose(phases.to_numpy(), [[1, 2, 2, 3]] * 2)


def test_only_due_steps_pay_for_curvature(monkeypatch: pytest.MonkeyPatch) -> None:
    from backpack.extensions import DiagGGNExact

    modules: list[nn.Module] = []
    call = DiagGGNExact.__call__

    def spy(self: DiagGGNExact, module: nn.Module, *gradients: Any) -> None:
        modules.append(module)
        call(self, module, *gradients)

    settings = {"update_every": 5}
    spec = quick(optimizer="diag_ggn_exact", hyperparameters=settings, iterations=11)
    prepare(spec)  # the trial, of which there is one
    monkeypatch.setattr(DiagGGNExact, "__call__", spy)
    bench.run(replace(spec, warmup=1))
    refreshes = sum(isinstance(module, nn.CrossEntropyLoss) for module in modules)
    assert refreshes == 1 + 3  # the warm-up; iterations 0, 5 and 10


def test_sys_exit_in_an_optimizer_is_a_failed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sabotage, "step", lambda self, closure=None: sys.exit(3))
    record = bench.run(quick(optimizer="sabotage"))
    assert (record.status, record.reason) == ("failed", "SystemExit: 3")


def test_a_reason_is_the_first_line_of_the_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Sabotage, closure: Any = None) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(Sabotage, "step", stop)
    assert bench.run(quick(optimizer="sabotage")).reason == "RuntimeError: first line"


def test_an_evaluation_without_its_metrics_is_a_failed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = harness_problem()
    lacking = replace(problem, evaluate=lambda *arguments: {"loss": torch.tensor(1.0)})
    spec = ProblemSpec(name="lacking", build=lambda options: lacking)
    monkeypatch.setitem(PROBLEMS, "lacking", spec)
    record = bench.run(quick(problem="lacking"))
    assert record.reason == "RuntimeError: the evaluation of lacking lacks ['distance']"


def test_a_metric_that_is_no_tensor_is_a_failed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = replace(harness_problem(), batch_metric=lambda outputs, targets: 0.5)  # type: ignore[arg-type, return-value]
    monkeypatch.setitem(PROBLEMS, "odd", ProblemSpec(name="odd", build=lambda options: odd))
    record = bench.run(quick(problem="odd"))
    assert record.status == "failed"
    assert "expected Tensor" in record.error


def harness_problem() -> Problem:
    return PROBLEMS["quadratic"].load_builder()(ProblemOptions())


def test_settings_that_are_not_plain_are_recorded_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    rate = torch.tensor(0.1)
    spec = OptimizerSpec(name="tensor_lr", factory=torch.optim.SGD, defaults={"lr": rate})
    monkeypatch.setitem(OPTIMIZERS, "tensor_lr", spec)
    record = bench.run(quick(optimizer="tensor_lr"))
    assert record.metadata()["config"]["settings"] == {"lr": repr(rate)}


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have iterations of the phases forward, backward and step last so many seconds, in turn."""

    def last(*seconds: float) -> None:
        ends = itertools.accumulate(seconds)
        begins = itertools.accumulate((0.0, *seconds))
        marks = [
            mark for begin, end in zip(begins, ends, strict=False) for mark in 4 * [begin] + [end]
        ]
        left = iter(marks)
        monkeypatch.setattr("time.perf_counter_ns", lambda: round(1e9 * next(left)))

    return last


@pytest.mark.parametrize(
    ("fields", "seconds", "warm"),
    [
        ({}, [5.0, 5.0], 2),
        ({}, [90.0, 2.0, 5.0, 5.9], 4),
        ({}, [2.0**number for number in range(10)], 10),
        ({"warmup": 1}, [9.0], 1),
        ({"warmup": 3}, [5.0, 5.0, 5.0], 3),
        ({"warmup": 12}, [5.0] * 12, 12),
        ({"warmup": 0}, [], 0),
    ],
    ids=["steady at once", "slow at first", "never steady", "one", "three", "twelve", "none"],
)
def test_a_run_warms_up_until_two_iterations_are_alike_or_as_often_as_told(
    fields: dict[str, Any],
    seconds: list[float],
    warm: int,
    taking: Callable[..., None],
    seen: list[Tensor],
) -> None:
    taking(*seconds, 1.0, 2.0)
    record = bench.run(quick(iterations=2, eval_every=0, **fields))
    assert record.status == "completed", record.error
    assert len(seen) == warm + 2
    assert record.seconds.tolist() == [1.0, 2.0]


def test_a_run_whose_times_are_no_timings_warms_up_once(seen: list[Tensor]) -> None:
    bench.run(quick(iterations=2, eval_every=0), shared=True)
    assert len(seen) == 1 + 2


@pytest.mark.parametrize("optimizer", [*BUILT_IN, "torch.optim:LBFGS"])
def test_the_warm_up_changes_no_loss(optimizer: str) -> None:
    spec = quick(optimizer=optimizer, iterations=6, eval_every=0)
    first, *others = (losses(bench.run(replace(spec, warmup=count))) for count in (1, 0, 4))
    assert all(other.tobytes() == first.tobytes() for other in others)


class Noisy(torch.optim.SGD):
    """Draws from the global generators of Python and NumPy, which nothing seeds for it."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step()
        for parameter in self.param_groups[0]["params"]:
            parameter.data += random.random() + np.random.random()


def test_the_warm_up_leaves_global_generators_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else losses would depend on how often it iterates, which the clock decides."""
    monkeypatch.setitem(OPTIMIZERS, "noisy", OptimizerSpec(name="noisy", factory=Noisy))
    found = []
    for count in (0, 5):
        random.seed(1)
        np.random.seed(1)
        found.append(losses(bench.run(quick(optimizer="noisy", warmup=count))))
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize(
    ("settings", "iterations", "expected"),
    [
        ({"at": 3, "raises": True}, 12, ("failed", None, 3)),
        ({"at": 3}, 12, ("diverged", 4, 5)),
        ({"at": 3}, 2, ("completed", None, 2)),
        ({"at": 0, "raises": True}, 12, ("failed", None, 0)),
    ],
    ids=["an exception", "a divergence", "a divergence after the run's end", "at once"],
)
def test_what_a_later_iteration_of_the_warm_up_meets_is_told_by_the_run(
    settings: dict[str, Any], iterations: int, expected: tuple[str, int | None, int]
) -> None:
    spec = quick(optimizer="sabotage", hyperparameters=settings, warmup=10, iterations=iterations)
    record = bench.run(spec)
    assert (record.status, record.diverged_at, len(record.iterations)) == expected
    assert bool(record.evaluations) is (expected[2] > 0)


def test_a_first_loss_that_is_not_finite_is_a_divergence_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = harness_problem()
    train = TensorData(problem.train.inputs * math.nan, problem.train.targets)
    spec = ProblemSpec(name="nowhere", build=lambda options: replace(problem, train=train))
    monkeypatch.setitem(PROBLEMS, "nowhere", spec)
    record = bench.run(quick(problem="nowhere", warmup=3))
    assert (record.status, record.diverged_at, len(record.iterations)) == ("diverged", 0, 0)


def test_no_row_is_of_the_warm_up(
    monkeypatch: pytest.MonkeyPatch, taking: Callable[..., None]
) -> None:
    """Neither where its iteration ended and what came after it failed, nor after Ctrl-C."""
    outcomes: Iterator[Callable[[], Tensor]] = iter(())

    def judge(*_: Tensor) -> Tensor:
        return next(outcomes, lambda: torch.tensor(0.5))()

    def stop(error: type[BaseException]) -> Tensor:
        raise error

    problem = replace(harness_problem(), batch_metric=judge)
    spec = ProblemSpec(name="judged", build=lambda options: problem)
    monkeypatch.setitem(PROBLEMS, "judged", spec)
    found = []
    for error in (ValueError, KeyboardInterrupt):
        outcomes = iter([lambda: torch.tensor(0.5), functools.partial(stop, error)])
        taking(90.0, 80.0, 1.0, 2.0)
        record = bench.run(quick(problem="judged", iterations=2, eval_every=0, warmup=5))
        found.append((record.status, record.seconds.tolist()))
    assert found == [("completed", [1.0, 2.0]), ("interrupted", [])]


@pytest.mark.gpu
def test_cuda_runs_record_memory_and_never_wait_inside_an_iteration() -> None:
    spec = quick(problem="mnist_cnn", optimizer="adam", device="cuda", eval_every=0)
    torch.cuda.set_sync_debug_mode("default")
    record = bench.run(replace(spec, iterations=60))
    assert record.status == "completed"
    assert record.peak_memory_bytes is not None
    assert record.peak_memory_bytes > 0

    def forbid(done: int) -> None:
        torch.cuda.set_sync_debug_mode("error" if done < 40 else "default")

    try:
        assert bench.run(replace(spec, iterations=45), on_iteration=forbid).status == "completed"
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_evaluation_before_the_first_iteration_can_be_left_out() -> None:
    with_it, without = (
        bench.run(
            bench.RunSpec(
                problem="quadratic", optimizer="sgd", iterations=5, eval_first=first, eval_every=5
            )
        )
        for first in (True, False)
    )
    assert [row["iteration"] for row in with_it.evaluations] == [0, 5]
    assert without.evaluations[0]["loss"] == with_it.evaluations[-1]["loss"]
    assert [row["iteration"] for row in without.evaluations] == [5]


class Ticking(torch.optim.SGD):
    """Its step takes one second of a time that we set."""

    now: ClassVar = [0.0]

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=0.1)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        super().step()
        self.now[0] += 1.0


@pytest.mark.parametrize("iterations", [7, 120])
def test_the_wall_time_of_iterations_is_without_evaluations(
    iterations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Ticking.now
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    evaluate = loop._Loop._evaluate

    def slowly(self: Any, *given: Any) -> bool:
        now[0] += 100.0
        return evaluate(self, *given)

    monkeypatch.setattr(loop._Loop, "_evaluate", slowly)
    record = bench.run(quick(optimizer=Ticking, iterations=iterations))
    assert record.iterating_s == pytest.approx(iterations)
    assert record.clocked_share == pytest.approx(record.seconds.sum() / iterations)
    lost = bench.run(
        quick(problem="quadratic", optimizer="sgd", hyperparameters={"lr": 1e30}, iterations=60)
    )
    assert lost.status == "diverged"
    assert lost.iterating_s is None
    assert math.isnan(lost.clocked_share)
