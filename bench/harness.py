"""The one training loop. Every run goes through it, whatever the optimizer or the device.

It times nothing but the four phases of an iteration; evaluation, bookkeeping and progress happen
between the iterations, outside the clock. Losses stay on the device and are read in blocks.
"""

import contextlib
import inspect
import math
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench import environment
from bench.data import TensorData, batch_indices
from bench.phases import BACKWARD, FORWARD, STEP, phase_clock
from bench.prepare import Prepared, prepare
from bench.problems.problem import Problem
from bench.record import COLUMNS, PHASES, RunRecord, Status, reaches
from bench.seeding import stream_seed
from bench.spec import RunSpec
from optimizers.spec import BoundOptimizer, describe

BLOCK = 50

OnIteration = Callable[[int], None]


def run(spec: RunSpec, *, session: str = "", on_iteration: OnIteration | None = None) -> RunRecord:
    """Run one optimizer on one problem with one seed.

    Torch's global random state is left as it was.

    Args:
        spec: What to run.
        session: Name of the command or program that this run belongs to.
        on_iteration: Called between iterations, outside the clock, with the iterations done.

    Returns:
        The record. A run that raises is a record with the status ``failed`` and its traceback;
        one stopped by Ctrl-C has the status ``interrupted``.

    Raises:
        UsageError: The run cannot begin.
    """
    return execute(prepare(spec), session=session, on_iteration=on_iteration)


def execute(
    prepared: Prepared, *, session: str = "", on_iteration: OnIteration | None = None
) -> RunRecord:
    """Run what was prepared; see :func:`run`."""
    spec, device = prepared.spec, torch.device(prepared.spec.device)
    started_at, wall = datetime.now(UTC), time.perf_counter()
    described = environment.describe(device)
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        loop = _Loop(prepared, device, on_iteration)
        outcome = loop.run()
    settings = describe(dict(prepared.optimizer.defaults) | prepared.given)
    config = asdict(spec) | {"settings": settings}
    return RunRecord(
        run_id=prepared.run_id,
        started_at=started_at,
        session=session,
        config=config,
        status=outcome.status,
        diverged_at=outcome.diverged_at,
        error=outcome.error,
        environment=described,
        data=asdict(prepared.problem.source),
        values=loop.values(),
        evaluations=loop.evaluations,
        metrics=dict(prepared.problem.metrics),
        peak_memory_bytes=loop.peak_memory_bytes,
        warmup_s=loop.warmup_s,
        wall_s=time.perf_counter() - wall,
    )


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    status: Status
    diverged_at: int | None = None
    error: str = ""


@dataclass
class _Block:
    """What iterations leave on the device until it is read."""

    losses: list[Tensor] = field(default_factory=list)
    accuracies: list[Tensor] = field(default_factory=list)


class _Loop:
    """The state of one run while it runs."""

    def __init__(
        self, prepared: Prepared, device: torch.device, on_iteration: OnIteration | None
    ) -> None:
        self._spec, self._problem, self._device = prepared.spec, prepared.problem, device
        self._prepared, self._on_iteration = prepared, on_iteration
        self._dtype: torch.dtype = getattr(torch, self._spec.dtype)
        self._train = self._problem.train.to(device, self._dtype)
        self._held_out = self._problem.held_out.to(device, self._dtype)
        self._clock = phase_clock(device)
        self._block = _Block()
        self._losses: list[float] = []
        self._accuracies: list[float] = []
        self._phases: list[list[float]] = []
        self._clocked_s = 0.0
        self.evaluations: list[dict[str, float]] = []
        self.peak_memory_bytes: int | None = None
        self.warmup_s = 0.0
        # Seconds are known without synchronising on the CPU only; there a budget of them is
        # checked after every iteration, elsewhere after every block.
        by_second = self._spec.seconds is not None and device.type == "cpu"
        self._block_size = 1 if by_second else BLOCK

    def run(self) -> _Outcome:
        """Warm up, train until a budget is spent, and say how it ended."""
        try:
            self._warm_up()
            bound, batches = self._build()
            self._train_until_spent(bound, batches)
            return _Outcome(status="completed")
        except _DivergenceError as divergence:
            return _Outcome(status="diverged", diverged_at=divergence.iteration)
        except KeyboardInterrupt:
            with contextlib.suppress(_DivergenceError):
                self._read_block()
            return _Outcome(status="interrupted")
        except (Exception, SystemExit):
            # A non-finite loss makes many optimizers raise, the Monte-Carlo sampler among them:
            # then the divergence is the outcome, and the exception its consequence.
            error = traceback.format_exc()
            try:
                self._read_block()
            except _DivergenceError as divergence:
                return _Outcome(status="diverged", diverged_at=divergence.iteration)
            except Exception:
                error += f"\nand then, reading what was left:\n{traceback.format_exc()}"
            return _Outcome(status="failed", error=error)

    def values(self) -> dict[str, np.ndarray]:
        """Raw values per iteration, for the record."""
        rows = min(len(self._losses), len(self._accuracies), len(self._phases))
        phases = np.array(self._phases[:rows], dtype=np.float64).reshape(rows, len(PHASES))
        columns = [
            np.arange(rows, dtype=np.int64),
            np.array(self._losses[:rows], dtype=np.float64),
            np.array(self._accuracies[:rows], dtype=np.float64),
            *phases.T,
        ]
        return dict(zip(COLUMNS, columns, strict=True))

    def _build(self) -> tuple[BoundOptimizer, Iterator[Tensor]]:
        """A fresh model and optimizer, the same for every call of a seed, and its batches."""
        torch.manual_seed(stream_seed(self._spec.seed, "initialisation"))
        model = self._problem.make_model().to(self._device, self._dtype)
        loss_fn = self._problem.make_loss().to(self._device, self._dtype)
        bound = self._prepared.optimizer.bind(model, loss_fn, self._prepared.given)
        torch.manual_seed(stream_seed(self._spec.seed, "training"))
        batches = batch_indices(
            len(self._train),
            self._spec.batch_size or self._problem.batch_size,
            stream_seed(self._spec.seed, "batches"),
            self._device,
        )
        return bound, batches

    def _warm_up(self) -> None:
        """One iteration on a model that is thrown away: libraries load and compile outside time."""
        began = time.perf_counter()
        bound, batches = self._build()
        self._iteration_of(bound, batches)()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        if self._block.losses and not math.isfinite(self._block.losses[0].item()):
            raise _DivergenceError(0)
        self._clock.read()
        self._block = _Block()
        self.warmup_s = time.perf_counter() - began

    def _train_until_spent(self, bound: BoundOptimizer, batches: Iterator[Tensor]) -> None:
        spec = self._spec
        iterate = self._iteration_of(bound, batches)
        self._reset_peak()
        if self._evaluate(bound, 0):
            return
        done = 0
        while spec.iterations is None or done < spec.iterations:
            iterate()
            done += 1
            if self._on_iteration is not None:
                self._on_iteration(done)
            if done % self._block_size == 0:
                self._read_block()
                if spec.seconds is not None and self._clocked_s >= spec.seconds:
                    break
            if spec.eval_every and done % spec.eval_every == 0:
                self._read_block()
                if self._evaluate(bound, done):
                    return
        self._read_block()
        self._evaluate(bound, done)
        final = self.evaluations[-1].values() if self.evaluations else ()
        if not all(math.isfinite(value) for value in final):
            raise _DivergenceError(done)

    def _iteration_of(self, bound: BoundOptimizer, batches: Iterator[Tensor]) -> Callable[[], None]:
        return _iteration_of(bound, self._train, batches, self._problem, self._clock, self._block)

    def _read_block(self) -> None:
        """Read the losses of the block from the device.

        An iteration that was cut short has a loss but no phases, and is not kept as a row.

        Raises:
            _DivergenceError: A loss is not finite; what follows it is dropped.
        """
        block, first = self._block, len(self._losses)
        if not block.losses:
            return
        losses = torch.stack(block.losses).double().tolist()
        accuracies = (
            torch.stack(block.accuracies).double().tolist()
            if block.accuracies
            else [math.nan] * len(losses)
        )
        phases = self._clock.read()
        block.losses.clear()
        block.accuracies.clear()
        finite = [math.isfinite(loss) for loss in losses]
        diverged = not all(finite)
        kept = min(finite.index(False) + 1 if diverged else len(losses), len(phases))
        accuracies += [math.nan] * (kept - len(accuracies))
        self._losses += losses[:kept]
        self._accuracies += accuracies[:kept]
        self._phases += phases[:kept]
        self._clocked_s += sum(map(sum, phases[:kept]))
        if diverged:
            raise _DivergenceError(first + finite.index(False))

    def _evaluate(self, bound: BoundOptimizer, done: int) -> bool:
        """Evaluate outside the clock; tell whether the target of ``until`` is reached."""
        if not self._spec.eval_every:
            return False
        if self.evaluations and self.evaluations[-1]["iteration"] == done:
            return False
        self._note_peak()
        training = bound.model.training
        bound.model.eval()
        with torch.no_grad():
            metrics = self._problem.evaluate(bound.model, bound.loss_fn, self._held_out)
        bound.model.train(training)
        if lacking := self._problem.metrics.keys() - metrics.keys():
            raise RuntimeError(f"the evaluation of {self._spec.problem} lacks {sorted(lacking)}")
        row = {"iteration": float(done), "seconds": self._clocked_s}
        row |= {name: float(value) for name, value in metrics.items()}
        self.evaluations.append(row)
        self._reset_peak()
        if self._spec.until is None:
            return False
        name, target = self._spec.until
        return reaches(row[name], target, self._problem.metrics[name])

    def _reset_peak(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)

    def _note_peak(self) -> None:
        """Keep the peak of training so far; an evaluation's own memory does not count."""
        if self._device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self._device)
            self.peak_memory_bytes = max(peak, self.peak_memory_bytes or 0)


class _DivergenceError(Exception):
    """A non-finite loss ends the run."""

    def __init__(self, iteration: int) -> None:
        super().__init__(f"non-finite loss at iteration {iteration}")
        self.iteration = iteration


def _iteration_of(
    bound: BoundOptimizer,
    train: TensorData,
    batches: Iterator[Tensor],
    problem: Problem,
    clock: Any,
    block: _Block,
) -> Callable[[], None]:
    """Build the function that runs one iteration; everything it needs is looked up beforehand."""
    model, loss_fn, optimizer = bound.model, bound.loss_fn, bound.optimizer
    metric, context = problem.batch_metric, bound.backward_context
    losses, accuracies = block.losses, block.accuracies

    def forward(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        optimizer.zero_grad()
        outputs = model(inputs)
        return outputs, loss_fn(outputs, targets)

    def judge(outputs: Tensor, targets: Tensor) -> None:
        if metric is not None:
            with torch.no_grad():
                accuracies.append(metric(outputs, targets))

    def iterate() -> None:
        clock.start()
        inputs, targets = train.batch(next(batches))
        clock.switch(FORWARD)
        outputs, loss = forward(inputs, targets)
        losses.append(loss.detach())
        clock.switch(BACKWARD)
        with context():
            loss.backward()
        clock.switch(STEP)
        optimizer.step()
        clock.stop()
        judge(outputs, targets)

    def iterate_with_closure() -> None:
        first: list[Tensor] = []
        clock.start()
        inputs, targets = train.batch(next(batches))

        def closure() -> Tensor:
            outer = clock.switch(FORWARD)
            outputs, loss = forward(inputs, targets)
            if not first:
                first.append(outputs)
                losses.append(loss.detach())
            clock.switch(BACKWARD)
            with context():
                loss.backward()
            clock.switch(outer)
            return loss

        clock.switch(STEP)
        optimizer.step(closure)  # type: ignore[arg-type]
        clock.stop()
        if not first:
            raise RuntimeError(f"{type(optimizer).__name__}.step did not call its closure")
        judge(first[0], targets)

    return iterate_with_closure if _needs_closure(optimizer) else iterate


def _needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Whether ``step`` cannot be called without a closure, as with L-BFGS."""
    parameters = inspect.signature(optimizer.step).parameters.values()
    return any(
        p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        for p in parameters
    )
