"""The one training loop. Every run goes through it, whatever the optimizer or the device.

It times nothing but the four phases of an iteration; evaluation, bookkeeping and progress happen
between the iterations, outside the clock. Losses stay on the device and are read in blocks.
"""

import contextlib
import math
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.machine import environment
from bench.runs import conditions
from bench.runs.record import COLUMNS, PHASES, RunRecord, Status, reaches
from bench.runs.spec import RunSpec
from bench.support.text import shorten
from bench.training import untouched
from bench.training.clock import phase_clock
from bench.training.identity import run_id
from bench.training.iteration import Training
from bench.training.prepare import Prepared, prepare
from bench.training.seeding import global_state_kept
from optimizers.curvature.statistics import Observed, curvature_statistics
from optimizers.spec import describe

BLOCK = 50
_WARM_AT_MOST, _WARM_WITHIN = 10, 1.2

OnIteration = Callable[[int], None]


def run(
    spec: RunSpec,
    *,
    results: str | Path | None = None,
    fresh: bool = False,
    session: str = "",
    on_iteration: OnIteration | None = None,
    shared: bool = False,
) -> RunRecord:
    """Run one optimizer on one problem with one seed, or find what is stored of that.

    Torch's global random state is left as it was.

    Args:
        spec: What to run.
        results: A results folder. A finished execution that it holds, from this machine under
            these conditions, is returned instead of another one; else the record is stored there.
            ``None``: it is run, and not stored.
        fresh: Run it, whatever is stored.
        session: Name of the command or program that this run belongs to.
        on_iteration: Called between iterations, outside the clock, with the iterations done.
        shared: Other runs share the machine meanwhile; the record says so, since its times are
            no timings then.

    Returns:
        The record; not stored, with a warning, if a default of torch's or one of its own classes
        was changed meanwhile. A run that raises is a record with the status ``failed`` and its
        traceback; one stopped by Ctrl-C has the status ``interrupted``.

    Raises:
        UsageError: The run cannot begin.
        KeyboardInterrupt: Ctrl-C, with ``results``: what there was of the run is stored, and
            whatever called goes no further.
    """
    prepared = prepare(spec)
    if results is None:
        return execute(prepared, session=session, on_iteration=on_iteration, shared=shared)
    from bench.runs import store  # a worker, which has no store, does without

    folder, times = Path(results), conditions.values(prepared, "times")
    if not fresh and (found := store.find(folder, prepared.run_id, times)):
        return found.relabelled(spec.label)
    store.require_writable(folder)
    untouched.at_first()
    before = untouched.now()
    record = execute(prepared, session=session, on_iteration=on_iteration, shared=shared)
    if changes := untouched.changed(before):
        warnings.warn(
            f"The run of '{spec.label}' is not stored, since it or one before it changed for this "
            f"whole process: {shorten(', '.join(changes), 200)}. Restart; 'optbench run' gives "
            "every run a process of its own.",
            stacklevel=2,
        )
        return record
    path = store.save(record, folder)
    if record.status == "interrupted":
        raise KeyboardInterrupt
    return replace(record, path=path)


def execute(
    prepared: Prepared,
    *,
    session: str = "",
    on_iteration: OnIteration | None = None,
    shared: bool = False,
) -> RunRecord:
    """Run what was prepared; see :func:`run`."""
    device, wall = torch.device(prepared.resolved.device), time.perf_counter()
    record = blank(prepared, session=session, shared=shared)
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), global_state_kept():
        warmup = prepared.resolved.warmup
        if warmup is None and shared:  # whose times are no timings
            warmup = 1
        loop = _Loop(prepared, device, on_iteration, warmup)
        outcome = loop.run()
    return replace(
        record,
        status=outcome.status,
        diverged_at=outcome.diverged_at,
        error=outcome.error,
        values=loop.values(),
        evaluations=loop.evaluations,
        curvature=loop.curvature(),
        peak_memory_bytes=loop.peak_memory_bytes,
        warmup_s=loop.warmup_s,
        iterating_s=loop.iterating_s if outcome.status == "completed" else None,
        wall_s=time.perf_counter() - wall,
    )


def blank(prepared: Prepared, *, session: str = "", shared: bool = False) -> RunRecord:
    """The record of a run that begins now, without anything that it yields.

    It stands for the run where it ends without a word: the status is ``failed``.
    """
    settings = describe(dict(prepared.optimizer.defaults) | dict(prepared.asked.hyperparameters))
    described = environment.describe(torch.device(prepared.resolved.device))
    if prepared.note:
        described["note"] = prepared.note
    return RunRecord(
        run_id=prepared.run_id,
        started_at=datetime.now(UTC),
        session=session,
        config=prepared.config | {"settings": settings},
        status="failed",
        diverged_at=None,
        error="",
        environment=described | {"shared": shared, "source": run_id(prepared.sources)},
        data=prepared.data,
        values=_columns([], [], []),
        metrics=prepared.metrics,
    )


def _columns(
    losses: list[float], accuracies: list[float], phases: list[list[float]]
) -> dict[str, np.ndarray]:
    """Raw values as the columns of a record, as many rows as all of them have."""
    rows = min(len(losses), len(accuracies), len(phases))
    seconds = np.array(phases[:rows], dtype=np.float64).reshape(rows, len(PHASES))
    columns = [
        np.arange(rows, dtype=np.int64),
        np.array(losses[:rows], dtype=np.float64),
        np.array(accuracies[:rows], dtype=np.float64),
        *seconds.T,
    ]
    return dict(zip(COLUMNS, columns, strict=True))


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    status: Status
    diverged_at: int | None = None
    error: str = ""


class _Loop:
    """The state of one run while it runs."""

    def __init__(
        self,
        prepared: Prepared,
        device: torch.device,
        on_iteration: OnIteration | None,
        warmup: int | None,
    ) -> None:
        self._spec, self._problem, self._device = prepared.resolved, prepared.problem, device
        self._prepared, self._on_iteration, self._warmup = prepared, on_iteration, warmup
        dtype: torch.dtype = getattr(torch, self._spec.dtype)
        self._train = self._problem.train.to(device, dtype)
        assert self._problem.held_out is not None  # the training data where there are no others
        self._held_out = self._problem.held_out.to(device, dtype)
        self._clock = phase_clock(device)
        self._training: Training | None = None
        self._losses: list[float] = []
        self._accuracies: list[float] = []
        self._phases: list[list[float]] = []
        self._clocked_s = 0.0
        self._curvature: list[dict[str, Any]] = []
        self.evaluations: list[dict[str, float]] = []
        self.peak_memory_bytes: int | None = None
        self.warmup_s = self.iterating_s = 0.0
        # Seconds are known without synchronising on the CPU only; there a budget of them is
        # checked after every iteration, elsewhere after every block.
        by_second = self._spec.seconds is not None and device.type == "cpu"
        self._block_size = 1 if by_second else BLOCK

    def run(self) -> _Outcome:
        """Warm up, train until a budget is spent, and say how it ended."""
        try:
            self._warm_up()
            self._train_until_spent(self._build(known=True))
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
        return _columns(self._losses, self._accuracies, self._phases)

    def curvature(self) -> list[dict[str, Any]]:
        """Rows of the curvature's statistics, of the iterations that are kept, for the record."""
        kept = min(len(self._losses), len(self._phases))
        return [row for row in self._curvature if row["iteration"] < kept]

    def _build(self, *, known: bool = False) -> Training:
        """A fresh model in training, the same for every call of a seed."""
        self._training = None
        self._training = Training(self._prepared, self._train, self._clock, known=known)
        return self._training

    def _warm_up(self) -> None:
        """Iterate on a model that is thrown away: libraries load and compile outside time.

        What the first iteration meets is the run's own. What a later one does is not: the run will
        meet it at that iteration, or never get there.

        Raises:
            _DivergenceError: The first loss is not finite.
        """
        began, times = time.perf_counter(), list[float]()
        try:
            with global_state_kept():
                while not self._is_warm(times):
                    self._warm_up_once(times)
        except (Exception, SystemExit):
            if not times:
                raise
        except KeyboardInterrupt:
            self._training = None  # its rows are not the run's
            raise
        self._clock.read()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self.warmup_s = time.perf_counter() - began

    def _warm_up_once(self, times: list[float]) -> None:
        """One iteration, on the model of those before it; its seconds are added to theirs."""
        training = self._training or self._build()
        training.iterate()
        if not math.isfinite(training.losses[0].item()):
            raise _DivergenceError(0)
        training.losses.clear()
        training.accuracies.clear()
        times += map(sum, self._clock.read())

    def _is_warm(self, times: list[float]) -> bool:
        """Whether the warm-up is over, from the seconds of its iterations."""
        if self._warmup is not None:
            return len(times) >= self._warmup
        last = times[-2:]
        steady = len(last) == 2 and max(last) <= _WARM_WITHIN * min(last)
        return steady or len(times) >= _WARM_AT_MOST

    def _train_until_spent(self, training: Training) -> None:
        spec, bound, iterate = self._spec, training.bound, training.iterate
        self._reset_peak()
        if self._spec.eval_first and self._evaluate(training, 0):
            return
        done, due = 0, spec.evaluations()
        evaluation, began = next(due, None), time.perf_counter()
        while spec.iterations is None or done < spec.iterations:
            if bound.observing is not None and self._observation_due(done):
                with bound.observing() as observed:
                    iterate()
                noting = time.perf_counter()
                self._note_curvature(observed, done)
                began += time.perf_counter() - noting
            else:
                iterate()
            done += 1
            if self._on_iteration is not None:
                self._on_iteration(done)
            if done % self._block_size == 0:
                self._read_block()
                if spec.seconds is not None and self._clocked_s >= spec.seconds:
                    break
            if done == evaluation:
                evaluation = next(due, None)
                self._read_block()
                self.iterating_s += time.perf_counter() - began
                if self._evaluate(training, done):
                    return
                began = time.perf_counter()
        self._read_block()
        self.iterating_s += time.perf_counter() - began
        self._evaluate(training, done)
        final = self.evaluations[-1].values() if self.evaluations else ()
        if not all(math.isfinite(value) for value in final):
            raise _DivergenceError(done)

    def _observation_due(self, iteration: int) -> bool:
        every, budget = self._spec.curvature_every, self._spec.iterations
        return bool(every) and (iteration % every == 0 or iteration + 1 == budget)

    def _note_curvature(self, observed: list[Observed], iteration: int) -> None:
        """Keep the statistics of what an iteration's step preconditioned with.

        On CUDA this waits for the device, between iterations and only where it is due.
        """
        self._curvature += [
            {"iteration": iteration, **row} for row in curvature_statistics(observed)
        ]

    def _read_block(self) -> None:
        """Read the losses of the block from the device.

        An iteration that was cut short has a loss but no phases, and is not kept as a row.

        Raises:
            _DivergenceError: A loss is not finite; what follows it is dropped.
        """
        training, first = self._training, len(self._losses)
        if training is None or not training.losses:
            return
        losses = torch.stack(training.losses).double().tolist()
        accuracies = training.read_accuracies() or [math.nan] * len(losses)
        phases = self._clock.read()
        training.losses.clear()
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

    def _evaluate(self, training: Training, done: int) -> bool:
        """Evaluate outside the clock; tell whether the target of ``until`` is reached."""
        if self._spec.eval_every == 0:
            return False
        if self.evaluations and self.evaluations[-1]["iteration"] == done:
            return False
        self._note_peak()
        bound = training.bound
        with training.evaluating(stepped=done > 0), torch.no_grad():
            metrics = self._problem.evaluate(bound.model, bound.loss_fn, self._held_out)
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
